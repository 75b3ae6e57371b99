#include "node/core/member_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace muster::core {
namespace {

using Outcome = MemberTable::Outcome;

constexpr Instant kNow{1000};

crdt::Origin Life(const std::string& name, uint64_t incarnation,
                  uint64_t life) {
  return {name, crdt::Incarnation(incarnation), {life, life}};
}

TEST(MemberTableTest, OnlyTheHighestLifeOfANameHasNotEnded) {
  MemberTable table(10);
  Member* first = table.Add(Life("a", 5, 1), "a:1", kNow).member;
  auto second = table.Add(Life("a", 6, 2), "a:1", kNow);
  EXPECT_EQ(Outcome::kAdded, second.outcome);
  EXPECT_THAT(second.ended, ::testing::ElementsAre(first));
  EXPECT_EQ(Outcome::kEnded, table.Add(Life("a", 5, 9), "x:1", kNow).outcome);
  EXPECT_EQ(6u, table.Highest("a").value);
}

TEST(MemberTableTest, OfOneIncarnationTheHigherLifeIsTheLaterOne) {
  MemberTable table(10);
  table.Add(Life("a", 5, 3), "a:1", kNow);
  EXPECT_EQ(Outcome::kEnded, table.Add(Life("a", 5, 2), "x:1", kNow).outcome);
  EXPECT_EQ(1u, table.Add(Life("a", 5, 4), "x:1", kNow).ended.size());
}

TEST(MemberTableTest, ALifeIsOneOriginForGood) {
  MemberTable table(10);
  table.Add(Life("a", 5, 1), "a:1", kNow);
  EXPECT_EQ(Outcome::kKnown, table.Add(Life("a", 5, 1), "x:1", kNow).outcome);
  EXPECT_EQ(Outcome::kLie, table.Add(Life("a", 6, 1), "x:1", kNow).outcome);
  EXPECT_EQ(Outcome::kLie, table.Add(Life("b", 5, 1), "x:1", kNow).outcome);
  EXPECT_EQ("a:1", table.Find({1, 1})->address);
}

TEST(MemberTableTest, ANameIsForgottenWithItsLastLife) {
  MemberTable table(10);
  table.Add(Life("a", 5, 1), "a:1", kNow);
  table.Add(Life("a", 6, 2), "a:1", kNow);
  table.Remove({1, 1});
  EXPECT_EQ(6u, table.Highest("a").value);
  table.Remove({2, 2});
  table.Remove({2, 2});
  EXPECT_EQ(0u, table.Highest("a").value);
  EXPECT_EQ(Outcome::kAdded, table.Add(Life("a", 1, 1), "x:1", kNow).outcome);
}

TEST(MemberTableTest, AFullTableGivesUpTheLifeThatEndedFirst) {
  MemberTable table(3);
  table.Add(Life("a", 1, 1), "a:1", kNow);
  for (Member* ended : table.Add(Life("a", 2, 2), "a:1", kNow).ended) {
    ended->ended = Instant{20};
  }
  for (Member* ended : table.Add(Life("a", 3, 3), "a:1", kNow).ended) {
    ended->ended = Instant{10};
  }
  auto added = table.Add(Life("b", 1, 4), "b:1", kNow);
  EXPECT_EQ(Life("a", 2, 2), added.evicted);
  added = table.Add(Life("a", 4, 5), "a:1", kNow);
  EXPECT_EQ(Life("a", 1, 1), added.evicted);
  EXPECT_EQ(1u, added.ended.size());
  EXPECT_EQ(3u, table.rows().size());
}

TEST(MemberTableTest, AFullTableOfTheLivingRefuses) {
  MemberTable table(1);
  table.Add(Life("a", 1, 1), "a:1", kNow);
  auto refused = table.Add(Life("b", 1, 2), "b:1", kNow);
  EXPECT_EQ(Outcome::kFull, refused.outcome);
  EXPECT_EQ(nullptr, refused.member);
  EXPECT_EQ(0u, table.Highest("b").value);
}

}  // namespace
}  // namespace muster::core
