#include "node/core/stream/stream_visibility.h"

#include "gtest/gtest.h"

namespace muster::core {
namespace {

using crdt::Seq;
using State = StreamVisibility::State;

constexpr Instant kStart{1'000'000};
constexpr absl::Duration kMoment = absl::Milliseconds(1);

StreamVisibility Hidden() {
  StreamVisibility visibility;
  visibility.Learnt(/*alive=*/false, /*ended=*/false);
  return visibility;
}

TEST(StreamVisibilityTest, AStreamOfTheLivingIsShownAtOnceAndOfTheDeadHidden) {
  StreamVisibility alive;
  alive.Learnt(true, false);
  EXPECT_EQ(alive.state(), State::kShown);
  EXPECT_FALSE(alive.hidden());
  EXPECT_EQ(Hidden().state(), State::kHidden);
  EXPECT_TRUE(Hidden().hidden());
}

TEST(StreamVisibilityTest, AStreamOfAnEndedLifeIsHiddenWhetherItLivesOrNot) {
  for (const bool alive : {false, true}) {
    StreamVisibility visibility;
    visibility.Learnt(alive, /*ended=*/true);
    EXPECT_TRUE(visibility.ended());
    EXPECT_TRUE(visibility.hidden());
  }
}

TEST(StreamVisibilityTest, DownHidesOnceAndSettlesOnce) {
  StreamVisibility visibility;
  EXPECT_TRUE(visibility.OnGone());
  EXPECT_EQ(visibility.state(), State::kHidden);
  EXPECT_FALSE(visibility.OnGone());
}

TEST(StreamVisibilityTest, AStreamIsShownAgainOnceAppliedUpToItsOriginsWord) {
  StreamVisibility visibility = Hidden();
  visibility.OnAlive(Seq(7), kStart);
  EXPECT_TRUE(visibility.catching_up());
  EXPECT_TRUE(visibility.hidden());
  EXPECT_FALSE(visibility.ShowIfCaughtUp(Seq(6), true, kStart));
  EXPECT_TRUE(visibility.ShowIfCaughtUp(Seq(7), true, kStart));
  EXPECT_EQ(visibility.state(), State::kShown);
}

TEST(StreamVisibilityTest, AStreamInRebaseIsNotShownThoughAppliedFarEnough) {
  StreamVisibility visibility = Hidden();
  visibility.OnAlive(Seq(7), kStart);
  EXPECT_FALSE(visibility.ShowIfCaughtUp(Seq(9), /*whole=*/false, kStart));
  EXPECT_TRUE(visibility.ShowIfCaughtUp(Seq(9), /*whole=*/true, kStart));
}

TEST(StreamVisibilityTest, HearsayWaitsASecondForTheOriginToNameItsSeq) {
  StreamVisibility visibility = Hidden();
  visibility.OnAlive(Seq(), kStart);
  const Instant almost = kStart + StreamVisibility::kUnnamed - kMoment;
  EXPECT_FALSE(visibility.ShowIfCaughtUp(Seq(3), true, almost));
  EXPECT_TRUE(visibility.ShowIfCaughtUp(Seq(3), true,
                                        kStart + StreamVisibility::kUnnamed));
}

TEST(StreamVisibilityTest, OnlyTheOriginsWordEndsTheWait) {
  StreamVisibility visibility = Hidden();
  visibility.OnAlive(Seq(), kStart);
  visibility.OnNamed(Seq(5), /*origin=*/false);
  EXPECT_FALSE(visibility.ShowIfCaughtUp(Seq(5), true, kStart));
  visibility.OnNamed(Seq(4), /*origin=*/true);
  EXPECT_FALSE(visibility.ShowIfCaughtUp(Seq(4), true, kStart))
      << "what others named is waited for, too";
  EXPECT_TRUE(visibility.ShowIfCaughtUp(Seq(5), true, kStart));
}

TEST(StreamVisibilityTest, DownWhileCatchingUpHidesAndKeepsWhatWasNamed) {
  StreamVisibility visibility = Hidden();
  visibility.OnAlive(Seq(7), kStart);
  EXPECT_TRUE(visibility.OnGone()) << "what was kept until then is settled";
  EXPECT_EQ(visibility.state(), State::kHidden);
  EXPECT_FALSE(visibility.ShowIfCaughtUp(Seq(9), true, kStart));
  visibility.OnAlive(Seq(2), kStart);
  EXPECT_FALSE(visibility.ShowIfCaughtUp(Seq(6), true, kStart));
  EXPECT_TRUE(visibility.ShowIfCaughtUp(Seq(7), true, kStart));
}

TEST(StreamVisibilityTest, ASeqThatIsNamedWhileShownOrHiddenMeansNothing) {
  StreamVisibility visibility;
  visibility.OnNamed(Seq(9), true);
  visibility.OnAlive(Seq(9), kStart);
  EXPECT_EQ(visibility.state(), State::kShown) << "it was only suspected";
  EXPECT_TRUE(visibility.OnGone());
  visibility.OnNamed(Seq(9), true);
  visibility.OnAlive(Seq(1), kStart);
  EXPECT_TRUE(visibility.ShowIfCaughtUp(Seq(1), true, kStart));
}

TEST(StreamVisibilityTest, AnEndedLifeIsNeverShownAgain) {
  StreamVisibility visibility;
  EXPECT_TRUE(visibility.OnEnded());
  EXPECT_FALSE(visibility.OnEnded());
  visibility.OnAlive(Seq(1), kStart);
  visibility.OnNamed(Seq(1), true);
  EXPECT_FALSE(visibility.ShowIfCaughtUp(Seq(1), true, kStart));
  EXPECT_FALSE(visibility.OnGone());
  EXPECT_TRUE(visibility.ended());
  EXPECT_FALSE(Hidden().OnEnded()) << "it was hidden before";
}

TEST(StreamVisibilityTest, ADroppedStreamStaysHidden) {
  StreamVisibility visibility;
  visibility.OnDropped();
  EXPECT_TRUE(visibility.dropping());
  EXPECT_TRUE(visibility.hidden());
  EXPECT_FALSE(visibility.OnEnded());
  EXPECT_DEATH(visibility.OnDropped(), "MayFollow");
}

}  // namespace
}  // namespace muster::core
