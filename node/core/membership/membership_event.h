// What membership tells the replica: a change of one life, or of this node.
//
// Order of the events of one life: kUnlinked before kEnded or kForgotten;
// kAdmitted of this node before any kLinked.
#ifndef MUSTER_NODE_CORE_MEMBERSHIP_MEMBERSHIP_EVENT_H_
#define MUSTER_NODE_CORE_MEMBERSHIP_MEMBERSHIP_EVENT_H_

#include "crdt/types.h"
#include "node/core/frames.h"

namespace muster::core {

struct MembershipEvent {
  enum class Kind {
    // This node's name is admitted: `origin` is its identity from now on.
    kAdmitted,
    // The search for peers is over: every join address has answered or
    // join_wait has passed without any (`alone`).
    kJoined,
    // A link to an admitted member is usable / gone. Between the two, frames
    // of it belong to `origin`.
    kLinked,
    kUnlinked,
    // A beat was heard of an origin that was unknown, suspect or down.
    // `presence_seq` is what the beat names (0 if it was passed on).
    kAlive,
    kSuspect,
    kDown,
    // The member said that it leaves.
    kLeft,
    // A later life of the name was heard, so this one is over. If this one is
    // heard again while the later one is silent, kForgotten and kAlive follow.
    kEnded,
    // Silent for DetectorOptions::forget: nothing of it is kept.
    kForgotten,
  };
  Kind kind;
  crdt::Origin origin;
  LinkId link = 0;
  crdt::Seq presence_seq;
  bool alone = false;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_MEMBERSHIP_MEMBERSHIP_EVENT_H_
