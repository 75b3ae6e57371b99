#include "node/core/membership/member_lifecycle.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace muster::core {
namespace {

using EventKind = MembershipEvent::Kind;

constexpr absl::Duration kForgetPeriod = absl::Seconds(1);

}  // namespace

MemberLifecycle::MemberLifecycle(const Options& options,
                                 const FailureDetector& detector,
                                 const StallWatch& stall, const OwnLife& own,
                                 MemberTable& table, Dialing& dialing,
                                 LinkUse& link_use, MembershipJournal& journal)
    : max_members_(options.max_members),
      forget_after_(options.detector.forget),
      detector_(detector),
      stall_(stall),
      own_(own),
      table_(table),
      dialing_(dialing),
      link_use_(link_use),
      journal_(journal) {}

Member* MemberLifecycle::Learn(const crdt::Origin& origin, const Learnt& learnt,
                               StepContext& step) {
  if (forgotten_.Ignores(origin.life, learnt.shown)) return nullptr;
  MemberTable::Added added =
      table_.Add(origin, learnt.address, learnt.shown, step.now.mono);
  using Outcome = MemberTable::Outcome;
  if (added.outcome == Outcome::kKnown) return added.member;
  if (added.outcome == Outcome::kLie) journal_.Add(Counter::kContradictions);
  if (added.evicted) {
    journal_.Add(Counter::kMembersForgotten);
    journal_.Emit({EventKind::kForgotten, *added.evicted}, step);
  }
  if (added.outcome == Outcome::kFull) {
    RefuseFull(origin, step);
  }
  if (added.outcome != Outcome::kAdded) return nullptr;
  for (Member* lower : added.ended) MarkEnded(*lower, step);
  // As for all evidence: older than it says if it waited for this node.
  added.member->heard = step.now.mono - learnt.age;
  added.member->advanced = added.member->heard - stall_.InputDelay();
  added.member->linked = step.now.mono;
  added.member->suspect_after =
      detector_.SuspectAfter(added.member->gaps, false);
  journal_.Log(
      LogLine::Level::kInfo,
      absl::StrCat("learnt of member ", origin.node, " at ", learnt.address,
                   ", incarnation ", origin.incarnation.value),
      step);
  step.out.members_changed = true;
  dialing_.Changed();
  return added.member;
}

void MemberLifecycle::RefuseFull(const crdt::Origin& origin,
                                 StepContext& step) {
  journal_.Add(Counter::kMembersRefused);
  const std::string text =
      absl::StrCat("the cluster is full: max_members is ", max_members_,
                   ", refused ", origin.node);
  if (!full_logged_) journal_.Log(LogLine::Level::kWarning, text, step);
  full_logged_ = true;
  link_use_.CloseAll(origin.life, text, step);
}

void MemberLifecycle::MarkEnded(Member& member, StepContext& step) {
  member.ended = step.now.mono;
  member.check.reset();
  link_use_.Refresh(member.origin.life, step);
  journal_.Add(Counter::kMembersEnded);
  journal_.Emit({EventKind::kEnded, member.origin}, step);
}

void MemberLifecycle::MarkLeft(Member& member, StepContext& step) {
  if (member.state == MemberState::kLeft) return;
  member.state = MemberState::kLeft;
  member.check.reset();
  if (member.ended) return;
  table_.Touch(member);
  journal_.Log(LogLine::Level::kInfo,
               absl::StrCat("member ", member.origin.node, " leaves"), step);
  journal_.Emit({EventKind::kLeft, member.origin}, step);
  dialing_.Changed();
}

void MemberLifecycle::Forget(crdt::LifeId life, StepContext& step) {
  const Member* member = table_.Find(life);
  crdt::Origin origin = member->origin;
  link_use_.Unlink(life, step);
  // Its address is forgotten with it; a DNS name may lead there again.
  if (!member->ended && member->state != MemberState::kLeft) {
    dialing_.LostForGood();
  }
  table_.Remove(life);
  dialing_.Changed();
  journal_.Add(Counter::kMembersForgotten);
  journal_.Log(LogLine::Level::kInfo,
               absl::StrCat("member ", origin.node, " is forgotten"), step);
  journal_.Emit({EventKind::kForgotten, origin}, step);
}

void MemberLifecycle::ForgetSilent(StepContext& step) {
  const Instant now = step.now.mono;
  if (now - looked_ < kForgetPeriod) return;
  looked_ = now;
  forgotten_.Expire(forget_after_, now);
  std::vector<crdt::LifeId> silent;
  for (const auto& [life, member] : table_.rows()) {
    const Instant last =
        member.ended ? std::min(*member.ended, member.heard) : member.heard;
    if (now - last > forget_after_) silent.push_back(life);
  }
  for (crdt::LifeId life : silent) Forget(life, step);
}

absl::Status MemberLifecycle::ForgetName(const std::string& name,
                                         StepContext& step) {
  if (name == own_.origin.node) {
    return absl::FailedPreconditionError(
        absl::StrCat("node ", name, " is this node itself: it is alive"));
  }
  std::vector<crdt::LifeId> lives;
  for (const auto& [life, member] : table_.rows()) {
    if (member.origin.node != name) continue;
    if (table_.IsAlive(life)) {
      return absl::FailedPreconditionError(absl::StrCat(
          "node ", name, " (", member.address, ") is ",
          member.state == MemberState::kAlive ? "alive" : "suspect",
          ": only a member that is down or has left can be forgotten"));
    }
    lives.push_back(life);
  }
  if (lives.empty()) {
    return absl::NotFoundError(
        absl::StrCat("node ", name, " is not known here"));
  }
  for (crdt::LifeId life : lives) {
    Forget(life, step);
    forgotten_.Add(life, step.now.mono);
  }
  return absl::OkStatus();
}

}  // namespace muster::core
