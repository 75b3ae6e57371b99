#include "node/core/watch/watch_slices.h"

#include <utility>

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

void WatchSlices::StartState(Watcher& watcher) {
  parts_.sender.MoveTo(watcher, Watcher::Phase::kState);
  watcher.cursor = {};
  watcher.reset = true;
  // What is under way is older than what it will be sent.
  watcher.upto = watcher.channel->deliveries;
  ++parts_.counters.states;
  Enqueue(watcher);
}

bool WatchSlices::WantsSlice(const Watcher& watcher) const {
  return (watcher.phase == Watcher::Phase::kState ||
          watcher.phase == Watcher::Phase::kReplay) &&
         watcher.in_flight < in_flight_;
}

void WatchSlices::Enqueue(Watcher& watcher) {
  if (watcher.queued || !WantsSlice(watcher)) return;
  watcher.queued = true;
  work_.push_back(watcher.id);
}

void WatchSlices::Run(const Watchers& watchers, Now now, Output& out) {
  size_t rows = 0;
  while (!work_.empty() && rows < kSliceRows) {
    const auto found = watchers.find(work_.front());
    work_.pop_front();
    if (found == watchers.end()) continue;
    Watcher& watcher = *found->second;
    watcher.queued = false;
    if (!WantsSlice(watcher)) continue;
    rows += kRowsPerTurn + RunTurn(watcher, now, out);
    Enqueue(watcher);
  }
}

size_t WatchSlices::RunTurn(Watcher& watcher, Now now, Output& out) {
  WatchChannel& channel = *watcher.channel;
  size_t rows = 0;
  if (channel.registered < channel.scope.names.size()) {
    rows = kSliceRows;
    names_.Register(channel, names_at_once_);
    // It is told of what it missed until it is live: not before all names are.
    if (watcher.phase == Watcher::Phase::kReplay) return rows;
  }
  return rows + (watcher.phase == Watcher::Phase::kReplay
                     ? SendMissed(watcher, out)
                     : SendState(watcher, now, out));
}

// What the watchers at one place of a state are sent: what has changed behind
// their cursor since, then the next part of the state.
struct WatchSlices::Slice {
  WatchBatches changes;
  std::shared_ptr<WatchBatch> state;  // Null: none, or nothing in it.
  StateCursor cursor;                 // Then.
  uint64_t upto = 0;                  // Then.
  bool begun = false;                 // The state has.
  bool done = false;                  // It is complete.
  size_t rows = 0;
};

WatchSlices::Slice WatchSlices::ReadSlice(const Watcher& watcher, Now now) {
  const ChangeRing& ring = parts_.router.ring();
  WatchChannel& channel = *watcher.channel;
  const bool counts = channel.scope.counts_only;
  Slice slice;
  slice.cursor = watcher.cursor;
  slice.begun = !watcher.reset;
  slice.upto = counts ? watcher.upto : ring.last();
  if (!counts && !watcher.reset) {
    slice.upto = delivery_.BatchEnd(channel, watcher.upto);
    slice.changes =
        delivery_.Build(channel, watcher.upto, slice.upto, &watcher.cursor);
    if (slice.upto < ring.last()) {
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
    ++parts_.counters.batches;
  }
  return slice;
}

size_t WatchSlices::SendState(const Watcher& watcher, Now now, Output& out) {
  const Slice slice = ReadSlice(watcher, now);
  return slice.rows + Share(watcher, slice, out) / kMessagesPerRow;
}

// All watchers that stand where this one does get the slice; of very many the
// ones next to it, and the others with a turn of theirs. How many were looked
// at.
size_t WatchSlices::Share(const Watcher& watcher, const Slice& slice,
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
    bool stays = parts_.sender.SendAll(other, slice.changes, out);
    if (stays && slice.state != nullptr)
      stays = parts_.sender.Send(other, slice.state, out);
    if (stays && slice.done) {
      parts_.sender.MoveTo(other, Watcher::Phase::kLive);
      stays = false;
    }
    if (stays) ++i;
  }
  return seen;
}

size_t WatchSlices::SendMissed(Watcher& watcher, Output& out) {
  const ChangeRing& ring = parts_.router.ring();
  if (!ring.Reaches(watcher.replayed)) {
    StartState(watcher);
    return 0;
  }
  const WatchScope& scope = watcher.channel->scope;
  const size_t room = in_flight_ - watcher.in_flight;
  parts_.builder.Tell({scope.detail, /*live=*/true});
  size_t matched = 0;
  size_t passed_over = 0;
  while (watcher.replayed < ring.last() && matched < kSliceRows &&
         passed_over < kSliceRows * kPassedOverPerRow) {
    const Change change = ring.At(watcher.replayed + 1);
    if (scope.Contains(change.topic, change.key)) {
      if (parts_.builder.parts() == room && parts_.builder.BeginsPart(change))
        break;
      parts_.builder.Add(change);
      ++matched;
    } else {
      ++passed_over;
    }
    ++watcher.replayed;
  }
  const bool done = watcher.replayed == ring.last();
  if (done) parts_.builder.CompleteReplay();
  const WatchBatches parts = parts_.builder.Finish(watcher.replayed);
  parts_.counters.batches += parts.size();
  parts_.sender.SendAll(watcher, parts, out);
  if (done && watcher.phase == Watcher::Phase::kReplay) {
    parts_.sender.MoveTo(watcher, Watcher::Phase::kLive);
    watcher.upto = watcher.replayed;
  }
  return matched + passed_over / kPassedOverPerRow;
}

}  // namespace muster::core
