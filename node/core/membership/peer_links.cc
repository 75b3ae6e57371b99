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

absl::Duration PeerLinks::StallAfter(const Link& link, absl::Duration stall) {
  return std::max(stall, 3 * link.rtt);
}

void PeerLinks::Acked(Link& link, absl::Duration after) {
  after = std::min(after, kLongestRtt);
  link.rtt = std::max(after, link.rtt - (link.rtt - after) / 8);
}

void PeerLinks::ToldOfPeer(Link& link, absl::Duration rtt) {
  link.peer_rtt = std::clamp(rtt, absl::ZeroDuration(), kLongestRtt);
}

bool PeerLinks::MayPing(const Link& link, absl::Duration period, Instant now) {
  if (link.pinged) return now - *link.pinged >= kPingLost;
  return !link.pong || now - link.pong->sent >= period;
}

void PeerLinks::Answered(Link& link, Instant now) {
  link.pong = Pong{*link.pinged, now - *link.pinged};
  link.pinged.reset();
}

bool PeerLinks::IsSilent(const Link& link, Instant now) {
  return now - link.received >= kUnheard + 3 * link.rtt;
}

void PeerLinks::Heard(Link& link, uint64_t number, absl::Duration beat,
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

PeerLinks::Choice PeerLinks::Choose(const Link& old, const Link& fresh,
                                    Instant now) {
  bool works = now - old.received < kFresh + 2 * old.rtt;
  if (fresh.hello.outbound && old.hello.outbound) {
    return works ? Choice::kKeepOld : Choice::kTakeNew;
  }
  bool crossed = old.hello.outbound && now - old.up < kCrossing + 4 * old.rtt;
  return crossed && works ? Choice::kKeepOld : Choice::kTakeNew;
}

Link* PeerLinks::Add(LinkId id, const PeerHello& hello, Instant now) {
  auto [it, added] = all_.try_emplace(id);
  if (!added) return nullptr;
  Link& link = it->second;
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

Link* PeerLinks::Find(LinkId id) {
  auto it = all_.find(id);
  return it == all_.end() ? nullptr : &it->second;
}

const Link* PeerLinks::Find(LinkId id) const {
  auto it = all_.find(id);
  return it == all_.end() ? nullptr : &it->second;
}

Link* PeerLinks::Used(crdt::LifeId life) {
  auto it = peers_.find(life);
  return it == peers_.end() ? nullptr : Find(it->second.used);
}

const Link* PeerLinks::Used(crdt::LifeId life) const {
  auto it = peers_.find(life);
  return it == peers_.end() ? nullptr : Find(it->second.used);
}

void PeerLinks::Use(Link& link, Instant now) {
  link.used = now;
  peers_[link.hello.origin.life].used = link.id;
}

bool PeerLinks::IsUsed(const Link& link) const {
  return Used(link.hello.origin.life) == &link;
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

const Link* PeerLinks::First(crdt::LifeId life) const {
  if (!Any(life)) return nullptr;
  for (const auto& [id, link] : all_) {
    if (link.hello.origin.life == life) return &link;
  }
  return nullptr;
}

}  // namespace muster::core
