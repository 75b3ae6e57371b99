// One reign of this node: it executes what writes, waits or must be read at the
// leader, and writes its own keyspace stream.
//
//   call --Execute--> Transaction --mutation--> log --> Followers --> followers
//            |                                             |
//            +--replies, seq-----------------> KvAnswers --+--> the call's node
//
// A call of another node is answered at once, with the seq of its last
// mutation: that node answers its client once it has applied so far, and so is
// the follower that the policy `peer` asks for. Under `majority` the answer
// waits here. What made no mutation needs no wait there: the answer came in the
// term. A call of this node is answered by KvCalls, once acked().
//
// After a stall of kStall or more it executes nothing until every member that
// is up, and not out, has answered what was sent since: another may lead by
// now. That takes KvPeers::kPatience at most; then it has to gather.
//
// Invariants
//   1. A forward is executed only in the term that it names, once.
//   2. A key that is due is removed only while every member that has neither
//      left nor been forgotten has answered within kDueAnswer.
// Cost: that of the commands. Threads: the core's.
#ifndef MUSTER_NODE_CORE_KEYSPACE_LEADING_H_
#define MUSTER_NODE_CORE_KEYSPACE_LEADING_H_

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "crdt/keyspace/context.h"
#include "crdt/keyspace/transaction.h"
#include "crdt/log.h"
#include "node/commands/execute.h"
#include "node/core/keyspace/followers.h"
#include "node/core/keyspace/gather.h"
#include "node/core/keyspace/kv_seen_calls.h"
#include "node/core/keyspace/kv_served_pops.h"
#include "node/core/keyspace/kv_shared.h"
#include "node/core/keyspace/kv_waiters.h"
#include "node/core/keyspace_frames.h"

namespace muster::core {

class Leading {
 public:
  static constexpr absl::Duration kStall = absl::Seconds(1);
  static constexpr absl::Duration kDueAnswer = absl::Seconds(1);
  // From opening a term until it may be given up for what is met.
  static constexpr absl::Duration kSettle = absl::Milliseconds(300);

  // Opens the term of a gather that is ready. `log`: of the own stream, empty
  // at the own position.
  // `served`: what this node knows of pops served before.
  Leading(KvShared& shared, const Gather& gather, KvServedPops served,
          crdt::MutationLog& log);

  const Term& term() const { return term_; }
  const kv::Context& base() const { return base_; }
  Followers& followers() { return followers_; }
  const Followers& followers() const { return followers_; }
  bool CanExecute() const { return !barrier_.has_value() && !stopped_; }
  bool settled() const { return shared_.now - opened_ >= kSettle; }

  struct Done {
    KvAnswers::Outcome outcome = KvAnswers::Outcome::kDone;
    crdt::Seq seq;
    // Of a call without mutations: Followers::IsConfirmed of it is waited for.
    uint64_t sign = 0;
    commands::Reply replies;
  };
  // A call of a client of this node. REQUIRES: CanExecute().
  Done Execute(const KvForward& call);
  void OnForward(crdt::LifeId from, KvForward call);
  // A pop is waited for no more.
  void Withdraw(const KvRequest& request);
  // Pops of clients of this node that were served meanwhile.
  std::vector<KvAnswers::Answer> TakeServed() { return std::move(own_served_); }

  // This node stood still.
  void OnStalled();
  // It drains: executes nothing more.
  void Stop();
  // False: it has to gather again.
  [[nodiscard]] bool Tick();
  // A slice of what is due and what is to be settled; true if there is more.
  bool RunJob();
  bool HasJob() const;
  bool Flush();
  // The term is over: answers what waits for a majority, refuses what was not
  // executed.
  void End();

  // Forwards that were executed, or never will be, by their nodes.
  using Seen = std::map<crdt::LifeId, KvSeenCalls>;
  Seen TakeSeen() { return std::move(seen_); }

  size_t waiting() const { return waiters_.size(); }
  uint64_t settled_keys() const { return settled_keys_; }
  const KvServedPops& served() const { return served_; }

 private:
  struct Held {  // For a majority.
    crdt::LifeId to;
    KvAnswers::Answer answer;
  };

  kv::Seen NextSeen() const {
    return {base_, shared_.self, log_.last(kOwnStream).Next()};
  }
  void Append(kv::Transaction& tx);
  Done Run(const KvRequest& request, const KvForward& call,
           commands::Blocking blocking);
  Done RunAtomic(const KvRequest& request, const KvForward& call);
  bool Fits(const KvRequest& request, const commands::Reply& before,
            const commands::Reply& reply) const;
  void WakeOn(const commands::Command& command, commands::Argv argv,
              uint8_t db);
  void ServeWoken();
  void Serve(const KvRequest& request);
  void AnswerDue();
  void Finish(const KvRequest& request, Done done);
  void SendAnswer(crdt::LifeId to, KvAnswers::Answer answer);
  bool MayRemoveDue() const;
  crdt::Seq SeqOf(const KvServed& served) const;
  // A forward that was sent before, and is no pop.
  void AnswerAgain(const KvRequest& request);
  // A pop of another node's client was served.
  void TellServed(const KvRequest& request, const Done& done);
  void Register(const KvRequest& request, const KvForward& call,
                commands::Wait wait);
  bool RemoveDue();
  bool Settle();

  KvShared& shared_;
  const Term term_;
  const kv::Context base_;
  crdt::MutationLog& log_;
  Followers followers_;
  KvWaiters waiters_;
  const Instant opened_;
  std::optional<Instant> barrier_;  // Since when.
  bool stopped_ = false;
  std::deque<std::pair<crdt::LifeId, KvForward>> held_forwards_;
  std::deque<Held> held_;
  std::vector<KvAnswers::Answer> own_served_;
  KvServedPops served_;
  KvServedPops answered_;  // Forwards that are no pops: answers may be lost.
  // Forwards executed in this term: frames may come twice.
  Seen seen_;
  uint64_t settled_keys_ = 0;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_KEYSPACE_LEADING_H_
