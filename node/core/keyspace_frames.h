// What nodes say to each other of the keyspace: no streams, but routed frames
// from one life to another. See node/core/keyspace/replicated_keyspace.h for
// who says what when, and docs/wire_format.md for the bytes.
//
//   candidate                       member
//   LeaderQuestion        -->
//                         <--       LeaderAnswer: none lives for me
//   Proposal (term 8)     -->
//                         <--       Promise: my context, my waiting pops
//   ExchangeBegin …                 (what the candidate lacks)
//   TermBase (term 8)     -->       follows by the log, or exchanges
//   Mutations             -->
//                         <--       Applied
//
// A frame that reaches the core is well formed and within its limits.
#ifndef MUSTER_NODE_CORE_KEYSPACE_FRAMES_H_
#define MUSTER_NODE_CORE_KEYSPACE_FRAMES_H_

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "crdt/keyspace/buckets.h"
#include "crdt/keyspace/context.h"
#include "crdt/keyspace/types.h"
#include "crdt/types.h"
#include "node/commands/command_list.h"
#include "node/commands/execute.h"
#include "node/commands/reply.h"
#include "node/core/keyspace_calls.h"

namespace muster::core {

// Names a call in the whole cluster.
struct KvRequest {
  crdt::LifeId origin;
  KvCallId call = 0;
  auto operator<=>(const KvRequest&) const = default;
};

// ---- before a term ----
// Does a leader live for you?
struct KvLeaderQuestion {
  uint64_t number = 0;
};
struct KvLeaderAnswer {
  uint64_t number = 0;  // Of the question.
  bool lives = false;
  bool eligible = false;
  bool empty = false;  // Its context is.
  uint64_t known = 0;  // The highest number of a term that it knows.
  int64_t wall_us = 0;
};
struct KvProposal {
  Term term;
};
// A pop that waits, or any call that was sent to a leader and is not answered.
struct KvForward {
  Term term;  // It is executed in this one alone.
  KvCallId call = 0;
  // Pops are served in the order of their tickets, then of origins and calls:
  // microseconds of keyspace time at which the call came to its node.
  uint64_t ticket = 0;
  uint8_t db = 0;
  bool atomic = false;
  // It was sent before. A pop may have been served; of another call the answer
  // is asked for, and it is not executed.
  bool again = false;
  commands::CommandList commands;
  std::vector<commands::Watched> watched;
};
// A pop that was served: said to all followers, so that the next leader knows.
struct KvServed {
  KvRequest request;
  crdt::LifeId leader;  // The mutation's dot.
  crdt::Seq seq;
  commands::Reply replies;
};
struct KvPromise {
  Term term;
  kv::Context context;
  // Pops of its clients that waited at the leader before, and what it knows to
  // have been served.
  std::vector<KvForward> waiting;
  std::vector<KvServed> served;
};
// Not that term: a higher one is promised, or led.
struct KvRefusal {
  Term term;      // That was refused.
  Term promised;  // Or led, the higher one.
  bool leading = false;
  uint32_t followers = 0;  // Of one that leads.
};

// ---- a term ----
// There is this term; who is up and does not follow is asked to.
struct KvInvitation {
  Term term;
};
struct KvFollowRequest {
  Term term;
  kv::Context context;
};
struct KvTermBase {
  Term term;
  kv::Context base;
  // The follower stands at the leader's mutation `seq` and is sent what comes
  // after; else it has to exchange.
  bool by_log = false;
  crdt::Seq seq;
};
// Also a beat, without mutations: a leader sends one every kBeat.
struct KvMutations {
  Term term;
  crdt::Seq first;
  uint32_t count = 0;
  std::shared_ptr<const std::string> mutations;
  uint64_t number = 0;   // Echoed by KvApplied.
  uint64_t echo = 0;     // The highest KvApplied::question that came.
  uint64_t time_us = 0;  // Keyspace time.
  std::vector<KvServed> served;
};
struct KvApplied {
  Term term;
  crdt::Seq seq;          // Applied up to it,
  bool gap = false;       // and something after it did not come.
  uint64_t number = 0;    // The highest KvMutations::number that came.
  uint64_t question = 0;  // Asks for an echo.
};
struct KvLeave {  // The leader's: the term is over, and it leads no more.
  Term term;
};

// ---- calls ----
struct KvAnswers {
  enum class Outcome : uint8_t {
    kDone = 1,     // Executed: `replies`, and `seq` if it made mutations.
    kRefused = 2,  // Not executed; may be sent again.
    kWaits = 3,    // A pop: it waits, at this leader.
  };
  struct Answer {
    KvCallId call = 0;
    Outcome outcome = Outcome::kDone;
    // Of its last mutation, by this leader; 0: it made none.
    crdt::Seq seq;
    commands::Reply replies;
  };
  Term term;
  std::vector<Answer> answers;
};
// The client of a pop that waits has gone.
struct KvWithdraw {
  KvCallId call = 0;
};

// ---- exchanges: the sink asks, the source sends ----
struct KvExchangeBegin {
  uint64_t exchange = 0;  // Named by the sink.
  Term term;
  std::array<uint64_t, kv::kGroups> groups;  // The sink's digests.
};
struct KvExchangeDigests {
  uint64_t exchange = 0;
  struct Group {
    uint32_t group = 0;
    std::array<uint64_t, kv::kBucketsPerGroup> buckets;
  };
  std::vector<Group> groups;  // Those that differ.
};
struct KvExchangeWant {
  uint64_t exchange = 0;
  std::vector<uint32_t> buckets;  // Ascending.
};
// What the source sends then, numbered 1, 2, 3 …, in the order in which it read
// and applied it.
struct KvExchangePart {
  enum class Kind : uint8_t {
    kBegin = 1,      // `context`: the source's.
    kPart = 2,       // `bytes`: of the bucket; `last`: its last.
    kMutations = 3,  // `count` from `first` on, that a leader made meanwhile.
    kKey = 4,        // `bytes`: a part of a key that was asked for again.
    kEnd = 5,        // `first`: the leader's last mutation; all was sent.
    kRefused = 6,    // The source can not, or not any more: `context` is empty.
  };
  uint64_t exchange = 0;
  uint64_t number = 0;
  Kind kind = Kind::kBegin;
  kv::Context context;
  uint32_t bucket = 0;
  bool last = false;
  crdt::Seq first;
  uint32_t count = 0;
  kv::OwnedKey key;
  std::shared_ptr<const std::string> bytes;
};
struct KvExchangeAck {
  uint64_t exchange = 0;
  uint64_t number = 0;              // All up to it is taken.
  bool over = false;                // Nothing more is wanted.
  std::vector<kv::OwnedKey> again;  // To be sent whole.
};

using KvBody =
    std::variant<KvLeaderQuestion, KvLeaderAnswer, KvProposal, KvPromise,
                 KvRefusal, KvInvitation, KvFollowRequest, KvTermBase,
                 KvMutations, KvApplied, KvLeave, KvForward, KvAnswers,
                 KvWithdraw, KvExchangeBegin, KvExchangeDigests, KvExchangeWant,
                 KvExchangePart, KvExchangeAck>;
struct KvMail {
  crdt::LifeId to;
  KvBody body;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_KEYSPACE_FRAMES_H_
