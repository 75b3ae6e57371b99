#include "node/core/membership/membership.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace muster::core {

Membership::Membership(const Options& options, crdt::LifeId life, uint64_t seed,
                       Now now)
    : options_(options),
      detector_(options_.detector),
      stall_(now.mono),
      own_{.origin = {options_.node, crdt::Incarnation(), life},
           .address = options_.address},
      table_(std::max<size_t>(options_.max_members, 1) - 1),
      dialing_(options_),
      beats_(options_.detector.beat_interval, seed, now, own_, table_, links_,
             journal_),
      pings_(options_.detector, own_, table_, links_, beats_, journal_),
      news_(own_, table_, links_, beats_),
      link_use_(own_, table_, links_, dialing_, pings_, news_, journal_),
      lifecycle_(options_, detector_, stall_, own_, table_, dialing_, link_use_,
                 journal_),
      verdicts_(options_.detector, table_, links_, pings_, lifecycle_, tokens_,
                journal_),
      evidence_(options_.detector, detector_, stall_, table_, links_, dialing_,
                pings_, link_use_, lifecycle_, verdicts_, journal_),
      stalls_(options_.detector, table_, links_, link_use_, tokens_, journal_),
      admission_(options_, now, own_, links_, dialing_, beats_, pings_,
                 link_use_, tokens_, journal_) {}

// An input from its begin to its end.
class Membership::InputStep : public StepContext {
 public:
  InputStep(Membership& membership, Now now, Output& out)
      : StepContext{now, out}, membership_(membership) {
    membership_.Begin(*this);
  }
  ~InputStep() { membership_.End(*this); }
  InputStep(const InputStep&) = delete;
  InputStep& operator=(const InputStep&) = delete;

 private:
  Membership& membership_;
};

void Membership::Begin(StepContext& step) {
  const absl::Duration stall = stall_.OnCall(step.now.mono);
  if (stall == absl::ZeroDuration()) return;
  journal_.Add(Counter::kStalls);
  journal_.Log(
      LogLine::Level::kWarning,
      absl::StrCat("this node did not run for ", absl::FormatDuration(stall),
                   ": its deadlines move by as much"),
      step);
  verdicts_.Stalled(stall, step.now.mono);
  stalls_.Stalled(stall, step.now.mono);
  admission_.Stalled(stall);
}

void Membership::End(StepContext& step) {
  admission_.Settle(step);
  auto dial = dialing_.Wanted(table_, links_, own_.origin, step.now.mono);
  if (dial) step.out.dial = std::move(*dial);
}

void Membership::OnLinkUp(LinkId id, const PeerHello& hello, Now now,
                          Output& out) {
  InputStep step(*this, now, out);
  if (hello.origin.life == own_.origin.life) {
    journal_.Add(Counter::kLinksToSelf);
    if (hello.outbound) {
      dialing_.ReachedSelf(hello.dialed, step.now.mono);
    }
    step.out.closes.push_back({id, "this is the dialling node itself", true});
    return;
  }
  PeerLink* link = links_.Add(id, hello, step.now.mono);
  if (link == nullptr) return;
  link->announced = beats_.number();
  dialing_.Reached(hello);
  bool admitted_peer = hello.origin.incarnation.value != 0;
  if (hello.origin.node == own_.origin.node) {
    // Of two that are not admitted the lower life may have the name.
    bool rival = admitted_peer ||
                 (!own_.admitted() && hello.origin.life < own_.origin.life);
    if (rival) {
      admission_.ToldOfRival({.origin = hello.origin, .address = hello.address},
                             step);
    }
  } else if (admitted_peer) {
    lifecycle_.Learn(hello.origin, {hello.address, {}, true}, step);
    link = links_.Find(id);
    if (link == nullptr) return;  // The cluster is full.
  }
  link_use_.Settle(*link, step);
}

void Membership::OnLinkDown(LinkId id, Now now, Output& out) {
  InputStep step(*this, now, out);
  PeerLink* link = links_.Find(id);
  if (link == nullptr) return;
  crdt::LifeId life = link->hello.origin.life;
  link_use_.Drop(*link, step);
  Member* member = table_.Find(life);
  // One that its peer has long closed may stay open here.
  const bool linked = links_.Used(life) != nullptr;
  if (member == nullptr || !IsAlive(life) || linked) return;
  member->checks = 0;
  if (options_.detector.refused_is_proof) verdicts_.StartCheck(*member, step);
}

void Membership::OnFrameBeat(LinkId id, uint64_t beat, Now now, Output& out) {
  InputStep step(*this, now, out);
  PeerLink* link = links_.Find(id);
  if (link == nullptr) return;
  const crdt::Origin peer = link->hello.origin;
  const std::string address = link->hello.address;
  bool first = !link->heard;
  PeerLinks::Heard(*link, beat, options_.detector.beat_interval, step.now.mono);
  if (first && !links_.IsUsed(*link)) {
    link_use_.Use(*link, step);
  } else if (links_.Used(peer.life) == nullptr) {
    link_use_.Close(id, "this node had given it up", step);
  }
  if (peer.node == own_.origin.node) {
    admission_.OnRivalBeat(peer.life, beat,
                           step.now.mono - stall_.InputDelay());
    return;
  }
  Member* member = table_.Find(peer.life);
  if (member == nullptr && peer.incarnation.value != 0) {
    // It was forgotten, and returns on a link that stayed open.
    const absl::Duration age = links_.DelayOf(id);
    member = lifecycle_.Learn(peer, {address, age, age == absl::ZeroDuration()},
                              step);
    link_use_.Refresh(peer.life, step);
  }
  // A beat that has waited says nothing of now, and the same beat may come in
  // time by another path.
  if (member == nullptr || links_.DelayOf(id) > absl::ZeroDuration()) return;
  evidence_.Take(*member, {beat, {}, BeatWay::kLink}, step);
}

void Membership::OnMembers(LinkId id, const MembersFrame& frame, Now now,
                           Output& out) {
  InputStep step(*this, now, out);
  PeerLink* link = links_.Find(id);
  if (link == nullptr) return;
  own_.highest = std::max(own_.highest, frame.your_highest);
  for (const MemberInfo& info : frame.members) {
    TakeInfo(*link, info, step);
    link = links_.Find(id);
    if (link == nullptr) return;  // Refused meanwhile.
  }
  link->heard_members = true;
  admission_.OnMembersTold(*link);
}

void Membership::TakeInfo(PeerLink& link, const MemberInfo& info,
                          StepContext& step) {
  const crdt::Origin& origin = info.origin;
  if (origin.life == own_.origin.life || origin.incarnation.value == 0) return;
  bool own = origin.life == link.hello.origin.life;
  if (own) {
    crdt::Origin& hello = link.hello.origin;
    bool news = hello.incarnation.value == 0 && hello.node == origin.node;
    if (news) hello.incarnation = origin.incarnation;
    if (hello != origin) {
      journal_.Add(Counter::kContradictions);
      return;
    }
  }
  if (origin.node == own_.origin.node) {
    admission_.ToldOfRival(info, step);
    return;
  }
  const absl::Duration age = info.age + link.delay;
  const bool in_time = link.delay == absl::ZeroDuration();
  const Instant heard = step.now.mono - age - stall_.InputDelay();
  bool shown = (own && in_time) ||
               (info.beat != 0 && age < MemberTable::kShown &&
                (info.state == MemberState::kAlive ||
                 info.state == MemberState::kSuspect) &&
                !table_.EarlierBeganSince(origin, heard, step.now.mono));
  Member* member = lifecycle_.Learn(origin, {info.address, age, shown}, step);
  if (member == nullptr) return;
  if (own && member->address != info.address) {
    member->address = info.address;
    table_.Touch(*member);
    dialing_.Changed();
  }
  link_use_.Refresh(origin.life, step);
  if (info.beat != 0 && in_time)
    evidence_.Take(*member, {info.beat, age}, step);
  // Of a peer that is linked, only its own word counts.
  if (info.state == MemberState::kLeft && !links_.Any(origin.life)) {
    lifecycle_.MarkLeft(*member, step);
  }
}

void Membership::OnAsk(LinkId id, const AskFrame& frame, Now now, Output& out) {
  InputStep step(*this, now, out);
  pings_.OnAsk(id, frame, step);
}

void Membership::OnBeatReport(LinkId id, const BeatReport& report, Now now,
                              Output& out) {
  InputStep step(*this, now, out);
  PeerLink* link = links_.Find(id);
  if (link == nullptr) return;
  const bool own = report.life == link->hello.origin.life;
  // Each beat is reported once, first of all that is sent in it: a second
  // report answers a ping.
  const bool answer = own && !link->new_beat && link->pinged.has_value();
  if (answer) PeerLinks::Answered(*link, step.now.mono);
  if (link->delay > absl::ZeroDuration()) return;
  if (own && !answer) PeerLinks::ToldOfPeer(*link, report.rtt);
  TakePassedOn(report, step);
}

void Membership::TakePassedOn(const BeatReport& report, StepContext& step) {
  if (report.life == own_.origin.life) return;
  if (Member* member = table_.Find(report.life)) {
    evidence_.Take(*member, {report.number, report.age}, step);
  } else {
    admission_.OnRivalBeat(report.life, report.number,
                           step.now.mono - report.age - stall_.InputDelay());
  }
}

void Membership::OnLeaving(LinkId id, Now now, Output& out) {
  InputStep step(*this, now, out);
  const PeerLink* link = links_.Find(id);
  if (link == nullptr) return;
  Member* member = table_.Find(link->hello.origin.life);
  if (member != nullptr) lifecycle_.MarkLeft(*member, step);
}

void Membership::OnDatagram(const BeatDatagram& beat, Now now, Output& out) {
  InputStep step(*this, now, out);
  journal_.Add(Counter::kDatagramsReceived);
  if (beat.origin.life == own_.origin.life) return;
  Member* member = table_.Find(beat.origin.life);
  if (member == nullptr) {
    journal_.Add(Counter::kDatagramsUnknown);
    admission_.OnRivalBeat(beat.origin.life, beat.number,
                           step.now.mono - stall_.InputDelay());
    return;
  }
  if (member->origin != beat.origin) {
    journal_.Add(Counter::kContradictions);
    return;
  }
  const bool advanced = beat.number > member->beat;
  evidence_.Take(
      *member, {beat.number, {}, BeatWay::kDatagram, beat.presence_seq}, step);
  if (member->ended) {
    if (advanced) beats_.AnswerEnded(*member, step);
    return;
  }
  for (const BeatReport& report : beat.others) TakePassedOn(report, step);
}

void Membership::OnProbe(uint64_t token, bool refused, Now now, Output& out) {
  InputStep step(*this, now, out);
  verdicts_.OnProbe(token, refused, step);
}

void Membership::OnHelloProbe(uint64_t token, crdt::LifeId life, Now now,
                              Output& out) {
  InputStep step(*this, now, out);
  if (admission_.OnHelloProbe(token, life, step)) return;
  stalls_.OnHelloProbe(token, life, step);
}

void Membership::OnRefused(const std::string& address, const std::string& why,
                           Now now, Output& out) {
  InputStep step(*this, now, out);
  dialing_.Refused(address, why);
}

void Membership::OnUdpUnavailable(const std::string& why) {
  udp_unavailable_ = why;
}

void Membership::OnBulk(LinkId link, bool idle_or_acked, Now now) {
  stalls_.OnBulk(link, idle_or_acked, now);
}

void Membership::Tick(Now now, Output& out) {
  InputStep step(*this, now, out);
  stall_.Tick(now.mono);
  beats_.Tick(step);
  pings_.Tick(now.mono);
  admission_.Tick(step);
  evidence_.ReturnEnded(step);
  if (!stall_.settling()) {
    verdicts_.Judge(step);
    lifecycle_.ForgetSilent(step);
    stalls_.Tick(step);
  }
  news_.TellChanges(step);
}

void Membership::SetPresenceSeq(crdt::Seq seq) { beats_.SetPresenceSeq(seq); }

// A peer that is asked about itself answers at once: any beat of its is later
// than number 0.
void Membership::Ping(absl::Duration period, Now now, Output& out) {
  for (crdt::LifeId life : verdicts_.judged()) {
    PeerLink* link = links_.Used(life);
    if (!IsAlive(life) || link == nullptr || !link->linked) continue;
    if (!PeerLinks::MayPing(*link, period, now.mono)) continue;
    link->pinged = now.mono;
    journal_.Add(Counter::kPingsSent);
    out.frames.push_back(
        {link->id, {beats_.BeatOn(link->id), AskFrame{life, 0}}});
  }
}

void Membership::Leave(Now now, Output& out) {
  InputStep step(*this, now, out);
  admission_.Leave(step);
}

absl::Status Membership::ForgetName(const std::string& name, Now now,
                                    Output& out) {
  InputStep step(*this, now, out);
  return lifecycle_.ForgetName(name, step);
}

std::vector<MembershipEvent> Membership::TakeEvents() {
  return journal_.TakeEvents();
}

}  // namespace muster::core
