// The way of a member from the first word of it to the last:
//
//   Learn --> a row of the table --MarkLeft--> left
//                |      \--MarkEnded: a later life of its name has begun
//                +--Forget: silent for DetectorOptions::forget, or by request
//
// Whether a member lives is for Evidence and Verdicts to say.
//
// Limits: Options::max_members, by MemberTable; a further one is refused,
// counted, and logged once. Internal to membership.
// Cost: O(log members) a call; ForgetSilent O(members), once a second.
#ifndef MUSTER_NODE_CORE_MEMBERSHIP_MEMBER_LIFECYCLE_H_
#define MUSTER_NODE_CORE_MEMBERSHIP_MEMBER_LIFECYCLE_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "crdt/types.h"
#include "node/core/membership/dialing.h"
#include "node/core/membership/failure_detector.h"
#include "node/core/membership/forgotten_lives.h"
#include "node/core/membership/link_use.h"
#include "node/core/membership/member_table.h"
#include "node/core/membership/membership_journal.h"
#include "node/core/membership/own_life.h"
#include "node/core/membership/step_context.h"
#include "node/core/options.h"
#include "node/core/time.h"

namespace muster::core {

class MemberLifecycle {
 public:
  MemberLifecycle(const Options& options, const FailureDetector& detector,
                  const StallWatch& stall, const OwnLife& own,
                  MemberTable& table, Dialing& dialing, LinkUse& link_use,
                  MembershipJournal& journal);

  // How an origin came to be known.
  struct Learnt {
    std::string address;
    absl::Duration age;
    bool shown = false;  // See MemberTable::Add.
  };
  // The row of an admitted origin, new or known; null if it is refused.
  Member* Learn(const crdt::Origin& origin, const Learnt& learnt,
                StepContext& step);
  // A later life of its name was heard.
  void MarkEnded(Member& member, StepContext& step);
  // It said that it leaves.
  void MarkLeft(Member& member, StepContext& step);
  void Forget(crdt::LifeId life, StepContext& step);
  // Forgets those that have been silent for DetectorOptions::forget.
  void ForgetSilent(StepContext& step);
  // See Membership::ForgetName.
  absl::Status ForgetName(const std::string& name, StepContext& step);
  bool WasForgotten(crdt::LifeId life) const {
    return forgotten_.Contains(life);
  }

 private:
  void RefuseFull(const crdt::Origin& origin, StepContext& step);

  const size_t max_members_;
  const absl::Duration forget_after_;
  const FailureDetector& detector_;
  const StallWatch& stall_;
  const OwnLife& own_;
  MemberTable& table_;
  Dialing& dialing_;
  LinkUse& link_use_;
  MembershipJournal& journal_;

  ForgottenLives forgotten_;
  Instant looked_ = kLongAgo;  // For the silent.
  bool full_logged_ = false;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_MEMBERSHIP_MEMBER_LIFECYCLE_H_
