#include "node/core/watch_hub.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace muster::core {

using crdt::RowIdx;
using crdt::TopicIdx;

WatchHub::WatchHub(crdt::PresenceStore& store, const WatchOptions& options,
                   crdt::LifeId self)
    : store_(store),
      options_(options),
      self_(self),
      slices_in_flight_(
          std::clamp<size_t>(options.max_queued, 1, kSlicesInFlight)),
      ring_({options.history, options.history * kBytesPerChange}),
      index_(store),
      reader_(store),
      builder_(self) {}

WatchHub::~WatchHub() = default;

size_t WatchHub::bytes() const {
  return ring_.bytes() + watchers_.size() * sizeof(Watcher) +
         channels_.size() * sizeof(WatchChannel) + scope_bytes_;
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

absl::StatusOr<WatchId> WatchHub::Watch(const WatchRequest& request, Now now,
                                        Output& out) {
  if (watchers_.size() >= options_.max_watchers) {
    return absl::ResourceExhaustedError(
        absl::StrCat("watches: this node serves ", watchers_.size(),
                     ", its limit (--max-watchers)"));
  }
  if (absl::Status status = CheckVersion(request); !status.ok()) return status;
  absl::StatusOr<WatchScope> scope = WatchScope::From(request);
  if (!scope.ok()) return scope.status();

  recording_ = true;
  auto owned = std::make_unique<Watcher>();
  Watcher& watcher = *owned;
  watcher.id = next_watch_++;
  watcher.channel = ChannelOf(*std::move(scope), now);
  ++watcher.channel->watchers;
  watchers_.emplace(watcher.id, std::move(owned));
  if (!request.counts_only && request.version_life == self_ &&
      request.version_counter != 0 && ring_.Reaches(request.version_counter)) {
    watcher.replayed = request.version_counter;
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
  const auto found = channels_.find(scope);
  if (found != channels_.end()) return found->get();
  auto owned = std::make_unique<WatchChannel>();
  WatchChannel* channel = owned.get();
  channel->scope = std::move(scope);
  channel->version = ring_.last();
  channel->versioned = now.mono;
  channel->counts_sent = now.mono;
  index_.Add(channel->scope, channel);
  scope_bytes_ += channel->scope.bytes();
  if (!channel->scope.counts_only) {
    channel->by_version = by_version_.insert(by_version_.end(), channel);
  }
  channels_.insert(std::move(owned));
  return channel;
}

void WatchHub::DropChannel(WatchChannel* channel) {
  index_.Remove(channel->scope, channel);
  scope_bytes_ -= channel->scope.bytes();
  if (!channel->pending.empty()) {
    dirty_.erase(std::find(dirty_.begin(), dirty_.end(), channel));
    if (dirty_.empty()) ring_.Unpin();
  }
  if (channel->scheduled) {
    timers_.erase(channel->due);
  } else if (!channel->touched.empty()) {
    touched_.erase(std::find(touched_.begin(), touched_.end(), channel));
  }
  if (!channel->scope.counts_only) by_version_.erase(channel->by_version);
  channels_.erase(channels_.find(channel->scope));
}

// ----------------------------------------------------------------- changes

void WatchHub::OnShown(RowIdx row) { Record(Change::Kind::kJoin, row, {}); }
void WatchHub::OnHidden(RowIdx row) { Record(Change::Kind::kLeave, row, {}); }
void WatchHub::OnUpdated(RowIdx row, const crdt::Ref& previous) {
  Record(Change::Kind::kUpdate, row, previous);
}

void WatchHub::Record(Change::Kind kind, RowIdx row,
                      const crdt::Ref& previous) {
  if (!recording_) return ring_.Skip();
  const TopicIdx topic = store_.topic_of(row);
  Change change;
  change.kind = kind;
  change.topic = store_.topic_name(topic);
  change.key = store_.key(row);
  change.meta = store_.meta(row);
  change.ref = store_.ref(row);
  change.ref_prev = previous;
  change.stamp = store_.stamp(row);
  const uint64_t counter = ring_.Append(change);
  index_.ForEach(topic, change.key, [&](WatchChannel& channel) {
    if (channel.scope.counts_only) {
      MarkCounts(channel, kind, row);
    } else {
      MarkPending(channel, counter);
    }
  });
  if (kind == Change::Kind::kLeave &&
      store_.topic_record(topic).shown_entries == 0) {
    index_.OnTopicEmpty(topic);
  }
}

void WatchHub::MarkPending(WatchChannel& channel, uint64_t counter) {
  if (channel.pending.empty()) {
    if (dirty_.empty()) ring_.Pin(counter);
    dirty_.push_back(&channel);
  }
  channel.pending.push_back(counter);
}

void WatchHub::MarkCounts(WatchChannel& channel, Change::Kind kind,
                          RowIdx row) {
  if (kind == Change::Kind::kUpdate) return;
  const absl::string_view name =
      channel.scope.NameOf(store_.topic(row), store_.key(row));
  if (channel.touched.find(name) != channel.touched.end()) return;
  if (channel.touched.empty() && !channel.scheduled) {
    touched_.push_back(&channel);
  }
  channel.touched.emplace(std::string(name),
                          CountBefore(store_, channel.scope.kind, row,
                                      kind == Change::Kind::kJoin));
}

}  // namespace muster::core
