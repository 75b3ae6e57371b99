#include "node/core/slice.h"

#include <map>
#include <set>
#include <vector>

#include "gtest/gtest.h"

namespace muster::core {
namespace {

class SliceTest : public testing::Test {
 protected:
  std::vector<int> Slice(size_t count) {
    std::vector<int> seen;
    ended_ = cursor_.Run(table_, count, [&](int item) {
      seen.push_back(item);
      return true;
    });
    return seen;
  }
  std::set<int> table_ = {1, 2, 3, 4, 5, 6, 7};
  SliceCursor<int> cursor_;
  bool ended_ = false;
};

TEST_F(SliceTest, SlicesFollowEachOtherAndEndWithTheTable) {
  EXPECT_EQ(Slice(3), (std::vector<int>{1, 2, 3}));
  EXPECT_FALSE(ended_);
  EXPECT_EQ(Slice(3), (std::vector<int>{4, 5, 6}));
  EXPECT_EQ(Slice(3), (std::vector<int>{7}));
  EXPECT_TRUE(ended_);
  EXPECT_EQ(Slice(3), (std::vector<int>{1, 2, 3}));
}

TEST_F(SliceTest, ATableThatFitsIsGoneThroughWholeEachTime) {
  EXPECT_EQ(Slice(7).size(), 7u);
  EXPECT_TRUE(ended_);
  EXPECT_EQ(Slice(7).front(), 1);
}

TEST_F(SliceTest, ItemsMayComeAndGoBetweenSlices) {
  Slice(3);
  table_.erase(4);
  table_.insert(0);
  table_.insert(8);
  EXPECT_EQ(Slice(3), (std::vector<int>{5, 6, 7}));
  EXPECT_EQ(Slice(3), (std::vector<int>{8}));
}

TEST_F(SliceTest, AnItemMayBeErasedAsItIsSeen) {
  cursor_.Run(table_, 7, [&](int item) {
    if (item % 2 == 0) table_.erase(item);
    return true;
  });
  EXPECT_EQ(table_, (std::set<int>{1, 3, 5, 7}));
}

TEST_F(SliceTest, AVisitMayEndTheSlice) {
  EXPECT_FALSE(cursor_.Run(table_, 7, [](int item) { return item != 2; }));
  EXPECT_EQ(Slice(1), (std::vector<int>{3}));
}

TEST_F(SliceTest, AnEmptyTableIsAtItsEnd) {
  table_.clear();
  Slice(3);
  EXPECT_TRUE(ended_);
}

TEST(SliceOfTest, ALargeTableIsSeenWithinTwentySlices) {
  EXPECT_EQ(SliceOf(3), kWholeTable);
  EXPECT_EQ(SliceOf(kWholeTable), kWholeTable);
  EXPECT_GE(20 * SliceOf(2'000), 2'000u);
  EXPECT_LE(SliceOf(2'000), 101u);
}

}  // namespace
}  // namespace muster::core
