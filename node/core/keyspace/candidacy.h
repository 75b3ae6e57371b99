// Whether this node is to begin a gather: it asks the others, and waits for its
// turn.
//
//   kResting --no leader lives--> kAsking --nobody says that one lives--> kTurn
//      ^                            |                                      |
//      +---- one lives for another -+           its turn has come: propose +
//
// Silence is no yes: who has not answered within kAskFor does not count. The
// turn is rank x kTurnTime after the leader was missed; the rank is among those
// that answered that they are eligible, by incarnation and life.
//
// A node without anything in its context does not propose while one answers
// that has something. Nor does a node whose wall clock is over kClockOff from
// the median of those that answered, if there are three and one is within it.
// Threads: the core's.
#ifndef MUSTER_NODE_CORE_KEYSPACE_CANDIDACY_H_
#define MUSTER_NODE_CORE_KEYSPACE_CANDIDACY_H_

#include <cstdint>
#include <map>
#include <set>

#include "absl/time/time.h"
#include "crdt/types.h"
#include "node/core/keyspace/kv_shared.h"
#include "node/core/keyspace_frames.h"
#include "node/core/time.h"

namespace muster::core {

class Candidacy {
 public:
  static constexpr absl::Duration kAskFor = absl::Milliseconds(300);
  static constexpr absl::Duration kTurnTime = absl::Milliseconds(200);
  static constexpr absl::Duration kClockOff = absl::Seconds(2);

  explicit Candidacy(KvShared& shared) : shared_(shared) {}

  // No leader lives for this node, which is eligible. True: it is to propose.
  bool Tick();
  // One lives, or this node is not eligible.
  void Rest();
  // Not before that time, at random between the two.
  void RestFor(absl::Duration least, absl::Duration most);
  void OnAnswer(crdt::LifeId from, const KvLeaderAnswer& answer);

  // The highest number of a term that anybody told.
  uint64_t known() const { return known_; }

 private:
  enum class State : uint8_t { kResting, kAsking, kTurn };

  void Ask();
  bool MayPropose() const;
  bool ClockIsRight() const;
  uint64_t Rank() const;

  KvShared& shared_;
  State state_ = State::kResting;
  Instant not_before_ = kLongAgo;
  Instant since_{0};  // Missing a leader.
  Instant asked_{0};
  Instant turn_{0};
  bool had_turn_ = false;
  uint64_t number_ = 0;  // Of the question.
  std::set<crdt::LifeId> unanswered_;
  std::map<crdt::LifeId, KvLeaderAnswer> answers_;
  uint64_t known_ = 0;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_KEYSPACE_CANDIDACY_H_
