#include "node/core/watch/watch_delivery.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace muster::core {
namespace {

// Changes of one batch, and what building one costs, in messages: by itself
// and for each change.
constexpr size_t kBatchChanges = 512;
constexpr size_t kWorkPerBatch = 16;
constexpr size_t kWorkPerChange = 4;
// A quiet channel gets a new version after this time, if it is this part of
// the ring behind; channels of one tick.
constexpr absl::Duration kVersionInterval = absl::Seconds(10);
constexpr size_t kVersionsInRing = 4;
constexpr size_t kVersionsPerTick = 1024;
// A channel that has had very many changes keeps no more than this.
constexpr size_t kPendingKept = 4096;

}  // namespace

void WatchDelivery::Add(WatchChannel& channel, Now now) {
  channel.version = parts_.router.routed();
  channel.versioned = now.mono;
  if (channel.scope.counts_only) return;
  channel.by_version = by_version_.insert(by_version_.end(), &channel);
}

void WatchDelivery::Drop(WatchChannel& channel) {
  channel.pending = {};
  channel.delivery.reset();
  if (!channel.scope.counts_only) by_version_.erase(channel.by_version);
}

void WatchDelivery::RunFirst(Now now, Output& out) {
  WatchChannel& channel = parts_.queue.front();
  if (channel.delivery == nullptr) channel.BeginDelivery(BatchEnd(channel, 0));
  if (DeliverTo(channel, channel.live, out) &&
      DeliverTo(channel, channel.state, out)) {
    End(channel, now);
  }
}

bool WatchDelivery::DeliverTo(WatchChannel& channel, WatcherList& list,
                              Output& out) {
  const Delivery& delivery = *channel.delivery;
  while (list.served < list.all.size()) {
    if (parts_.work.none()) return false;
    parts_.work.Take(1);
    Watcher& watcher = *list.all[list.served];
    bool stays = true;
    if (watcher.upto < delivery.target) {
      // A state that has not begun covers nothing.
      if (!watcher.reset) {
        stays = parts_.sender.SendAll(watcher, PartsFor(channel, watcher), out);
      }
      watcher.upto = delivery.target;
    }
    if (stays) ++list.served;
  }
  return true;
}

void WatchDelivery::End(WatchChannel& channel, Now now) {
  const uint64_t target = channel.delivery->target;
  channel.delivery.reset();
  parts_.queue.Remove(channel);
  if (channel.scope.counts_only) {
    parts_.counts.GoOn(channel, now);
    return;
  }
  std::vector<uint64_t>& pending = channel.pending;
  pending.erase(pending.begin(),
                std::upper_bound(pending.begin(), pending.end(), target));
  if (pending.empty() && pending.capacity() > kPendingKept) pending = {};
  if (!channel.live.all.empty()) Versioned(channel, target, now);
  channel.refresh = false;
  if (!pending.empty()) parts_.queue.Add(channel, pending.front());
}

// --------------------------------------------------------- what is delivered

uint64_t WatchDelivery::BatchEnd(const WatchChannel& channel,
                                 uint64_t from) const {
  if (channel.scope.counts_only) return channel.deliveries;
  const auto first =
      std::upper_bound(channel.pending.begin(), channel.pending.end(), from);
  const auto left = static_cast<size_t>(channel.pending.end() - first);
  return left > kBatchChanges ? first[kBatchChanges] - 1
                              : parts_.router.routed();
}

WatchBatches WatchDelivery::Build(const WatchChannel& channel, uint64_t from,
                                  uint64_t to, const StateCursor* cursor) {
  auto it =
      std::upper_bound(channel.pending.begin(), channel.pending.end(), from);
  parts_.builder.Tell({channel.scope.detail, /*live=*/cursor == nullptr});
  for (; it != channel.pending.end() && *it <= to; ++it) {
    const Change change = parts_.router.ring().At(*it);
    if (cursor == nullptr || cursor->Covers(channel.scope, change)) {
      parts_.builder.Add(change);
    }
    parts_.work.Take(kWorkPerChange);
  }
  parts_.work.Take(kWorkPerBatch);
  WatchBatches parts = parts_.builder.Finish(cursor == nullptr ? to : 0);
  parts_.counters.batches += parts.size();
  return parts;
}

const WatchBatches& WatchDelivery::PartsFor(WatchChannel& channel,
                                            const Watcher& watcher) {
  Delivery& delivery = *channel.delivery;
  if (channel.scope.counts_only) return delivery.parts;
  const bool whole = watcher.phase == Watcher::Phase::kLive;
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
    ++parts_.counters.batches;
    delivery.parts.push_back(std::move(batch));
  }
  return delivery.parts;
}

// ----------------------------------------------------------------- versions

void WatchDelivery::RefreshVersions(Now now) {
  const uint64_t behind = history_ / kVersionsInRing + 1;
  for (size_t n = 0; n < kVersionsPerTick && !by_version_.empty(); ++n) {
    WatchChannel& channel = *by_version_.front();
    if (parts_.router.ring().last() - channel.version < behind ||
        now.mono - channel.versioned < kVersionInterval) {
      return;
    }
    if (!channel.live.all.empty()) {
      channel.refresh = true;
      if (channel.queued_at == 0)
        parts_.queue.Add(channel, parts_.router.ring().last() + 1);
    }
    Versioned(channel, parts_.router.routed(), now);
  }
}

// The watchers of the channel have been told of it, or will be with the
// delivery that is queued.
void WatchDelivery::Versioned(WatchChannel& channel, uint64_t version,
                              Now now) {
  channel.version = version;
  channel.versioned = now.mono;
  by_version_.splice(by_version_.end(), by_version_, channel.by_version);
}

}  // namespace muster::core
