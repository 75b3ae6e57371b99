// Evidence, verdicts, beats and probes.
#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "crdt/mutant.h"
#include "node/core/membership_impl.h"

namespace muster::core {
namespace {

using crdt::Mutant;
using crdt::Mutated;
using Kind = MembershipEvent::Kind;

// A first number is evidence only if it is younger.
constexpr absl::Duration kFirstAge = absl::Seconds(2);
// Without a datagram for this long, a peer's beats come by stream alone.
constexpr absl::Duration kUdpLately = absl::Seconds(5);
// A suspicion is put to this many peers at most.
constexpr size_t kMaxAsked = 64;
// How often a refusal is looked into again after a later beat.
constexpr int kMaxChecks = 3;
constexpr absl::Duration kProbeAgain = absl::Milliseconds(40);
// A probe that is not answered by then never will be.
constexpr absl::Duration kProbeLimit = absl::Seconds(1);
constexpr absl::Duration kForgetPeriod = absl::Seconds(1);
constexpr absl::Duration kLongestAge = absl::Hours(24 * 365);

// A life that had ended is at work if it beats this often.
constexpr int kReturnBeats = 2;
// A silence of a few lost beats is no rhythm.
constexpr int kMissedBeats = 3;

}  // namespace

// ---------------------------------------------------------------- evidence

void Membership::Impl::Evidence(Member& member, const HeardBeat& heard,
                                Step& step) {
  Instant now = step.now.mono;
  if (heard.way == Way::kDatagram) {
    member.udp = now;
    member.stream_only = false;
    member.presence_seq = std::max(member.presence_seq, heard.presence_seq);
  }
  if (Mutated(Mutant::kRepeatedBeatIsEvidence)) member.heard = now;
  if (heard.number <= member.beat) return;
  bool first = member.beat == 0;
  member.beat = heard.number;
  absl::Duration age = std::clamp(heard.age, absl::ZeroDuration(), kLongestAge);
  // What waited while this node did not run is older than it says; for
  // judging its sender it is not.
  absl::Duration true_age = age + stall_.InputDelay();
  Instant at = now - true_age;
  Instant judged = now - age;
  if (judged - member.heard > kMissedBeats * times_.beat_interval) {
    member.resumed = now;
  } else if (!first && judged > member.heard && IsAlive(member.origin.life) &&
             !stall_.settling()) {
    member.gaps.Add(judged - member.heard);
  }
  member.advanced = std::max(member.advanced, at);
  member.late = stall_.InputDelay() > absl::ZeroDuration();
  member.heard = std::max(member.heard, judged);
  member.stream_only = heard.way == Way::kLink &&
                       now - std::max(member.udp, member.linked) > kUdpLately;
  member.suspect_after =
      detector_.SuspectAfter(member.gaps, member.stream_only);
  PassOn(member, step);

  if (member.ended && heard.way != Way::kPassedOn) HeardOfEnded(member, step);
  if (member.ended || member.state == MemberState::kLeft) return;
  bool live = member.state == MemberState::kSuspect
                  ? now - member.heard < member.suspect_after
                  : true_age < (first ? kFirstAge : member.suspect_after) &&
                        at > member.refused;
  if (live && member.state != MemberState::kAlive) {
    // The way is free: no need to wait for the transport's back-off, which may
    // be long where another life refused.
    if (!links_.Any(member.origin.life)) {
      dialing_.Afresh(member.address, step.now.mono);
    }
    Revive(member, heard.presence_seq, step);
  }
  if (member.check && at > member.check->since) {
    // It lived after its link closed. The beat may have been its last one on
    // the way, so look again.
    member.check.reset();
    if (member.checks < kMaxChecks) StartCheck(member, step);
  }
}

void Membership::Impl::Revive(Member& member, crdt::Seq presence_seq,
                              Step& step) {
  if (member.state == MemberState::kSuspect) {
    Add(Count::kSuspicionsAverted);
  } else {
    Add(Count::kReturns);
    Log(LogLine::Level::kInfo,
        absl::StrCat("member ", member.origin.node, " (", member.address,
                     ") is alive"),
        step);
    dialing_.Changed();
  }
  for (Member* earlier : table_.Earlier(member.origin)) {
    MarkEnded(*earlier, step);
  }
  member.state = MemberState::kAlive;
  judged_.insert(member.origin.life);
  Emit(Kind::kAlive, member.origin, step, LinkTo(member.origin.life),
       presence_seq);
}

void Membership::Impl::HeardOfEnded(Member& member, Step& step) {
  if (member.state == MemberState::kLeft ||
      table_.LaterShows(member.origin, step.now.mono)) {
    member.returns = 0;
  } else if (++member.returns >= kReturnBeats) {
    returning_.insert(member.origin.life);
  }
}

// The later life that ended it is silent here, so this one counts again: as
// one that is new, since its stream was given up.
void Membership::Impl::ReturnEnded(Step& step) {
  for (crdt::LifeId life : std::exchange(returning_, {})) {
    const Member* member = table_.Find(life);
    if (member == nullptr || !member->ended) continue;
    const crdt::Origin origin = member->origin;
    if (table_.LaterShows(origin, step.now.mono)) continue;
    const std::string address = member->address;
    Forget(life, step);
    Learn(origin, {address, {}, true}, step);
    RefreshLife(life, step);
  }
}

void Membership::Impl::Passed(const BeatReport& report, Step& step) {
  if (report.life == self_.life) return;
  if (Member* member = table_.Find(report.life)) {
    Evidence(*member, {report.number, report.age}, step);
  } else {
    names_.Beat(report.life, report.number,
                step.now.mono - report.age - stall_.InputDelay());
  }
}

// To those who asked, over both ways, as one of them may be blocked. Not what
// waited here: it is told for as old as it may be at most, and who hears its
// number so, would not believe a better one.
void Membership::Impl::PassOn(const Member& member, Step& step) {
  if (member.late) return;
  crdt::LifeId life = member.origin.life;
  BeatReport report{life, member.beat, step.now.mono - member.advanced};
  for (LinkId id : asks_.Waiting(life, member.beat, step.now.mono)) {
    const Link* link = links_.Find(id);
    if (link == nullptr) continue;
    Add(Count::kAsksAnswered);
    step.out.frames.push_back({id, {clock_.number(), report}});
    if (!admitted() || !link->linked) continue;
    BeatDatagram datagram = OwnBeat();
    datagram.others.push_back(report);
    Add(Count::kDatagramsSent);
    step.out.beats.push_back({link->hello.address, std::move(datagram)});
  }
}

void Membership::Impl::Datagram(const BeatDatagram& beat, Step& step) {
  Add(Count::kDatagramsReceived);
  if (beat.origin.life == self_.life) return;
  Member* member = table_.Find(beat.origin.life);
  if (member == nullptr) {
    Add(Count::kDatagramsUnknown);
    names_.Beat(beat.origin.life, beat.number,
                step.now.mono - stall_.InputDelay());
    return;
  }
  if (member->origin != beat.origin) {
    Add(Count::kContradictions);
    return;
  }
  Evidence(*member, {beat.number, {}, Way::kDatagram, beat.presence_seq}, step);
  if (member->ended) return AnswerEnded(*member, step);
  for (const BeatReport& report : beat.others) Passed(report, step);
}

void Membership::Impl::Report(LinkId id, const BeatReport& report, Step& step) {
  const Link* link = links_.Find(id);
  if (link == nullptr || link->delay > absl::ZeroDuration()) return;
  Passed(report, step);
}

void Membership::Impl::Ask(LinkId id, const AskFrame& frame, Step& step) {
  if (links_.Find(id) == nullptr) return;
  BeatReport report{frame.life};
  if (frame.life == self_.life) {
    report.number = clock_.number();
    report.age = step.now.mono - clock_.advanced();
  } else if (const Member* member = table_.Find(frame.life)) {
    if (!member->late) report.number = member->beat;
    report.age = step.now.mono - member->advanced;
    asks_.Add(id, frame, step.now.mono);
  }
  if (report.number <= frame.number) return;
  Add(Count::kAsksAnswered);
  step.out.frames.push_back({id, {clock_.number(), report}});
}

// ---------------------------------------------------------------- verdicts

void Membership::Impl::Judge(Step& step) {
  for (auto it = judged_.begin(); it != judged_.end();) {
    if (IsAlive(*it)) JudgeOne(*table_.Find(*it), step);
    it = IsAlive(*it) ? std::next(it) : judged_.erase(it);
  }
  if (step.now.mono - forgot_ < kForgetPeriod) return;
  forgot_ = step.now.mono;
  std::vector<crdt::LifeId> forgotten;
  for (const auto& [life, member] : table_.rows()) {
    Instant last =
        member.ended ? std::min(*member.ended, member.heard) : member.heard;
    if (step.now.mono - last > times_.forget) forgotten.push_back(life);
  }
  for (crdt::LifeId life : forgotten) Forget(life, step);
}

void Membership::Impl::JudgeOne(Member& member, Step& step) {
  Instant now = step.now.mono;
  absl::Duration silence = now - member.heard;
  if (member.state == MemberState::kAlive && silence >= member.suspect_after) {
    Suspect(member, step);
  }
  if (member.state == MemberState::kSuspect) {
    if (now >= member.confirmed) {
      MarkDown(member,
               absl::StrCat("silent for ", absl::FormatDuration(silence)),
               step);
    } else if (now - member.asked >= times_.confirm / 2) {
      member.asked = now;
      AskAll(member.origin.life, member.beat, step);
    }
  }
  if (!member.check) return;
  if (now >= member.check->again) return StartCheck(member, step);
  const bool wait = !Mutated(Mutant::kRefusalAloneIsProof);
  const bool due = now >= member.check->until && HeardAllButThoseGone(member);
  if (member.check->refused && (due || !wait)) {
    Add(Count::kDownsByRefusal);
    member.refused = member.check->since;
    MarkDown(member, "its address refuses and nobody has heard it", step);
  } else if (now >= member.check->until + kProbeLimit) {
    member.check.reset();
  }
}

void Membership::Impl::Suspect(Member& member, Step& step) {
  Instant now = step.now.mono;
  Add(Count::kSuspicions);
  member.state = MemberState::kSuspect;
  member.suspected = now;
  member.confirmed = now + times_.confirm;
  member.asked = now;
  Emit(Kind::kSuspect, member.origin, step);
  AskAll(member.origin.life, member.beat, step);
}

void Membership::Impl::MarkDown(Member& member, const std::string& why,
                                Step& step) {
  if (Mutated(Mutant::kDownIsRemoval)) return MarkLeft(member, step);
  Add(Count::kDowns);
  member.state = MemberState::kDown;
  member.check.reset();
  Log(LogLine::Level::kWarning,
      absl::StrCat("member ", member.origin.node, " (", member.address,
                   ") is down: ", why),
      step);
  Emit(Kind::kDown, member.origin, step);
}

void Membership::Impl::Forget(crdt::LifeId life, Step& step) {
  const Member* member = table_.Find(life);
  crdt::Origin origin = member->origin;
  if (Link* link = links_.Used(life)) Unlink(*link, step);
  // Its address is forgotten with it; a DNS name may lead there again.
  if (!member->ended && member->state != MemberState::kLeft) {
    dialing_.LostForGood();
  }
  table_.Remove(life);
  dialing_.Changed();
  Add(Count::kMembersForgotten);
  Log(LogLine::Level::kInfo,
      absl::StrCat("member ", origin.node, " is forgotten"), step);
  Emit(Kind::kForgotten, origin, step);
}

// ------------------------------------------------------- probes and asking

void Membership::Impl::StartCheck(Member& member, Step& step) {
  Instant now = step.now.mono;
  ++member.checks;
  // On slow links the answers take as much longer.
  const absl::Duration rtt = AskAll(member.origin.life, member.beat, step);
  member.check = RefusedCheck{now, now + times_.refused_wait + rtt, ++token_};
  Add(Count::kConnectProbes);
  step.out.probes.push_back({token_, member.address});
}

// Whether each member that may have heard of this one could answer: one that is
// alive and has no link to this node, or one that has brought nothing since or
// was not up when it was asked, may be on the only way to it. Those whose
// addresses refuse as well are left out, unless one is known to have lived on.
bool Membership::Impl::HeardAllButThoseGone(const Member& member) const {
  return std::all_of(judged_.begin(), judged_.end(), [&](crdt::LifeId life) {
    const Member* other = table_.Find(life);
    if (other == nullptr || other->state != MemberState::kAlive) return true;
    const bool going = other->check && other->check->refused &&
                       other->advanced <= member.check->since;
    if (other == &member || going) return true;
    const Link* link = links_.Used(life);
    return link != nullptr && link->up <= member.check->since &&
           link->received > member.check->since;
  });
}

void Membership::Impl::Probe(uint64_t token, bool refused, Step& step) {
  for (auto& [life, member] : table_.rows()) {
    if (!member.check || member.check->token != token) continue;
    if (refused) {
      member.check->refused = true;
    } else if (member.checks < kMaxChecks) {
      member.check->again = step.now.mono + kProbeAgain;
    } else {
      member.check.reset();
    }
    return;
  }
}

void Membership::Impl::HelloProbed(uint64_t token, crdt::LifeId life,
                                   Step& step) {
  if (names_.Probed(token, life)) {
    names_.Tick(step.now.mono);
  } else {
    WhoIsThere(token, life, step);
  }
}

// In turns, if there are more links than may be asked. Returns the longest
// round trip to those who were.
absl::Duration Membership::Impl::AskAll(crdt::LifeId life, uint64_t number,
                                        Step& step) {
  absl::Duration rtt;
  const auto& all = links_.all();
  auto it = all.upper_bound(asked_last_);
  size_t asked = 0;
  for (size_t i = 0; i < all.size() && asked < kMaxAsked; ++i, ++it) {
    if (it == all.end()) it = all.begin();
    const Link& link = it->second;
    asked_last_ = link.id;
    crdt::LifeId peer = link.hello.origin.life;
    const Member* member = table_.Find(peer);
    bool dead = member != nullptr && !IsAlive(peer) && member->beat != 0;
    if (peer == life || dead || !links_.IsUsed(link)) continue;
    ++asked;
    Add(Count::kAsksSent);
    step.out.frames.push_back(
        {link.id, {clock_.number(), AskFrame{life, number}}});
    rtt = std::max(rtt, link.rtt);
  }
  return rtt;
}

void Membership::Impl::AskAboutRivals(Step& step) {
  if (const Rival* rival = names_.Stirring()) {
    MemberInfo info{.origin = rival->origin,
                    .address = rival->address,
                    .state = MemberState::kAlive,
                    .beat = rival->beat};
    ToldOfOwnName(info, step);
  }
  if (over_ || !names_.Pending()) return;
  if (step.now.mono - rivals_asked_ < times_.beat_interval) return;
  rivals_asked_ = step.now.mono;
  for (const auto& [life, rival] : names_.rivals()) {
    if (rival.verdict != Rival::Verdict::kPending) continue;
    AskAll(life, rival.beat, step);
  }
}

// ------------------------------------------------------------------- beats

BeatDatagram Membership::Impl::OwnBeat() const {
  return {self_, clock_.number(), presence_seq_, {}};
}

BeatDatagram Membership::Impl::BeatWithSample(Instant now) {
  BeatDatagram beat = OwnBeat();
  beat.others = sample_.Next(table_, self_.node.size(), now);
  return beat;
}

// A life that beats on after it ended has not heard so. It is sent no beats,
// and its links may still stall from the cut: left alone it would take all
// others for down, until TCP moves again.
void Membership::Impl::AnswerEnded(const Member& member, Step& step) {
  if (!admitted() || member.state == MemberState::kLeft) return;
  Add(Count::kDatagramsSent);
  step.out.beats.push_back({member.address, BeatWithSample(step.now.mono)});
}

void Membership::Impl::SendBeats(Step& step) {
  for (const auto& [id, link] : links_.all()) {
    if (!links_.IsUsed(link)) continue;
    step.out.frames.push_back(
        {id, {clock_.number(), BeatReport{self_.life, clock_.number()}}});
  }
  if (!admitted()) return;
  const BeatDatagram beat = BeatWithSample(step.now.mono);
  std::set<absl::string_view> sent = {options_.address};
  for (bool down : {false, true}) {
    for (const auto& [life, member] : table_.rows()) {
      if (member.ended || member.state == MemberState::kLeft) continue;
      if (down != (member.state == MemberState::kDown)) continue;
      // Every other beat is enough to notice that a cut has healed.
      if (down && (clock_.number() ^ life.lo) % 2 != 0) continue;
      if (!sent.insert(member.address).second) continue;
      step.out.beats.push_back({member.address, beat});
    }
  }
  Add(Count::kDatagramsSent, sent.size() - 1);
}

void Membership::Impl::AddStall(absl::Duration stall, Instant now) {
  auto later = [&](Instant t) { return std::min(t + stall, now); };
  for (auto& [life, member] : table_.rows()) {
    member.heard = later(member.heard);
    member.asked = later(member.asked);
    member.resumed = later(member.resumed);
    member.confirmed = member.confirmed + stall;
    // What it asked may have been answered into the stall: once more.
    if (member.check) member.check->again = now;
  }
  for (auto& [id, link] : links_.all()) {
    link.received = later(link.received);
    if (link.unacked != kNever) link.unacked = later(link.unacked);
  }
  start_ = start_ + stall;
  names_.Stalled(stall);
}

}  // namespace muster::core
