#include "node/core/membership/name_check.h"

#include <algorithm>
#include <tuple>

namespace muster::core {
namespace {

bool SaysGone(const MemberInfo& info) {
  return info.state == MemberState::kDown || info.state == MemberState::kLeft;
}

bool Stirs(const Rival& rival, Instant now) {
  const bool later = rival.told && now - rival.until >= NameCheck::kAgain;
  return rival.verdict == Rival::Verdict::kSilent &&
         (rival.advances >= 2 || later);
}

}  // namespace

bool NameCheck::Told(const MemberInfo& info, uint64_t token, Instant now) {
  auto it = rivals_.find(info.origin.life);
  if (it != rivals_.end()) {
    Rival& known = it->second;
    Beat(info.origin.life, info.beat, now - info.age);
    if (!SaysGone(info)) known.gone = false;
    known.told |= known.verdict == Rival::Verdict::kSilent && !SaysGone(info);
    if (SaysGone(info) || !Stirs(known, now)) return false;
  } else if (rivals_.size() >= kMaxRivals) {
    return false;
  }
  Rival rival;
  rival.origin = info.origin;
  rival.address = info.address;
  rival.since = now;
  rival.until = now + limit_;
  rival.beat = info.beat;
  rival.token = token;
  rival.gone = SaysGone(info);
  rivals_[info.origin.life] = rival;
  return true;
}

void NameCheck::Beat(crdt::LifeId life, uint64_t number, Instant at) {
  auto it = rivals_.find(life);
  if (it == rivals_.end()) return;
  Rival& rival = it->second;
  if (number <= rival.beat) return;
  bool first = rival.beat == 0;
  rival.beat = number;
  // Peers may know different last beats of the dead: only beats made since
  // count.
  if (first || at <= rival.since) return;
  ++rival.advances;
  if (rival.verdict == Rival::Verdict::kPending && rival.advances >= 2) {
    rival.verdict = Rival::Verdict::kAtWork;
  }
}

bool NameCheck::Probed(uint64_t token, crdt::LifeId answered) {
  for (auto& [life, rival] : rivals_) {
    if (rival.token != token) continue;
    if (rival.verdict == Rival::Verdict::kPending) {
      if (answered == life) {
        rival.verdict = Rival::Verdict::kAtWork;
      } else {
        rival.absent = true;
      }
    }
    return true;
  }
  return false;
}

void NameCheck::Tick(Instant now) {
  std::erase_if(rivals_, [&](const auto& row) {
    return row.second.verdict == Rival::Verdict::kSilent &&
           now - row.second.until >= kForget;
  });
  for (auto& [life, rival] : rivals_) {
    if (rival.verdict != Rival::Verdict::kPending) continue;
    bool proof = rival.absent && rival.gone && rival.advances == 0;
    if (proof || now >= rival.until) rival.verdict = Rival::Verdict::kSilent;
  }
}

void NameCheck::Stalled(absl::Duration stall) {
  for (auto& [life, rival] : rivals_) rival.until = rival.until + stall;
}

void NameCheck::Admitted(const crdt::Origin& self) {
  for (auto it = rivals_.begin(); it != rivals_.end();) {
    const crdt::Origin& other = it->second.origin;
    bool later = std::tie(other.incarnation, other.life) >
                 std::tie(self.incarnation, self.life);
    it = later ? std::next(it) : rivals_.erase(it);
  }
}

bool NameCheck::Pending() const {
  return std::any_of(rivals_.begin(), rivals_.end(), [](const auto& row) {
    return row.second.verdict == Rival::Verdict::kPending;
  });
}

const Rival* NameCheck::AtWork() const {
  for (const auto& [life, rival] : rivals_) {
    if (rival.verdict == Rival::Verdict::kAtWork) return &rival;
  }
  return nullptr;
}

const Rival* NameCheck::Stirring(Instant now) const {
  for (const auto& [life, rival] : rivals_) {
    if (Stirs(rival, now)) return &rival;
  }
  return nullptr;
}

const Rival* NameCheck::Silent() const {
  for (const auto& [life, rival] : rivals_) {
    if (rival.verdict == Rival::Verdict::kSilent) return &rival;
  }
  return nullptr;
}

}  // namespace muster::core
