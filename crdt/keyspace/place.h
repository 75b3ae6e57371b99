// Places: where the items of a list are, as byte strings that compare.
//
//   RPUSH l a b      a at 0+tag, b at 1+tag
//   LPUSH l c        c at -1+tag
//   LINSERT l AFTER a d     d between a's place and b's
//
// A fractional index: a place between two others can always be made, and none
// is ever renumbered. It is an integer, whose bytes compare as it does and of
// which none is the beginning of another, then a fraction, whose last byte is
// not 0. A push takes the next integer and, as fraction, two bytes made of the
// pusher's life, so that places pushed on both sides of a cut differ. (Where
// they do not, items are in the order of their dots.)
// Cost: O(bytes). A place grows by a byte with every 127 or so insertions at
// one spot; pushes never make it grow.
#ifndef MUSTER_CRDT_KEYSPACE_PLACE_H_
#define MUSTER_CRDT_KEYSPACE_PLACE_H_

#include <string>

#include "absl/strings/string_view.h"
#include "crdt/keyspace/types.h"

namespace muster::kv {

// The place of the first item of a list.
std::string FirstPlace(const LifeId& pusher);
// Next to a place, towards the back or the front.
std::string PlaceBehind(absl::string_view place, const LifeId& pusher);
std::string PlaceBefore(absl::string_view place, const LifeId& pusher);
// Between two neighbours. If `a` < `b` does not hold, right behind `a`.
std::string PlaceBetween(absl::string_view a, absl::string_view b);

bool IsPlace(absl::string_view bytes);

}  // namespace muster::kv

#endif  // MUSTER_CRDT_KEYSPACE_PLACE_H_
