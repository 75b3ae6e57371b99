// What this node is in the cluster: its own life, as the parts of Membership
// look at it. The other lives are rows of MemberTable.
//
//   starting --name admitted--> admitted --Leave--> leaving
//        \______________________/ a rival is at work: over
#ifndef MUSTER_NODE_CORE_MEMBERSHIP_OWN_LIFE_H_
#define MUSTER_NODE_CORE_MEMBERSHIP_OWN_LIFE_H_

#include <cstdint>
#include <string>

#include "crdt/types.h"

namespace muster::core {

struct OwnLife {
  // Incarnation 0 until the name is admitted.
  crdt::Origin origin;
  std::string address;
  // The highest incarnation of its name that a peer remembers.
  crdt::Incarnation highest;
  bool alone = false;    // The search for peers found none, nor did one come.
  bool leaving = false;  // LeavingFrame was sent.
  bool over = false;     // `exit` was said.

  bool admitted() const { return origin.incarnation.value != 0; }
};

// Numbers the probes of a node, so that each answer finds its question.
class ProbeTokens {
 public:
  uint64_t Next() { return ++last_; }

 private:
  uint64_t last_ = 0;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_MEMBERSHIP_OWN_LIFE_H_
