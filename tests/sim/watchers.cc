// The watching half of Clients.
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/sim/clients.h"

namespace muster::sim {

Watcher& Clients::Watch(Process& at, core::WatchRequest request, bool audit,
                        std::unique_ptr<Mirror::Listener> listener) {
  watchers_.push_back(std::make_unique<Watcher>());
  Watcher& watcher = *watchers_.back();
  watcher.at = &at;
  watchers_at_[at.number].push_back(&watcher);
  watcher.request = std::move(request);
  watcher.audit = audit;
  if (audit) {
    audits_[at.number] = &watcher;
    watcher.request.detail = core::WatchDetail::kEntriesAndKeys;
    watcher.mirror.ExpectKeys();
  }
  watcher.listener = std::move(listener);
  StartWatch(watcher);
  return watcher;
}

void Clients::StartWatch(Watcher& watcher) {
  Process* at = watcher.at;
  at->Post([this, &watcher, at](core::Replica& replica, core::Now now) {
    if (watcher.at != at || watcher.id != 0) return;
    if (!replica.Serving().ok()) {
      world_.After(50 * kMillisecond, [this, &watcher, at] {
        if (watcher.at == at && watcher.id == 0) StartWatch(watcher);
      });
      return;
    }
    core::WatchRequest request = watcher.request;
    request.version_life = watcher.mirror.version_life();
    request.version_counter = watcher.mirror.version();
    auto id = replica.Watch(request, now);
    if (!id.ok()) {
      return world_.Fail(
          absl::StrCat("a watch was refused: ", id.status().ToString()));
    }
    watcher.id = *id;
    watcher.unwritten = watcher.in_flight = 0;
    watcher.may_lag = false;
    watcher.begun = false;
    by_watch_[{at->number, *id}] = &watcher;
  });
}

void Clients::EndWatch(Watcher& watcher) {
  Process* at = std::exchange(watcher.at, nullptr);
  const core::WatchId id = std::exchange(watcher.id, 0);
  if (at == nullptr || id == 0) return;
  by_watch_.erase({at->number, id});
  at->Post([id](core::Replica& replica, core::Now) { replica.EndWatch(id); });
}

void Clients::WatchOn(Watcher& watcher, Process& to) {
  EndWatch(watcher);
  // Without a version it starts like a new one.
  if (watcher.mirror.version() == 0) watcher.mirror = Mirror();
  watcher.at = &to;
  watcher.begun = false;
  watchers_at_[to.number].push_back(&watcher);
  watcher.id = 0;
  StartWatch(watcher);
}

void Clients::SetLagging(Watcher& watcher, bool lagging) {
  watcher.lagging = lagging;
  if (!lagging) Write(watcher);
}

Watcher* Clients::Audit(const Process& at) {
  const auto found = audits_.find(at.number);
  if (found == audits_.end()) return nullptr;
  return found->second->at == &at ? found->second : nullptr;
}

void Clients::Write(Watcher& watcher) {
  Process* at = watcher.at;
  const size_t batches = std::exchange(watcher.unwritten, 0);
  if (at == nullptr || batches == 0) return;
  at->Post([&watcher, at, id = watcher.id, batches](core::Replica& replica,
                                                    core::Now now) {
    replica.WatchWritten(id, batches, now);
    if (watcher.at != at || watcher.id != id) return;
    watcher.in_flight -= batches;
    if (watcher.in_flight == 0) watcher.may_lag = false;
  });
}

void Clients::OnWatch(Process& from, const core::WatchEvent& event) {
  auto it = by_watch_.find({from.number, event.watch});
  if (it == by_watch_.end()) return;  // Ended meanwhile.
  Watcher& watcher = *it->second;
  ++watcher.batches;
  watcher.begun = true;
  watcher.may_lag |= ++watcher.in_flight >= from.options.watch.max_queued;
  watcher.resets += event.batch->reset;
  const std::string error =
      watcher.mirror.Apply(*event.batch, watcher.listener.get());
  if (!error.empty()) {
    world_.Fail(absl::StrCat("watch ", event.watch, " at ", from.name(), "#",
                             from.number, ": ", error));
    return;
  }
  if (watcher.unwritten++ == 0 && !watcher.lagging) {
    world_.After(100, [this, &watcher] {
      if (!watcher.lagging) Write(watcher);
    });
  }
}

}  // namespace muster::sim
