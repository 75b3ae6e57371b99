#include "node/core/membership/beats.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "absl/strings/str_cat.h"

namespace muster::core {
namespace {

using absl::Milliseconds;
using absl::Seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr Instant kNow{100'000'000};

TEST(BeatClockTest, NumbersBeatsEveryIntervalGiveOrTakeATwentieth) {
  BeatClock clock(Milliseconds(250), 1, kNow);
  EXPECT_EQ(1u, clock.number());
  std::set<int64_t> gaps;
  Instant last = kNow;
  for (Instant t = kNow; t < kNow + Seconds(100); t = t + Milliseconds(1)) {
    if (!clock.Advance(t)) continue;
    EXPECT_EQ(t, clock.advanced());
    if (t != kNow) gaps.insert((t.us - last.us) / 1000);
    last = t;
  }
  EXPECT_NEAR(401, clock.number(), 6);
  EXPECT_GE(*gaps.begin(), 236);
  EXPECT_LE(*gaps.rbegin(), 264);
  EXPECT_GT(gaps.size(), 5u);
}

TEST(BeatClockTest, AfterAStallThereIsOneBeatAndNoBurst) {
  BeatClock clock(Milliseconds(250), 1, kNow);
  EXPECT_TRUE(clock.Advance(kNow));
  Instant later = kNow + Seconds(10);
  EXPECT_TRUE(clock.Advance(later));
  EXPECT_FALSE(clock.Advance(later));
  EXPECT_FALSE(clock.Advance(later + Milliseconds(230)));
  EXPECT_EQ(3u, clock.number());
}

class BeatSampleTest : public ::testing::Test {
 protected:
  Member& Add(uint64_t life, absl::Duration age) {
    Member& member =
        *table_
             .Add({absl::StrCat("n", life), crdt::Incarnation(1), {life, life}},
                  "x:1", true, kNow)
             .member;
    member.beat = life;
    member.advanced = kNow - age;
    return member;
  }
  MemberTable table_{1023};
  BeatSample sample_;
};

TEST_F(BeatSampleTest, TakesAllInTurnsWithinADatagram) {
  for (uint64_t life = 1; life <= 200; ++life) Add(life, Milliseconds(10));
  std::set<uint64_t> told;
  size_t beats = 0;
  while (told.size() < 200 && beats < 100) {
    ++beats;
    auto sample = sample_.Next(table_, 128, kNow);
    ASSERT_FALSE(sample.empty());
    // As encoded: at most 33 bytes a report, 110 and the name besides.
    EXPECT_LE(110 + 128 + 33 * sample.size(), kMaxDatagramBytes);
    for (const BeatReport& report : sample) told.insert(report.number);
  }
  EXPECT_EQ(200u, told.size());
  EXPECT_LE(beats, 20u);
}

TEST_F(BeatSampleTest, SaysLessTheMoreMembersThereAre) {
  for (uint64_t life = 1; life <= 64; ++life) Add(life, Milliseconds(10));
  const size_t whole = sample_.Next(table_, 128, kNow).size();
  EXPECT_EQ(32u, whole);
  for (uint64_t life = 65; life <= 128; ++life) Add(life, Milliseconds(10));
  EXPECT_EQ(whole / 2, sample_.Next(table_, 128, kNow).size());
  for (uint64_t life = 129; life <= 1000; ++life) Add(life, Milliseconds(10));
  EXPECT_EQ(BeatSample::kFewest, sample_.Next(table_, 128, kNow).size());
}

TEST_F(BeatSampleTest, TellsEachOnceIfThereIsRoom) {
  for (uint64_t life = 1; life <= 3; ++life) Add(life, Milliseconds(life));
  EXPECT_EQ(3u, sample_.Next(table_, 1, kNow).size());
  auto sample = sample_.Next(table_, 1, kNow);
  ASSERT_EQ(3u, sample.size());
  EXPECT_EQ(Milliseconds(sample[0].number), sample[0].age);
}

TEST_F(BeatSampleTest, OldNewsAndTheEndedAreLeftOut) {
  Add(1, Seconds(10));
  Add(2, Milliseconds(10)).ended = kNow;
  Add(3, Milliseconds(10)).beat = 0;
  EXPECT_THAT(sample_.Next(table_, 1, kNow), IsEmpty());
}

TEST(AskBookTest, AnAskIsOverAfter350Milliseconds) {
  AskBook asks;
  crdt::LifeId life{1, 1};
  asks.Add(7, {life, 10}, kNow);
  EXPECT_THAT(asks.Waiting(life, 10, kNow), IsEmpty());
  EXPECT_THAT(asks.Waiting(life, 11, kNow), ElementsAre(7));
  EXPECT_THAT(asks.Waiting({2, 2}, 11, kNow), IsEmpty());
  Instant over = kNow + Milliseconds(351);
  EXPECT_THAT(asks.Waiting(life, 12, over), IsEmpty());
  asks.Tick(over);
  EXPECT_EQ(0u, asks.size());
}

TEST(AskBookTest, ALinkThatAsksAgainIsOneAskerAndADeadOneNone) {
  AskBook asks;
  crdt::LifeId life{1, 1};
  asks.Add(7, {life, 10}, kNow);
  asks.Add(7, {life, 20}, kNow);
  EXPECT_EQ(1u, asks.size());
  EXPECT_THAT(asks.Waiting(life, 15, kNow), IsEmpty());
  asks.Drop(7);
  EXPECT_EQ(0u, asks.size());
}

TEST(AskBookTest, ThereIsALimitToWhatIsRemembered) {
  AskBook asks;
  for (uint64_t i = 0; i < 2 * AskBook::kMaxAsks; ++i) {
    asks.Add(7, {{i, i}, 1}, kNow);
  }
  EXPECT_EQ(AskBook::kMaxAsks, asks.size());
}

}  // namespace
}  // namespace muster::core
