// What somebody meant who wrote a key, a flag or a command that there is not.
//
//   Suggestion("sevre", {"serve", "list"})   "; did you mean serve?"
//   Suggestion("max-conn", {"max-connections"})
//                                            "; did you mean max-connections?"
//   Suggestion("colour", {"serve", "list"})  ""
//
// The nearest candidate, if at most three letters, and no more than half of
// those written, were left out, added, changed or swapped with the next (the
// optimal string alignment distance); else the shortest that begins with what
// was written. The first of several.
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
