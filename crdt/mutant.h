// Planted bugs: what shows that the simulator's checks can see. In a test
// build of the core (MUSTER_MUTANTS) one of them is picked at run time; in any
// other build Mutated() is constexpr false, and nothing of them is left.
//
//   if (Mutated(Mutant::kSkipsGap) || delta.first <= vv.Next()) Apply(delta);
//
// Used in .cc files only: headers are the same in both builds, so one library
// of tests may be linked with either core. tests/sim/mutants.cc has the words
// for each. Threads: set before the first replica, then only read.
#ifndef MUSTER_CRDT_MUTANT_H_
#define MUSTER_CRDT_MUTANT_H_

namespace muster::crdt {

enum class Mutant {
  kNone,
  kSweepsEarly,
  kMovesPositionInRebase,
  kServesInRebase,
  kAcceptsLowerIncarnation,
  kShowsPending,
  kLogStartOffByOne,
  kRepeatedBeatIsEvidence,
  kAdoptionShowsBoth,
  kGraceFromHealing,
  kForgottenKeepsSlot,
  kBlamesOthersAfterStall,
  kDownIsRemoval,
  kRelayChanges,
  kSkipsGap,
  kUpdateLeavesAndJoins,
  kRefusalAloneIsProof,
  kAsksWithoutEnd,
  // Of pub/sub.
  kMailTwice,
  kMailOutOfOrder,
  kUnsubscribedStays,
  kAnswersUnconfirmed,
  kDownStillCounts,
  kOldEpochMail,
  kRouterLoops,
  kGapUntold,
  kMailOvertakes,
  // Of the keyspace.
  kKvAcksAlone,
  kKvResendsForward,
  kKvOpensUnanswered,
  kKvFollowsLower,
  kKvContextEarly,
  kKvAppliesAhead,
  kKvRemovesByPlace,
  kKvRemovesDueWhileSilent,
  kKvRemovesUnseen,
  kKvBeatsAreLeader,
  kKvAnswersUnconfirmed,
  kKvMessageBeforeWrite,
  kKvLosesWaiters,
  kCount,
};

#ifdef MUSTER_MUTANTS
inline Mutant active_mutant = Mutant::kNone;
inline bool Mutated(Mutant mutant) { return active_mutant == mutant; }
#else
constexpr bool Mutated(Mutant) { return false; }
#endif

}  // namespace muster::crdt

#endif  // MUSTER_CRDT_MUTANT_H_
