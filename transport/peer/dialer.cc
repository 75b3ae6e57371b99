#include "transport/peer/dialer.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace muster::peer {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kMinBackOff{50};
constexpr milliseconds kMaxBackOff{2000};
// Each endpoint without a link adds this to the back-off of all.
constexpr milliseconds kBackOffShare{20};
constexpr seconds kRefusedWait{30};
constexpr seconds kResolveEvery{30};
constexpr seconds kGoodLink{5};
// A beat does not hurry an attempt that was begun this recently.
constexpr milliseconds kBeatPatience{200};
// Time limits of an attempt: unanswered, without beats from the endpoint; after
// its answer; unanswered, with beats (its patience, from min to max).
constexpr milliseconds kUnanswered{4000};
constexpr milliseconds kAnswered{2000};
constexpr milliseconds kMinPatience{700};
constexpr milliseconds kMaxPatience{12000};
// Without a beat for this long there was no path from the endpoint.
constexpr milliseconds kBeatSilence{2000};

// "peers:7700 (10.0.0.1:7700)", or just the address if it is the endpoint.
std::string Named(const std::string& address,
                  const Dialer::Endpoint& endpoint) {
  std::string at = ToText(endpoint);
  return at == address ? at : absl::StrCat(address, " (", at, ")");
}

}  // namespace

Dialer::Dialer(std::shared_ptr<Loop> loop, Actions& actions, uint64_t seed)
    : loop_(std::move(loop)),
      actions_(actions),
      random_(seed),
      timer_(loop_->io()) {}

void Dialer::SetAddresses(const std::vector<std::string>& addresses) {
  std::set<std::string> wanted(addresses.begin(), addresses.end());
  for (auto& [address, entry] : entries_) {
    if (!wanted.contains(address)) Remove(entry);
  }
  for (const std::string& address : wanted) Add(address);
  DropUnused();
  Run();
}

void Dialer::Add(const std::string& address) {
  auto [it, added] = entries_.try_emplace(address);
  Entry& entry = it->second;
  entry.wanted = true;
  if (!added) return;
  entry.resolve_due = Clock::now();
  std::vector<Endpoint> numeric = NumericEndpoint(address);
  if (numeric.empty()) return;
  entry.numeric = true;
  AddTarget(address, entry, numeric[0]);
}

void Dialer::AddTarget(const std::string& address, Entry& entry,
                       const Endpoint& endpoint) {
  auto [place, added] = entry.targets.try_emplace(endpoint);
  if (!added) return;
  Clock::time_point now = Clock::now();
  place->second.due = now;
  restless_.insert(endpoint);
  auto before = short_.extract({address, endpoint});
  if (before.empty() || IsOld(before.mapped(), now)) return;
  place->second = std::move(before.mapped());
}

void Dialer::Remove(Entry& entry) {
  entry.wanted = false;
  KeepOnly(entry, {});
}

void Dialer::KeepOnly(Entry& entry, const std::vector<Endpoint>& endpoints) {
  std::erase_if(entry.targets, [&](auto& place) {
    auto& [endpoint, target] = place;
    if (target.state == State::kLinked) return false;
    if (std::binary_search(endpoints.begin(), endpoints.end(), endpoint)) {
      return false;
    }
    if (target.state == State::kDialling) {
      if (target.answered) return false;
      attempts_.erase(target.attempt);
      actions_.AbortAttempt(target.attempt);
    }
    restless_.erase(restless_.find(endpoint));
    return true;
  });
}

void Dialer::DropUnused() {
  std::erase_if(entries_, [](const auto& item) {
    return !item.second.wanted && item.second.targets.empty();
  });
  std::erase_if(short_, [now = Clock::now()](const auto& item) {
    return IsOld(item.second, now);
  });
}

bool Dialer::IsShort(const Target& target, Clock::time_point now) {
  return target.state == State::kLinked && now - target.since < kGoodLink;
}

bool Dialer::IsOld(const Target& target, Clock::time_point now) {
  return now - target.due > kGoodLink;
}

void Dialer::StartResolve(const std::string& address, Entry& entry) {
  entry.resolving = true;
  Resolve(loop_, address, [this, address](Resolved resolved) {
    OnResolved(address, std::move(resolved));
  });
}

void Dialer::OnResolved(const std::string& address, Resolved resolved) {
  auto it = entries_.find(address);
  if (it == entries_.end() || stopped_) return;
  Entry& entry = it->second;
  entry.resolving = false;
  if (!resolved.ok()) {
    std::string why(resolved.status().message());
    if (std::exchange(entry.said, why) != why) {
      spdlog::warn("peer address {}: {}; trying again", address, why);
    }
    entry.resolve_due = Clock::now() + BackOff(entry.resolve_failures++);
    return Run();
  }
  entry.said.clear();
  entry.resolve_failures = 0;
  entry.resolve_due = Clock::now() + kResolveEvery;
  if (resolved->size() > kMaxEndpoints) resolved->resize(kMaxEndpoints);
  KeepOnly(entry, *resolved);
  for (const Endpoint& endpoint : *resolved) {
    AddTarget(address, entry, endpoint);
  }
  Run();
}

void Dialer::OnAnswered(uint64_t attempt) {
  auto place = attempts_.find(attempt);
  if (place == attempts_.end()) return;
  entries_.at(place->second.address)
      .targets.at(place->second.endpoint)
      .answered = Clock::now();
  Run();
}

void Dialer::OnEstablished(uint64_t attempt, crdt::LifeId life) {
  auto place = attempts_.find(attempt);
  if (place == attempts_.end()) return;
  Target& target =
      entries_.at(place->second.address).targets.at(place->second.endpoint);
  target.state = State::kLinked;
  auto took =
      std::chrono::duration_cast<milliseconds>(Clock::now() - target.since);
  target.patience = std::clamp(2 * took, kMinPatience, kMaxPatience);
  target.since = Clock::now();
  target.life = life;
  restless_.erase(restless_.find(place->second.endpoint));
}

void Dialer::OnOver(uint64_t attempt, const Over& over) {
  auto it = attempts_.find(attempt);
  if (it == attempts_.end()) return;
  Place place = std::move(it->second);
  attempts_.erase(it);
  Entry& entry = entries_.at(place.address);
  auto target = entry.targets.find(place.endpoint);
  bool brief = IsShort(target->second, Clock::now());
  TargetOver(place.address, entry, target->second, place.endpoint, over);
  if (!entry.wanted) {
    if (brief && !over.permanent && short_.size() < kMaxShort) {
      short_[{place.address, place.endpoint}] = std::move(target->second);
    }
    entry.targets.erase(target);
    restless_.erase(restless_.find(place.endpoint));
    DropUnused();
  }
  Run();
}

void Dialer::TargetOver(const std::string& address, Entry& entry,
                        Target& target, const Endpoint& endpoint,
                        const Over& over) {
  Clock::time_point now = Clock::now();
  if (target.state == State::kLinked) {
    restless_.insert(endpoint);
    if (!IsShort(target, now)) {
      target.failures = 0;
      target.said.clear();
    }
  }
  target.state = State::kWaiting;
  target.refused = over.permanent;
  if (!over.life.IsZero()) target.life = over.life;
  target.due = now + BackOff(target.failures++);
  if (over.permanent) target.due = now + kRefusedWait;
  if (!entry.numeric) {
    entry.resolve_due = std::min(entry.resolve_due, now + seconds(2));
  }
  bool linked_otherwise =
      !target.life.IsZero() && actions_.IsLinked(target.life);
  if (linked_otherwise || over.logged || target.said == over.why) return;
  target.said = over.why;
  spdlog::info("peer {}: {}; trying again", Named(address, endpoint), over.why);
}

void Dialer::OnLinkLost(crdt::LifeId life) {
  for (auto& [address, entry] : entries_) {
    for (auto& [endpoint, target] : entry.targets) {
      if (target.state != State::kWaiting || target.life != life) continue;
      if (!std::exchange(target.refused, false)) continue;
      target.due = std::min(target.due, Clock::now() + BackOff(0));
    }
  }
  Run();
}

void Dialer::OnBeatFrom(const Endpoint& endpoint) {
  if (!restless_.contains(endpoint)) return;
  Clock::time_point now = Clock::now();
  for (auto& [address, entry] : entries_) {
    auto it = entry.targets.find(endpoint);
    if (it == entry.targets.end()) continue;
    Hear(it->second, now);
  }
  Run();
}

void Dialer::Hear(Target& target, Clock::time_point now) {
  Clock::duration age = now - target.since;
  target.beat = now;
  if (target.state == State::kDialling) {
    if (age <= target.patience || target.answered) return;
    target.patience = std::min(4 * target.patience, kMaxPatience);
    GiveUp(target, now);
  } else if (target.state == State::kWaiting && !target.refused &&
             age > kBeatPatience) {
    target.due = std::min(target.due, now);
  }
}

Dialer::Clock::time_point Dialer::LimitOf(const Target& target) {
  if (!target.answered) {
    return std::max(target.since + kUnanswered, target.beat + kBeatSilence);
  }
  return *target.answered +
         std::max<Clock::duration>(*target.answered - target.since, kAnswered);
}

void Dialer::GiveUp(Target& target, Clock::time_point now) {
  attempts_.erase(target.attempt);
  actions_.AbortAttempt(target.attempt);
  target.state = State::kWaiting;
  target.due = now;
}

void Dialer::Stop() {
  stopped_ = true;
  timer_.cancel();
}

void Dialer::Start(const std::string& address, const Endpoint& endpoint,
                   Target& target) {
  Clock::time_point now = Clock::now();
  std::string forbidden = actions_.Forbidden(endpoint);
  if (!forbidden.empty()) {
    target.due = now + kRefusedWait;
    actions_.OnForbidden(address, forbidden);
    if (std::exchange(target.said, forbidden) == forbidden) return;
    spdlog::error("peer {} is not dialled: {}", Named(address, endpoint),
                  forbidden);
    return;
  }
  if (!target.life.IsZero() && actions_.IsLinked(target.life)) {
    target.refused = true;
    target.due = now + kRefusedWait;
    return;
  }
  target.state = State::kDialling;
  target.since = now;
  target.answered.reset();
  target.attempt = actions_.StartAttempt(address, endpoint);
  attempts_[target.attempt] = {address, endpoint};
}

void Dialer::Run() {
  if (stopped_) return;
  Clock::time_point now = Clock::now();
  Clock::time_point next = Clock::time_point::max();
  for (auto& [address, entry] : entries_) RunEntry(address, entry, now, next);
  SetTimer(next);
}

void Dialer::RunEntry(const std::string& address, Entry& entry,
                      Clock::time_point now, Clock::time_point& next) {
  if (!entry.wanted) return;
  if (!entry.numeric && !entry.resolving) {
    if (entry.resolve_due <= now) {
      StartResolve(address, entry);
    } else {
      next = std::min(next, entry.resolve_due);
    }
  }
  for (auto& [endpoint, target] : entry.targets) {
    if (target.state == State::kDialling && LimitOf(target) <= now) {
      GiveUp(target, now);
      TargetOver(address, entry, target, endpoint, {.why = "no answer"});
    }
    if (target.state == State::kWaiting && target.due <= now) {
      Start(address, endpoint, target);
    }
    if (target.state == State::kWaiting) next = std::min(next, target.due);
    if (target.state == State::kDialling) {
      next = std::min(next, LimitOf(target));
    }
  }
}

void Dialer::SetTimer(Clock::time_point when) {
  if (when == Clock::time_point::max()) {
    timer_.cancel();
    return;
  }
  timer_.expires_at(when);
  timer_.async_wait([this](const std::error_code& error) {
    if (!error) loop_->Step([this] { Run(); });
  });
}

std::chrono::milliseconds Dialer::BackOff(int failures) {
  milliseconds full = kMinBackOff * (1 << std::min(failures, 6));
  full = std::min(full, kMaxBackOff);
  const auto waiting = static_cast<int64_t>(restless_.size());
  full = std::max(full, kBackOffShare * waiting);
  std::uniform_int_distribution<int64_t> jitter(0, full.count() / 4);
  return full - milliseconds(jitter(random_));
}

}  // namespace muster::peer
