// The part of WatchHub that brings watchers to where they are live: by the
// state, or by what they missed.
#include <utility>

#include "node/core/watch/watch_hub.h"

namespace muster::core {
namespace {

// What a turn, a change that is passed over, a message, and content cost, in
// rows.
constexpr size_t kRowsPerTurn = 8;
constexpr size_t kPassedOverPerRow = 8;
constexpr size_t kMessagesPerRow = 8;
constexpr size_t kBytesPerRow = 256;
// Watchers that may be given the same slice in one turn.
constexpr size_t kShared = 1024;

}  // namespace

void WatchHub::StartState(Watcher& watcher) {
  MoveTo(watcher, Phase::kState);
  watcher.cursor = {};
  watcher.reset = true;
  // What is under way is older than what it will be sent.
  watcher.upto = watcher.channel->deliveries;
  ++counters_.states;
  Enqueue(watcher);
}

bool WatchHub::WantsSlice(const Watcher& watcher) const {
  return (watcher.phase == Phase::kState || watcher.phase == Phase::kReplay) &&
         watcher.in_flight < slices_in_flight_;
}

void WatchHub::Enqueue(Watcher& watcher) {
  if (watcher.queued || !WantsSlice(watcher)) return;
  watcher.queued = true;
  work_.push_back(watcher.id);
}

void WatchHub::MoveTo(Watcher& watcher, Phase phase) {
  const auto list_of = [&watcher](Phase p) -> WatcherList* {
    if (p == Phase::kState) return &watcher.channel->state;
    if (p == Phase::kLive) return &watcher.channel->live;
    return nullptr;
  };
  if (WatcherList* from = list_of(watcher.phase)) from->Remove(watcher);
  watcher.phase = phase;
  if (WatcherList* to = list_of(phase)) to->Add(watcher);
  if (phase != Phase::kState) {
    watcher.cursor = {};
    watcher.reset = false;
  }
}

bool WatchHub::RunSlice(Now now, Output& out) {
  if (counts_due_) RunCounts(now);
  Flush(now, out);
  Unregister(step_.names);
  // What is read from the store has in it what is not routed yet, and would be
  // told again.
  if (routed_ < ring_.last()) return true;
  size_t rows = 0;
  while (!work_.empty() && rows < kSliceRows) {
    const auto found = watchers_.find(work_.front());
    work_.pop_front();
    if (found == watchers_.end()) continue;
    Watcher& watcher = *found->second;
    watcher.queued = false;
    if (!WantsSlice(watcher)) continue;
    rows += kRowsPerTurn + RunTurn(watcher, now, out);
    Enqueue(watcher);
  }
  return has_work();
}

size_t WatchHub::RunTurn(Watcher& watcher, Now now, Output& out) {
  WatchChannel& channel = *watcher.channel;
  size_t rows = 0;
  if (channel.registered < channel.scope.names.size()) {
    rows = kSliceRows;
    Register(channel, step_.names);
    // It is told of what it missed until it is live: not before all names are.
    if (watcher.phase == Phase::kReplay) return rows;
  }
  return rows + (watcher.phase == Phase::kReplay
                     ? SendMissed(watcher, out)
                     : SendState(watcher, now, out));
}

// What the watchers at one place of a state are sent: what has changed behind
// their cursor since, then the next part of the state.
struct WatchHub::Slice {
  WatchBatches changes;
  std::shared_ptr<WatchBatch> state;  // Null: none, or nothing in it.
  StateCursor cursor;                 // Then.
  uint64_t upto = 0;                  // Then.
  bool begun = false;                 // The state has.
  bool done = false;                  // It is complete.
  size_t rows = 0;
};

WatchHub::Slice WatchHub::ReadSlice(const Watcher& watcher, Now now) {
  WatchChannel& channel = *watcher.channel;
  const bool counts = channel.scope.counts_only;
  Slice slice;
  slice.cursor = watcher.cursor;
  slice.begun = !watcher.reset;
  slice.upto = counts ? watcher.upto : ring_.last();
  if (!counts && !watcher.reset) {
    slice.upto = BatchEnd(channel, watcher.upto);
    slice.changes = Build(channel, watcher.upto, slice.upto, &watcher.cursor);
    if (slice.upto < ring_.last()) {
      slice.rows = kSliceRows;
      return slice;
    }
  }
  slice.begun = true;
  slice.state = std::make_shared<WatchBatch>();
  WatchBatch& batch = *slice.state;
  const auto [done, rows] =
      reader_.Read(channel.scope, channel.registered, slice.cursor, batch);
  slice.done = done;
  slice.rows = rows + batch.arena.used() / kBytesPerRow;
  batch.version_life = self_;
  batch.reset = watcher.reset;
  batch.state_complete = done;
  if (done && !counts) batch.version_counter = slice.upto;
  if (!channel.touched.empty()) channel.snapshot_since = true;
  if (done && channel.live.all.empty()) channel.counts_sent = now.mono;
  // Of others, too, a reset is sent at once, so that diffs may follow it.
  const bool empty =
      !batch.reset && !done && batch.state.empty() && batch.counts.empty();
  if (empty) {
    slice.state = nullptr;
  } else {
    ++counters_.batches;
  }
  return slice;
}

size_t WatchHub::SendState(const Watcher& watcher, Now now, Output& out) {
  const Slice slice = ReadSlice(watcher, now);
  return slice.rows + Share(watcher, slice, out) / kMessagesPerRow;
}

// All watchers that stand where this one does get the slice; of very many the
// ones next to it, and the others with a turn of theirs. How many were looked
// at.
size_t WatchHub::Share(const Watcher& watcher, const Slice& slice,
                       Output& out) {
  WatcherList& list = watcher.channel->state;
  const bool reset = watcher.reset;
  const uint64_t upto = watcher.upto;
  const StateCursor cursor = watcher.cursor;
  size_t seen = 0;
  for (size_t i = watcher.place / kShared * kShared;
       i < list.all.size() && seen < kShared; ++seen) {
    Watcher& other = *list.all[i];
    const bool same = other.reset == reset &&
                      (reset || (other.upto == upto && other.cursor == cursor));
    if (!same || !WantsSlice(other)) {
      ++i;
      continue;
    }
    other.upto = slice.upto;
    other.cursor = slice.cursor;
    other.reset = !slice.begun;
    bool stays = SendAll(other, slice.changes, out);
    if (stays && slice.state != nullptr) stays = Send(other, slice.state, out);
    if (stays && slice.done) {
      MoveTo(other, Phase::kLive);
      stays = false;
    }
    if (stays) ++i;
  }
  return seen;
}

size_t WatchHub::SendMissed(Watcher& watcher, Output& out) {
  if (!ring_.Reaches(watcher.replayed)) {
    StartState(watcher);
    return 0;
  }
  const WatchScope& scope = watcher.channel->scope;
  const size_t room = slices_in_flight_ - watcher.in_flight;
  builder_.Tell({scope.detail, /*live=*/true});
  size_t matched = 0;
  size_t passed_over = 0;
  while (watcher.replayed < ring_.last() && matched < kSliceRows &&
         passed_over < kSliceRows * kPassedOverPerRow) {
    const Change change = ring_.At(watcher.replayed + 1);
    if (scope.Contains(change.topic, change.key)) {
      if (builder_.parts() == room && builder_.BeginsPart(change)) break;
      builder_.Add(change);
      ++matched;
    } else {
      ++passed_over;
    }
    ++watcher.replayed;
  }
  const bool done = watcher.replayed == ring_.last();
  if (done) builder_.CompleteReplay();
  const WatchBatches parts = builder_.Finish(watcher.replayed);
  counters_.batches += parts.size();
  SendAll(watcher, parts, out);
  if (done && watcher.phase == Phase::kReplay) {
    MoveTo(watcher, Phase::kLive);
    watcher.upto = watcher.replayed;
  }
  return matched + passed_over / kPassedOverPerRow;
}

}  // namespace muster::core
