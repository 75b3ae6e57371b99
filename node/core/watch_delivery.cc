// The part of WatchHub that sends changes, counts and versions to watchers.
#include <algorithm>
#include <utility>

#include "node/core/watch_hub.h"

namespace muster::core {
namespace {

// Names of one channel that one tick counts.
constexpr size_t kCountsPerTick = 2048;
// A quiet channel gets a new version after this time, if it is this part of
// the ring behind; messages of one tick.
constexpr absl::Duration kVersionInterval = absl::Seconds(10);
constexpr size_t kVersionsInRing = 4;
constexpr size_t kVersionsPerTick = 1024;
// A channel that has had a very large flush keeps no more than this.
constexpr size_t kPendingKept = 4096;

}  // namespace

void WatchHub::Flush(Now now, Output& out) {
  if (dirty_.empty()) return;
  for (WatchChannel* channel : dirty_) FlushChannel(*channel, now, out);
  dirty_.clear();
  ring_.Unpin();
}

void WatchHub::FlushChannel(WatchChannel& channel, Now now, Output& out) {
  if (!channel.live.empty()) {
    for (uint64_t counter : channel.pending) builder_.Add(ring_.At(counter));
    Broadcast(channel, builder_.Finish(ring_.last()), out);
    Versioned(channel, now);
  }
  FlushStates(channel, out);
  channel.pending.clear();
  if (channel.pending.capacity() > kPendingKept) {
    channel.pending.shrink_to_fit();
  }
}

void WatchHub::FlushStates(WatchChannel& channel, Output& out) {
  const WatchScope& scope = channel.scope;
  // Watchers that stand at the same place share what they are sent.
  WatchBatches parts;
  StateCursor cursor;
  for (size_t i = 0; i < channel.state.size();) {
    Watcher& watcher = *channel.state[i];
    if (!watcher.reset && watcher.cursor != cursor) {
      cursor = watcher.cursor;
      for (uint64_t counter : channel.pending) {
        const Change change = ring_.At(counter);
        if (cursor.Covers(scope.NameOf(change.topic, change.key),
                          change.stamp)) {
          builder_.Add(change);
        }
      }
      parts = builder_.Finish(0);
      counters_.batches += parts.size();
    }
    if (watcher.reset || SendAll(watcher, parts, out)) ++i;
  }
}

void WatchHub::Broadcast(WatchChannel& channel, const WatchBatches& parts,
                         Output& out) {
  counters_.batches += parts.size();
  for (size_t i = 0; i < channel.live.size();) {
    if (SendAll(*channel.live[i], parts, out)) ++i;
  }
}

bool WatchHub::Send(Watcher& watcher, std::shared_ptr<const WatchBatch> batch,
                    Output& out) {
  if (watcher.in_flight >= std::max<size_t>(1, options_.max_queued)) {
    MoveTo(watcher, Phase::kLagging);
    ++counters_.lagged;
    return false;
  }
  ++watcher.in_flight;
  ++counters_.messages;
  out.watch.push_back({watcher.id, std::move(batch)});
  return true;
}

bool WatchHub::SendAll(Watcher& watcher, const WatchBatches& parts,
                       Output& out) {
  for (const auto& part : parts) {
    if (!Send(watcher, part, out)) return false;
  }
  return true;
}

// -------------------------------------------------------------------- ticks

void WatchHub::Tick(Now now, Output& out) {
  Flush(now, out);
  for (WatchChannel* channel : touched_) {
    const Instant due = channel->counts_sent + channel->scope.interval;
    channel->due = {std::max(due, now.mono), next_timer_++};
    channel->scheduled = true;
    timers_.emplace(channel->due, channel);
  }
  touched_.clear();
  while (!timers_.empty() && timers_.begin()->first.first <= now.mono) {
    WatchChannel* channel = timers_.begin()->second;
    timers_.erase(timers_.begin());
    channel->scheduled = false;
    SendCounts(*channel, now, out);
  }
  RefreshVersions(now, out);
}

void WatchHub::SendCounts(WatchChannel& channel, Now now, Output& out) {
  WatchBatches parts;
  std::shared_ptr<WatchBatch> part;
  for (size_t names = 0; names < kCountsPerTick && !channel.touched.empty();
       ++names) {
    const auto touched = channel.touched.begin();
    const CountReply count =
        CountName(store_, channel.scope.kind, touched->first);
    if (channel.snapshot_since || count.entries != touched->second.entries ||
        count.keys != touched->second.keys) {
      if (part == nullptr || part->arena.used() >= kWatchBatchBytes) {
        part = std::make_shared<WatchBatch>();
        part->version_life = self_;
        parts.push_back(part);
      }
      part->counts.push_back(
          {part->arena.Copy(touched->first), count.entries, count.keys});
    }
    channel.touched.erase(touched);
  }
  if (channel.touched.empty()) {
    channel.snapshot_since = false;
  } else {
    touched_.push_back(&channel);  // The rest is due with the next tick.
  }
  if (parts.empty()) return;
  if (channel.touched.empty()) channel.counts_sent = now.mono;
  Broadcast(channel, parts, out);
  for (size_t i = 0; i < channel.state.size();) {
    Watcher& watcher = *channel.state[i];
    if (watcher.reset || SendAll(watcher, parts, out)) ++i;
  }
}

void WatchHub::RefreshVersions(Now now, Output& out) {
  const uint64_t behind = options_.history / kVersionsInRing + 1;
  size_t sent = 0;
  while (!by_version_.empty() && sent < kVersionsPerTick) {
    WatchChannel& channel = *by_version_.front();
    if (ring_.last() - channel.version < behind ||
        now.mono - channel.versioned < kVersionInterval) {
      return;
    }
    if (!channel.live.empty()) {
      auto batch = std::make_shared<WatchBatch>();
      batch->version_life = self_;
      batch->version_counter = ring_.last();
      sent += channel.live.size();
      Broadcast(channel, {std::move(batch)}, out);
    }
    Versioned(channel, now);
  }
}

void WatchHub::Versioned(WatchChannel& channel, Now now) {
  channel.version = ring_.last();
  channel.versioned = now.mono;
  by_version_.splice(by_version_.end(), by_version_, channel.by_version);
}

}  // namespace muster::core
