// What is removed as a whole, how it is freed, and what is counted of it.
#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "side.h"

namespace muster::kv {
namespace {

constexpr int kMembers = 5000;

void FillSet(Side& side, const std::string& key) {
  std::string commands;
  for (int i = 0; i < kMembers; ++i) {
    absl::StrAppend(&commands, i == 0 ? "" : ";", "SADD ", key, " m", i);
  }
  side.Run(commands);
}

uint64_t UsedBytes(const Keyspace& state, uint8_t db) {
  uint64_t bytes = 0;
  for (size_t type = 0; type < kTypes; ++type) {
    bytes += state.Usage(db, static_cast<Type>(type)).bytes;
  }
  return bytes;
}

TEST(JobTest, ALargeKeyThatWasRemovedIsFreedInSlices) {
  for (const char* removal : {"DEL s", "SET s x", "FLUSH"}) {
    Side a(1);
    FillSet(a, "s");
    const size_t full = a.state().bytes();
    a.Run(removal);
    EXPECT_TRUE(a.state().HasJob()) << removal;
    int slices = 1;
    while (a.state().RunJob(100)) ++slices;
    EXPECT_GE(slices, kMembers / 100 - 2) << removal;
    EXPECT_FALSE(a.state().HasJob());
    // A page of each size that blobs went through stays.
    EXPECT_LE(a.state().bytes() + size_t{10} * kMembers, full) << removal;
    EXPECT_EQ(a.state().Audit(), "");
  }
}

TEST(JobTest, ASmallKeyLeavesNoJob) {
  Side a(1);
  a.Run("SADD s m; HSET h f v; SET k v");
  a.Run("DEL s; DEL h; DEL k");
  EXPECT_FALSE(a.state().HasJob());
}

TEST(JobTest, AFollowerDetachesToo) {
  Side a(1);
  Side b(2);
  FillSet(a, "s");
  b.Join(a);
  const std::string removal = a.Run("DEL s");
  b.Follow(removal, a);
  EXPECT_TRUE(b.state().HasJob());
  EXPECT_EQ(b.state().digests().all(), a.state().digests().all());
  EXPECT_EQ(b.state().Audit(), "");
}

TEST(JobTest, WhatItsLeaderHadNotSeenStaysOfALargeKey) {
  for (const char* removal : {"DEL s", "FLUSH"}) {
    Side a(1);
    Side b(2);
    FillSet(a, "s");
    b.Join(a);
    const Context base = a.state().context();
    const std::string mutation = a.Run(removal);
    b.Run("SADD s unseen");
    b.state().Apply(mutation, {base, a.life(), a.seq()});
    EXPECT_EQ(b.Show("s"), "(unseen)") << removal;
    EXPECT_EQ(b.state().Audit(), "");
  }
}

TEST(JobTest, WhatWasDetachedIsPutBackWhenItsTransactionIsAbandoned) {
  Side a(1);
  FillSet(a, "s");
  a.Run("SET k v AT 900; HSET h f v");
  const std::string before = a.Versions();
  const uint64_t digest = a.state().digests().all();
  const uint64_t used = UsedBytes(a.state(), 0);
  for (const char* commands :
       {"DEL s", "SET s x", "FLUSH", "FLUSH; SADD s other; SET k w",
        "SADD s n; DEL s; SADD s n; FLUSH; HSET s f v; FLUSH",
        "RENAME s t; DEL t"}) {
    a.TryRun(commands);
    EXPECT_EQ(a.Versions(), before) << commands;
    EXPECT_EQ(a.state().digests().all(), digest) << commands;
    EXPECT_EQ(UsedBytes(a.state(), 0), used) << commands;
    EXPECT_EQ(a.state().Audit(), "") << commands;
  }
}

// Puts a string into a database.
void Put(Side& side, uint64_t seq, uint8_t db, const std::string& key) {
  const Context base = side.state().context();
  Transaction tx(side.state(), {base, {0, 9}, Seq(seq)}, Stamp(seq), Time());
  tx.PutString({db, key}, "v", Deadline{5000});
  tx.Commit();
}

void Flush(Side& side, uint64_t seq, uint8_t db, bool commit) {
  const Context base = side.state().context();
  Transaction tx(side.state(), {base, {0, 9}, Seq(seq)}, Stamp(seq), Time());
  tx.Flush(db);
  tx.PutString({2, "made"}, "meanwhile", Deadline());
  if (commit) {
    tx.Commit();
  } else {
    tx.Abandon();
  }
}

TEST(JobTest, AFlushLeavesTheOtherDatabases) {
  Side a(1);
  Put(a, 1, 0, "k");
  const uint64_t first = a.state().digests().all();
  Flush(a, 2, 0, false);
  EXPECT_EQ(a.state().digests().all(), first);
  Put(a, 2, 1, "k");
  const uint64_t both = a.state().digests().all();
  Flush(a, 3, 1, false);
  EXPECT_EQ(a.state().digests().all(), both);
  Flush(a, 3, 1, true);
  EXPECT_EQ(a.state().Keys(0), 1u);
  EXPECT_EQ(a.state().Keys(1), 0u);
  EXPECT_EQ(a.state().Keys(2), 1u);
  EXPECT_EQ(a.state().NextDeadline().at_ms, 5000u);
  EXPECT_EQ(a.state().Audit(), "");
  Flush(a, 4, 0, true);
  EXPECT_FALSE(a.state().NextDeadline().IsSet());
  EXPECT_EQ(a.state().Audit(), "");
}

TEST(UsageTest, KeysAndBytesAreCountedByTypeAndDatabase) {
  Side a(1);
  a.Run("SET k v; HSET h f v; SADD s m; ZADD z 1 m; RPUSH l a; SET g v");
  EXPECT_EQ(a.state().Usage(0, Type::kString).keys, 2u);
  for (const Type type :
       {Type::kHash, Type::kSet, Type::kSortedSet, Type::kList}) {
    EXPECT_EQ(a.state().Usage(0, type).keys, 1u);
    EXPECT_GE(a.state().Usage(0, type).bytes, 40u);
    EXPECT_LE(a.state().Usage(0, type).bytes, 140u);
  }
  EXPECT_EQ(a.state().Usage(1, Type::kString), TypeUsage());
  const uint64_t small = a.state().Usage(0, Type::kSet).bytes;
  FillSet(a, "s");
  const uint64_t large = a.state().Usage(0, Type::kSet).bytes;
  EXPECT_GE(large, uint64_t{30} * kMembers);
  EXPECT_LE(large, a.state().bytes());
  a.Run("DEL s; SADD s m");
  EXPECT_EQ(a.state().Usage(0, Type::kSet).bytes, small);
  a.Run("FLUSH");
  EXPECT_EQ(UsedBytes(a.state(), 0), 0u);
}

TEST(LastRemovalTest, ARemovalIsKnownByItsSeqAndItsLeader) {
  Side a(1);
  Side b(2);
  const KeyName key{0, "k"};
  a.Run("SET k v");
  EXPECT_EQ(a.state().LastRemoval(key, a.life()), Seq());
  a.Run("DEL k");
  EXPECT_EQ(a.state().LastRemoval(key, a.life()), Seq(2));
  EXPECT_EQ(a.state().LastRemoval(key, b.life()), Seq());
  EXPECT_EQ(a.state().LastRemoval({0, "another"}, a.life()), Seq());
  a.Run("SET k v; FLUSH");
  EXPECT_EQ(a.state().LastRemoval({0, "another"}, a.life()), Seq(3));
  // While b led, a knows of no removal of its own.
  b.Join(a);
  a.Follow(b.Run("SET k v; DEL k"), b);
  a.Run("SET k v; DEL k");
  EXPECT_EQ(a.state().LastRemoval({0, "another"}, a.life()), Seq(4));
}

TEST(HashSeedTest, AStateIsTheSameWhateverItsSeed) {
  Keyspace one(1);
  Keyspace two(2);
  const Context base;
  for (Keyspace* state : {&one, &two}) {
    for (int i = 0; i < 3000; ++i) {
      const std::string key = absl::StrCat("k", i);
      Transaction tx(*state, {base, {0, 1}, Seq(i + 1)}, Stamp(i + 1), Time());
      tx.PutString({0, key}, "v", Deadline());
      tx.Commit();
    }
    EXPECT_EQ(state->Audit(), "");
  }
  EXPECT_EQ(one.digests().all(), two.digests().all());
  std::string keys[2];
  for (int i = 0; i < 2; ++i) {
    const Keyspace& state = i == 0 ? one : two;
    uint32_t cursor = 0;
    do {
      cursor = state.ScanKeys(
          0, cursor, 100, Time(),
          [&](absl::string_view key) { absl::StrAppend(&keys[i], key, " "); });
    } while (cursor != 0);
  }
  EXPECT_EQ(keys[0], keys[1]);
}

}  // namespace
}  // namespace muster::kv
