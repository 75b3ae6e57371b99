#include "node/core/stream/pulled_stream.h"

#include <memory>
#include <string>

#include "gtest/gtest.h"
#include "node/core/stream/flow_window.h"
#include "node/core/stream/link_hearing.h"
#include "node/core/stream/served_stream.h"
#include "tests/core/stream/toy_kind.h"

namespace muster::core {
namespace {

using crdt::Seq;
using State = PulledStream::State;

constexpr Instant kStart{1'000'000};
constexpr LinkId kSource = 3;
constexpr uint64_t kRebase = 7;

class PulledStreamTest : public testing::Test {
 protected:
  PulledStreamTest() {
    streams_.AddKind(kToyKind, ToyGrammar(), state_, 1 << 20);
    stream_ = &streams_.Add({"a", crdt::Incarnation(1), {1, 1}}, kToyKind,
                            /*own=*/false, kStart);
  }
  void Begin() {
    pulled_.Begin(
        std::make_unique<RebaseReceiver>(streams_, *stream_, kRebase));
    stream_->rebasing = true;
    pulled_.Check(*stream_);
  }
  // A rebase of nothing, to its end.
  void Receive(RebaseFrame::Kind kind, uint64_t number) {
    RebaseFrame frame;
    frame.stream = stream_->id();
    frame.rebase_id = kRebase;
    frame.number = number;
    frame.kind = kind;
    frame.payload = std::make_shared<const std::string>();
    pulled_.rebase()->OnFrame(frame);
    pulled_.Applied();
  }

  StreamTable streams_;
  ToyState state_{streams_};
  Stream* stream_ = nullptr;
  PulledStream pulled_;
};

TEST_F(PulledStreamTest, NobodyIsAskedAtFirst) {
  EXPECT_EQ(pulled_.state(), State::kIdle);
  EXPECT_EQ(pulled_.source(), 0u);
  EXPECT_EQ(pulled_.rebase_id(), 0u);
  pulled_.Check(*stream_);
}

TEST_F(PulledStreamTest, AskingNamesSourceAndRebase) {
  pulled_.origin_waits = true;
  pulled_.Ask(kSource, kRebase, 100, kStart);
  EXPECT_EQ(pulled_.state(), State::kFollowing);
  EXPECT_EQ(pulled_.source(), kSource);
  EXPECT_EQ(pulled_.rebase_id(), kRebase);
  EXPECT_EQ(pulled_.ahead(), 100u);
  EXPECT_EQ(pulled_.since(), kStart);
  EXPECT_EQ(pulled_.last_pull(), kStart);
  EXPECT_FALSE(pulled_.origin_waits) << "it may be the one that is asked";
}

TEST_F(PulledStreamTest, ARebaseIsSweptOnceAllOfItIsHereAndThenFollowed) {
  pulled_.Ask(kSource, kRebase, 0, kStart);
  Begin();
  EXPECT_EQ(pulled_.state(), State::kRebasing);
  Receive(RebaseFrame::Kind::kBegin, 1);
  EXPECT_EQ(pulled_.state(), State::kRebasing);
  Receive(RebaseFrame::Kind::kEnd, 2);
  EXPECT_EQ(pulled_.state(), State::kSweeping);
  EXPECT_FALSE(pulled_.rebased);
  EXPECT_NE(pulled_.Finish(), nullptr);
  EXPECT_EQ(pulled_.state(), State::kFollowing);
  EXPECT_TRUE(pulled_.rebased);
}

TEST_F(PulledStreamTest, ARebaseThatIsAllHereNeedsItsSourceNoMore) {
  pulled_.Ask(kSource, kRebase, 0, kStart);
  Begin();
  Receive(RebaseFrame::Kind::kBegin, 1);
  Receive(RebaseFrame::Kind::kEnd, 2);
  pulled_.LoseSource();
  EXPECT_EQ(pulled_.state(), State::kSweeping);
  pulled_.Check(*stream_);
  EXPECT_DEATH(pulled_.Abandon(), "rebasing");
  pulled_.Finish();
  EXPECT_EQ(pulled_.state(), State::kIdle);
}

TEST_F(PulledStreamTest, NoFrameOfAnAbandonedRebaseIsTaken) {
  pulled_.Ask(kSource, kRebase, 0, kStart);
  Begin();
  EXPECT_DEATH(pulled_.LoseSource(), "MayFollow");
  EXPECT_NE(pulled_.Abandon(), nullptr);
  EXPECT_EQ(pulled_.state(), State::kBroken);
  EXPECT_EQ(pulled_.rebase_id(), 0u);
  EXPECT_EQ(pulled_.rebase(), nullptr);
  EXPECT_EQ(pulled_.source(), kSource);
  pulled_.Ask(kSource, kRebase + 1, 0, kStart);
  EXPECT_EQ(pulled_.state(), State::kFollowing);
}

TEST_F(PulledStreamTest, AnotherSourceIsNotBlamedForTheLast) {
  pulled_.Ask(kSource, kRebase, 0, kStart);
  pulled_.AskedAgain(3);
  pulled_.Ask(kSource, kRebase + 1, 0, kStart);
  EXPECT_EQ(pulled_.asked_again(), 3);
  pulled_.Ask(kSource + 1, kRebase + 2, 0, kStart);
  EXPECT_EQ(pulled_.asked_again(), 0);
  pulled_.AskedAgain(2);
  pulled_.Progressed(kStart + absl::Seconds(1));
  EXPECT_EQ(pulled_.asked_again(), 0);
  EXPECT_EQ(pulled_.since(), kStart + absl::Seconds(1));
}

TEST_F(PulledStreamTest, ARebaseBeginsOnlyFromASourceThatWasAsked) {
  EXPECT_DEATH(Begin(), "MayFollow");
  pulled_.Ask(kSource, kRebase, 0, kStart);
  pulled_.LoseSource();
  EXPECT_EQ(pulled_.state(), State::kIdle);
  EXPECT_DEATH(Begin(), "MayFollow");
}

// ------------------------------------------------------------ served streams

TEST_F(PulledStreamTest, AServedStreamGoesFromLogToRebaseToPaused) {
  using Served = ServedStream::State;
  ServedStream served(Seq(4), kRebase);
  EXPECT_EQ(served.state(), Served::kLog);
  EXPECT_EQ(served.cursor.at, Seq(4));
  EXPECT_EQ(served.rebase_id(), kRebase);
  EXPECT_DEATH(served.rebase(), "expected");
  EXPECT_DEATH(served.RebaseSent(), "expected");
  served.StartRebase(std::make_unique<RebaseSender>(
      streams_, *stream_, kRebase, Seq(0), /*frame_bytes=*/1000));
  EXPECT_EQ(served.state(), Served::kRebase);
  EXPECT_EQ(served.rebase().Next()->kind, RebaseFrame::Kind::kBegin);
  EXPECT_DEATH(served.StartRebase(nullptr), "expected");
  served.RebaseSent();
  EXPECT_EQ(served.state(), Served::kPaused);
  EXPECT_DEATH(served.rebase(), "expected");
}

// ------------------------------------------------------------------ hearing

TEST(LinkHearingTest, ALinkIsNewUntilItsPeerHasToldOfAllStreams) {
  LinkHearing hearing(kStart);
  EXPECT_FALSE(hearing.told());
  EXPECT_TRUE(hearing.Told(/*full=*/false));
  EXPECT_FALSE(hearing.told());
  EXPECT_TRUE(hearing.Told(/*full=*/true));
  EXPECT_TRUE(hearing.told());
  EXPECT_FALSE(hearing.Told(/*full=*/true)) << "no news any more";
}

TEST(LinkHearingTest, WhatAPeerTellsFirstAfterASilenceIsNews) {
  LinkHearing hearing(kStart);
  hearing.Told(/*full=*/true);
  const Instant later = kStart + LinkHearing::kSilent;
  EXPECT_FALSE(hearing.silent(later));
  hearing.Heard(later);
  EXPECT_EQ(hearing.state(), LinkHearing::State::kTold);
  const Instant silent = later + LinkHearing::kSilent + absl::Milliseconds(1);
  EXPECT_TRUE(hearing.silent(silent));
  hearing.Heard(silent);
  EXPECT_FALSE(hearing.silent(silent));
  EXPECT_EQ(hearing.state(), LinkHearing::State::kBack);
  EXPECT_TRUE(hearing.told());
  EXPECT_TRUE(hearing.Told(/*full=*/false));
  EXPECT_EQ(hearing.state(), LinkHearing::State::kTold);
}

// -------------------------------------------------------------- flow control

TEST(FlowWindowTest, OneFrameMayPassTheLimitAndNoneAfterIt) {
  FlowWindow window(100);
  EXPECT_TRUE(window.idle());
  window.Sent(99);
  EXPECT_TRUE(window.open());
  window.Sent(50);
  EXPECT_FALSE(window.open());
  EXPECT_EQ(window.in_flight(), 149u);
  EXPECT_DEATH(window.Sent(1), "open");
  window.Acked(99);
  EXPECT_TRUE(window.open());
  EXPECT_EQ(window.in_flight(), 50u);
}

TEST(FlowWindowTest, OldAcknowledgementsAndThoseOfNothingSentMeanNothing) {
  FlowWindow window(100);
  window.Sent(80);
  window.Acked(60);
  window.Acked(20);
  EXPECT_EQ(window.in_flight(), 20u);
  window.Acked(81);
  EXPECT_EQ(window.in_flight(), 20u);
  window.Acked(80);
  EXPECT_TRUE(window.idle());
}

TEST(FlowWindowTest, ProgressIsAnAcknowledgementSinceTheLastQuestion) {
  FlowWindow window(100);
  EXPECT_TRUE(window.Progressed()) << "nothing waits";
  window.Sent(80);
  EXPECT_FALSE(window.Progressed());
  window.Acked(10);
  EXPECT_TRUE(window.Progressed());
  EXPECT_FALSE(window.Progressed());
}

TEST(BulkReceiptsTest, AnAcknowledgementIsDueOnceForAllThatCame) {
  BulkReceipts receipts;
  EXPECT_FALSE(receipts.due());
  receipts.Received(10);
  receipts.Received(5);
  EXPECT_TRUE(receipts.due());
  EXPECT_EQ(receipts.Acknowledge(), 15u);
  EXPECT_FALSE(receipts.due());
  EXPECT_EQ(receipts.total(), 15u);
}

}  // namespace
}  // namespace muster::core
