// The part of WatchHub that brings watchers to where they are live: by the
// state, or by what they missed.
#include <utility>

#include "node/core/watch_hub.h"

namespace muster::core {
namespace {

// What a turn, a change that is passed over, a message, and content cost, in
// rows.
constexpr size_t kRowsPerTurn = 8;
constexpr size_t kPassedOverPerRow = 8;
constexpr size_t kMessagesPerRow = 8;
constexpr size_t kBytesPerRow = 256;

}  // namespace

void WatchHub::StartState(Watcher& watcher) {
  MoveTo(watcher, Phase::kState);
  watcher.cursor = {};
  watcher.reset = true;
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
  const auto list_of = [&watcher](Phase p) -> std::vector<Watcher*>* {
    if (p == Phase::kState) return &watcher.channel->state;
    if (p == Phase::kLive) return &watcher.channel->live;
    return nullptr;
  };
  if (std::vector<Watcher*>* from = list_of(watcher.phase)) {
    from->back()->place = watcher.place;
    (*from)[watcher.place] = from->back();
    from->pop_back();
  }
  watcher.phase = phase;
  if (std::vector<Watcher*>* to = list_of(phase)) {
    watcher.place = to->size();
    to->push_back(&watcher);
  }
  if (phase != Phase::kState) watcher.cursor = {};
}

bool WatchHub::RunSlice(Now now, Output& out) {
  // From here on what is read from the store is what has been flushed.
  Flush(now, out);
  size_t rows = 0;
  while (!work_.empty() && rows < kSliceRows) {
    const auto found = watchers_.find(work_.front());
    work_.pop_front();
    if (found == watchers_.end()) continue;
    Watcher& watcher = *found->second;
    watcher.queued = false;
    if (!WantsSlice(watcher)) continue;
    rows += kRowsPerTurn;
    rows += watcher.phase == Phase::kReplay ? SendMissed(watcher, out)
                                            : SendState(watcher, now, out);
    Enqueue(watcher);
  }
  return !work_.empty();
}

size_t WatchHub::SendState(const Watcher& watcher, Now now, Output& out) {
  WatchChannel& channel = *watcher.channel;
  const StateCursor from = watcher.cursor;
  const bool reset = watcher.reset;
  StateCursor to = from;
  auto batch = std::make_shared<WatchBatch>();
  const auto [done, rows] = reader_.Read(channel.scope, to, *batch);
  batch->version_life = self_;
  batch->reset = reset;
  batch->state_complete = done;
  if (done && !channel.scope.counts_only) {
    batch->version_counter = ring_.last();
  }
  if (!channel.touched.empty()) channel.snapshot_since = true;
  if (done && channel.live.empty()) channel.counts_sent = now.mono;
  // Of others, too, a reset is sent at once, so that diffs may follow it.
  const bool empty =
      !reset && !done && batch->state.empty() && batch->counts.empty();
  if (!empty) ++counters_.batches;

  // All watchers that stand at the same place share the slice.
  size_t sent = 0;
  for (size_t i = 0; i < channel.state.size();) {
    Watcher& other = *channel.state[i];
    const bool same = other.reset == reset && other.cursor == from;
    if (!same || !WantsSlice(other)) {
      ++i;
      continue;
    }
    other.cursor = to;
    other.reset = false;
    if (!empty) Send(other, batch, out);
    ++sent;
    if (done) {
      MoveTo(other, Phase::kLive);
    } else {
      ++i;
    }
  }
  return rows + batch->arena.used() / kBytesPerRow + sent / kMessagesPerRow;
}

size_t WatchHub::SendMissed(Watcher& watcher, Output& out) {
  if (!ring_.Reaches(watcher.replayed)) {
    StartState(watcher);
    return 0;
  }
  const WatchScope& scope = watcher.channel->scope;
  const size_t room = slices_in_flight_ - watcher.in_flight;
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
  if (done) MoveTo(watcher, Phase::kLive);
  return matched + passed_over / kPassedOverPerRow;
}

}  // namespace muster::core
