// Finds links that bring nothing, and closes them so that a fresh one is
// dialled: those that stall while the peer's beats arrive, those on which no
// frame has ever come, and those of a silent peer at whose address another life
// answers.
//
// Internal to membership. Cost: a tick looks at a slice of the links and of the
// members.
#ifndef MUSTER_NODE_CORE_MEMBERSHIP_LINK_STALLS_H_
#define MUSTER_NODE_CORE_MEMBERSHIP_LINK_STALLS_H_

#include <cstdint>

#include "absl/time/time.h"
#include "crdt/types.h"
#include "node/core/frames.h"
#include "node/core/membership/link_use.h"
#include "node/core/membership/member_table.h"
#include "node/core/membership/membership_journal.h"
#include "node/core/membership/own_life.h"
#include "node/core/membership/peer_links.h"
#include "node/core/membership/step_context.h"
#include "node/core/options.h"
#include "node/core/slice.h"
#include "node/core/time.h"

namespace muster::core {

class LinkStalls {
 public:
  LinkStalls(const DetectorOptions& times, MemberTable& table, PeerLinks& links,
             LinkUse& link_use, ProbeTokens& tokens,
             MembershipJournal& journal);

  // See Membership::OnBulk.
  void OnBulk(LinkId id, bool idle_or_acked, Now now);
  void Tick(StepContext& step);
  // The answer to a hello probe.
  void OnHelloProbe(uint64_t token, crdt::LifeId answered, StepContext& step);
  // This node did not run for that long.
  void Stalled(absl::Duration stall, Instant now);

 private:
  void AskWhoIsThere(StepContext& step);
  bool IsStalled(const PeerLink& link, Now now) const;

  const DetectorOptions& times_;
  MemberTable& table_;
  PeerLinks& links_;
  LinkUse& link_use_;
  ProbeTokens& tokens_;
  MembershipJournal& journal_;

  SliceCursor<LinkId> stall_next_;
  SliceCursor<crdt::LifeId> who_next_;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_MEMBERSHIP_LINK_STALLS_H_
