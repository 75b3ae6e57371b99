// Watches: the state of what a client named (a snapshot), then every change of
// it, with no gap and no overlap. Back-pressure: a watcher that does not keep
// up is sent nothing until it has read, then a fresh snapshot.
//
//   store --OnShown/OnHidden/OnUpdated--> ring of changes
//   Flush:     ring --route--> channels' pending --deliver--> their watchers
//   RunSlice:  the same, then state or missed changes --> who needs them
//
// The hub composes the parts, each of which knows one thing:
//
//   channel_names.h    the channels by scope, and their names in the index
//   watch_router.h     from changes to channels; the ring
//   watch_delivery.h   from channels to watchers; versions
//   watch_sender.h     back-pressure of one watcher
//   watch_slices.h     states and what was missed
//   watch_counts.h     counts, and when they are due
//
// Watchers of equal scope share a *channel*, and the batches of changes. A
// watcher gets the state slice by slice (see watch_state.h), and with each
// delivery the changes that its cursor covers; from the slice that ends the
// state on it is *live*. Every batch but the parts of a state, and all but the
// last of several parts, has a *version*: a change such that the watcher has
// been told of all up to it. A watch that comes with one of this life which
// the ring still reaches gets no state but the changes it missed, in one or
// more batches of which the last has `state_complete`, and is live.
//
// Nothing is done at once that may be much. A change that concerns many
// channels is *routed* to them later; a channel with many watchers, or many
// changes, is delivered to in several steps. Each watcher knows up to which
// change it was told (`upto`), so it does not matter that others are further.
// What a step leaves is done by RunSlice, oldest change first. The names of a
// large scope enter and leave the index in slices, too: a state is read only
// of names that have entered.
//
// A watcher of which more than max_queued batches would be on their way is
// *lagging*: it gets nothing until all of them are written, then a fresh state
// marked `reset`. So it never holds more memory than those batches.
//
// A watch of counts gets those of every name at once (of a prefix: of every
// topic that is not empty), in slices, then at most every interval those that
// have changed; the first of these may come sooner, as watchers of equal
// scope and interval share them.
//
// A quiet channel's watchers are given a new version now and then, in an empty
// batch, so that they can resume after much has happened elsewhere.
//
// Invariants:
//   1. What a watcher in phase kState was sent is what is shown of all that
//      its cursor covers, as of the change `upto`; of a live one, of its scope.
//   2. The versions that a watcher is given never fall.
//   3. Nothing of a watcher is kept but its record, and no change but the
//      ring's. The ring keeps what somebody is still to be told.
//   4. No cursor covers a name that is not in the index, and no channel with a
//      live watcher has one.
// Cost: a change O(1) and one copy; Flush and RunSlice do at most a WatchStep
// each, and RunSlice kSliceRows; Watch and EndWatch O(names) only to look at
// them. If more than kMaxBehind changes wait, or kMaxBehindBytes, Flush does
// all there is: whoever makes them waits, instead of the memory growing. Until
// the first watch, a change costs one addition. Limits: WatchOptions. The ring
// takes kBytesPerChange for each change of `history` at most: larger changes
// make it reach less far back. Errors: of Watch only. Threads: one.
#ifndef MUSTER_NODE_CORE_WATCH_WATCH_HUB_H_
#define MUSTER_NODE_CORE_WATCH_WATCH_HUB_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "crdt/presence_store.h"
#include "node/core/client.h"
#include "node/core/options.h"
#include "node/core/output.h"
#include "node/core/time.h"
#include "node/core/watch/channel_names.h"
#include "node/core/watch/channel_queue.h"
#include "node/core/watch/watch_counts.h"
#include "node/core/watch/watch_delivery.h"
#include "node/core/watch/watch_router.h"
#include "node/core/watch/watch_sender.h"
#include "node/core/watch/watch_slices.h"
#include "node/core/watch/watch_work.h"

namespace muster::core {

class WatchHub : public crdt::ViewObserver {
 public:
  // Budget of the ring for each change of WatchOptions::history.
  static constexpr size_t kBytesPerChange = 512;
  // Batches on their way to a watcher that is being sent slices.
  static constexpr size_t kSlicesInFlight = 4;
  // Changes that may wait to be routed or delivered.
  static constexpr uint64_t kMaxBehind = 16'384;
  static constexpr size_t kMaxBehindBytes = 64 << 20;

  // `store` outlives the hub. `self` names this life in versions.
  WatchHub(crdt::PresenceStore& store, const WatchOptions& options,
           crdt::LifeId self, const WatchStep& step = {});
  WatchHub(const WatchHub&) = delete;
  WatchHub& operator=(const WatchHub&) = delete;
  ~WatchHub() override;

  // RESOURCE_EXHAUSTED over max_watchers; INVALID_ARGUMENT if not exactly one
  // kind of scope is named, or the version is from the future.
  absl::StatusOr<WatchId> Watch(WatchRequest request, Now now, Output& out);
  // Unknown watches are ignored by both.
  void WatchWritten(WatchId watch, size_t batches, Now now, Output& out);
  void EndWatch(WatchId watch);

  void OnShown(crdt::RowIdx row) override;
  void OnHidden(crdt::RowIdx row) override;
  void OnUpdated(crdt::RowIdx row, const crdt::Ref& previous) override;

  // After each batch of changes.
  void Flush(Now now, Output& out);
  // One slice for the watchers whose turn it is; whether there is more to do.
  bool RunSlice(Now now, Output& out);
  bool has_work() const {
    return !slices_.empty() || !queue_.empty() || names_.leaving() ||
           !router_.all_routed() || counts_.due();
  }
  // Counts that are due, new versions for quiet channels.
  void Tick(Now now, Output& out);

  // Changes that somebody is still to be told of.
  uint64_t waiting() const { return router_.waiting(); }
  // Of the last change.
  uint64_t counter() const { return router_.ring().last(); }
  size_t watchers() const { return watchers_.size(); }
  size_t channels() const { return names_.size(); }
  const WatchCounters& counters() const { return counters_; }
  // Memory held, batches on their way excluded.
  size_t bytes() const;

 private:
  using Phase = Watcher::Phase;

  WatchDelivery::Parts Parts();
  absl::Status CheckVersion(const WatchRequest& request) const;
  WatchChannel* ChannelOf(WatchScope scope, Now now);
  void DropChannel(WatchChannel* channel);
  void RunCounts(Now now);

  const WatchOptions options_;
  const crdt::LifeId self_;
  const WatchStep step_;
  const size_t max_ring_bytes_;

  WatchCounters counters_;
  WorkLeft work_;
  DiffBuilder builder_;
  ChannelQueue queue_;
  WatchSender sender_;
  WatchCounts counts_;
  WatchRouter router_;
  ChannelNames names_;
  WatchDelivery delivery_;
  WatchSlices slices_;

  WatchId next_watch_ = 1;
  WatchSlices::Watchers watchers_;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_WATCH_WATCH_HUB_H_
