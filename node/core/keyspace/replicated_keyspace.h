// The keyspace on one node: who leads, what is followed, and what clients ask.
//
//            no leader lives                 all have promised, or are out
//   kWaiting ---------------> kGathering ---------------------> kLeading
//     ^  |                        |                                 |
//     |  +--- invited ---> kFollowing <--- proposed or invited -----+
//     +------ it dies, leaves ----+
//
// Of all nodes that hear each other one *leads* a *term*, and executes what
// writes; the others *follow* it. A cut leaves each side a leader. Who meets
// another, or somebody who has what it lacks, *gathers* again: it proposes a
// higher term, takes in what the others have, and opens it. There is no other
// way to lead.
//
//   call --> KvCalls --> here | Leading::Execute | forward to the leader
//                        mutations: leader's log --> Followers --> Following
//
// From the promise of a term on nothing of a lower one is applied,
// acknowledged, or told a client.
//
// Invariants
//   1. promised() never goes back, and the term that is led or followed is
//      promised().
//   2. Of a term there is one leader: the life that it names.
//   3. The position covers what the state holds: see ExchangeSink.
// Source: docs/architecture.md, "Keys". Threads: the core's.
#ifndef MUSTER_NODE_CORE_KEYSPACE_REPLICATED_KEYSPACE_H_
#define MUSTER_NODE_CORE_KEYSPACE_REPLICATED_KEYSPACE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "crdt/log.h"
#include "crdt/types.h"
#include "node/core/keyspace/candidacy.h"
#include "node/core/keyspace/exchange_source.h"
#include "node/core/keyspace/following.h"
#include "node/core/keyspace/gather.h"
#include "node/core/keyspace/kv_calls.h"
#include "node/core/keyspace/kv_shared.h"
#include "node/core/keyspace/leading.h"
#include "node/core/keyspace_calls.h"
#include "node/core/keyspace_frames.h"
#include "node/core/time.h"

namespace muster::core {

class ReplicatedKeyspace {
 public:
  // For how long a node that exchanges goes on reading from what it had.
  static constexpr absl::Duration kReadsOn = absl::Seconds(2);
  // A leader that meets a stronger one lets it begin, for so long; and a
  // candidate, of whom it hears by a refusal.
  static constexpr absl::Duration kCourtesy = absl::Seconds(1);
  static constexpr absl::Duration kDuel = absl::Milliseconds(600);
  // Numbers further above the known ones are a lie.
  static constexpr uint64_t kMaxLeap = uint64_t{1} << 20;
  // How long a drain may take.
  static constexpr absl::Duration kDrain = absl::Seconds(2);

  // `reaches`: whether frames for a life find a way.
  ReplicatedKeyspace(const KeyspaceOptions& options, crdt::LifeId life,
                     uint64_t seed, KvShared::Reaches reaches);

  // ---- the world ----
  // Before any other call of a step. `stalled`: the process stood still so
  // long.
  void SetTime(Now now, absl::Duration stalled);
  // The other members.
  void SetPeers(const std::vector<KvPeer>& peers);
  // The node is caught up with its peers, and may lead from now on.
  void SetReady(crdt::Incarnation incarnation);
  void OnFrame(crdt::LifeId from, KvBody body);
  // Every 10 ms.
  void Tick();
  // A slice of joining, removing and settling; true if there is more.
  bool RunJob();
  // After each input: what has to be said by now.
  void Flush(std::vector<KvMail>& mail, std::vector<KvAnswer>& answers,
             std::vector<std::string>& log);
  bool has_work() const { return more_; }

  // ---- clients ----
  KvCallId Execute(KvCall call) { return calls_.Add(std::move(call)); }
  void Withdraw(KvCallId call) {
    calls_.Withdraw(call);
    // A node has no link to itself: the pop may wait at this very leader.
    if (leading_.has_value()) leading_->Withdraw({shared_.self, call});
  }

  // ---- leaving ----
  void Drain();
  // Nobody loses anything if the node goes now, or it has tried for kDrain.
  bool IsDrained() const;
  // The node goes: what still waits is answered.
  void RefuseAll() { calls_.RefuseAll(); }

  // ---- what is shown ----
  KvStatusView Status() const;
  KvExplainReply Explain(const kv::KeyName& key, size_t limit) const;
  std::vector<commands::Watched> Watch(
      const std::vector<kv::OwnedKey>& keys) const;
  const kv::Keyspace& state() const { return shared_.state; }
  KvPosition position() const;
  // The last one at which the state was whole: what clients have seen.
  const KvPosition& seen_position() const { return seen_; }
  // Whether what the position names is applied here; in an exchange nobody is
  // to wait for that.
  bool Has(const KvPosition& position) const;
  Term promised() const { return promised_; }
  std::vector<std::pair<std::string, uint64_t>> Counters() const;

 private:
  using Role = KvStatusView::Role;

  Role role() const;
  KvStanding Standing();
  bool IsReadable() const;
  bool IsEligible() const;
  // A leader, or a candidate that was promised, lives for this node.
  bool LeaderLives() const;
  uint64_t KnownNumber() const;

  // Transitions.
  void EndTerm();
  void Propose();
  void CheckGather();
  void Open();
  void Follow(const Term& term, Following::State state);
  void GiveUpGather();
  // A leader has met somebody with whom it has to gather.
  void Meet(const KvRefusal& refusal, crdt::LifeId who);
  void Refuse(crdt::LifeId to, const Term& term);
  const KvServedPops& Served() const;

  struct Visitor;
  void OnQuestion(crdt::LifeId from, const KvLeaderQuestion& frame);
  void OnProposal(crdt::LifeId from, const KvProposal& frame);
  void OnRefusal(crdt::LifeId from, const KvRefusal& frame);
  void OnInvitation(crdt::LifeId from, const KvInvitation& frame);
  void OnFollowRequest(crdt::LifeId from, const KvFollowRequest& frame);
  void OnTermBase(crdt::LifeId from, const KvTermBase& frame);
  void OnMutations(crdt::LifeId from, const KvMutations& frame);
  void OnForward(crdt::LifeId from, KvForward frame);
  void OnExchangeBegin(crdt::LifeId from, const KvExchangeBegin& frame);
  void OnExchangeWant(crdt::LifeId from, const KvExchangeWant& frame);
  void OnExchangeAck(crdt::LifeId from, const KvExchangeAck& frame);
  void OnDigests(crdt::LifeId from, const KvExchangeDigests& frame);
  void OnPart(crdt::LifeId from, const KvExchangePart& frame);

  KvShared shared_;
  crdt::MutationLog log_;  // Of the own stream, while this node leads.
  KvCalls calls_;
  Candidacy candidacy_;
  Term promised_;
  uint64_t known_ = 0;  // The highest number of a term told of.
  bool ready_ = false;
  bool was_whole_ = false;
  Instant whole_until_{0};  // The last time it was.
  KvPosition seen_;
  bool draining_ = false;
  Instant drain_since_{0};
  // Since when a stronger leader, or a candidate, is let go first.
  Instant court_ = kLongAgo;
  Instant duel_ = kLongAgo;
  uint64_t next_exchange_ = 0;

  // At most one of the three.
  std::optional<Gather> gather_;
  std::optional<Leading> leading_;
  Term led_;  // The last term that this node led and that is over.
  Leading::Seen led_seen_;
  std::optional<Following> following_;
  // Exchanges in which this node gives what it has to a candidate.
  std::map<crdt::LifeId, ExchangeSource> sources_;
  KvServedPops served_;  // As of the last term.
  bool more_ = false;
  struct {
    uint64_t terms_led = 0, terms_followed = 0, joins = 0, joined_buckets = 0;
    uint64_t settled = 0, refused_frames = 0, answered = 0;
  } counters_;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_KEYSPACE_REPLICATED_KEYSPACE_H_
