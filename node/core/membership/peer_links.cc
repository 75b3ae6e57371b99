#include "node/core/membership/peer_links.h"

#include <algorithm>

namespace muster::core {
namespace {

// A link is no slower than this; a longer round trip was an outage.
constexpr absl::Duration kLongestRtt = absl::Seconds(5);
// A ping without an answer for so long is lost. TCP loses none, so this is
// longer than anybody waits for the answer.
constexpr absl::Duration kPingLost = absl::Seconds(10);

}  // namespace

absl::Duration PeerLinks::StallAfter(const PeerLink& link,
                                     absl::Duration stall) {
  return std::max(stall, 3 * link.rtt);
}

void PeerLinks::Acked(PeerLink& link, absl::Duration after) {
  after = std::min(after, kLongestRtt);
  link.rtt = std::max(after, link.rtt - (link.rtt - after) / 8);
}

void PeerLinks::ToldOfPeer(PeerLink& link, absl::Duration rtt) {
  link.peer_rtt = std::clamp(rtt, absl::ZeroDuration(), kLongestRtt);
}

bool PeerLinks::MayPing(const PeerLink& link, absl::Duration period,
                        Instant now) {
  if (link.pinged) return now - *link.pinged >= kPingLost;
  return !link.pong || now - link.pong->sent >= period;
}

void PeerLinks::Answered(PeerLink& link, Instant now) {
  link.pong = Pong{*link.pinged, now - *link.pinged};
  link.pinged.reset();
}

bool PeerLinks::IsSilent(const PeerLink& link, Instant now) {
  return now - link.received >= kUnheard + 3 * link.rtt;
}

void PeerLinks::Heard(PeerLink& link, uint64_t number, absl::Duration beat,
                      Instant now) {
  if (now - link.received > kFresh) {
    link.burst = now;
    link.before = link.received;
    link.beat_before = link.heard ? link.beat : number;
  }
  link.received = now;
  link.new_beat = !link.heard || number > link.beat;
  link.heard = true;
  link.beat = std::max(link.beat, number);
  link.delay = absl::ZeroDuration();
  if (link.beat_before == 0 || now - link.burst >= kBurst) return;
  const uint64_t beats = number - std::min(number, link.beat_before);
  const absl::Duration delay = now - link.before - (beats + 1) * beat;
  if (delay > kFresh) link.delay = delay;
}

PeerLinks::Choice PeerLinks::Choose(const PeerLink& old, const PeerLink& fresh,
                                    Instant now) {
  bool works = now - old.received < kFresh + 2 * old.rtt;
  if (fresh.hello.outbound && old.hello.outbound) {
    return works ? Choice::kKeepOld : Choice::kTakeNew;
  }
  bool crossed = old.hello.outbound && now - old.up < kCrossing + 4 * old.rtt;
  return crossed && works ? Choice::kKeepOld : Choice::kTakeNew;
}

PeerLink* PeerLinks::Add(LinkId id, const PeerHello& hello, Instant now) {
  auto [it, added] = all_.try_emplace(id);
  if (!added) return nullptr;
  PeerLink& link = it->second;
  link.id = id;
  link.hello = hello;
  link.up = now;
  link.used = now;
  link.received = now;
  link.rtt = std::clamp(hello.rtt, absl::ZeroDuration(), kLongestRtt);
  ++peers_[hello.origin.life].open;
  return &link;
}

void PeerLinks::Remove(LinkId id) {
  auto it = all_.find(id);
  if (it == all_.end()) return;
  auto peer = peers_.find(it->second.hello.origin.life);
  if (peer->second.used == id) peer->second.used = 0;
  if (--peer->second.open == 0) peers_.erase(peer);
  all_.erase(it);
}

PeerLink* PeerLinks::Find(LinkId id) {
  auto it = all_.find(id);
  return it == all_.end() ? nullptr : &it->second;
}

const PeerLink* PeerLinks::Find(LinkId id) const {
  auto it = all_.find(id);
  return it == all_.end() ? nullptr : &it->second;
}

PeerLink* PeerLinks::Used(crdt::LifeId life) {
  auto it = peers_.find(life);
  return it == peers_.end() ? nullptr : Find(it->second.used);
}

const PeerLink* PeerLinks::Used(crdt::LifeId life) const {
  auto it = peers_.find(life);
  return it == peers_.end() ? nullptr : Find(it->second.used);
}

void PeerLinks::Use(PeerLink& link, Instant now) {
  link.used = now;
  peers_[link.hello.origin.life].used = link.id;
}

bool PeerLinks::IsUsed(const PeerLink& link) const {
  return Used(link.hello.origin.life) == &link;
}

LinkId PeerLinks::LinkedTo(crdt::LifeId life) const {
  const PeerLink* link = Used(life);
  return link != nullptr && link->linked ? link->id : 0;
}

absl::Duration PeerLinks::DelayOf(LinkId id) const {
  const PeerLink* link = Find(id);
  return link == nullptr ? absl::ZeroDuration() : link->delay;
}

absl::Duration PeerLinks::LongestRtt() const {
  absl::Duration longest;
  for (const auto& [id, link] : all_) {
    if (IsUsed(link)) longest = std::max(longest, link.rtt);
  }
  return longest;
}

absl::Duration PeerLinks::AnswerTime() const {
  absl::Duration longest;
  for (const auto& [id, link] : all_) {
    if (!IsUsed(link)) continue;
    longest = std::max(longest, link.rtt + link.peer_rtt);
  }
  return longest;
}

bool PeerLinks::Any(crdt::LifeId life) const { return peers_.contains(life); }

const PeerLink* PeerLinks::First(crdt::LifeId life) const {
  if (!Any(life)) return nullptr;
  for (const auto& [id, link] : all_) {
    if (link.hello.origin.life == life) return &link;
  }
  return nullptr;
}

}  // namespace muster::core
