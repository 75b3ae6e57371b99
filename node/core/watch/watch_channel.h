// The records of the watch hub: a watcher, and a channel, which is what the
// watchers of one scope share.
//
// What a channel's watchers are to be told is brought to them by a *delivery*:
// one round through its lists that takes as many steps as it needs. Watchers
// come, go and change their list meanwhile:
//
//   list:  served ... | not yet ...      Remove keeps the two apart, Add is
//                                        behind: `upto` says what it has had
#ifndef MUSTER_NODE_CORE_WATCH_WATCH_CHANNEL_H_
#define MUSTER_NODE_CORE_WATCH_WATCH_CHANNEL_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "node/core/client.h"
#include "node/core/time.h"
#include "node/core/watch/watch_diff.h"
#include "node/core/watch/watch_scope.h"

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
  // kState, kLive: it was told of the changes up to this one (of counts: of
  // the deliveries), as far as its cursor covers them.
  uint64_t upto = 0;
  StateCursor cursor;
};

// The watchers of a channel that are in one phase.
struct WatcherList {
  std::vector<Watcher*> all;
  size_t served = 0;  // The first ones, by the delivery under way.

  void Add(Watcher& watcher) {
    watcher.place = all.size();
    all.push_back(&watcher);
  }
  void Remove(const Watcher& watcher) {
    size_t hole = watcher.place;
    if (hole < served) {
      Put(hole, all[--served]);
      hole = served;
    }
    if (hole + 1 < all.size()) Put(hole, all.back());
    all.pop_back();
  }

 private:
  void Put(size_t at, Watcher* watcher) {
    all[at] = watcher;
    watcher->place = at;
  }
};

struct Delivery {
  // Of entries: brings watchers up to this change. Of counts: its number.
  uint64_t target = 0;
  // What was built last, and for whom: watchers that stand at the same place
  // share it. Of counts, all do.
  WatchBatches parts;
  bool built = false;
  bool whole = false;  // For live watchers, not for a cursor.
  uint64_t from = 0;
  StateCursor cursor;
};

struct WatchChannel {
  uint64_t number = 0;  // Of all channels of this life.
  WatchScope scope;
  size_t hash = 0;  // Of the scope.
  // Names of the scope, from the first one on, that are in the index: no
  // cursor is further than that, and nobody is live before all of them are.
  size_t registered = 0;
  bool gone = false;  // Only its names are still to leave the index.
  size_t watchers = 0;
  WatcherList live;
  WatcherList state;

  // There is something to deliver: its place in the hub's queue, or 0.
  uint64_t queued_at = 0;
  std::unique_ptr<Delivery> delivery;  // Under way.

  // Entries: counters of the changes that have not been delivered.
  std::vector<uint64_t> pending;
  bool refresh = false;  // A new version is to be told of, if nothing else.
  // The version that the live ones were last given, and when.
  uint64_t version = 0;
  Instant versioned;
  std::list<WatchChannel*>::iterator by_version;

  // Counts: names that have changed, and by how much.
  struct Delta {
    int64_t entries = 0;
    int64_t keys = 0;
  };
  absl::btree_map<std::string, Delta, std::less<>> touched;
  // A watcher was sent counts that may lie between those of two intervals.
  bool snapshot_since = false;
  uint64_t deliveries = 0;
  bool scheduled = false;
  Instant counts_sent;
  std::pair<Instant, uint64_t> due;  // If scheduled.

  // A delivery that brings watchers up to `target` begins. REQUIRES: there is
  // none under way.
  void BeginDelivery(uint64_t target) {
    delivery = std::make_unique<Delivery>();
    delivery->target = target;
    live.served = 0;
    state.served = 0;
  }
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_WATCH_WATCH_CHANNEL_H_
