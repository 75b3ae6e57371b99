// Takes links into use and ends them, and tells the replica which are *linked*:
// in use, to an admitted member that has not ended, from an admitted node.
//
//   up --Settle (decider) or first frame (follower)--> used --> linked
//    \__ Close: another link of the pair is better __/
//
// PeerLinks has the rules for choosing between two links of a pair.
//
// Internal to membership. Cost: O(log links) a call; Use tells the peer of all
// members.
#ifndef MUSTER_NODE_CORE_MEMBERSHIP_LINK_USE_H_
#define MUSTER_NODE_CORE_MEMBERSHIP_LINK_USE_H_

#include <string>

#include "crdt/types.h"
#include "node/core/frames.h"
#include "node/core/membership/dialing.h"
#include "node/core/membership/indirect_pings.h"
#include "node/core/membership/member_news.h"
#include "node/core/membership/member_table.h"
#include "node/core/membership/membership_journal.h"
#include "node/core/membership/own_life.h"
#include "node/core/membership/peer_links.h"
#include "node/core/membership/step_context.h"

namespace muster::core {

class LinkUse {
 public:
  LinkUse(OwnLife& own, MemberTable& table, PeerLinks& links, Dialing& dialing,
          IndirectPings& pings, MemberNews& news, MembershipJournal& journal);

  // A link is new: uses it or closes it, if that is for this node to decide.
  void Settle(PeerLink& link, StepContext& step);
  void Use(PeerLink& link, StepContext& step);
  void Close(LinkId id, const std::string& reason, StepContext& step);
  // Closes every link to the life.
  void CloseAll(crdt::LifeId life, const std::string& reason,
                StepContext& step);
  // The link leaves the table; `Close` or the transport has ended it.
  void Drop(PeerLink& link, StepContext& step);
  // Emits kLinked or kUnlinked of the link in use, if that has changed.
  void Refresh(crdt::LifeId life, StepContext& step);
  // The life is no member any more; the link stays open.
  void Unlink(crdt::LifeId life, StepContext& step);
  // This node is admitted: its announcement, then kLinked of every link in use.
  void OnAdmitted(StepContext& step);

 private:
  // Whether this node decides which link to that peer is used.
  bool Decides(const PeerLink& link) const;
  void Refresh(PeerLink& link, StepContext& step);
  void Unlink(PeerLink& link, StepContext& step);

  OwnLife& own_;
  MemberTable& table_;
  PeerLinks& links_;
  Dialing& dialing_;
  IndirectPings& pings_;
  MemberNews& news_;
  MembershipJournal& journal_;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_MEMBERSHIP_LINK_USE_H_
