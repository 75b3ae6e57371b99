#include "node/core/watch/watch_counts.h"

#include <algorithm>
#include <memory>
#include <string>

#include "node/core/watch/watch_state.h"

namespace muster::core {
namespace {

// Names that are counted in one step.
constexpr size_t kNamesCounted = 512;

}  // namespace

void WatchCounts::Mark(WatchChannel& channel, const Change& change) {
  if (change.kind == Change::Kind::kUpdate) return;
  const absl::string_view name = channel.scope.NameOf(change.topic, change.key);
  auto touched = channel.touched.find(name);
  if (touched == channel.touched.end()) {
    touched =
        channel.touched.emplace(std::string(name), WatchChannel::Delta()).first;
  }
  const int by = change.kind == Change::Kind::kJoin ? 1 : -1;
  touched->second.entries += by;
  if (change.KeyChanged()) touched->second.keys += by;
  if (!channel.scheduled && channel.queued_at == 0) {
    Schedule(channel, channel.counts_sent + channel.scope.interval);
  }
}

void WatchCounts::Schedule(WatchChannel& channel, Instant due) {
  channel.due = {due, next_timer_++};
  channel.scheduled = true;
  timers_.emplace(channel.due, &channel);
}

void WatchCounts::GoOn(WatchChannel& channel, Now now) {
  if (channel.touched.empty()) return;
  Schedule(channel, now.mono);
  due_ = true;
}

void WatchCounts::Drop(WatchChannel& channel) {
  if (channel.scheduled) timers_.erase(channel.due);
}

void WatchCounts::Run(Progress progress, Now now) {
  due_ = false;
  size_t left = kNamesCounted;
  while (left > 0 && !timers_.empty() &&
         timers_.begin()->first.first <= now.mono) {
    WatchChannel& channel = *timers_.begin()->second;
    timers_.erase(timers_.begin());
    channel.scheduled = false;
    left -= std::min(left, CountNames(channel, progress, now));
  }
  due_ |= left == 0;
}

size_t WatchCounts::CountNames(WatchChannel& channel, Progress progress,
                               Now now) {
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
  if (channel.touched.empty()) {
    channel.snapshot_since = progress.routed < progress.last;
  }
  if (parts.empty()) {
    GoOn(channel, now);
    return names;
  }
  if (channel.touched.empty()) channel.counts_sent = now.mono;
  ++channel.deliveries;
  channel.BeginDelivery(channel.deliveries);
  counters_.batches += parts.size();
  channel.delivery->parts = std::move(parts);
  queue_.Add(channel, progress.last + 1);
  return names;
}

}  // namespace muster::core
