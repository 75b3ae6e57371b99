#include "node/core/membership/beats.h"

#include <algorithm>

namespace muster::core {
namespace {

// A datagram without reports and without the sender's name, at most; and one
// report, at most.
constexpr size_t kFixedBytes = 110;
constexpr size_t kReportBytes = 36;

}  // namespace

BeatClock::BeatClock(absl::Duration interval, uint64_t seed, Instant now)
    : interval_(interval), random_(seed), advanced_(now), next_(now) {}

bool BeatClock::Advance(Instant now) {
  if (now < next_) return false;
  ++number_;
  advanced_ = now;
  absl::Duration wait = interval_ * (95 + random_() % 11) / 100;
  next_ = next_ + wait;
  if (next_ <= now) next_ = now + wait;
  return true;
}

void BeatClock::AdvanceAtOnce(Instant now) {
  next_ = std::min(next_, now);
  Advance(now);
}

std::vector<BeatReport> BeatSample::Next(const MemberTable& table,
                                         size_t name_bytes, Instant now) {
  std::vector<BeatReport> sample;
  size_t fixed = kFixedBytes + name_bytes;
  if (fixed >= kMaxDatagramBytes) return sample;
  size_t room = (kMaxDatagramBytes - fixed) / kReportBytes;
  const auto& rows = table.rows();
  if (rows.size() > kWhole) {
    room = std::min(room, std::max(kFewest, room * kWhole / rows.size()));
  }
  auto it = rows.upper_bound(after_);
  for (size_t i = 0; i < rows.size() && sample.size() < room; ++i, ++it) {
    if (it == rows.end()) it = rows.begin();
    const Member& member = it->second;
    after_ = it->first;
    absl::Duration age = now - member.advanced;
    if (member.beat == 0 || member.late || member.ended || age >= kOldest) {
      continue;
    }
    sample.push_back({it->first, member.beat, age});
  }
  return sample;
}

void AskBook::Add(LinkId link, const AskFrame& ask, Instant now) {
  std::vector<Asker>& askers = askers_[ask.life];
  for (Asker& asker : askers) {
    if (asker.link != link) continue;
    asker = {link, ask.number, now + kWait};
    return;
  }
  if (size_ >= kMaxAsks) return;
  askers.push_back({link, ask.number, now + kWait});
  ++size_;
}

std::vector<LinkId> AskBook::Waiting(crdt::LifeId life, uint64_t number,
                                     Instant now) {
  std::vector<LinkId> links;
  auto it = askers_.find(life);
  if (it == askers_.end()) return links;
  for (const Asker& asker : it->second) {
    if (number > asker.number && now <= asker.until) {
      links.push_back(asker.link);
    }
  }
  return links;
}

template <typename Over>
void AskBook::Erase(Over over) {
  for (auto it = askers_.begin(); it != askers_.end();) {
    size_ -= std::erase_if(it->second, over);
    it = it->second.empty() ? askers_.erase(it) : std::next(it);
  }
}

void AskBook::Drop(LinkId link) {
  Erase([&](const Asker& asker) { return asker.link == link; });
}

void AskBook::Tick(Instant now) {
  Erase([&](const Asker& asker) { return now > asker.until; });
}

}  // namespace muster::core
