// The channels that have something to tell, the one whose watchers have waited
// for the oldest change first.
//
// Invariant: a channel is in the queue iff WatchChannel::queued_at is not 0,
// and that is its place.
// Cost: O(log channels). Threads: one.
#ifndef MUSTER_NODE_CORE_WATCH_CHANNEL_QUEUE_H_
#define MUSTER_NODE_CORE_WATCH_CHANNEL_QUEUE_H_

#include <cstdint>
#include <utility>

#include "absl/container/btree_map.h"
#include "node/core/watch/watch_channel.h"

namespace muster::core {

class ChannelQueue {
 public:
  // `at`: the first change that its watchers have not been told of. REQUIRES:
  // it is not in the queue.
  void Add(WatchChannel& channel, uint64_t at) {
    channel.queued_at = at;
    queue_.emplace(std::make_pair(at, channel.number), &channel);
  }
  void Remove(WatchChannel& channel) {
    if (channel.queued_at == 0) return;
    queue_.erase({channel.queued_at, channel.number});
    channel.queued_at = 0;
  }

  bool empty() const { return queue_.empty(); }
  // REQUIRES, of both: it is not empty.
  WatchChannel& front() { return *queue_.begin()->second; }
  uint64_t oldest() const { return queue_.begin()->first.first; }

 private:
  // By that change, and the channel's number.
  absl::btree_map<std::pair<uint64_t, uint64_t>, WatchChannel*> queue_;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_WATCH_CHANNEL_QUEUE_H_
