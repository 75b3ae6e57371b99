// May this node have its name, and is its search for peers over?
//
//   start --name is free--> kAdmitted --join addresses answered--> kJoined
//     \--another life is at work--> exit
//
// Before it is admitted, and again when a peer knows of a later life of its
// name, NameCheck looks whether that one is at work. A node whose name is at
// work elsewhere, or which every join address refuses, exits.
//
// Internal to membership. Cost: O(join addresses + rivals) a step.
#ifndef MUSTER_NODE_CORE_MEMBERSHIP_ADMISSION_H_
#define MUSTER_NODE_CORE_MEMBERSHIP_ADMISSION_H_

#include <cstdint>

#include "absl/time/time.h"
#include "crdt/types.h"
#include "node/core/frames.h"
#include "node/core/membership/beat_sender.h"
#include "node/core/membership/dialing.h"
#include "node/core/membership/indirect_pings.h"
#include "node/core/membership/link_use.h"
#include "node/core/membership/membership_journal.h"
#include "node/core/membership/name_check.h"
#include "node/core/membership/own_life.h"
#include "node/core/membership/peer_links.h"
#include "node/core/membership/step_context.h"
#include "node/core/options.h"
#include "node/core/time.h"

namespace muster::core {

class Admission {
 public:
  Admission(const Options& options, Now now, OwnLife& own,
            const PeerLinks& links, Dialing& dialing, BeatSender& beats,
            IndirectPings& pings, LinkUse& link_use, ProbeTokens& tokens,
            MembershipJournal& journal);

  // After every input: admits, joins or exits.
  void Settle(StepContext& step);
  void Tick(StepContext& step);
  void Leave(StepContext& step);

  // A peer knows another life of this node's name.
  void ToldOfRival(const MemberInfo& info, StepContext& step);
  // A beat of a life that is no member; it advanced at `at`.
  void OnRivalBeat(crdt::LifeId life, uint64_t number, Instant at) {
    names_.Beat(life, number, at);
  }
  // False if the probe was for something else.
  bool OnHelloProbe(uint64_t token, crdt::LifeId answered, StepContext& step);
  // The peer has told of all members that it knows.
  void OnMembersTold(const PeerLink& link);
  // This node did not run for that long.
  void Stalled(absl::Duration stall);

  // A later life of the name that was found silent, or null.
  const Rival* SilentRival() const { return names_.Silent(); }

 private:
  void CheckName(StepContext& step);
  void CheckRefused(StepContext& step);
  void TryAdmit(StepContext& step);
  void Admit(StepContext& step);
  void TryJoin(StepContext& step);
  void AskAboutRivals(StepContext& step);
  void Exit(absl::Status why, StepContext& step);
  // The wait for the join addresses is over.
  bool WaitedToJoin(Now now) const;
  // Nobody has answered as a peer does.
  bool NobodyAnswered() const;

  const DetectorOptions& times_;
  const bool join_optional_;
  OwnLife& own_;
  const PeerLinks& links_;
  Dialing& dialing_;
  BeatSender& beats_;
  IndirectPings& pings_;
  LinkUse& link_use_;
  ProbeTokens& tokens_;
  MembershipJournal& journal_;

  NameCheck names_;
  Instant start_;
  bool heard_admitted_ = false;  // A MembersFrame of an admitted node.
  bool joined_ = false;
  Instant rivals_asked_ = kLongAgo;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_MEMBERSHIP_ADMISSION_H_
