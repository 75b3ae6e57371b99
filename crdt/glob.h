// Glob patterns as Redis has them (PSUBSCRIBE, KEYS): over bytes, any bytes.
//
//   *        any bytes, none too          h*llo    hllo, heeello
//   ?        one byte                     h?llo    hello
//   [abc]    one of them; [a-z] a range   h[ae]llo
//   [^abc]   one byte that is none of them
//   \x       x itself
//
// A class without its `]` ends with the pattern; a range given backwards is
// turned round; a last `\` stands for itself.
//
// Cost: O(bytes of the pattern x bytes of the text) at worst, no recursion: a
// pattern from a client cannot hold the loop.
#ifndef MUSTER_CRDT_GLOB_H_
#define MUSTER_CRDT_GLOB_H_

#include "absl/strings/string_view.h"

namespace muster::crdt {

bool GlobMatch(absl::string_view pattern, absl::string_view text);

}  // namespace muster::crdt

#endif  // MUSTER_CRDT_GLOB_H_
