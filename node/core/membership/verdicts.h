// Judges who is suspect and who is down.
//
//   alive --silence--> suspect, peers are asked --no later beat--> down
//     \--its link closed: a connect probe is refused, nobody has heard it--/
//
// Evidence of life comes from Evidence, which turns a verdict round.
//
// Internal to membership. Cost: a tick judges a slice of the members that are
// alive or suspect.
#ifndef MUSTER_NODE_CORE_MEMBERSHIP_VERDICTS_H_
#define MUSTER_NODE_CORE_MEMBERSHIP_VERDICTS_H_

#include <cstdint>
#include <set>
#include <string>

#include "absl/time/time.h"
#include "crdt/types.h"
#include "node/core/histogram.h"
#include "node/core/membership/indirect_pings.h"
#include "node/core/membership/member_lifecycle.h"
#include "node/core/membership/member_table.h"
#include "node/core/membership/membership_journal.h"
#include "node/core/membership/own_life.h"
#include "node/core/membership/peer_links.h"
#include "node/core/membership/step_context.h"
#include "node/core/options.h"
#include "node/core/slice.h"
#include "node/core/time.h"

namespace muster::core {

class Verdicts {
 public:
  Verdicts(const DetectorOptions& times, MemberTable& table,
           const PeerLinks& links, IndirectPings& pings,
           MemberLifecycle& lifecycle, ProbeTokens& tokens,
           MembershipJournal& journal);

  void Judge(StepContext& step);
  // The member is alive: from now on it is judged.
  void Watch(const Member& member) { judged_.insert(member.origin.life); }
  // A link closed: is the process gone? Probes the member's address.
  void StartCheck(Member& member, StepContext& step);
  // A beat of the member advanced at `at`: ends a check that began before.
  void LivedOn(Member& member, Instant at, StepContext& step);
  // The answer to a connect probe.
  void OnProbe(uint64_t token, bool refused, StepContext& step);
  // This node did not run for that long.
  void Stalled(absl::Duration stall, Instant now);

  // All that are alive or suspect, and maybe some that were.
  const std::set<crdt::LifeId>& judged() const { return judged_; }
  const DeathTimes& death_times() const { return death_times_; }

 private:
  // How often a refusal is looked into again after a later beat.
  static constexpr int kMaxChecks = 3;
  void JudgeOne(Member& member, StepContext& step);
  void JudgeCheck(Member& member, StepContext& step);
  void Suspect(Member& member, StepContext& step);
  void MarkDown(Member& member, const std::string& why, StepContext& step);
  bool HeardAllButThoseGone(const Member& member) const;

  const DetectorOptions& times_;
  MemberTable& table_;
  const PeerLinks& links_;
  IndirectPings& pings_;
  MemberLifecycle& lifecycle_;
  ProbeTokens& tokens_;
  MembershipJournal& journal_;

  std::set<crdt::LifeId> judged_;
  SliceCursor<crdt::LifeId> next_;
  DeathTimes death_times_{kDeathBounds};
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_MEMBERSHIP_VERDICTS_H_
