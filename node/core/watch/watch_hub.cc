#include "node/core/watch/watch_hub.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace muster::core {

WatchHub::WatchHub(crdt::PresenceStore& store, const WatchOptions& options,
                   crdt::LifeId self, const WatchStep& step)
    : options_(options),
      self_(self),
      step_(step),
      max_ring_bytes_(2 * options.history * kBytesPerChange + kMaxBehindBytes),
      work_(step.messages),
      builder_(self),
      sender_(options.max_queued, counters_),
      counts_(store, self, queue_, counters_),
      router_(store, {options.history, options.history * kBytesPerChange},
              queue_, counts_, work_),
      names_(router_.index()),
      delivery_(Parts(), self, options.history),
      slices_(store, self, delivery_, Parts(), names_,
              std::clamp<size_t>(options.max_queued, 1, kSlicesInFlight),
              step.names) {}

WatchHub::~WatchHub() = default;

WatchDelivery::Parts WatchHub::Parts() {
  return {router_, queue_, counts_, sender_, builder_, work_, counters_};
}

size_t WatchHub::bytes() const {
  return router_.ring().bytes() + watchers_.size() * sizeof(Watcher) +
         names_.bytes();
}

// ----------------------------------------------------------------- changes

void WatchHub::OnShown(crdt::RowIdx row) {
  router_.Record(Change::Kind::kJoin, row, {});
}
void WatchHub::OnHidden(crdt::RowIdx row) {
  router_.Record(Change::Kind::kLeave, row, {});
}
void WatchHub::OnUpdated(crdt::RowIdx row, const crdt::Ref& previous) {
  router_.Record(Change::Kind::kUpdate, row, previous);
}

// ------------------------------------------------------------------- steps

void WatchHub::Flush(Now now, Output& out) {
  if (router_.pinned() || !queue_.empty()) {
    if (waiting() > kMaxBehind || router_.ring().bytes() > max_ring_bytes_) {
      work_.Unlimited();
    }
    router_.Route();
    while (!queue_.empty() && !work_.none()) delivery_.RunFirst(now, out);
    router_.Pin();
  }
  work_.Restart(step_.messages);
}

bool WatchHub::RunSlice(Now now, Output& out) {
  if (counts_.due()) RunCounts(now);
  Flush(now, out);
  names_.Unregister(step_.names);
  // What is read from the store has in it what is not routed yet, and would be
  // told again.
  if (!router_.all_routed()) return true;
  slices_.Run(watchers_, now, out);
  return has_work();
}

void WatchHub::Tick(Now now, Output& out) {
  Flush(now, out);
  RunCounts(now);
  delivery_.RefreshVersions(now);
  Flush(now, out);
}

void WatchHub::RunCounts(Now now) {
  counts_.Run({router_.routed(), router_.ring().last()}, now);
}

// ----------------------------------------------------------------- watches

absl::Status WatchHub::CheckVersion(const WatchRequest& request) const {
  if (request.version_life != self_ ||
      request.version_counter <= router_.ring().last()) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("version: its counter ", request.version_counter,
                   " is from the future, the last change of this node is ",
                   router_.ring().last()));
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

  router_.Start();
  auto owned = std::make_unique<Watcher>();
  Watcher& watcher = *owned;
  watcher.id = next_watch_++;
  watcher.channel = ChannelOf(*std::move(scope), now);
  ++watcher.channel->watchers;
  watchers_.emplace(watcher.id, std::move(owned));
  if (resumes && router_.ring().Reaches(version)) {
    watcher.replayed = version;
    ++counters_.resumes;
    slices_.Enqueue(watcher);
  } else {
    slices_.StartState(watcher);
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
    if (watcher.in_flight == 0) slices_.StartState(watcher);
  } else {
    slices_.Enqueue(watcher);
  }
  if (watcher.queued) out.more_work = true;
}

void WatchHub::EndWatch(WatchId watch) {
  const auto found = watchers_.find(watch);
  if (found == watchers_.end()) return;
  WatchChannel* channel = found->second->channel;
  WatchSender::MoveTo(*found->second, Phase::kLagging);
  watchers_.erase(found);
  if (--channel->watchers == 0) DropChannel(channel);
}

WatchChannel* WatchHub::ChannelOf(WatchScope scope, Now now) {
  if (WatchChannel* found = names_.Find(scope)) return found;
  WatchChannel* channel = names_.Add(std::move(scope));
  channel->counts_sent = now.mono;
  delivery_.Add(*channel, now);
  names_.Register(*channel, step_.names / 4);
  return channel;
}

void WatchHub::DropChannel(WatchChannel* channel) {
  queue_.Remove(*channel);
  delivery_.Drop(*channel);
  counts_.Drop(*channel);
  names_.Drop(channel);
  names_.Unregister(step_.names / 4);
}

}  // namespace muster::core
