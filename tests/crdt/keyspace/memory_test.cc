// What keys cost: bytes a key of the common shapes, and nothing after them.
#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gtest/gtest.h"
#include "side.h"

namespace muster::kv {
namespace {

constexpr int kKeys = 200000;

// Calls `make` for each of kKeys 10-byte keys, in a mutation of its own.
template <typename MakeKey>
void Fill(Side& side, MakeKey make) {
  Context base;
  for (int i = 0; i < kKeys; ++i) {
    base = side.state().context();
    Transaction tx(side.state(), {base, side.life(), Seq(i + 1)},
                   StampAt(1700000000000 + i, 0), Time());
    const std::string key = absl::StrCat("k", 100000000 + i);
    make(tx, KeyName{0, key});
    tx.Commit();
  }
}

double BytesPerKey(const Side& side) {
  const double bytes =
      static_cast<double>(side.state().bytes()) / static_cast<double>(kKeys);
  testing::Test::RecordProperty("bytes_a_key", absl::StrCat(bytes));
  return bytes;
}

TEST(MemoryTest, AShortStringCostsUnderAHundredBytes) {
  Side a(1);
  Fill(a, [](Transaction& tx, const KeyName& key) {
    tx.PutString(key, "a value of thirty-two bytes, so.", Deadline());
  });
  EXPECT_LE(BytesPerKey(a), 90);
  a.Run("FLUSH");
  while (a.state().RunJob(1000)) continue;
  EXPECT_LE(a.state().bytes(), size_t{400} << 10);
}

TEST(MemoryTest, AHashOfFiveFieldsCostsLittleMoreThanItsBytes) {
  Side a(1);
  Fill(a, [](Transaction& tx, const KeyName& key) {
    for (const char* field : {"f0", "f1", "f2", "f3", "f4"}) {
      tx.PutField(key, field, "12345678");
    }
  });
  // 68 are of the key, the fields and the values.
  EXPECT_LE(BytesPerKey(a), 140);
}

TEST(MemoryTest, ACounterDoesNotGrow) {
  Side a(1);
  a.Run("SET n 1");
  for (int i = 0; i < 1000; ++i) a.Run("INCRBY n 1");
  const size_t bytes = a.state().bytes();
  for (int i = 0; i < 10000; ++i) a.Run("INCRBY n 1");
  EXPECT_EQ(a.state().bytes(), bytes);
}

TEST(MemoryTest, AQueueThatIsUsedLeavesNothing) {
  Side a(1);
  const auto use = [&a] {
    for (int i = 0; i < 3000; ++i) a.Run(absl::StrCat("RPUSH q value", i));
    for (int i = 0; i < 3000; ++i) a.Run("LPOP q");
    EXPECT_EQ(a.Versions(), "");
    return a.state().bytes();
  };
  // A page of each size that blobs went through stays; seqs of three bytes
  // are reached before it counts.
  for (int i = 0; i < 4; ++i) use();
  const size_t warm = use();
  EXPECT_LE(warm, size_t{5} << 20);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(use(), warm);
}

}  // namespace
}  // namespace muster::kv
