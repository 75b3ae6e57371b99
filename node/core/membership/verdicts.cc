#include "node/core/membership/verdicts.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "crdt/mutant.h"

namespace muster::core {
namespace {

using crdt::Mutant;
using crdt::Mutated;
using EventKind = MembershipEvent::Kind;

// How much longer than its round trip a last beat may be on its way.
constexpr absl::Duration kOnItsWay = absl::Milliseconds(50);
constexpr absl::Duration kProbeAgain = absl::Milliseconds(40);
// A probe that is not answered by then never will be.
constexpr absl::Duration kProbeLimit = absl::Seconds(1);
// Where many are silent at once, many are asked about each: after so many
// frames the others are judged in the next tick.
constexpr size_t kJudgedFrames = 512;

}  // namespace

Verdicts::Verdicts(const DetectorOptions& times, MemberTable& table,
                   const PeerLinks& links, IndirectPings& pings,
                   MemberLifecycle& lifecycle, ProbeTokens& tokens,
                   MembershipJournal& journal)
    : times_(times),
      table_(table),
      links_(links),
      pings_(pings),
      lifecycle_(lifecycle),
      tokens_(tokens),
      journal_(journal) {}

void Verdicts::Judge(StepContext& step) {
  const size_t frames = step.out.frames.size();
  next_.Run(judged_, SliceOf(judged_.size()), [&](const crdt::LifeId life) {
    if (table_.IsAlive(life)) JudgeOne(*table_.Find(life), step);
    if (!table_.IsAlive(life)) judged_.erase(life);
    return step.out.frames.size() - frames < kJudgedFrames;
  });
}

void Verdicts::JudgeOne(Member& member, StepContext& step) {
  Instant now = step.now.mono;
  absl::Duration silence = now - member.heard;
  if (member.state == MemberState::kAlive) {
    if (silence >= member.suspect_after) {
      Suspect(member, step);
    } else if (silence >= IndirectPings::kUnheardBeats * times_.beat_interval &&
               pings_.IsHearsay(member, now)) {
      pings_.AskFurther(member, times_.confirm / 2, 0, step);
    }
  }
  if (member.state == MemberState::kSuspect) {
    if (now >= member.confirmed) {
      MarkDown(member,
               absl::StrCat("silent for ", absl::FormatDuration(silence)),
               step);
    } else if (now - member.asked >= times_.confirm / 2) {
      member.asked = now;
      pings_.AskAll(member.origin.life, member.beat, 0, step);
    }
  }
  if (member.check) JudgeCheck(member, step);
}

void Verdicts::JudgeCheck(Member& member, StepContext& step) {
  const Instant now = step.now.mono;
  if (now >= member.check->again) return StartCheck(member, step);
  const bool wait = !Mutated(Mutant::kRefusalAloneIsProof);
  const bool due = now >= member.check->until && HeardAllButThoseGone(member);
  if (member.check->refused && (due || !wait)) {
    journal_.Add(Counter::kDownsByRefusal);
    member.refused = member.check->since;
    MarkDown(member, "its address refuses and nobody has heard it", step);
  } else if (now >= member.check->until + kProbeLimit) {
    member.check.reset();
  }
}

void Verdicts::Suspect(Member& member, StepContext& step) {
  Instant now = step.now.mono;
  journal_.Add(Counter::kSuspicions);
  member.state = MemberState::kSuspect;
  member.suspected = now;
  member.confirmed = now + times_.confirm;
  member.asked = now;
  journal_.Emit({EventKind::kSuspect, member.origin}, step);
  pings_.AskAll(member.origin.life, member.beat, 0, step);
}

void Verdicts::MarkDown(Member& member, const std::string& why,
                        StepContext& step) {
  if (Mutated(Mutant::kDownIsRemoval)) return lifecycle_.MarkLeft(member, step);
  journal_.Add(Counter::kDowns);
  death_times_.Observe(step.now.mono - member.heard);
  member.state = MemberState::kDown;
  member.check.reset();
  journal_.Log(LogLine::Level::kWarning,
               absl::StrCat("member ", member.origin.node, " (", member.address,
                            ") is down: ", why),
               step);
  journal_.Emit({EventKind::kDown, member.origin}, step);
}

void Verdicts::StartCheck(Member& member, StepContext& step) {
  Instant now = step.now.mono;
  ++member.checks;
  pings_.AskAll(member.origin.life, member.beat, 0, step);
  // On slow links the answers take as much longer.
  member.check = RefusedCheck{
      now, now + times_.refused_wait + links_.AnswerTime(), tokens_.Next()};
  journal_.Add(Counter::kConnectProbes);
  step.out.probes.push_back({member.check->token, member.address});
}

// Whether every member that may have heard this one could answer. A live member
// may be on the only path to it: one without a link to this node, or whose link
// has brought nothing since, or was not in use when it was asked. Members whose
// addresses refuse as well do not count, unless one is known to have lived on.
bool Verdicts::HeardAllButThoseGone(const Member& member) const {
  return std::all_of(judged_.begin(), judged_.end(), [&](crdt::LifeId life) {
    const Member* other = table_.Find(life);
    if (other == nullptr || other->state != MemberState::kAlive) return true;
    const bool going = other->check && other->check->refused &&
                       other->advanced <= member.check->since;
    if (other == &member || going) return true;
    const PeerLink* link = links_.Used(life);
    return link != nullptr && link->used <= member.check->since &&
           link->received > member.check->since;
  });
}

// The beat may have been the member's last one on the way, so its address is
// probed again, unless it was refused before by so much that the member is
// known to live where its address refuses.
void Verdicts::LivedOn(Member& member, Instant at, StepContext& step) {
  if (!member.check || at <= member.check->since) return;
  const std::optional<Instant> refused = member.check->refused;
  const bool lives_on =
      refused && at > *refused + kOnItsWay + links_.AnswerTime();
  member.check.reset();
  if (!lives_on && member.checks < kMaxChecks) StartCheck(member, step);
}

void Verdicts::OnProbe(uint64_t token, bool refused, StepContext& step) {
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

void Verdicts::Stalled(absl::Duration stall, Instant now) {
  const auto later = [&](Instant t) { return std::min(t + stall, now); };
  for (auto& [life, member] : table_.rows()) {
    member.heard = later(member.heard);
    member.asked = later(member.asked);
    member.resumed = later(member.resumed);
    // Questions from before the stall are not answered any more.
    member.confirmed = std::max(member.confirmed + stall, now + times_.confirm);
    // The probe may have been answered into the stall: probe once more.
    if (member.check) member.check->again = now;
  }
}

}  // namespace muster::core
