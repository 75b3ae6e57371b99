// What clients ask of the keyspace and what it answers, as core values.
//
//   KvCall {commands: SET k v, GET k}  -->  KvAnswer {replies: OK, "v"}
//
// The commands of a call are run one after the other, as one piece on one node:
// at the leader, if one of them writes, waits or is asked to be read there;
// else on the node that was asked. With `atomic` they are one transaction.
#ifndef MUSTER_NODE_CORE_KEYSPACE_CALLS_H_
#define MUSTER_NODE_CORE_KEYSPACE_CALLS_H_

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "crdt/keyspace/keyspace.h"
#include "crdt/types.h"
#include "node/commands/command_list.h"
#include "node/commands/execute.h"
#include "node/commands/reply.h"
#include "node/core/time.h"

namespace muster::core {

// Names a call on its node; never used again in one life of the node.
using KvCallId = uint64_t;
// What keeps its calls in order: one Stream of gRPC, one connection of a door.
// Calls of one are run and answered in the order in which they were made. 0: a
// call of its own.
using KvConnection = uint64_t;

// One reign: in the order of numbers, then of the leaders' lives. Number 0:
// none.
struct Term {
  uint64_t number = 0;
  crdt::LifeId leader;
  auto operator<=>(const Term&) const = default;
  bool IsNone() const { return number == 0; }
};

// How far a node has come: its term, and the last mutation of that term's
// leader that it has applied.
struct KvPosition {
  Term term;
  crdt::Seq seq;
  auto operator<=>(const KvPosition&) const = default;
};

// Which writes are answered when.
enum class KvAckPolicy : uint8_t {
  kLocal,     // The leader has them.
  kPeer,      // And another node, if any can follow.
  kMajority,  // And so many that they are most of the members.
};

struct KvCall {
  KvConnection connection = 0;
  uint8_t db = 0;  // Of the first command; SELECT holds for those that follow.
  bool atomic = false;
  bool leader_reads = false;
  commands::CommandList commands;
  // With `atomic`: these keys are as they were when their versions were asked
  // for, or nothing is done, and the reply is nil.
  std::vector<commands::Watched> watched;
  // The node has come so far before it runs a read; none: at once.
  KvPosition min_position;
};

// OK: one reply for each command, one after the other; of an atomic call one in
// all. Else UNAVAILABLE: nothing was executed; ABORTED: the outcome is unknown,
// or (INVALID_ARGUMENT, RESOURCE_EXHAUSTED) what is wrong with the call.
struct KvAnswer {
  KvCallId call = 0;
  absl::Status status;
  commands::Reply replies;
  // Of the state that the replies tell of.
  KvPosition position;
};

// A follower, as its leader sees it.
struct KvFollowerView {
  crdt::LifeId life;
  enum class State : uint8_t { kOut, kAsked, kExchanging, kFollowing };
  State state = State::kAsked;
  crdt::Seq applied;
  uint64_t unapplied_bytes = 0;
};

// What `status`, `top` and `members` show of the keyspace.
struct KvStatusView {
  enum class Role : uint8_t { kWaiting, kGathering, kLeading, kFollowing };
  Role role = Role::kWaiting;
  KvPosition position;
  Term promised;
  bool exchanging = false;  // This node catches up.
  bool alone = false;       // A leader whose writes are on this node only.
  uint64_t context_lives = 0;
  uint64_t context_digest = 0;
  uint64_t digest = 0;  // Of the whole state: equal where positions are.
  std::vector<KvFollowerView> followers;  // Of a leader.
  uint64_t calls_waiting = 0;             // Of clients of this node.
  uint64_t blocked = 0;                   // Of them: pops that wait.
  uint64_t unsettled = 0;                 // Keys that a join left to settle.
  uint64_t joins = 0, joined_buckets = 0, settled_keys = 0;
  uint64_t bytes = 0;
  std::vector<uint64_t> keys;  // By database.
};

// What is known of one key on this node: `muster kv-explain`.
struct KvVersionView {
  std::string element;  // "string", "field f0", "member a", "item …", "key".
  std::string what;     // The version's kind and value, shortened.
  std::string node;     // Who led when it was written; empty: unknown here.
  crdt::LifeId life;
  crdt::Seq seq;
  uint32_t index = 0;
  uint64_t stamp_ms = 0;
  bool shown = false;
};
struct KvExplainReply {
  uint32_t bucket = 0;
  std::string type;  // As TYPE says.
  uint64_t due_ms = 0;
  std::vector<KvVersionView> versions;
  bool more = false;  // Above the limit.
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_KEYSPACE_CALLS_H_
