// The lives that an administrator has made this node forget (tombstones).
//
// Peers that were not reached may go on telling of such a life. This node
// remembers it as forgotten for as long as they may, so that their word does
// not bring it back. A link to the life does, or a peer that has heard it
// lately.
//
// Limits: kMaxLives; a further one takes the place of the oldest.
// Internal to membership. Cost: O(log lives) a look-up.
#ifndef MUSTER_NODE_CORE_MEMBERSHIP_FORGOTTEN_LIVES_H_
#define MUSTER_NODE_CORE_MEMBERSHIP_FORGOTTEN_LIVES_H_

#include <cstddef>
#include <map>

#include "absl/time/time.h"
#include "crdt/types.h"
#include "node/core/time.h"

namespace muster::core {

class ForgottenLives {
 public:
  static constexpr size_t kMaxLives = 1024;

  void Add(crdt::LifeId life, Instant now);
  bool Contains(crdt::LifeId life) const { return lives_.contains(life); }
  // Whether news of a life is to be ignored. News that the life shows itself is
  // not, and ends its being forgotten.
  bool Ignores(crdt::LifeId life, bool shown);
  // Drops the lives that were forgotten longer than `keep` ago.
  void Expire(absl::Duration keep, Instant now);

 private:
  std::map<crdt::LifeId, Instant> lives_;  // And when.
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_MEMBERSHIP_FORGOTTEN_LIVES_H_
