// What others see of membership.
#include <algorithm>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "node/core/membership/membership.h"

namespace muster::core {

LinkId Membership::LinkTo(crdt::LifeId life) const {
  return links_.LinkedTo(life);
}

const crdt::Origin* Membership::OriginOf(LinkId id) const {
  const PeerLink* link = links_.Find(id);
  if (link == nullptr || !link->linked) return nullptr;
  return &table_.Find(link->hello.origin.life)->origin;
}

uint64_t Membership::BeatOn(LinkId link) const { return beats_.BeatOn(link); }

bool Membership::IsAlive(crdt::LifeId life) const {
  return life == own_.origin.life || table_.IsAlive(life);
}

bool Membership::HasEnded(crdt::LifeId life) const {
  const Member* member = table_.Find(life);
  return member != nullptr && member->ended.has_value();
}

bool Membership::WasForgotten(crdt::LifeId life) const {
  return lifecycle_.WasForgotten(life);
}

absl::Duration Membership::AgeOf(crdt::LifeId life, Now now) const {
  if (life == own_.origin.life) return absl::ZeroDuration();
  const Member* member = table_.Find(life);
  if (member == nullptr) return absl::InfiniteDuration();
  return now.mono - member->advanced;
}

absl::Duration Membership::DelayOf(LinkId id) const {
  return links_.DelayOf(id) + stall_.InputDelay();
}

std::vector<LivePeer> Membership::LivePeers() const {
  std::vector<LivePeer> peers;
  for (crdt::LifeId life : verdicts_.judged()) {
    if (!IsAlive(life)) continue;
    const Member& member = *table_.Find(life);
    LivePeer& peer = peers.emplace_back();
    peer.life = life;
    peer.suspect = member.state == MemberState::kSuspect;
    peer.presence_seq = member.presence_seq;
    peer.datagram = member.udp;
    peer.link = LinkTo(life);
    if (peer.link != 0) peer.pong = links_.Find(peer.link)->pong;
  }
  return peers;
}

LastBeat Membership::LastBeatOf(crdt::LifeId life) const {
  if (life == own_.origin.life) return {beats_.number(), beats_.advanced()};
  const Member* member = table_.Find(life);
  if (member == nullptr) return {};
  return {member->beat, member->advanced, member->late};
}

std::vector<MemberView> Membership::View(Now now) const {
  std::vector<MemberView> view;
  view.push_back(
      {.origin = own_.origin,
       .address = own_.address,
       .state = own_.leaving ? MemberState::kLeft : MemberState::kAlive,
       .self = true});
  for (const auto& [life, member] : table_.rows()) {
    if (member.ended) continue;
    view.push_back({.origin = member.origin,
                    .address = member.address,
                    .state = member.state,
                    .linked = LinkTo(life) != 0,
                    .heartbeat_age = now.mono - member.advanced});
  }
  std::sort(view.begin(), view.end(),
            [](const MemberView& a, const MemberView& b) {
              return std::tie(a.origin.node, a.origin.life) <
                     std::tie(b.origin.node, b.origin.life);
            });
  return view;
}

std::vector<std::string> Membership::Notes() const {
  std::vector<std::string> notes;
  if (own_.alone) {
    const std::string refusals = dialing_.Refusals();
    notes.push_back(refusals.empty()
                        ? "serving alone: no join address has answered"
                        : absl::StrCat("serving alone: refused by ", refusals));
  }
  if (!udp_unavailable_.empty()) {
    notes.push_back(absl::StrCat("UDP is unavailable: ", udp_unavailable_));
  }
  for (const auto& [life, member] : table_.rows()) {
    if (!member.stream_only || !IsAlive(life)) continue;
    notes.push_back(absl::StrCat(
        "no beats by UDP from ", member.origin.node, " (", member.address,
        "): its stream alone carries them, and a freeze is noticed later"));
  }
  if (const Rival* rival = admission_.SilentRival();
      rival != nullptr && own_.admitted()) {
    notes.push_back(
        absl::StrCat("peers remember a later life of this node's name at ",
                     rival->address, ", which is silent"));
  }
  return notes;
}

std::vector<std::pair<std::string, uint64_t>> Membership::Counters() const {
  return journal_.Counters();
}

std::vector<LinkMeasure> Membership::LinkMeasures() const {
  std::vector<LinkMeasure> measures;
  for (const auto& [id, link] : links_.all()) {
    if (!link.linked) continue;
    measures.push_back(
        {.peer = link.hello.origin.node, .id = id, .round_trip = link.rtt});
  }
  return measures;
}

const DeathTimes& Membership::death_times() const {
  return verdicts_.death_times();
}

}  // namespace muster::core
