#include "crdt/linear_hash.h"

#include <cstdint>
#include <vector>

#include "gtest/gtest.h"

namespace muster::crdt {
namespace {

struct Chained {
  std::vector<uint64_t>* hashes;
  std::vector<uint32_t>* link;
  uint64_t* calls;
  static constexpr bool kRing = false;
  uint32_t& links(uint32_t i) const { return (*link)[i]; }
  uint64_t hash(uint32_t i) const {
    ++*calls;
    return (*hashes)[i];
  }
};

struct Ringed {
  std::vector<uint64_t>* hashes;
  std::vector<RingLinks>* link;
  static constexpr bool kRing = true;
  RingLinks& links(uint32_t i) const { return (*link)[i]; }
  uint64_t hash(uint32_t i) const { return (*hashes)[i]; }
};

uint64_t Scatter(uint64_t i) { return i * 0x9e3779b97f4a7c15u >> 13; }

class ChainedHashTest : public testing::Test {
 protected:
  void Make(uint32_t count) {
    for (uint32_t i = 0; i < count; ++i) hashes_.push_back(Scatter(i));
    link_.resize(count);
  }
  bool Has(uint32_t wanted) const {
    uint64_t hash = hashes_[wanted];
    for (uint32_t i = index_.First(hash); i != kNone;
         i = index_.Next(i, hash)) {
      if (i == wanted) return true;
    }
    return false;
  }

  std::vector<uint64_t> hashes_;
  std::vector<uint32_t> link_;
  uint64_t calls_ = 0;
  LinearHash<Chained> index_{Chained{&hashes_, &link_, &calls_}};
};

TEST_F(ChainedHashTest, NoRecordIsLostWhileItGrowsAndShrinks) {
  constexpr uint32_t kCount = 5000;
  Make(kCount);
  for (uint32_t i = 0; i < kCount; ++i) {
    index_.Insert(i);
    ASSERT_TRUE(Has(i));
    ASSERT_TRUE(Has(i / 2));
  }
  for (uint32_t i = 0; i < kCount; ++i) ASSERT_TRUE(Has(i));
  EXPECT_EQ(index_.size(), kCount);
  for (uint32_t i = 0; i < kCount; ++i) {
    index_.Erase(i);
    ASSERT_FALSE(Has(i));
    if (i + 1 < kCount) {
      ASSERT_TRUE(Has((i + kCount) / 2));
    }
  }
  EXPECT_EQ(index_.size(), 0u);
}

TEST_F(ChainedHashTest, AnIndexWhoseRecordsAreGoneHoldsNoBuckets) {
  constexpr uint32_t kCount = 100000;
  Make(kCount);
  for (uint32_t i = 0; i < kCount; ++i) index_.Insert(i);
  EXPECT_GE(index_.buckets(), kCount / 4);
  for (uint32_t i = 0; i < kCount; ++i) index_.Erase(i);
  EXPECT_LE(index_.buckets(), 8u);
}

TEST_F(ChainedHashTest, NoInsertOrEraseCostsARehash) {
  constexpr uint32_t kCount = 100000;
  Make(kCount);
  uint64_t worst = 0;
  auto step = [&](auto what) {
    uint64_t before = calls_;
    what();
    worst = std::max(worst, calls_ - before);
  };
  for (uint32_t i = 0; i < kCount; ++i) step([&] { index_.Insert(i); });
  for (uint32_t i = 0; i < kCount; ++i) step([&] { index_.Erase(i); });
  EXPECT_LE(worst, 40u);
  EXPECT_LE(calls_, 10u * kCount);
}

TEST_F(ChainedHashTest, RecordsOfOneHashAreAllFound) {
  hashes_.assign(100, 42);
  link_.resize(100);
  for (uint32_t i = 0; i < 100; ++i) index_.Insert(i);
  for (uint32_t i = 0; i < 100; ++i) ASSERT_TRUE(Has(i));
  index_.Erase(50);
  EXPECT_FALSE(Has(50));
  EXPECT_TRUE(Has(0));
  EXPECT_TRUE(Has(99));
}

class RingHashTest : public testing::Test {
 protected:
  uint32_t Add(uint64_t hash) {
    hashes_.push_back(hash);
    link_.emplace_back();
    auto i = static_cast<uint32_t>(hashes_.size() - 1);
    index_.Insert(i);
    return i;
  }
  // The records of exactly this hash, in the order of their bucket.
  std::vector<uint32_t> Of(uint64_t hash) const {
    std::vector<uint32_t> found;
    for (uint32_t i = index_.First(hash); i != kNone;
         i = index_.Next(i, hash)) {
      if (hashes_[i] == hash) found.push_back(i);
    }
    return found;
  }

  std::vector<uint64_t> hashes_;
  std::vector<RingLinks> link_;
  LinearHash<Ringed> index_{Ringed{&hashes_, &link_}};
};

TEST_F(RingHashTest, AnInsertIsFirstAndAMoveIsToEitherEnd) {
  uint32_t a = Add(5);
  uint32_t b = Add(5);
  uint32_t c = Add(5);
  EXPECT_EQ(Of(5), (std::vector<uint32_t>{c, b, a}));
  index_.MoveToBack(c);
  EXPECT_EQ(Of(5), (std::vector<uint32_t>{b, a, c}));
  index_.MoveToFront(a);
  EXPECT_EQ(Of(5), (std::vector<uint32_t>{a, b, c}));
  index_.MoveToFront(a);
  EXPECT_EQ(Of(5), (std::vector<uint32_t>{a, b, c}));
  index_.MoveToBack(c);
  EXPECT_EQ(Of(5), (std::vector<uint32_t>{a, b, c}));
}

TEST_F(RingHashTest, EraseTakesTheFirstTheMiddleTheLastAndTheOnlyOne) {
  uint32_t a = Add(5);
  uint32_t b = Add(5);
  uint32_t c = Add(5);
  uint32_t d = Add(5);
  index_.Erase(b);
  EXPECT_EQ(Of(5), (std::vector<uint32_t>{d, c, a}));
  index_.Erase(d);
  EXPECT_EQ(Of(5), (std::vector<uint32_t>{c, a}));
  index_.Erase(a);
  EXPECT_EQ(Of(5), (std::vector<uint32_t>{c}));
  index_.Erase(c);
  EXPECT_EQ(Of(5), (std::vector<uint32_t>{}));
  EXPECT_EQ(index_.First(5), kNone);
}

TEST_F(RingHashTest, TheOrderOfEqualHashesOutlivesGrowthAndShrinking) {
  std::vector<std::vector<uint32_t>> groups;
  for (uint64_t group = 0; group < 8; ++group) {
    groups.emplace_back();
    for (int i = 0; i < 5; ++i) {
      groups.back().push_back(Add(Scatter(group)));
      index_.MoveToBack(groups.back().back());
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
  EXPECT_LE(index_.buckets(), 4 * 40 + 4u);
}

}  // namespace
}  // namespace muster::crdt
