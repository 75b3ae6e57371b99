#include "crdt/group_index.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "gtest/gtest.h"

namespace muster::crdt {
namespace {

struct Traits {
  std::vector<uint64_t>* hashes;
  std::vector<RingLinks>* link;
  uint64_t* calls;
  RingLinks& links(uint32_t i) const { return (*link)[i]; }
  uint64_t hash(uint32_t i) const {
    ++*calls;
    return (*hashes)[i];
  }
  void prefetch(uint32_t) const {}
};

uint64_t Scatter(uint64_t i) {
  i *= 0x9e3779b97f4a7c15u;
  return (i ^ i >> 32) * 0xd6e8feb86659fd93u;
}

class GroupIndexTest : public testing::Test {
 protected:
  uint32_t Add(uint64_t hash) {
    hashes_.push_back(hash);
    link_.emplace_back();
    auto i = static_cast<uint32_t>(hashes_.size() - 1);
    index_.Insert(i);
    return i;
  }
  std::vector<uint32_t> Of(uint64_t hash) const {
    std::vector<uint32_t> found;
    for (uint32_t i = index_.First(hash); i != kNone; i = index_.Next(i)) {
      found.push_back(i);
    }
    return found;
  }

  std::vector<uint64_t> hashes_;
  std::vector<RingLinks> link_;
  uint64_t calls_ = 0;
  GroupIndex<Traits> index_{Traits{&hashes_, &link_, &calls_}};
};

TEST_F(GroupIndexTest, AnInsertIsLastAndAMoveIsToEitherEnd) {
  uint32_t a = Add(5);
  EXPECT_TRUE(index_.Alone(a));
  uint32_t b = Add(5);
  uint32_t c = Add(5);
  EXPECT_FALSE(index_.Alone(a));
  EXPECT_EQ(Of(5), (std::vector<uint32_t>{a, b, c}));
  index_.MoveToBack(a);
  EXPECT_EQ(Of(5), (std::vector<uint32_t>{b, c, a}));
  index_.MoveToFront(c);
  EXPECT_EQ(Of(5), (std::vector<uint32_t>{c, b, a}));
  index_.MoveToFront(c);
  index_.MoveToBack(a);
  EXPECT_EQ(Of(5), (std::vector<uint32_t>{c, b, a}));
}

TEST_F(GroupIndexTest, EraseTakesTheFirstTheMiddleTheLastAndTheOnlyOne) {
  uint32_t a = Add(5);
  uint32_t b = Add(5);
  uint32_t c = Add(5);
  uint32_t d = Add(5);
  index_.Erase(b);
  EXPECT_EQ(Of(5), (std::vector<uint32_t>{a, c, d}));
  index_.Erase(a);
  EXPECT_EQ(Of(5), (std::vector<uint32_t>{c, d}));
  index_.Erase(d);
  EXPECT_EQ(Of(5), (std::vector<uint32_t>{c}));
  EXPECT_TRUE(index_.Alone(c));
  index_.Erase(c);
  EXPECT_EQ(index_.First(5), kNone);
}

TEST_F(GroupIndexTest, TheOrderOfEqualHashesOutlivesGrowthAndShrinking) {
  std::vector<std::vector<uint32_t>> groups(8);
  for (int i = 0; i < 5; ++i) {
    for (uint64_t group = 0; group < 8; ++group) {
      groups[group].push_back(Add(Scatter(group)));
    }
  }
  auto check = [&] {
    for (uint64_t group = 0; group < 8; ++group) {
      ASSERT_EQ(Of(Scatter(group)), groups[group]);
    }
  };
  std::vector<uint32_t> others;
  for (uint64_t i = 0; i < 5000; ++i) {
    others.push_back(Add(Scatter(1000 + i)));
    if (i % 97 == 0) check();
  }
  for (uint32_t other : others) {
    index_.Erase(other);
    if (other % 97 == 0) check();
  }
  check();
}

TEST_F(GroupIndexTest, NothingIsLostWhileItGrowsAndAllMemoryGoesWithTheLast) {
  constexpr uint32_t kCount = 100'000;
  const size_t empty = index_.bytes();
  for (uint32_t i = 0; i < kCount; ++i) Add(Scatter(i));
  EXPECT_LE(index_.bytes(), 9u * kCount);
  for (uint32_t i = 0; i < kCount; ++i) ASSERT_EQ(index_.First(Scatter(i)), i);
  EXPECT_EQ(index_.First(Scatter(kCount)), kNone);
  for (uint32_t i = 0; i < kCount; ++i) index_.Erase(i);
  EXPECT_EQ(index_.bytes(), empty);
  EXPECT_EQ(index_.size(), 0u);
}

TEST_F(GroupIndexTest, NoInsertOrEraseReadsMoreThanASegmentOrTwo) {
  constexpr uint32_t kCount = 100'000;
  uint64_t worst = 0;
  auto step = [&](auto what) {
    const uint64_t before = calls_;
    what();
    worst = std::max(worst, calls_ - before);
  };
  for (uint32_t i = 0; i < kCount; ++i) step([&] { Add(Scatter(i)); });
  EXPECT_LE(calls_, 5u * kCount);
  for (uint32_t i = 0; i < kCount; ++i) step([&] { index_.Erase(i); });
  EXPECT_LE(worst, 250u);
  EXPECT_LE(calls_, 12u * kCount);
}

TEST_F(GroupIndexTest, LookingForWhatIsNotThereSeldomReadsARecord) {
  constexpr uint32_t kCount = 20'000;
  for (uint32_t i = 0; i < kCount; ++i) Add(Scatter(i));
  calls_ = 0;
  for (uint32_t i = 0; i < kCount; ++i) {
    ASSERT_EQ(index_.First(Scatter(kCount + i)), kNone);
  }
  EXPECT_LE(calls_, kCount / 5);
}

TEST_F(GroupIndexTest, HashesThatComeAndGoForEverTakeNoMoreRoom) {
  for (uint32_t i = 0; i < 1000; ++i) Add(Scatter(i));
  const size_t before = index_.bytes();
  for (uint32_t i = 1000; i < 200'000; ++i) {
    Add(Scatter(i));
    index_.Erase(i - 1000);
  }
  EXPECT_LE(index_.bytes(), 2 * before);
  for (uint32_t i = 199'000; i < 200'000; ++i) {
    ASSERT_EQ(index_.First(Scatter(i)), i);
  }
}

}  // namespace
}  // namespace muster::crdt
