// The part of WatchHub that brings changes, counts and versions from channels
// to their watchers.
#include <algorithm>
#include <limits>
#include <utility>

#include "node/core/watch/watch_hub.h"

namespace muster::core {
namespace {

// Changes of one batch, and what building one costs, in messages: by itself
// and for each change.
constexpr size_t kBatchChanges = 512;
constexpr size_t kWorkPerBatch = 16;
constexpr size_t kWorkPerChange = 4;
// Names that are counted in one step.
constexpr size_t kNamesCounted = 512;
// A quiet channel gets a new version after this time, if it is this part of
// the ring behind; channels of one tick.
constexpr absl::Duration kVersionInterval = absl::Seconds(10);
constexpr size_t kVersionsInRing = 4;
constexpr size_t kVersionsPerTick = 1024;
// A channel that has had very many changes keeps no more than this.
constexpr size_t kPendingKept = 4096;

}  // namespace

void WatchHub::Flush(Now now, Output& out) {
  if (pinned_ || !dirty_.empty()) {
    if (waiting() > kMaxBehind || ring_.bytes() > max_ring_bytes_) {
      work_left_ = std::numeric_limits<size_t>::max();
    }
    Route();
    while (!dirty_.empty() && work_left_ > 0) {
      Deliver(*dirty_.begin()->second, now, out);
    }
    PinRing();
  }
  work_left_ = step_.messages;
}

void WatchHub::Deliver(WatchChannel& channel, Now now, Output& out) {
  if (channel.delivery == nullptr) BeginDelivery(channel);
  if (DeliverTo(channel, channel.live, out) &&
      DeliverTo(channel, channel.state, out)) {
    EndDelivery(channel, now);
  }
}

void WatchHub::BeginDelivery(WatchChannel& channel) {
  channel.delivery = std::make_unique<Delivery>();
  channel.delivery->target = BatchEnd(channel, 0);
  channel.live.served = 0;
  channel.state.served = 0;
}

bool WatchHub::DeliverTo(WatchChannel& channel, WatcherList& list,
                         Output& out) {
  const Delivery& delivery = *channel.delivery;
  while (list.served < list.all.size()) {
    if (work_left_ == 0) return false;
    --work_left_;
    Watcher& watcher = *list.all[list.served];
    bool stays = true;
    if (watcher.upto < delivery.target) {
      // A state that has not begun covers nothing.
      if (!watcher.reset) {
        stays = SendAll(watcher, PartsFor(channel, watcher), out);
      }
      watcher.upto = delivery.target;
    }
    if (stays) ++list.served;
  }
  return true;
}

void WatchHub::EndDelivery(WatchChannel& channel, Now now) {
  const uint64_t target = channel.delivery->target;
  channel.delivery.reset();
  Unqueue(channel);
  if (channel.scope.counts_only) {
    CountOn(channel, now);
    return;
  }
  std::vector<uint64_t>& pending = channel.pending;
  pending.erase(pending.begin(),
                std::upper_bound(pending.begin(), pending.end(), target));
  if (pending.empty() && pending.capacity() > kPendingKept) pending = {};
  if (!channel.live.all.empty()) Versioned(channel, target, now);
  channel.refresh = false;
  if (!pending.empty()) Queue(channel, pending.front());
}

// --------------------------------------------------------- what is delivered

uint64_t WatchHub::BatchEnd(const WatchChannel& channel, uint64_t from) const {
  if (channel.scope.counts_only) return channel.deliveries;
  const auto first =
      std::upper_bound(channel.pending.begin(), channel.pending.end(), from);
  const auto left = static_cast<size_t>(channel.pending.end() - first);
  return left > kBatchChanges ? first[kBatchChanges] - 1 : routed_;
}

WatchBatches WatchHub::Build(const WatchChannel& channel, uint64_t from,
                             uint64_t to, const StateCursor* cursor) {
  auto it =
      std::upper_bound(channel.pending.begin(), channel.pending.end(), from);
  builder_.Tell({channel.scope.detail, /*live=*/cursor == nullptr});
  for (; it != channel.pending.end() && *it <= to; ++it) {
    const Change change = ring_.At(*it);
    if (cursor == nullptr || cursor->Covers(channel.scope, change)) {
      builder_.Add(change);
    }
    work_left_ -= std::min(work_left_, kWorkPerChange);
  }
  work_left_ -= std::min(work_left_, kWorkPerBatch);
  WatchBatches parts = builder_.Finish(cursor == nullptr ? to : 0);
  counters_.batches += parts.size();
  return parts;
}

const WatchBatches& WatchHub::PartsFor(WatchChannel& channel,
                                       const Watcher& watcher) {
  Delivery& delivery = *channel.delivery;
  if (channel.scope.counts_only) return delivery.parts;
  const bool whole = watcher.phase == Phase::kLive;
  if (delivery.built && delivery.whole == whole &&
      delivery.from == watcher.upto &&
      (whole || delivery.cursor == watcher.cursor)) {
    return delivery.parts;
  }
  delivery.built = true;
  delivery.whole = whole;
  delivery.from = watcher.upto;
  delivery.cursor = watcher.cursor;
  delivery.parts = Build(channel, watcher.upto, delivery.target,
                         whole ? nullptr : &delivery.cursor);
  if (whole && channel.refresh && delivery.parts.empty()) {
    auto batch = std::make_shared<WatchBatch>();
    batch->version_life = self_;
    batch->version_counter = delivery.target;
    ++counters_.batches;
    delivery.parts.push_back(std::move(batch));
  }
  return delivery.parts;
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
  RunCounts(now);
  RefreshVersions(now);
  Flush(now, out);
}

void WatchHub::Schedule(WatchChannel& channel, Instant due) {
  channel.due = {due, next_timer_++};
  channel.scheduled = true;
  timers_.emplace(channel.due, &channel);
}

// What is left of the names that have changed is due at once.
void WatchHub::CountOn(WatchChannel& channel, Now now) {
  if (channel.touched.empty()) return;
  Schedule(channel, now.mono);
  counts_due_ = true;
}

void WatchHub::RunCounts(Now now) {
  counts_due_ = false;
  size_t left = kNamesCounted;
  while (left > 0 && !timers_.empty() &&
         timers_.begin()->first.first <= now.mono) {
    WatchChannel& channel = *timers_.begin()->second;
    timers_.erase(timers_.begin());
    channel.scheduled = false;
    left -= std::min(left, CountNames(channel, now));
  }
  counts_due_ |= left == 0;
}

// Counts names that have changed, and queues the channel with what came of it.
size_t WatchHub::CountNames(WatchChannel& channel, Now now) {
  WatchBatches parts;
  std::shared_ptr<WatchBatch> part;
  size_t names = 1;
  for (; names < kNamesCounted && !channel.touched.empty(); ++names) {
    const auto touched = channel.touched.begin();
    const WatchChannel::Delta& delta = touched->second;
    if (channel.snapshot_since || delta.entries != 0 || delta.keys != 0) {
      const CountReply count =
          CountName(store_, channel.scope.kind, touched->first);
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
  // What is not routed is in these counts, and will be counted again.
  if (channel.touched.empty()) channel.snapshot_since = routed_ < ring_.last();
  if (parts.empty()) {
    CountOn(channel, now);
    return names;
  }
  if (channel.touched.empty()) channel.counts_sent = now.mono;
  ++channel.deliveries;
  BeginDelivery(channel);
  counters_.batches += parts.size();
  channel.delivery->parts = std::move(parts);
  Queue(channel, ring_.last() + 1);
  return names;
}

void WatchHub::RefreshVersions(Now now) {
  const uint64_t behind = options_.history / kVersionsInRing + 1;
  for (size_t n = 0; n < kVersionsPerTick && !by_version_.empty(); ++n) {
    WatchChannel& channel = *by_version_.front();
    if (ring_.last() - channel.version < behind ||
        now.mono - channel.versioned < kVersionInterval) {
      return;
    }
    if (!channel.live.all.empty()) {
      channel.refresh = true;
      if (channel.queued_at == 0) Queue(channel, ring_.last() + 1);
    }
    Versioned(channel, routed_, now);
  }
}

// The watchers of the channel have been told of it, or will be with the
// delivery that is queued.
void WatchHub::Versioned(WatchChannel& channel, uint64_t version, Now now) {
  channel.version = version;
  channel.versioned = now.mono;
  by_version_.splice(by_version_.end(), by_version_, channel.by_version);
}

}  // namespace muster::core
