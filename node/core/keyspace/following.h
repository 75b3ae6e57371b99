// One term of another node, as this one follows it; or the promise of one.
//
//   promised ----term base----+---> exchanging --joined--+
//   asked ---------+----------+                          v
//     ^            +--stands in the leader's log----> following
//     +---- a gap that is not mended, an exchange that fails ----+
//
// The leader, or the candidate, *lives for this node* while it is up, has not
// said that it leaves, and has echoed within kKvLives a question of this node.
//
// What comes while the state is not whole waits; what is applied is told at the
// end of the step.
//
// Invariant: a mutation is applied only if all of the leader's before it were.
// Cost: that of the mutations. Threads: the core's.
#ifndef MUSTER_NODE_CORE_KEYSPACE_FOLLOWING_H_
#define MUSTER_NODE_CORE_KEYSPACE_FOLLOWING_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <utility>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "crdt/keyspace/context.h"
#include "crdt/types.h"
#include "node/core/keyspace/exchange_sink.h"
#include "node/core/keyspace/kv_served_pops.h"
#include "node/core/keyspace/kv_shared.h"
#include "node/core/keyspace_frames.h"
#include "node/core/time.h"

namespace muster::core {

class Following {
 public:
  enum class State : uint8_t { kPromised, kAsked, kExchanging, kFollowing };
  static constexpr absl::Duration kAskAgain = absl::Milliseconds(300);

  // kPromised: to a candidate. kAsked: the leader is asked now.
  Following(KvShared& shared, const Term& term, State state,
            KvServedPops served, uint64_t& next_exchange);

  void OnTermBase(const KvTermBase& frame);
  void OnMutations(const KvMutations& frame);
  void OnDigests(const KvExchangeDigests& frame);
  void OnPart(const KvExchangePart& frame);
  void OnLeave() { left_ = true; }
  // The leader does not know that this node follows.
  void OnInvited();
  void Tick();
  // A slice of joining; true if there is more.
  bool RunJob();
  // Tells what was applied.
  void Flush();
  void Abandon();

  const Term& term() const { return term_; }
  State state() const { return state_; }
  bool whole() const { return state_ == State::kFollowing; }
  // The leader has said that it leads no more.
  bool left() const { return left_; }
  bool joining() const { return sink_.has_value() && sink_->joining(); }
  bool Lives() const;
  const KvServedPops& served() const { return served_; }
  uint64_t joins() const { return joins_; }
  uint64_t joined_buckets() const { return joined_buckets_; }

 private:
  void Ask();
  void BeginExchange();
  void CheckSink();
  void Apply(absl::string_view bytes, crdt::Seq first, uint32_t count);
  void OnBeat(const KvMutations& frame);

  KvShared& shared_;
  const Term term_;
  State state_;
  bool left_ = false;
  kv::Context base_;
  std::optional<ExchangeSink> sink_;
  std::deque<KvMutations> waiting_;  // For the state to be whole.
  uint64_t& next_exchange_;
  Instant asked_ = kLongAgo;

  // Signs of life: questions, and when each was asked.
  uint64_t question_ = 0;
  std::deque<std::pair<uint64_t, Instant>> questions_;
  Instant echoed_;
  Instant next_question_{0};

  // To be told.
  bool tell_ = false;
  bool gap_ = false;
  crdt::Seq gap_told_;
  Instant gap_told_at_ = kLongAgo;
  uint64_t number_ = 0;
  KvServedPops served_;
  uint64_t joins_ = 0;
  uint64_t joined_buckets_ = 0;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_KEYSPACE_FOLLOWING_H_
