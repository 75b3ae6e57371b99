#include "node/core/membership/evidence.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "crdt/mutant.h"
#include "node/core/membership/beats.h"

namespace muster::core {
namespace {

using crdt::Mutant;
using crdt::Mutated;
using EventKind = MembershipEvent::Kind;

// A first number is evidence only if it is younger.
constexpr absl::Duration kFirstAge = absl::Seconds(2);
// Without a datagram for this long, a peer's beats come by stream alone.
constexpr absl::Duration kUdpLately = absl::Seconds(5);
constexpr absl::Duration kLongestAge = absl::Hours(24 * 365);
// A life that had ended is at work if it beats this often.
constexpr int kReturnBeats = 2;
// A silence of a few lost beats is no rhythm.
constexpr int kMissedBeats = 3;

}  // namespace

Evidence::Evidence(const DetectorOptions& times,
                   const FailureDetector& detector, const StallWatch& stall,
                   MemberTable& table, const PeerLinks& links, Dialing& dialing,
                   IndirectPings& pings, LinkUse& link_use,
                   MemberLifecycle& lifecycle, Verdicts& verdicts,
                   MembershipJournal& journal)
    : times_(times),
      detector_(detector),
      stall_(stall),
      table_(table),
      links_(links),
      dialing_(dialing),
      pings_(pings),
      link_use_(link_use),
      lifecycle_(lifecycle),
      verdicts_(verdicts),
      journal_(journal) {}

void Evidence::Take(Member& member, const HeardBeat& heard, StepContext& step) {
  const Instant now = step.now.mono;
  if (heard.way == BeatWay::kDatagram) {
    member.udp = now;
    member.stream_only = false;
    member.presence_seq = std::max(member.presence_seq, heard.presence_seq);
  }
  if (Mutated(Mutant::kRepeatedBeatIsEvidence)) member.heard = now;
  if (heard.number <= member.beat) return;
  const auto age = std::clamp(heard.age, absl::ZeroDuration(), kLongestAge);
  // A beat that waited while this node did not run is older than it says. The
  // time of the stall does not count against its sender.
  const absl::Duration true_age = age + stall_.InputDelay();
  const Advance advance{.now = now,
                        .age = true_age,
                        .at = now - true_age,
                        .judged = now - age,
                        .first = member.beat == 0};
  Record(member, heard, advance);
  pings_.PassOn(member, step);

  if (member.ended && heard.way != BeatWay::kPassedOn) {
    HeardOfEnded(member, step);
  }
  if (member.ended || member.state == MemberState::kLeft) return;
  const bool live = IsLive(member, advance);
  if (live && member.state != MemberState::kAlive) {
    // The way is free: no need to wait for the transport's back-off, which may
    // be long where another life refused.
    if (!links_.Any(member.origin.life)) {
      dialing_.Afresh(member.address, now);
    }
    Revive(member, heard.presence_seq, step);
  } else if (!live && heard.way == BeatWay::kPassedOn &&
             true_age < BeatSample::kOldest) {
    // It lived then, so there may be a younger word on a long way.
    pings_.AskFurther(member, times_.confirm / 2, 0, step);
  }
  verdicts_.LivedOn(member, advance.at, step);
}

void Evidence::Record(Member& member, const HeardBeat& heard,
                      const Advance& advance) {
  const auto& [now, age, at, judged, first] = advance;
  member.beat = heard.number;
  if (first) member.first_heard = at;
  if (judged - member.heard > kMissedBeats * times_.beat_interval) {
    member.resumed = now;
  } else if (!first && judged > member.heard &&
             table_.IsAlive(member.origin.life) && !stall_.settling()) {
    member.gaps.Add(judged - member.heard);
  }
  member.advanced = std::max(member.advanced, at);
  member.late = stall_.stalled();
  member.heard = std::max(member.heard, judged);
  member.stream_only = heard.way == BeatWay::kLink &&
                       now - std::max(member.udp, member.linked) > kUdpLately;
  member.suspect_after =
      detector_.SuspectAfter(member.gaps, member.stream_only);
}

bool Evidence::IsLive(const Member& member, const Advance& advance) const {
  const auto& [now, age, at, judged, first] = advance;
  if (member.state == MemberState::kSuspect) {
    return now - member.heard < member.suspect_after;
  }
  return age < (first ? kFirstAge : member.suspect_after) &&
         at > member.refused &&
         !table_.EarlierBeganSince(member.origin, at, now);
}

void Evidence::Revive(Member& member, crdt::Seq presence_seq,
                      StepContext& step) {
  if (member.state == MemberState::kSuspect) {
    journal_.Add(Counter::kSuspicionsAverted);
  } else {
    journal_.Add(Counter::kReturns);
    journal_.Log(LogLine::Level::kInfo,
                 absl::StrCat("member ", member.origin.node, " (",
                              member.address, ") is alive"),
                 step);
    dialing_.Changed();
  }
  for (Member* earlier : table_.Earlier(member.origin)) {
    lifecycle_.MarkEnded(*earlier, step);
  }
  member.state = MemberState::kAlive;
  verdicts_.Watch(member);
  journal_.Emit({.kind = EventKind::kAlive,
                 .origin = member.origin,
                 .link = links_.LinkedTo(member.origin.life),
                 .presence_seq = presence_seq},
                step);
}

void Evidence::HeardOfEnded(Member& member, StepContext& step) {
  if (member.state == MemberState::kLeft ||
      table_.LaterShows(member.origin, step.now.mono)) {
    member.returns = 0;
  } else if (++member.returns >= kReturnBeats) {
    returning_.insert(member.origin.life);
  }
}

// The later life that ended it is silent here, so this one counts again: as
// one that is new, since its stream was given up.
void Evidence::ReturnEnded(StepContext& step) {
  for (crdt::LifeId life : std::exchange(returning_, {})) {
    const Member* member = table_.Find(life);
    if (member == nullptr || !member->ended) continue;
    const crdt::Origin origin = member->origin;
    if (table_.LaterShows(origin, step.now.mono)) continue;
    const std::string address = member->address;
    lifecycle_.Forget(life, step);
    lifecycle_.Learn(origin, {address, {}, true}, step);
    link_use_.Refresh(life, step);
  }
}

}  // namespace muster::core
