// Verdicts: suspicion, the indirect pings and probes that confirm it, and down.
#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "crdt/mutant.h"
#include "node/core/membership/membership_impl.h"

namespace muster::core {
namespace {

using crdt::Mutant;
using crdt::Mutated;
using Kind = MembershipEvent::Kind;

// A suspicion is put to this many peers at most.
constexpr size_t kMaxAsked = 64;
constexpr absl::Duration kProbeAgain = absl::Milliseconds(40);
// A probe that is not answered by then never will be.
constexpr absl::Duration kProbeLimit = absl::Seconds(1);
constexpr absl::Duration kForgetPeriod = absl::Seconds(1);
// Where many are silent at once, many are asked about each: after so many
// frames the others are judged in the next tick.
constexpr size_t kJudgedFrames = 512;

}  // namespace

// ---------------------------------------------------------------- verdicts

void Membership::Impl::Judge(Step& step) {
  const size_t frames = step.out.frames.size();
  judge_next_.Run(judged_, SliceOf(judged_.size()),
                  [&](const crdt::LifeId life) {
                    if (IsAlive(life)) JudgeOne(*table_.Find(life), step);
                    if (!IsAlive(life)) judged_.erase(life);
                    return step.out.frames.size() - frames < kJudgedFrames;
                  });
  if (step.now.mono - forgot_ < kForgetPeriod) return;
  forgot_ = step.now.mono;
  DropForgotten(step.now.mono);
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
  if (member.state == MemberState::kAlive) {
    if (silence >= member.suspect_after) {
      Suspect(member, step);
    } else if (silence >= kUnheardBeats * times_.beat_interval &&
               IsHearsay(member, now)) {
      AskFurther(member, times_.confirm / 2, 0, step);
    }
  }
  if (member.state == MemberState::kSuspect) {
    if (now >= member.confirmed) {
      MarkDown(member,
               absl::StrCat("silent for ", absl::FormatDuration(silence)),
               step);
    } else if (now - member.asked >= times_.confirm / 2) {
      member.asked = now;
      AskAll(member.origin.life, member.beat, 0, step);
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
  AskAll(member.origin.life, member.beat, 0, step);
}

void Membership::Impl::MarkDown(Member& member, const std::string& why,
                                Step& step) {
  if (Mutated(Mutant::kDownIsRemoval)) return MarkLeft(member, step);
  Add(Count::kDowns);
  death_times_.Observe(step.now.mono - member.heard);
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
  AskAll(member.origin.life, member.beat, 0, step);
  // On slow links the answers take as much longer.
  member.check = RefusedCheck{
      now, now + times_.refused_wait + links_.AnswerTime(), ++token_};
  Add(Count::kConnectProbes);
  step.out.probes.push_back({token_, member.address});
}

// Whether every member that may have heard this one could answer. A live member
// may be on the only path to it: one without a link to this node, or whose link
// has brought nothing since, or was not in use when it was asked. Members whose
// addresses refuse as well do not count, unless one is known to have lived on.
bool Membership::Impl::HeardAllButThoseGone(const Member& member) const {
  return std::all_of(judged_.begin(), judged_.end(), [&](crdt::LifeId life) {
    const Member* other = table_.Find(life);
    if (other == nullptr || other->state != MemberState::kAlive) return true;
    const bool going = other->check && other->check->refused &&
                       other->advanced <= member.check->since;
    if (other == &member || going) return true;
    const Link* link = links_.Used(life);
    return link != nullptr && link->used <= member.check->since &&
           link->received > member.check->since;
  });
}

void Membership::Impl::Probe(uint64_t token, bool refused, Step& step) {
  for (auto& [life, member] : table_.rows()) {
    if (!member.check || member.check->token != token) continue;
    if (refused) {
      member.check->refused = step.now.mono;
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

// In turns, if there are more links than may be asked.
void Membership::Impl::AskAll(crdt::LifeId life, uint64_t number, LinkId asker,
                              Step& step) {
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
    const bool out = peer == life || link.id == asker || dead;
    if (out || !links_.IsUsed(link)) continue;
    ++asked;
    Add(Count::kAsksSent);
    step.out.frames.push_back(
        {link.id, {BeatOn(link.id), AskFrame{life, number}}});
  }
}

void Membership::Impl::AskAboutRivals(Step& step) {
  if (const Rival* rival = names_.Stirring(step.now.mono)) {
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
    AskAll(life, rival.beat, 0, step);
  }
}

}  // namespace muster::core
