// Counts: which names of the channels of counts have changed, and when these
// are counted and told.
//
//   change --Mark--> touched names, and a timer --Run, when due--> a delivery
//
// A name is counted from the store when its timer is due, not by adding up
// changes: those say only whether there is anything to tell.
//
// Invariant: a channel with touched names has a timer, or a delivery of it is
// queued.
// Cost: Mark O(log n) in the touched names; Run at most kNamesCounted names.
// Threads: one.
#ifndef MUSTER_NODE_CORE_WATCH_WATCH_COUNTS_H_
#define MUSTER_NODE_CORE_WATCH_WATCH_COUNTS_H_

#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/container/btree_map.h"
#include "crdt/presence_store.h"
#include "node/core/time.h"
#include "node/core/watch/change_ring.h"
#include "node/core/watch/channel_queue.h"
#include "node/core/watch/watch_channel.h"
#include "node/core/watch/watch_work.h"

namespace muster::core {

class WatchCounts {
 public:
  // All outlive this.
  WatchCounts(const crdt::PresenceStore& store, crdt::LifeId self,
              ChannelQueue& queue, WatchCounters& counters)
      : store_(store), self_(self), queue_(queue), counters_(counters) {}

  // The change concerns the channel.
  void Mark(WatchChannel& channel, const Change& change);
  // What is left of the names that have changed is due at once.
  void GoOn(WatchChannel& channel, Now now);
  void Drop(WatchChannel& channel);

  // How far the hub has come with changes.
  struct Progress {
    uint64_t routed = 0;
    uint64_t last = 0;
  };
  // Counts what is due, as far as one step goes.
  void Run(Progress progress, Now now);
  // More than one step counts.
  bool due() const { return due_; }

 private:
  void Schedule(WatchChannel& channel, Instant due);
  // Counts names that have changed, and queues the channel with what came of
  // it. Returns how many.
  size_t CountNames(WatchChannel& channel, Progress progress, Now now);

  const crdt::PresenceStore& store_;
  const crdt::LifeId self_;
  ChannelQueue& queue_;
  WatchCounters& counters_;
  // Channels of which some counts have changed, by when these are due.
  absl::btree_map<std::pair<Instant, uint64_t>, WatchChannel*> timers_;
  uint64_t next_timer_ = 1;
  bool due_ = false;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_WATCH_WATCH_COUNTS_H_
