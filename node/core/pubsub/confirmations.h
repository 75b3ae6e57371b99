// When a subscription holds everywhere.
//
// A subscribe is answered once every node that is up has the interest: then
// whatever is published after the answer, at any node, finds the subscription.
//
//   ask(s1, request 1) --written at seq 7--> waits for b >= 7, c >= 7 --> held
//
// A suspect is waited for kSuspectPatience from the asking at most; a node that
// is down, and one that knows no interest streams, not at all.
//
// Invariants: what is asked is answered in order, once, or forgotten with its
// subscriber. Cost: O(members) a Take that has something to look at.
// Threads: one.
#ifndef MUSTER_NODE_CORE_PUBSUB_CONFIRMATIONS_H_
#define MUSTER_NODE_CORE_PUBSUB_CONFIRMATIONS_H_

#include <cstdint>
#include <deque>
#include <map>
#include <vector>

#include "absl/time/time.h"
#include "crdt/types.h"
#include "node/core/message.h"
#include "node/core/time.h"

namespace muster::core {

class Confirmations {
 public:
  static constexpr absl::Duration kSuspectPatience = absl::Milliseconds(500);

  // Another node that is up and knows interest streams.
  struct Up {
    crdt::LifeId life;
    bool suspect = false;
  };
  using Held = SubscribeHeld;

  // Holds once the changes up to `ticket` (Subscriptions) are everywhere.
  void Ask(SubscriberId subscriber, uint64_t request, uint64_t ticket,
           Instant now);
  // The changes up to `ticket` stand in this node's stream, at `seq` or before.
  void OnWritten(uint64_t ticket, crdt::Seq seq);
  // That node has applied this node's stream so far.
  void OnApplied(crdt::LifeId life, crdt::Seq seq);
  // The node is gone for good.
  void Forget(crdt::LifeId life) { applied_.erase(life); }

  // What holds by now, in the order in which it was asked.
  std::vector<Held> Take(const std::vector<Up>& up, Instant now);
  bool waiting() const { return !asked_.empty(); }

 private:
  struct Asked {
    Held what;
    uint64_t ticket = 0;
    bool written = false;
    crdt::Seq seq;  // If it is written.
    Instant since{0};
  };
  bool Holds(const Asked& asked, const std::vector<Up>& up, Instant now) const;

  std::deque<Asked> asked_;
  size_t written_ = 0;  // Of `asked_`, the first ones.
  std::map<crdt::LifeId, crdt::Seq> applied_;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_PUBSUB_CONFIRMATIONS_H_
