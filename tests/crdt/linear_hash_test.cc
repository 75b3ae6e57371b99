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
  uint32_t& links(uint32_t i) const { return (*link)[i]; }
  uint64_t hash(uint32_t i) const {
    ++*calls;
    return (*hashes)[i];
  }
};

uint64_t Scatter(uint64_t i) { return i * 0x9e3779b97f4a7c15u >> 13; }

class LinearHashTest : public testing::Test {
 protected:
  void Make(uint32_t count) {
    for (uint32_t i = 0; i < count; ++i) hashes_.push_back(Scatter(i));
    link_.resize(count);
  }
  bool Has(uint32_t wanted) const {
    uint64_t hash = hashes_[wanted];
    for (uint32_t i = index_.First(hash); i != kNone; i = index_.Next(i)) {
      if (i == wanted) return true;
    }
    return false;
  }

  std::vector<uint64_t> hashes_;
  std::vector<uint32_t> link_;
  uint64_t calls_ = 0;
  LinearHash<Chained> index_{Chained{&hashes_, &link_, &calls_}};
};

TEST_F(LinearHashTest, NoRecordIsLostWhileItGrowsAndShrinks) {
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

TEST_F(LinearHashTest, AnIndexWhoseRecordsAreGoneHoldsNoBuckets) {
  constexpr uint32_t kCount = 100000;
  Make(kCount);
  for (uint32_t i = 0; i < kCount; ++i) index_.Insert(i);
  EXPECT_GE(index_.buckets(), kCount / 4);
  for (uint32_t i = 0; i < kCount; ++i) index_.Erase(i);
  EXPECT_LE(index_.buckets(), 8u);
}

TEST_F(LinearHashTest, NoInsertOrEraseCostsARehash) {
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

TEST_F(LinearHashTest, RecordsOfOneHashAreAllFound) {
  hashes_.assign(100, 42);
  link_.resize(100);
  for (uint32_t i = 0; i < 100; ++i) index_.Insert(i);
  for (uint32_t i = 0; i < 100; ++i) ASSERT_TRUE(Has(i));
  index_.Erase(50);
  EXPECT_FALSE(Has(50));
  EXPECT_TRUE(Has(0));
  EXPECT_TRUE(Has(99));
}

}  // namespace
}  // namespace muster::crdt
