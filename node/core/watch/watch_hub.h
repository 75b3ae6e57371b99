// Watches: the state of what a client named, then every change of it, with no
// gap and no overlap.
//
//   store --OnShown/OnHidden/OnUpdated--> ring of changes
//   Flush:     ring --route--> channels' pending --deliver--> their watchers
//   RunSlice:  the same, then state or missed changes --> who needs them
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
#include <deque>
#include <list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "crdt/presence_store.h"
#include "node/core/client.h"
#include "node/core/options.h"
#include "node/core/output.h"
#include "node/core/time.h"
#include "node/core/watch/change_ring.h"
#include "node/core/watch/watch_channel.h"
#include "node/core/watch/watch_diff.h"
#include "node/core/watch/watch_index.h"
#include "node/core/watch/watch_scope.h"
#include "node/core/watch/watch_state.h"

namespace muster::core {

// Of all watches of this life.
struct WatchCounters {
  uint64_t states = 0;    // Begun, fresh starts of lagging watchers included.
  uint64_t resumes = 0;   // Watches that were told only what they missed.
  uint64_t lagged = 0;    // Times that a watcher began to lag.
  uint64_t batches = 0;   // Built.
  uint64_t messages = 0;  // Sent: a batch to a watcher.
};

// What one step does at most.
struct WatchStep {
  size_t messages = 2048;  // Flush, in messages to watchers; about 0.2 ms.
  size_t names = 256;      // That enter or leave the index, each.
};

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
    return !work_.empty() || !dirty_.empty() || !leaving_.empty() ||
           routed_ < ring_.last() || counts_due_;
  }
  // Counts that are due, new versions for quiet channels.
  void Tick(Now now, Output& out);

  // Changes that somebody is still to be told of.
  uint64_t waiting() const;
  // Of the last change.
  uint64_t counter() const { return ring_.last(); }
  size_t watchers() const { return watchers_.size(); }
  size_t channels() const { return channels_.size(); }
  const WatchCounters& counters() const { return counters_; }
  // Memory held, batches on their way excluded.
  size_t bytes() const;

 private:
  using Phase = Watcher::Phase;

  // ---- watch_hub.cc: watches, channels and their names ----
  absl::Status CheckVersion(const WatchRequest& request) const;
  WatchChannel* ChannelOf(WatchScope scope, Now now);
  void DropChannel(WatchChannel* channel);
  // Up to `names` names of it enter the index.
  void Register(WatchChannel& channel, size_t names);
  // Up to `names` names of channels that are gone leave it.
  void Unregister(size_t names);

  // ---- watch_route.cc: from changes to channels ----
  uint32_t KeyEntries(Change::Kind kind, crdt::RowIdx row) const;
  void Record(Change::Kind kind, crdt::RowIdx row, const crdt::Ref& previous);
  void Route();
  bool RouteTo(const WatchIndex::Lists& lists, const Change& change,
               uint64_t counter);
  void Mark(WatchChannel& channel, const Change& change, uint64_t counter);
  void MarkCounts(WatchChannel& channel, const Change& change);
  void Queue(WatchChannel& channel, uint64_t at);
  void Unqueue(WatchChannel& channel);
  // The ring keeps what is still to be routed or delivered.
  void PinRing();

  // ---- watch_delivery.cc: from channels to watchers ----
  void Deliver(WatchChannel& channel, Now now, Output& out);
  void BeginDelivery(WatchChannel& channel);
  bool DeliverTo(WatchChannel& channel, WatcherList& list, Output& out);
  void EndDelivery(WatchChannel& channel, Now now);
  // The last of the next changes after `from` that are told of in one batch.
  uint64_t BatchEnd(const WatchChannel& channel, uint64_t from) const;
  // The changes in (from, to] that the cursor covers; null: all.
  WatchBatches Build(const WatchChannel& channel, uint64_t from, uint64_t to,
                     const StateCursor* cursor);
  const WatchBatches& PartsFor(WatchChannel& channel, const Watcher& watcher);
  void Schedule(WatchChannel& channel, Instant due);
  void CountOn(WatchChannel& channel, Now now);
  void RunCounts(Now now);
  size_t CountNames(WatchChannel& channel, Now now);
  void RefreshVersions(Now now);
  void Versioned(WatchChannel& channel, uint64_t version, Now now);
  // False: the watcher lags now, and what it was to be sent is dropped.
  bool Send(Watcher& watcher, std::shared_ptr<const WatchBatch> batch,
            Output& out);
  bool SendAll(Watcher& watcher, const WatchBatches& parts, Output& out);

  // ---- watch_slices.cc: states and what was missed ----
  void StartState(Watcher& watcher);
  void Enqueue(Watcher& watcher);
  bool WantsSlice(const Watcher& watcher) const;
  // Into or out of the channel's list that goes with the phase.
  void MoveTo(Watcher& watcher, Phase phase);
  // Return what they cost, in rows.
  size_t RunTurn(Watcher& watcher, Now now, Output& out);
  size_t SendState(const Watcher& watcher, Now now, Output& out);
  size_t SendMissed(Watcher& watcher, Output& out);
  struct Slice;
  Slice ReadSlice(const Watcher& watcher, Now now);
  size_t Share(const Watcher& watcher, const Slice& slice, Output& out);

  crdt::PresenceStore& store_;
  const WatchOptions options_;
  const crdt::LifeId self_;
  const size_t slices_in_flight_;
  const WatchStep step_;
  const size_t max_ring_bytes_;

  ChangeRing ring_;
  WatchIndex index_;
  StateReader reader_;
  DiffBuilder builder_;
  bool recording_ = false;  // There has been a watch.

  WatchId next_watch_ = 1;
  absl::flat_hash_map<WatchId, std::unique_ptr<Watcher>> watchers_;
  uint64_t next_channel_ = 1;
  // By the hash of their scope.
  absl::btree_multimap<size_t, std::unique_ptr<WatchChannel>> channels_;
  std::deque<std::unique_ptr<WatchChannel>> leaving_;  // Gone.
  size_t scope_bytes_ = 0;

  // Changes up to this one have been routed; of the next one, to the channels
  // of the lists before `route_list_`, and of that one up to this number.
  uint64_t routed_;
  size_t route_list_ = 0;
  uint64_t route_number_ = 0;
  // What the step may still do, in messages.
  size_t work_left_;
  bool pinned_ = false;
  // Channels to be delivered to, by the first change that their watchers have
  // not been told of, and their numbers.
  absl::btree_map<std::pair<uint64_t, uint64_t>, WatchChannel*> dirty_;
  // Channels of entries, the one with the oldest version first.
  std::list<WatchChannel*> by_version_;
  // Channels of counts of which some have changed, by when these are due.
  absl::btree_map<std::pair<Instant, uint64_t>, WatchChannel*> timers_;
  uint64_t next_timer_ = 1;
  bool counts_due_ = false;  // More than one step counts.
  // Watchers that want a slice, each once; some may have ended.
  std::deque<WatchId> work_;

  WatchCounters counters_;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_WATCH_WATCH_HUB_H_
