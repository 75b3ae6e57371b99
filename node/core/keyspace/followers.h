// The followers of a term, as its leader sees them: how far each has come, and
// what it is to be sent.
//
//               asks to follow, stands in the log
//   kAsked ----------------------------------------------> kFollowing
//     ^   \--- asks to follow, lacks state --> kExchanging --^
//     +------- silent, fails, asks again --------+-----------+
//
// Who is up and does not follow is invited every kAskAgain. A follower is sent
// mutations from the log, window_bytes ahead of what it has applied; what is
// lost on the way is sent again. A beat goes every KvShared::Beat(), with or
// without mutations, and each carries a number that the follower echoes: so the
// leader knows that its term still is one.
//
// Invariants
//   1. Mutations in flight to a follower <= window_bytes + one frame.
//   2. acked() never goes back in a term.
// Cost: O(followers) a Flush that has something to say. Threads: the core's.
#ifndef MUSTER_NODE_CORE_KEYSPACE_FOLLOWERS_H_
#define MUSTER_NODE_CORE_KEYSPACE_FOLLOWERS_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "crdt/keyspace/context.h"
#include "crdt/log.h"
#include "crdt/types.h"
#include "node/core/keyspace/exchange_source.h"
#include "node/core/keyspace/kv_shared.h"
#include "node/core/keyspace_frames.h"
#include "node/core/time.h"

namespace muster::core {

class Followers {
 public:
  static constexpr absl::Duration kAskAgain = absl::Milliseconds(500);
  // Catching up for longer, a member does not count as one that could follow.
  static constexpr absl::Duration kCatchesUp = absl::Seconds(2);

  // Of a term that opens now, on `base`; `log` has the own mutations.
  Followers(KvShared& shared, const Term& term, const kv::Context& base,
            const crdt::MutationLog& log);

  // It promised the term, with that context.
  void OnPromised(crdt::LifeId life, const kv::Context& context);
  // False: it has something that the leader lacks.
  [[nodiscard]] bool OnFollowRequest(crdt::LifeId life,
                                     const kv::Context& context);
  void OnApplied(crdt::LifeId life, const KvApplied& applied);
  void OnExchangeBegin(crdt::LifeId life, const KvExchangeBegin& begin);
  void OnExchangeWant(crdt::LifeId life, const KvExchangeWant& want);
  void OnExchangeAck(crdt::LifeId life, const KvExchangeAck& ack);
  void Tick();
  // This node stood still: nobody is silent because of that.
  void OnStalled();

  // An answer for a client of that node; it goes with what is next sent there.
  void Answer(crdt::LifeId life, KvAnswers::Answer answer);
  // To all followers, with the mutation it names.
  void Tell(KvServed served) { served_.push_back(std::move(served)); }
  // Sends what the windows allow. True: there is more, for the next step.
  bool Flush();

  bool IsFollowing(crdt::LifeId life) const;
  // So many follow.
  uint32_t count() const;
  // Whether any member is up, not out, and has not been catching up for long.
  bool AnyCanFollow() const;
  // Nobody can follow: what is written is on this node alone.
  bool alone() const { return !AnyCanFollow(); }
  // The own mutations up to it are where the policy wants them.
  crdt::Seq acked() const { return acked_; }
  // A number that a frame sent from now on carries. What needs a sign that the
  // term is one waits for IsConfirmed of it.
  uint64_t AskForSign();
  bool IsConfirmed(uint64_t number) const { return confirmed_ >= number; }
  // Every member that knows the keyspace has answered a frame sent within
  // `age`.
  bool AllAnsweredWithin(absl::Duration age) const;
  // Every member that is up and not out has answered a frame sent since.
  bool AllUpAnsweredSince(Instant since) const;
  // Has every follower applied everything?
  bool AllHaveAll() const;
  std::vector<KvFollowerView> View() const;

 private:
  using State = KvFollowerView::State;
  struct Follower {
    State state = State::kAsked;
    Instant since{0};  // Not following.
    Instant invited = kLongAgo;
    Instant beat = kLongAgo;
    crdt::MutationLog::Cursor cursor;
    crdt::Seq applied;
    std::deque<std::pair<crdt::Seq, size_t>> in_flight;
    size_t in_flight_bytes = 0;
    Instant progress{0};               // When it last came on.
    uint64_t number = 0;               // The highest that it has echoed,
    Instant answered_sent = kLongAgo;  // and when that was sent.
    uint64_t question = 0;             // To be echoed.
    std::vector<KvAnswers::Answer> answers;
    uint64_t exchange = 0;  // That it began last.
    std::unique_ptr<ExchangeSource> source;
  };
  struct Run {
    crdt::Seq after;
    crdt::Seq first;
    uint32_t count = 0;
    std::shared_ptr<const std::string> bytes;
    crdt::MutationLog::Cursor next;
  };

  Follower& Find(crdt::LifeId life);
  absl::Duration AskEvery() const;
  void Enter(Follower& follower, State state);
  void FollowByLog(crdt::LifeId life, Follower& follower, crdt::Seq seq);
  bool StandsInLog(const kv::Context& context) const;
  void Rewind(Follower& follower);
  void TakeOffFlight(Follower& follower);
  void SendMutations(crdt::LifeId life, Follower& follower);
  void SendAnswers(crdt::LifeId life, Follower& follower);
  KvMutations Beat(crdt::LifeId life, Follower& follower);
  bool FlushOne(crdt::LifeId life, Follower& follower, size_t& budget);
  const Run* ReadRun(const crdt::MutationLog::Cursor& cursor);
  // So many followers must have a mutation before it is acknowledged.
  size_t OthersWanted() const;
  // Counts anew what is acknowledged: O(followers + members).
  void CountAcked();
  // The same where nothing but the own mutations and one follower's may have
  // moved on.
  void MoveAcked(const Follower* follower);

  KvShared& shared_;
  const Term term_;
  const kv::Context base_;
  const crdt::MutationLog& log_;
  std::map<crdt::LifeId, Follower> followers_;
  std::optional<Run> run_;  // Read last, shared by those that stand alike.
  std::deque<KvServed> served_;
  crdt::Seq acked_;
  bool own_is_enough_ = false;  // What this node has is acknowledged.
  bool recount_ = false;        // A follower's state has changed,
  uint64_t counted_peers_ = 0;  // or KvPeers::changes() is another.
  Instant ticked_ = kLongAgo;   // All were looked at.
  bool dirty_ = false;          // Something is to be sent beside beats.
  // Numbers of frames, and when each was sent first: the latest few.
  uint64_t number_ = 1;
  std::deque<std::pair<uint64_t, Instant>> sent_;
  bool sign_wanted_ = false;
  uint64_t confirmed_ = 0;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_KEYSPACE_FOLLOWERS_H_
