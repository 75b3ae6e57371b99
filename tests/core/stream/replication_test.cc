// Replication driven frame by frame, with the toy kind for its elements.
#include "node/core/stream/replication.h"

#include <algorithm>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "gtest/gtest.h"
#include "tests/core/stream/toy_cluster.h"

namespace muster::core {
namespace {

using crdt::Seq;

constexpr LinkId kLink = 5;
const crdt::Origin kPeer{"p", crdt::Incarnation(1), {9, 9}};

class ReplicationTest : public testing::Test {
 protected:
  ReplicationTest() : node_(Opts(), 1, at_) {
    node_.replication.OnLinked(kLink, kPeer, kFeatureLevel, node_.out);
    node_.out = {};
  }

  // A log of several chunks; else little room.
  static Options Opts() {
    Options options = SmallOptions("a");
    options.replication.log_bytes = 64 << 10;
    return options;
  }
  void Pull(uint64_t after, uint64_t rebase_id, bool force = false) {
    PullFrame pull;
    pull.stream = node_.own->id();
    pull.after = Seq(after);
    pull.rebase_id = rebase_id;
    pull.force_rebase = force;
    node_.Step(kLink, {0, pull});
  }
  void Ack(uint64_t bytes) { node_.Step(kLink, {0, AckFrame{bytes}}); }
  void Write(int mutations) {
    for (int i = 0; i < mutations; ++i) {
      node_.state.Put(*node_.own, std::string(20, 'x'));
    }
  }
  // What the node has sent since, of one type.
  template <typename Body>
  std::vector<Body> Take() {
    std::vector<Body> bodies;
    for (SendFrame& sent : node_.out.frames) {
      CountBulk(sent.frame);
      if (auto* body = std::get_if<Body>(&sent.frame.body)) {
        bodies.push_back(std::move(*body));
      }
    }
    node_.out.frames.clear();
    return bodies;
  }
  void CountBulk(const Frame& frame) {
    if (const auto* delta = std::get_if<DeltaFrame>(&frame.body)) {
      bulk_ += delta->mutations->size();
    } else if (const auto* part = std::get_if<RebaseFrame>(&frame.body)) {
      bulk_ += part->payload->size();
    }
  }
  size_t MostInFlight() const {
    const Options options = Opts();
    return options.replication.window_bytes + options.replication.frame_bytes;
  }

  Instant at_{1'000'000'000};
  ToyNode node_;
  size_t bulk_ = 0;  // Bytes of it, of all that Take has seen.
};

TEST_F(ReplicationTest, APullIsAnsweredFromTheLogWhereItReaches) {
  Write(5);
  Pull(2, 1);
  const auto deltas = Take<DeltaFrame>();
  ASSERT_EQ(deltas.size(), 1u);
  EXPECT_EQ(deltas[0].first, Seq(3));
  EXPECT_EQ(deltas[0].count, 3u);
  EXPECT_TRUE(ToyGrammar().valid_run(*deltas[0].mutations, deltas[0].first, 3));
}

TEST_F(ReplicationTest, APullThatTheLogDoesNotReachIsAnsweredByARebase) {
  Write(4000);
  Pull(1, 7);
  const auto frames = Take<RebaseFrame>();
  ASSERT_FALSE(frames.empty());
  EXPECT_EQ(frames[0].kind, RebaseFrame::Kind::kBegin);
  EXPECT_EQ(frames[0].rebase_id, 7u);
  EXPECT_EQ(frames[0].have, Seq(1));
  EXPECT_EQ(frames[0].seq, Seq(4000));
  EXPECT_EQ(frames[1].kind, RebaseFrame::Kind::kKeep);
}

TEST_F(ReplicationTest, NothingIsSentPastTheWindowUntilItIsAcknowledged) {
  Write(400);
  Pull(0, 1);
  Take<DeltaFrame>();
  const size_t first = bulk_;
  EXPECT_GE(first, Opts().replication.window_bytes);
  EXPECT_LE(first, MostInFlight());
  node_.Tick(at_ + absl::Milliseconds(10));
  Take<DeltaFrame>();
  EXPECT_EQ(bulk_, first);
  Ack(first);
  Take<DeltaFrame>();
  EXPECT_GT(bulk_, first);
}

TEST_F(ReplicationTest, AStreamPulledAgainFillsTheWindowNoFurther) {
  Write(400);
  Pull(0, 1);
  for (uint64_t again = 2; again < 10; ++again) {
    Pull(0, again);
    Take<DeltaFrame>();
    EXPECT_LE(bulk_, MostInFlight()) << "pulled " << again << " times";
  }
}

TEST_F(ReplicationTest, ARebasePulledAgainFillsTheWindowNoFurther) {
  Write(400);
  for (uint64_t again = 1; again < 10; ++again) {
    Pull(0, again, /*force=*/true);
    Take<RebaseFrame>();
    EXPECT_LE(bulk_, MostInFlight()) << "pulled " << again << " times";
  }
}

TEST_F(ReplicationTest, APullPastTheStreamsEndIsNotServed) {
  Write(3);
  Pull(4, 1);
  EXPECT_TRUE(Take<DeltaFrame>().empty());
  Write(3);
  node_.Tick(at_ + absl::Milliseconds(10));
  EXPECT_TRUE(Take<DeltaFrame>().empty());
}

TEST_F(ReplicationTest, ACancelledPullIsServedNoFurther) {
  Write(3);
  Pull(0, 1);
  EXPECT_EQ(Take<DeltaFrame>().size(), 1u);
  PullFrame cancel;
  cancel.stream = node_.own->id();
  cancel.cancel = true;
  node_.Step(kLink, {0, cancel});
  Write(200);
  node_.Tick(at_ + absl::Milliseconds(10));
  EXPECT_TRUE(Take<DeltaFrame>().empty());
  EXPECT_TRUE(Take<RebaseFrame>().empty());
}

TEST_F(ReplicationTest, AStreamOfAKindThatIsNotKnownIsNotLearnt) {
  PositionsFrame positions;
  StreamPosition position;
  position.origin = kPeer;
  position.kind = crdt::StreamKind::kPresence;
  position.seq = Seq(4);
  position.wanted = true;
  positions.streams.push_back(position);
  node_.Step(kLink, {0, positions});
  EXPECT_EQ(node_.streams.size(), 1u);
  positions.streams[0].kind = kToyKind;
  node_.Step(kLink, {0, positions});
  EXPECT_EQ(node_.streams.size(), 2u);
  const auto pulls = Take<PullFrame>();
  ASSERT_EQ(pulls.size(), 1u);
  EXPECT_EQ(pulls[0].stream.kind, kToyKind);
}

}  // namespace
}  // namespace muster::core
