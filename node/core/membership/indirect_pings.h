// Indirect pings: questions to the peers about a life that is silent here, and
// answers to theirs.
//
//   b --Ask(c, above 7)--> a      a has heard beat 8 of c: answers at once;
//   b <--Report(c, 8)------ a      else when it does, within AskBook::kWait
//
// A member that is heard by relay alone (*hearsay*) is asked about further on,
// so that along a chain of nodes the answer goes from end to end at once.
//
// Internal to membership. Source: Das, Gupta, Motivala, SWIM (2002); we deviate
// in that the answer is a beat number, and goes by link and by datagram.
// Cost: at most kMaxAsked frames a question, in turns where there are more
// links.
#ifndef MUSTER_NODE_CORE_MEMBERSHIP_INDIRECT_PINGS_H_
#define MUSTER_NODE_CORE_MEMBERSHIP_INDIRECT_PINGS_H_

#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"
#include "crdt/types.h"
#include "node/core/frames.h"
#include "node/core/membership/beat_sender.h"
#include "node/core/membership/beats.h"
#include "node/core/membership/member_table.h"
#include "node/core/membership/membership_journal.h"
#include "node/core/membership/own_life.h"
#include "node/core/membership/peer_links.h"
#include "node/core/membership/step_context.h"
#include "node/core/options.h"
#include "node/core/time.h"

namespace muster::core {

class IndirectPings {
 public:
  // A suspicion is put to this many peers at most.
  static constexpr size_t kMaxAsked = 64;
  // A member silent for this many beats is heard by relay alone, if at all.
  static constexpr int kUnheardBeats = 2;

  IndirectPings(const DetectorOptions& times, const OwnLife& own,
                MemberTable& table, const PeerLinks& links,
                const BeatSender& beats, MembershipJournal& journal);

  // Asks the peers in use, in turns, except `asker` (0: none), the life itself
  // and the dead.
  void AskAll(crdt::LifeId life, uint64_t number, LinkId asker,
              StepContext& step);
  // The same for a member, if it was not done within `period`.
  void AskFurther(Member& member, absl::Duration period, LinkId asker,
                  StepContext& step);
  // A peer asks.
  void OnAsk(LinkId id, const AskFrame& frame, StepContext& step);
  // A later beat of the member was heard: answers those who asked for it.
  void PassOn(const Member& member, StepContext& step);
  void DropLink(LinkId id) { asks_.Drop(id); }
  void Tick(Instant now) { asks_.Tick(now); }

  // Whether the member is heard by relay alone.
  bool IsHearsay(const Member& member, Instant now) const;

 private:
  const DetectorOptions& times_;
  const OwnLife& own_;
  MemberTable& table_;
  const PeerLinks& links_;
  const BeatSender& beats_;
  MembershipJournal& journal_;

  AskBook asks_;
  LinkId asked_last_ = 0;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_MEMBERSHIP_INDIRECT_PINGS_H_
