#include "node/core/membership/admission.h"

#include <algorithm>
#include <string>
#include <tuple>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace muster::core {
namespace {

// The codec's bound of a number.
constexpr uint64_t kMaxIncarnation = uint64_t{1} << 62;

}  // namespace

Admission::Admission(const Options& options, Now now, OwnLife& own,
                     const PeerLinks& links, Dialing& dialing,
                     BeatSender& beats, IndirectPings& pings, LinkUse& link_use,
                     ProbeTokens& tokens, MembershipJournal& journal)
    : times_(options.detector),
      join_optional_(options.join_optional),
      own_(own),
      links_(links),
      dialing_(dialing),
      beats_(beats),
      pings_(pings),
      link_use_(link_use),
      tokens_(tokens),
      journal_(journal),
      names_(options.detector.name_check),
      start_(now.mono) {}

void Admission::Settle(StepContext& step) {
  CheckName(step);
  CheckRefused(step);
  TryAdmit(step);
  TryJoin(step);
}

void Admission::Tick(StepContext& step) {
  names_.Tick(step.now.mono);
  AskAboutRivals(step);
}

void Admission::Leave(StepContext& step) {
  if (own_.leaving) return;
  own_.leaving = true;
  dialing_.Stop();
  dialing_.Changed();
  beats_.Farewell(step);
  step.out.members_changed = true;
}

bool Admission::OnHelloProbe(uint64_t token, crdt::LifeId answered,
                             StepContext& step) {
  if (!names_.Probed(token, answered)) return false;
  names_.Tick(step.now.mono);
  return true;
}

void Admission::OnMembersTold(const PeerLink& link) {
  dialing_.Answered(link);
  if (link.hello.origin.incarnation.value != 0) heard_admitted_ = true;
}

void Admission::Stalled(absl::Duration stall) {
  start_ = start_ + stall;
  names_.Stalled(stall);
}

void Admission::CheckName(StepContext& step) {
  if (own_.over) return;
  const Rival* rival = names_.AtWork();
  if (rival == nullptr) return;
  if (own_.admitted()) {
    journal_.Log(LogLine::Level::kError,
                 absl::StrCat("a later life of this node's name is at work at ",
                              rival->address, ": this one ends"),
                 step);
    Leave(step);
    Exit(absl::AbortedError(absl::StrCat("node name ", own_.origin.node,
                                         " was taken over by a later life at ",
                                         rival->address)),
         step);
  } else {
    Exit(absl::AlreadyExistsError(absl::StrCat(
             "node name ", own_.origin.node, " is in use by ", rival->address)),
         step);
  }
}

void Admission::Exit(absl::Status why, StepContext& step) {
  step.out.exit = std::move(why);
  own_.over = true;
  dialing_.Stop();
  dialing_.Changed();
}

bool Admission::WaitedToJoin(Now now) const {
  return now.mono >= start_ + times_.join_wait;
}

bool Admission::NobodyAnswered() const {
  const bool heard =
      std::any_of(links_.all().begin(), links_.all().end(),
                  [](const auto& row) { return row.second.heard_members; });
  return dialing_.has_join() && !dialing_.AnyAnswered() && !heard;
}

// A node exits if every address that answers refuses it: it would serve alone,
// and clients would take it for a part of the cluster. Silent addresses do not
// count. Once a node serves, no refusal ends it: else a stranger started at a
// join address could.
void Admission::CheckRefused(StepContext& step) {
  if (joined_ || own_.over || own_.leaving || join_optional_) return;
  if (!WaitedToJoin(step.now) || !NobodyAnswered()) return;
  const std::string refusals = dialing_.Refusals();
  if (refusals.empty()) return;
  Exit(absl::FailedPreconditionError(absl::StrCat(
           "node ", own_.origin.node,
           " is refused by every --join address that answers (", refusals,
           "); --join-optional would have it serve alone")),
       step);
}

void Admission::TryAdmit(StepContext& step) {
  if (own_.admitted() || own_.over || own_.leaving || names_.Pending()) return;
  // A node that is not admitted itself may not have heard of our rival. Its
  // word alone counts only once no other node is left to wait for.
  bool heard_enough = !dialing_.has_join() || heard_admitted_ ||
                      dialing_.AllAnswered() || WaitedToJoin(step.now);
  if (heard_enough) Admit(step);
}

void Admission::Admit(StepContext& step) {
  uint64_t incarnation = std::max<int64_t>(step.now.wall_us, 1);
  uint64_t highest = own_.highest.value;
  for (const auto& [life, rival] : names_.rivals()) {
    highest = std::max(highest, rival.origin.incarnation.value);
  }
  own_.origin.incarnation = crdt::Incarnation(
      std::min(std::max(incarnation, highest + 1), kMaxIncarnation));
  names_.Admitted(own_.origin);
  journal_.Log(
      LogLine::Level::kInfo,
      absl::StrCat("node ", own_.origin.node, " is admitted, incarnation ",
                   own_.origin.incarnation.value),
      step);
  journal_.Emit({MembershipEvent::Kind::kAdmitted, own_.origin}, step);
  link_use_.OnAdmitted(step);
  dialing_.Changed();
}

void Admission::TryJoin(StepContext& step) {
  if (joined_ || own_.over || !own_.admitted()) return;
  if (dialing_.has_join() && !dialing_.AllAnswered() &&
      !WaitedToJoin(step.now)) {
    return;
  }
  joined_ = true;
  own_.alone = NobodyAnswered();
  if (own_.alone) {
    const char* how = dialing_.Refusals().empty()
                          ? "no join address has answered within "
                          : "refused by every join address that answered in ";
    journal_.Log(LogLine::Level::kWarning,
                 absl::StrCat(how, absl::FormatDuration(times_.join_wait),
                              ": serving alone"),
                 step);
  }
  journal_.Emit({.kind = MembershipEvent::Kind::kJoined,
                 .origin = own_.origin,
                 .alone = own_.alone},
                step);
}

void Admission::ToldOfRival(const MemberInfo& info, StepContext& step) {
  const crdt::Origin& other = info.origin;
  bool matters = !own_.admitted() ||
                 std::tie(other.incarnation, other.life) >
                     std::tie(own_.origin.incarnation, own_.origin.life);
  if (!matters || own_.over || own_.leaving) return;
  uint64_t token = tokens_.Next();
  if (!names_.Told(info, token, step.now.mono)) return;
  journal_.Log(LogLine::Level::kWarning,
               absl::StrCat("a peer knows another life of this node's name at ",
                            info.address, ": checking"),
               step);
  journal_.Add(Counter::kHelloProbes);
  step.out.hello_probes.push_back({token, info.address});
  rivals_asked_ = kLongAgo;
}

void Admission::AskAboutRivals(StepContext& step) {
  if (const Rival* rival = names_.Stirring(step.now.mono)) {
    MemberInfo info{.origin = rival->origin,
                    .address = rival->address,
                    .state = MemberState::kAlive,
                    .beat = rival->beat};
    ToldOfRival(info, step);
  }
  if (own_.over || !names_.Pending()) return;
  if (step.now.mono - rivals_asked_ < times_.beat_interval) return;
  rivals_asked_ = step.now.mono;
  for (const auto& [life, rival] : names_.rivals()) {
    if (rival.verdict != Rival::Verdict::kPending) continue;
    pings_.AskAll(life, rival.beat, 0, step);
  }
}

}  // namespace muster::core
