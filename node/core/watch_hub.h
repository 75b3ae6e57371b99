// Watches: the state of what a client named, then every change of it, with no
// gap and no overlap.
//
//   store --OnShown/OnHidden/OnUpdated--> ring of changes, channels' pending
//   Flush:     pending --> one batch a channel, shared by its live watchers
//   RunSlice:  state or missed changes --> the watchers that need them
//
// Watchers of equal scope share a *channel*. A watcher gets the state slice by
// slice (see watch_state.h), and at each flush the changes that its cursor
// covers; from the slice that ends the state on it is *live*. Every batch but
// the parts of a state, and all but the last of several parts, has a
// *version*: the counter of the node's last change that it includes. A watch
// that comes with one of this life which the ring still reaches gets no state
// but the changes it missed, in one or more batches of which the last has
// `state_complete`, and is live.
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
//      its cursor covers, as of the last flush; of a live one, of its scope.
//   2. The versions that a watcher is given never fall.
//   3. Nothing of a watcher is kept but its record, and no change but the
//      ring's.
// Cost: a change O(1 + channels that match) and one copy; a flush O(changes +
// watchers of the changed channels), of which those in phase kState with a
// cursor of their own cost O(changes); a slice is bounded. Watch and EndWatch
// O(names). Until the first watch, a change costs one addition.
// Limits: WatchOptions. The ring takes kBytesPerChange for each change of
// `history` at most: larger changes make it reach less far back.
// Errors: of Watch only. Threads: one.
#ifndef MUSTER_NODE_CORE_WATCH_HUB_H_
#define MUSTER_NODE_CORE_WATCH_HUB_H_

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
#include "absl/container/flat_hash_set.h"
#include "absl/hash/hash.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "crdt/presence_store.h"
#include "node/core/change_ring.h"
#include "node/core/client.h"
#include "node/core/options.h"
#include "node/core/output.h"
#include "node/core/time.h"
#include "node/core/watch_channel.h"
#include "node/core/watch_diff.h"
#include "node/core/watch_index.h"
#include "node/core/watch_scope.h"
#include "node/core/watch_state.h"

namespace muster::core {

// Of all watches of this life.
struct WatchCounters {
  uint64_t states = 0;    // Begun, fresh starts of lagging watchers included.
  uint64_t resumes = 0;   // Watches that were told only what they missed.
  uint64_t lagged = 0;    // Times that a watcher began to lag.
  uint64_t batches = 0;   // Built.
  uint64_t messages = 0;  // Sent: a batch to a watcher.
};

class WatchHub : public crdt::ViewObserver {
 public:
  // Budget of the ring for each change of WatchOptions::history.
  static constexpr size_t kBytesPerChange = 512;
  // Batches on their way to a watcher that is being sent slices.
  static constexpr size_t kSlicesInFlight = 4;

  // `store` outlives the hub. `self` names this life in versions.
  WatchHub(crdt::PresenceStore& store, const WatchOptions& options,
           crdt::LifeId self);
  WatchHub(const WatchHub&) = delete;
  WatchHub& operator=(const WatchHub&) = delete;
  ~WatchHub() override;

  // RESOURCE_EXHAUSTED over max_watchers; INVALID_ARGUMENT if not exactly one
  // kind of scope is named, or the version is from the future.
  absl::StatusOr<WatchId> Watch(const WatchRequest& request, Now now,
                                Output& out);
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
  bool has_work() const { return !work_.empty(); }
  // Counts that are due, new versions for quiet channels.
  void Tick(Now now, Output& out);

  // Of the last change.
  uint64_t counter() const { return ring_.last(); }
  size_t watchers() const { return watchers_.size(); }
  size_t channels() const { return channels_.size(); }
  const WatchCounters& counters() const { return counters_; }
  // Memory held, batches on their way excluded.
  size_t bytes() const;

 private:
  using Phase = Watcher::Phase;

  // ---- watch_hub.cc: watches and changes ----
  absl::Status CheckVersion(const WatchRequest& request) const;
  WatchChannel* ChannelOf(WatchScope scope, Now now);
  void DropChannel(WatchChannel* channel);
  void Record(Change::Kind kind, crdt::RowIdx row, const crdt::Ref& previous);
  void MarkPending(WatchChannel& channel, uint64_t counter);
  void MarkCounts(WatchChannel& channel, Change::Kind kind, crdt::RowIdx row);

  // ---- watch_delivery.cc: batches to watchers ----
  void FlushChannel(WatchChannel& channel, Now now, Output& out);
  void FlushStates(WatchChannel& channel, Output& out);
  // To every live watcher of the channel.
  void Broadcast(WatchChannel& channel, const WatchBatches& parts, Output& out);
  void SendCounts(WatchChannel& channel, Now now, Output& out);
  void RefreshVersions(Now now, Output& out);
  void Versioned(WatchChannel& channel, Now now);
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
  size_t SendState(const Watcher& watcher, Now now, Output& out);
  size_t SendMissed(Watcher& watcher, Output& out);

  struct ChannelHash {
    using is_transparent = void;
    size_t operator()(const WatchScope& scope) const {
      return absl::Hash<WatchScope>{}(scope);
    }
    size_t operator()(const std::unique_ptr<WatchChannel>& channel) const {
      return (*this)(channel->scope);
    }
  };
  struct ChannelEq {
    using is_transparent = void;
    static const WatchScope& Scope(const WatchScope& scope) { return scope; }
    static const WatchScope& Scope(const std::unique_ptr<WatchChannel>& c) {
      return c->scope;
    }
    template <typename A, typename B>
    bool operator()(const A& a, const B& b) const {
      return Scope(a) == Scope(b);
    }
  };

  crdt::PresenceStore& store_;
  const WatchOptions options_;
  const crdt::LifeId self_;
  const size_t slices_in_flight_;

  ChangeRing ring_;
  WatchIndex index_;
  StateReader reader_;
  DiffBuilder builder_;
  bool recording_ = false;  // There has been a watch.

  WatchId next_watch_ = 1;
  absl::flat_hash_map<WatchId, std::unique_ptr<Watcher>> watchers_;
  absl::flat_hash_set<std::unique_ptr<WatchChannel>, ChannelHash, ChannelEq>
      channels_;
  size_t scope_bytes_ = 0;

  // Channels with pending changes, in the order of their first.
  std::vector<WatchChannel*> dirty_;
  // Channels of entries, the one with the oldest version first.
  std::list<WatchChannel*> by_version_;
  // Channels of counts: touched and not scheduled yet; scheduled.
  std::vector<WatchChannel*> touched_;
  absl::btree_map<std::pair<Instant, uint64_t>, WatchChannel*> timers_;
  uint64_t next_timer_ = 1;
  // Watchers that want a slice, each once; some may have ended.
  std::deque<WatchId> work_;

  WatchCounters counters_;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_WATCH_HUB_H_
