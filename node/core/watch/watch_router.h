// From changes to channels: each change of what is shown is put in the ring,
// and *routed* to the channels that have its topic or key in their scope.
//
//   store --Record--> ring: 4 5 | 6 7 8       routed up to 5
//                               Route: 6 -> channels 1, 3, then 9, ...
//
// A change that concerns few channels is routed at once. One that concerns many
// is routed later, channel by channel, as the step's work allows; the router
// knows how far it has come with it.
//
// Invariants:
//   1. Changes are routed in order, each once to each channel that was there.
//   2. The ring keeps what is not routed, or not delivered: it is pinned.
// Cost: a change O(1) and one copy, and one message of work a channel. Until
// Start, a change costs one addition. Threads: one.
#ifndef MUSTER_NODE_CORE_WATCH_WATCH_ROUTER_H_
#define MUSTER_NODE_CORE_WATCH_WATCH_ROUTER_H_

#include <cstddef>
#include <cstdint>

#include "crdt/presence_store.h"
#include "node/core/watch/change_ring.h"
#include "node/core/watch/channel_queue.h"
#include "node/core/watch/watch_channel.h"
#include "node/core/watch/watch_counts.h"
#include "node/core/watch/watch_index.h"
#include "node/core/watch/watch_work.h"

namespace muster::core {

class WatchRouter {
 public:
  // All outlive this.
  WatchRouter(crdt::PresenceStore& store, const ChangeRing::Limits& limits,
              ChannelQueue& queue, WatchCounts& counts, WorkLeft& work);
  WatchRouter(const WatchRouter&) = delete;
  WatchRouter& operator=(const WatchRouter&) = delete;

  // There is a watch: changes are recorded from now on.
  void Start() { recording_ = true; }
  // While the row has the content in question.
  void Record(Change::Kind kind, crdt::RowIdx row, const crdt::Ref& previous);
  // Goes on with changes that are not routed, as far as the work goes.
  void Route();
  // The ring keeps what is still to be routed or delivered, and no more.
  void Pin();

  const ChangeRing& ring() const { return ring_; }
  WatchIndex& index() { return index_; }
  // Changes up to this one have been routed.
  uint64_t routed() const { return routed_; }
  bool all_routed() const { return routed_ == ring_.last(); }
  bool pinned() const { return pinned_; }
  // Changes that somebody is still to be told of.
  uint64_t waiting() const;

 private:
  uint32_t KeyEntries(Change::Kind kind, crdt::RowIdx row) const;
  bool RouteTo(const WatchIndex::Lists& lists, const Change& change,
               uint64_t counter);
  void Mark(WatchChannel& channel, const Change& change, uint64_t counter);

  crdt::PresenceStore& store_;
  ChannelQueue& queue_;
  WatchCounts& counts_;
  WorkLeft& work_;
  ChangeRing ring_;
  WatchIndex index_;
  bool recording_ = false;
  // Of the change after the routed ones: to the channels of the lists before
  // `route_list_`, and of that one up to this number.
  uint64_t routed_;
  size_t route_list_ = 0;
  uint64_t route_number_ = 0;
  bool pinned_ = false;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_WATCH_WATCH_ROUTER_H_
