// Tells peers of members: all of them on a fresh link, then each row that has
// changed since (gossip by version, as in anti-entropy).
//
// Internal to membership. Cost: a tick looks at the links only while some have
// not been told of the table's version, kToldLinks of them at a time.
#ifndef MUSTER_NODE_CORE_MEMBERSHIP_MEMBER_NEWS_H_
#define MUSTER_NODE_CORE_MEMBERSHIP_MEMBER_NEWS_H_

#include <cstdint>

#include "node/core/frames.h"
#include "node/core/membership/beat_sender.h"
#include "node/core/membership/member_table.h"
#include "node/core/membership/own_life.h"
#include "node/core/membership/peer_links.h"
#include "node/core/membership/step_context.h"
#include "node/core/slice.h"

namespace muster::core {

class MemberNews {
 public:
  MemberNews(const OwnLife& own, const MemberTable& table, PeerLinks& links,
             const BeatSender& beats);

  // Every row, and this node itself.
  void TellAll(PeerLink& link, StepContext& step) { Send(link, 0, step); }
  // Every row that a link in use does not know yet, for a slice of the links.
  void TellChanges(StepContext& step);

 private:
  // Every row changed since `since`; 0: all, and this node itself.
  void Send(PeerLink& link, uint64_t since, StepContext& step);

  const OwnLife& own_;
  const MemberTable& table_;
  PeerLinks& links_;
  const BeatSender& beats_;

  SliceCursor<LinkId> next_;
  uint64_t told_ = 0;     // All links have been told this version.
  uint64_t telling_ = 0;  // A round of links began with this one; 0: none.
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_MEMBERSHIP_MEMBER_NEWS_H_
