// The known word that an unknown key, flag or command was probably meant for.
//
//   Suggestion("sevre", {"serve", "list"})   "; did you mean serve?"
//   Suggestion("max-conn", {"max-connections"})
//                                            "; did you mean max-connections?"
//   Suggestion("colour", {"serve", "list"})  ""
//
// The suggestion is the nearest candidate, if at most three letters, and no
// more than half of the word, were left out, added, changed or swapped with the
// next (the optimal string alignment distance). Else it is the shortest
// candidate that begins with the word. Of several it is the first.
#ifndef MUSTER_NODE_CONFIG_SUGGESTION_H_
#define MUSTER_NODE_CONFIG_SUGGESTION_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace muster {

std::string Suggestion(absl::string_view written,
                       const std::vector<std::string>& candidates);

}  // namespace muster

#endif  // MUSTER_NODE_CONFIG_SUGGESTION_H_
