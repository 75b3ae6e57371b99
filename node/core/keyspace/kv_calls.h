// The calls of this node's clients: where each is run, and when it is answered.
//
//             reads alone                       run here, answered
//   kQueued ---------------> (this node)
//      |  \--- this node leads ---> executed ---> kDone --acked--> answered
//      |
//      +--- another leads --> kSent --reply, seq--> kDone --applied--> answered
//      ^                        |  \--waits--> kBlocked --reply--> kDone
//      +------ refused ---------+
//
// A call that left this node is sent again only if the leader refused it, or if
// it is a pop: the leaders know which were served. What is not answered within
// kAskAgain is asked for: the leader says again what it answered, or that it
// never had the call, and then never runs it. When another leader's term
// begins, whatever the one before has not answered is ABORTED. What was not
// executed for KeyspaceOptions::wait is UNAVAILABLE.
//
// Calls of one connection start in order: one that follows an unanswered call
// goes where that went, and none follows a pop that waits. They are answered in
// order, too.
//
// Invariants
//   1. A call is answered once, or withdrawn.
//   2. Forwarded and not answered: window_bytes + one call, beside pops.
// Cost: O(log calls) a call; each change of who leads looks at all.
// Threads: the core's.
#ifndef MUSTER_NODE_CORE_KEYSPACE_KV_CALLS_H_
#define MUSTER_NODE_CORE_KEYSPACE_KV_CALLS_H_

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "node/core/keyspace/kv_shared.h"
#include "node/core/keyspace/leading.h"
#include "node/core/keyspace_calls.h"
#include "node/core/keyspace_frames.h"

namespace muster::core {

// How this node stands: what decides where a call may run.
struct KvStanding {
  Term term;                   // None: there is no leader.
  bool whole = false;          // Follows it whole, or leads.
  bool readable = false;       // The state may be read.
  Leading* leading = nullptr;  // This node leads.
  // Pops that are known to be served, of all nodes.
  const KvServedPops* served = nullptr;
  KvPosition position;
};

class KvCalls {
 public:
  explicit KvCalls(KvShared& shared) : shared_(shared) {}

  KvCallId Add(KvCall call);
  void Withdraw(KvCallId id);
  void OnAnswers(crdt::LifeId from, const KvAnswers& frame,
                 const KvStanding& standing);
  // Pops that waited at this node, and were served or are due.
  void OnServed(Leading& leading);
  // Pops of this node were served, whether or not the leader's answer comes.
  void OnServed(const std::vector<KvServed>& served);
  // The leader may have forgotten those that wait.
  void SendPopsAgain();
  // Starts and answers what may be by now. After each step.
  void Run(const KvStanding& standing);
  void Tick(const KvStanding& standing);

  // Pops that wait at a leader, for the next one.
  std::vector<KvForward> Blocked() const;
  // Everything that waits is refused: the node leaves.
  void RefuseAll();
  size_t waiting() const { return calls_.size(); }
  size_t blocked() const { return blocked_; }
  // Calls that left this node, or were executed here, and are not answered.
  bool AnyUnderWay() const;

 private:
  enum class State : uint8_t { kQueued, kSent, kBlocked, kDone, kAnswered };
  struct Call {
    KvCall call;
    State state = State::kQueued;
    bool at_leader = false;  // It writes, waits, or must be read there.
    bool blocking = false;
    bool again = false;      // It was sent before.
    bool withdrawn = false;  // A pop of a node that drains.
    uint64_t ticket = 0;
    Instant came{0};
    Instant since{0};       // In its state.
    Instant asked{0};       // When its answer was asked for last.
    Instant not_before{0};  // It was refused: when it may be sent again.
    crdt::LifeId leader;    // Where it was sent, or executed,
    Term term;              // in which term.
    crdt::Seq seq;
    uint64_t sign = 0;
    KvAnswer answer;
  };
  using Calls = std::map<KvCallId, Call>;

  void Classify(Call& call) const;
  bool MayStart(KvCallId id, const Call& call, const KvStanding& standing,
                bool& follows) const;
  bool Start(KvCallId id, Call& call, const KvStanding& standing);
  void ReadHere(Call& call, const KvStanding& standing);
  void ExecuteHere(KvCallId id, Call& call, const KvStanding& standing);
  void Forward(KvCallId id, Call& call, const KvStanding& standing);
  KvForward ForwardOf(KvCallId id, const Call& call, const Term& term) const;
  void Enter(KvCallId id, Call& call, State state);
  void Served(KvCallId id, Call& call, const KvServed& served);
  void OnRefused(KvCallId id, Call& call, const KvStanding& standing);
  void AskAgain(const KvStanding& standing);
  void OnTermChanged(const KvStanding& standing);
  bool IsCovered(const Call& call, const KvStanding& standing) const;
  bool IsToRunAgain(const Call& call, const KvStanding& standing) const;
  KvCallId LastToStay(KvConnection connection,
                      const KvStanding& standing) const;
  void ResolveDone(const KvStanding& standing);
  void Answer(KvCallId id, Call& call, absl::Status status,
              const KvStanding& standing);
  void Deliver(KvCallId id);

  KvShared& shared_;
  KvCallId next_id_ = 1;
  Calls calls_;
  std::set<KvCallId> queued_;
  std::set<KvCallId> done_;  // Replied, not acknowledged.
  std::map<KvConnection, std::deque<KvCallId>> connections_;
  size_t blocked_ = 0;
  size_t sent_bytes_ = 0;  // Forwarded and not answered.
  KvPosition position_;    // The last that clients were told of.
  Instant next_tick_{0};
  Term term_;  // As it was when calls were looked at last.
  bool whole_ = false;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_KEYSPACE_KV_CALLS_H_
