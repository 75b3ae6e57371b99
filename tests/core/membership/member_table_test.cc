#include "node/core/membership/member_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace muster::core {
namespace {

using Outcome = MemberTable::Outcome;

constexpr Instant kNow{1000};
constexpr bool kShown = true;
constexpr bool kToldOf = false;

crdt::Origin Life(const std::string& name, uint64_t incarnation,
                  uint64_t life) {
  return {name, crdt::Incarnation(incarnation), {life, life}};
}

TEST(MemberTableTest, OnlyTheHighestLifeOfANameHasNotEnded) {
  MemberTable table(10);
  Member* first = table.Add(Life("a", 5, 1), "a:1", kShown, kNow).member;
  auto second = table.Add(Life("a", 6, 2), "a:1", kShown, kNow);
  EXPECT_EQ(Outcome::kAdded, second.outcome);
  EXPECT_THAT(second.ended, ::testing::ElementsAre(first));
  EXPECT_EQ(Outcome::kEnded,
            table.Add(Life("a", 5, 9), "x:1", kShown, kNow).outcome);
  EXPECT_EQ(6u, table.Highest("a").value);
}

TEST(MemberTableTest, ALaterLifeThatIsOnlyToldOfEndsNoneThatShowsItself) {
  MemberTable table(10);
  Member* first = table.Add(Life("a", 5, 1), "a:1", kShown, kNow).member;
  auto dead = table.Add(Life("a", 6, 2), "a:1", kToldOf, kNow);
  EXPECT_EQ(Outcome::kAdded, dead.outcome);
  EXPECT_TRUE(dead.ended.empty());
  EXPECT_FALSE(table.LaterShows(first->origin, kNow));
  EXPECT_THAT(table.Earlier(dead.member->origin),
              ::testing::ElementsAre(first));
  // It does, once it shows itself, or once the first one no longer does.
  dead.member->state = MemberState::kAlive;
  EXPECT_TRUE(table.LaterShows(first->origin, kNow));
  auto third = table.Add(Life("a", 7, 3), "a:1", kToldOf,
                         kNow + 2 * MemberTable::kShown);
  EXPECT_THAT(third.ended, ::testing::ElementsAre(first));
}

TEST(MemberTableTest, AnEarlierLifeThatShowsItselfIsTakenBesideADeadLaterOne) {
  MemberTable table(10);
  table.Add(Life("a", 6, 2), "a:1", kToldOf, kNow);
  EXPECT_EQ(Outcome::kEnded,
            table.Add(Life("a", 5, 1), "a:1", kToldOf, kNow).outcome);
  EXPECT_EQ(Outcome::kAdded,
            table.Add(Life("a", 5, 1), "a:1", kShown, kNow).outcome);
  EXPECT_EQ(6u, table.Highest("a").value);
}

TEST(MemberTableTest, WhoBeganAfterALaterLifeWasLastHeardIsNotEndedByIt) {
  MemberTable table(10);
  Member* first = table.Add(Life("a", 5, 1), "a:1", kShown, kNow).member;
  const crdt::Origin later = Life("a", 6, 2);
  const Instant before = kNow - absl::Seconds(1);
  EXPECT_FALSE(table.EarlierBeganSince(later, before, kNow))
      << "when it began is not known yet";
  first->first_heard = kNow - absl::Milliseconds(500);
  EXPECT_TRUE(table.EarlierBeganSince(later, before, kNow));
  EXPECT_FALSE(table.EarlierBeganSince(later, kNow, kNow));
  EXPECT_FALSE(table.EarlierBeganSince(Life("a", 4, 3), before, kNow));
  EXPECT_FALSE(table.EarlierBeganSince(Life("b", 6, 2), before, kNow));
  first->state = MemberState::kLeft;
  EXPECT_FALSE(table.EarlierBeganSince(later, before, kNow));
}

TEST(MemberTableTest, OfOneIncarnationTheHigherLifeIsTheLaterOne) {
  MemberTable table(10);
  table.Add(Life("a", 5, 3), "a:1", kShown, kNow);
  EXPECT_EQ(Outcome::kEnded,
            table.Add(Life("a", 5, 2), "x:1", kShown, kNow).outcome);
  EXPECT_EQ(1u, table.Add(Life("a", 5, 4), "x:1", kShown, kNow).ended.size());
}

TEST(MemberTableTest, ALifeIsOneOriginForGood) {
  MemberTable table(10);
  table.Add(Life("a", 5, 1), "a:1", kShown, kNow);
  EXPECT_EQ(Outcome::kKnown,
            table.Add(Life("a", 5, 1), "x:1", kShown, kNow).outcome);
  EXPECT_EQ(Outcome::kLie,
            table.Add(Life("a", 6, 1), "x:1", kShown, kNow).outcome);
  EXPECT_EQ(Outcome::kLie,
            table.Add(Life("b", 5, 1), "x:1", kShown, kNow).outcome);
  EXPECT_EQ("a:1", table.Find({1, 1})->address);
}

TEST(MemberTableTest, ANameIsForgottenWithItsLastLife) {
  MemberTable table(10);
  table.Add(Life("a", 5, 1), "a:1", kShown, kNow);
  table.Add(Life("a", 6, 2), "a:1", kShown, kNow);
  table.Remove({1, 1});
  EXPECT_EQ(6u, table.Highest("a").value);
  table.Remove({2, 2});
  table.Remove({2, 2});
  EXPECT_EQ(0u, table.Highest("a").value);
  EXPECT_EQ(Outcome::kAdded,
            table.Add(Life("a", 1, 1), "x:1", kShown, kNow).outcome);
}

TEST(MemberTableTest, AFullTableGivesUpTheLifeThatEndedFirst) {
  MemberTable table(3);
  table.Add(Life("a", 1, 1), "a:1", kShown, kNow);
  for (Member* ended : table.Add(Life("a", 2, 2), "a:1", kShown, kNow).ended) {
    ended->ended = Instant{20};
  }
  for (Member* ended : table.Add(Life("a", 3, 3), "a:1", kShown, kNow).ended) {
    ended->ended = Instant{10};
  }
  auto added = table.Add(Life("b", 1, 4), "b:1", kShown, kNow);
  EXPECT_EQ(Life("a", 2, 2), added.evicted);
  added = table.Add(Life("a", 4, 5), "a:1", kShown, kNow);
  EXPECT_EQ(Life("a", 1, 1), added.evicted);
  EXPECT_EQ(1u, added.ended.size());
  EXPECT_EQ(3u, table.rows().size());
}

TEST(MemberTableTest, AFullTableOfTheLivingRefuses) {
  MemberTable table(1);
  table.Add(Life("a", 1, 1), "a:1", kShown, kNow);
  auto refused = table.Add(Life("b", 1, 2), "b:1", kShown, kNow);
  EXPECT_EQ(Outcome::kFull, refused.outcome);
  EXPECT_EQ(nullptr, refused.member);
  EXPECT_EQ(0u, table.Highest("b").value);
}

}  // namespace
}  // namespace muster::core
