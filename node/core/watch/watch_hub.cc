#include "node/core/watch/watch_hub.h"

#include <algorithm>
#include <utility>

#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"

namespace muster::core {

WatchHub::WatchHub(crdt::PresenceStore& store, const WatchOptions& options,
                   crdt::LifeId self, const WatchStep& step)
    : store_(store),
      options_(options),
      self_(self),
      slices_in_flight_(
          std::clamp<size_t>(options.max_queued, 1, kSlicesInFlight)),
      step_(step),
      max_ring_bytes_(2 * options.history * kBytesPerChange + kMaxBehindBytes),
      ring_({options.history, options.history * kBytesPerChange}),
      index_(store),
      reader_(store),
      builder_(self),
      routed_(ring_.last()),
      work_left_(step.messages) {}

WatchHub::~WatchHub() = default;

size_t WatchHub::bytes() const {
  return ring_.bytes() + watchers_.size() * sizeof(Watcher) +
         (channels_.size() + leaving_.size()) * sizeof(WatchChannel) +
         scope_bytes_;
}

// ----------------------------------------------------------------- watches

absl::Status WatchHub::CheckVersion(const WatchRequest& request) const {
  if (request.version_life != self_ ||
      request.version_counter <= ring_.last()) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "version: its counter ", request.version_counter,
      " is from the future, the last change of this node is ", ring_.last()));
}

absl::StatusOr<WatchId> WatchHub::Watch(WatchRequest request, Now now,
                                        Output& out) {
  if (watchers_.size() >= options_.max_watchers) {
    return absl::ResourceExhaustedError(
        absl::StrCat("watches: this node serves ", watchers_.size(),
                     ", its limit (--max-watchers)"));
  }
  if (absl::Status status = CheckVersion(request); !status.ok()) return status;
  const bool resumes = !request.counts_only && request.version_life == self_ &&
                       request.version_counter != 0;
  const uint64_t version = request.version_counter;
  absl::StatusOr<WatchScope> scope = WatchScope::From(std::move(request));
  if (!scope.ok()) return scope.status();

  recording_ = true;
  auto owned = std::make_unique<Watcher>();
  Watcher& watcher = *owned;
  watcher.id = next_watch_++;
  watcher.channel = ChannelOf(*std::move(scope), now);
  ++watcher.channel->watchers;
  watchers_.emplace(watcher.id, std::move(owned));
  if (resumes && ring_.Reaches(version)) {
    watcher.replayed = version;
    ++counters_.resumes;
    Enqueue(watcher);
  } else {
    StartState(watcher);
  }
  out.more_work = true;
  return watcher.id;
}

void WatchHub::WatchWritten(WatchId watch, size_t batches, Now, Output& out) {
  const auto found = watchers_.find(watch);
  if (found == watchers_.end()) return;
  Watcher& watcher = *found->second;
  watcher.in_flight -= std::min(batches, watcher.in_flight);
  if (watcher.phase == Phase::kLagging) {
    if (watcher.in_flight == 0) StartState(watcher);
  } else {
    Enqueue(watcher);
  }
  if (watcher.queued) out.more_work = true;
}

void WatchHub::EndWatch(WatchId watch) {
  const auto found = watchers_.find(watch);
  if (found == watchers_.end()) return;
  WatchChannel* channel = found->second->channel;
  MoveTo(*found->second, Phase::kLagging);
  watchers_.erase(found);
  if (--channel->watchers == 0) DropChannel(channel);
}

WatchChannel* WatchHub::ChannelOf(WatchScope scope, Now now) {
  const size_t hash = absl::Hash<WatchScope>{}(scope);
  for (auto [it, end] = channels_.equal_range(hash); it != end; ++it) {
    if (it->second->scope == scope) return it->second.get();
  }
  auto owned = std::make_unique<WatchChannel>();
  WatchChannel* channel = owned.get();
  channel->number = next_channel_++;
  channel->hash = hash;
  channel->scope = std::move(scope);
  channel->version = routed_;
  channel->versioned = now.mono;
  channel->counts_sent = now.mono;
  Register(*channel, step_.names / 4);
  scope_bytes_ += channel->scope.bytes();
  if (!channel->scope.counts_only) {
    channel->by_version = by_version_.insert(by_version_.end(), channel);
  }
  channels_.emplace(hash, std::move(owned));
  return channel;
}

void WatchHub::DropChannel(WatchChannel* channel) {
  channel->gone = true;
  scope_bytes_ -= channel->scope.bytes();
  Unqueue(*channel);
  channel->pending = {};
  channel->delivery.reset();
  if (channel->scheduled) timers_.erase(channel->due);
  if (!channel->scope.counts_only) by_version_.erase(channel->by_version);
  auto it = channels_.lower_bound(channel->hash);
  while (it->second.get() != channel) ++it;
  leaving_.push_back(std::move(it->second));
  channels_.erase(it);
  Unregister(step_.names / 4);
}

void WatchHub::Register(WatchChannel& channel, size_t names) {
  const std::vector<std::string>& all = channel.scope.names;
  const size_t end = std::min(all.size(), channel.registered + names);
  for (size_t& at = channel.registered; at < end; ++at) {
    index_.Add(channel.scope.kind, all[at], &channel);
  }
}

void WatchHub::Unregister(size_t names) {
  for (; names > 0 && !leaving_.empty(); --names) {
    WatchChannel& channel = *leaving_.front();
    std::vector<std::string>& all = channel.scope.names;
    if (all.empty()) {
      leaving_.pop_front();
      continue;
    }
    if (all.size() == channel.registered) {
      index_.Remove(channel.scope.kind, all.back(), &channel);
      --channel.registered;
    }
    all.pop_back();
  }
  if (!leaving_.empty() && leaving_.front()->scope.names.empty()) {
    leaving_.pop_front();
  }
}

}  // namespace muster::core
