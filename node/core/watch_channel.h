// The records of the watch hub: a watcher, and a channel, which is what the
// watchers of one scope share.
#ifndef MUSTER_NODE_CORE_WATCH_CHANNEL_H_
#define MUSTER_NODE_CORE_WATCH_CHANNEL_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "node/core/client.h"
#include "node/core/time.h"
#include "node/core/watch_scope.h"

namespace muster::core {

struct WatchChannel;

struct Watcher {
  enum class Phase : uint8_t {
    // Is told what it missed, from the ring, up to `replayed`.
    kReplay,
    // Is sent the state; `cursor` covers what it has. Changes there follow.
    kState,
    // Is sent every batch of its channel.
    kLive,
    // Is sent nothing until all that is on its way has been written.
    kLagging,
  };
  WatchId id = 0;
  WatchChannel* channel = nullptr;
  Phase phase = Phase::kReplay;
  bool reset = false;    // kState: the next slice is the first.
  bool queued = false;   // It is in the queue for a slice.
  size_t in_flight = 0;  // Batches sent and not written.
  size_t place = 0;      // kState, kLive: in the channel's list of these.
  uint64_t replayed = 0;
  StateCursor cursor;
};

struct WatchChannel {
  WatchScope scope;
  size_t watchers = 0;
  std::vector<Watcher*> live;
  std::vector<Watcher*> state;

  // Entries: counters of the changes since the last flush.
  std::vector<uint64_t> pending;
  // The version that the live ones were last given, and when.
  uint64_t version = 0;
  Instant versioned;
  std::list<WatchChannel*>::iterator by_version;

  // Counts: names that have changed, with their counts before that.
  absl::btree_map<std::string, CountReply, std::less<>> touched;
  // A watcher was sent counts that may lie between those of two intervals.
  bool snapshot_since = false;
  bool scheduled = false;
  Instant counts_sent;
  std::pair<Instant, uint64_t> due;  // If scheduled.
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_WATCH_CHANNEL_H_
