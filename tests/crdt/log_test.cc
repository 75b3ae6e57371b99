#include "crdt/log.h"

#include <algorithm>
#include <string>
#include <vector>

#include "crdt/mutation.h"
#include "gtest/gtest.h"

namespace muster::crdt {
namespace {

constexpr MutationLog::StreamIdx kA = 0;
constexpr MutationLog::StreamIdx kB = 1;
constexpr size_t kPlenty = 64 << 20;

// The mutation of `seq`: a session, then entries with `meta_size` bytes of
// meta.
std::string Encoded(uint64_t seq, size_t meta_size) {
  if (seq == 1) {
    std::string session;
    EncodePutSession(Seq(1), ElementId(1), {}, session);
    return session;
  }
  std::string meta(meta_size, static_cast<char>('a' + seq % 26));
  std::string out;
  EncodePutEntry(Seq(seq), ElementId(seq), {ElementId(1), "t", "k", meta}, out);
  return out;
}

class LogTest : public testing::Test {
 protected:
  // Appends the mutations after last(stream), `each` to a run.
  static void Fill(MutationLog& log, MutationLog::StreamIdx stream,
                   uint64_t count, size_t meta_size, uint64_t each = 1) {
    while (count > 0) {
      uint64_t run = std::min(each, count);
      std::string bytes;
      uint64_t first = log.last(stream).value + 1;
      for (uint64_t i = 0; i < run; ++i) bytes += Encoded(first + i, meta_size);
      log.Append(stream, bytes, static_cast<uint32_t>(run));
      count -= run;
    }
  }
  // Reads to the end; every run must follow the one before.
  static std::string ReadAll(const MutationLog& log,
                             MutationLog::StreamIdx stream, Seq from,
                             size_t max_bytes) {
    MutationLog::Cursor cursor{from};
    std::string all;
    while (auto run = log.Read(stream, cursor, max_bytes)) {
      EXPECT_EQ(run->first.value, from.value + 1);
      EXPECT_GT(run->count, 0u);
      EXPECT_TRUE(ValidateMutations(run->bytes, run->first, run->count));
      if (run->count > 1) {
        EXPECT_LE(run->bytes.size(), max_bytes);
      }
      from = Seq(from.value + run->count);
      EXPECT_EQ(cursor.at, from);
      all += run->bytes;
    }
    EXPECT_EQ(from, log.last(stream));
    return all;
  }
  static std::string Wanted(uint64_t after, uint64_t last, size_t meta_size) {
    std::string all;
    for (uint64_t seq = after + 1; seq <= last; ++seq) {
      all += Encoded(seq, meta_size);
    }
    return all;
  }
};

TEST_F(LogTest, AStreamJustKnownHasNothingAndReachesOnlyItsPosition) {
  MutationLog log(PresenceGrammar(), kPlenty);
  log.Reset(kB, Seq(100));
  EXPECT_EQ(log.start(kB), Seq(100));
  EXPECT_EQ(log.last(kB), Seq(100));
  EXPECT_TRUE(log.Reaches(kB, Seq(100)));
  EXPECT_FALSE(log.Reaches(kB, Seq(99)));
  EXPECT_FALSE(log.Reaches(kB, Seq(101)));
  MutationLog::Cursor cursor{Seq(100)};
  EXPECT_FALSE(log.Read(kB, cursor, 1000).has_value());
  EXPECT_EQ(log.bytes(), 0u);
}

TEST_F(LogTest, ReadsBackWhatWasAppendedFromAnySeqInAnySize) {
  MutationLog log(PresenceGrammar(), kPlenty);
  log.Reset(kA, Seq(0));
  Fill(log, kA, 2000, 60, 7);
  for (uint64_t from : {0, 1, 6, 7, 8, 500, 1999, 2000}) {
    for (size_t max_bytes : {1, 70, 500, 64 << 10}) {
      EXPECT_EQ(ReadAll(log, kA, Seq(from), max_bytes), Wanted(from, 2000, 60))
          << "after " << from << ", " << max_bytes << " at a time";
    }
  }
}

TEST_F(LogTest, OneMutationLargerThanTheReadIsReadAlone) {
  MutationLog log(PresenceGrammar(), kPlenty);
  log.Reset(kA, Seq(0));
  Fill(log, kA, 3, 100000);
  MutationLog::Cursor cursor{Seq(1)};
  auto run = log.Read(kA, cursor, 10);
  ASSERT_TRUE(run.has_value());
  EXPECT_EQ(run->count, 1u);
  EXPECT_EQ(run->bytes, Encoded(2, 100000));
}

TEST_F(LogTest, AnEmptyRunChangesNothing) {
  MutationLog log(PresenceGrammar(), kPlenty);
  log.Reset(kA, Seq(4));
  log.Append(kA, "", 0);
  EXPECT_EQ(log.last(kA), Seq(4));
  EXPECT_EQ(log.bytes(), 0u);
}

TEST_F(LogTest, ACursorAtTheEndGoesOnWhenMoreIsAppended) {
  MutationLog log(PresenceGrammar(), kPlenty);
  log.Reset(kA, Seq(0));
  MutationLog::Cursor cursor{Seq(0)};
  std::string all;
  // Far over one chunk, so that the cursor crosses into new ones.
  for (int round = 0; round < 400; ++round) {
    Fill(log, kA, 3, 100, 2);
    while (auto run = log.Read(kA, cursor, 250)) all += run->bytes;
    ASSERT_EQ(cursor.at, log.last(kA));
  }
  EXPECT_EQ(all, Wanted(0, 1200, 100));
}

TEST_F(LogTest, KeepsItsBudgetAndTheNewest) {
  constexpr size_t kBudget = 256 << 10;
  MutationLog log(PresenceGrammar(), kBudget);
  log.Reset(kA, Seq(0));
  for (int i = 0; i < 500; ++i) {
    Fill(log, kA, 20, 100, 20);
    ASSERT_LE(log.bytes(), kBudget);
  }
  EXPECT_EQ(log.last(kA), Seq(10000));
  EXPECT_GT(log.start(kA), Seq(0));
  EXPECT_FALSE(log.Reaches(kA, Seq(log.start(kA).value - 1)));
  EXPECT_GE(ReadAll(log, kA, log.start(kA), 4096).size(), kBudget / 2);
  EXPECT_EQ(ReadAll(log, kA, log.start(kA), 4096),
            Wanted(log.start(kA).value, 10000, 100));
}

TEST_F(LogTest, ARunOverTheBudgetLeavesAnEmptyLogAtItsEnd) {
  MutationLog log(PresenceGrammar(), 1000);
  log.Reset(kA, Seq(0));
  Fill(log, kA, 50, 100, 50);
  EXPECT_LE(log.bytes(), 1000u);
  EXPECT_EQ(log.last(kA), Seq(50));
  EXPECT_EQ(log.start(kA), Seq(50));
  Fill(log, kA, 1, 100);
  EXPECT_EQ(log.last(kA), Seq(51));
  EXPECT_EQ(ReadAll(log, kA, Seq(50), 1000), Wanted(50, 51, 100));
}

TEST_F(LogTest, TheOldestChunkGoesFirstWhicheverStreamItIs) {
  constexpr size_t kBudget = 256 << 10;
  MutationLog log(PresenceGrammar(), kBudget);
  log.Reset(kA, Seq(0));
  log.Reset(kB, Seq(0));
  Fill(log, kA, 10, 100);
  Fill(log, kB, 5000, 100, 10);
  EXPECT_EQ(log.start(kA), Seq(10)) << "A's only chunk was the oldest";
  EXPECT_TRUE(log.Reaches(kA, Seq(10)));
  Fill(log, kA, 10, 100);
  EXPECT_EQ(ReadAll(log, kA, Seq(10), 4096), Wanted(10, 20, 100));
  EXPECT_EQ(ReadAll(log, kB, log.start(kB), 4096),
            Wanted(log.start(kB).value, 5000, 100));
}

TEST_F(LogTest, AReaderGoesOnAfterOtherStreamsWereEvicted) {
  constexpr size_t kBudget = 256 << 10;
  MutationLog log(PresenceGrammar(), kBudget);
  log.Reset(kA, Seq(0));
  log.Reset(kB, Seq(0));
  Fill(log, kB, 1000, 100, 10);
  Fill(log, kA, 1000, 100, 10);
  MutationLog::Cursor cursor{Seq(0)};
  std::string all = log.Read(kA, cursor, 1000)->bytes;
  while (log.start(kB) < log.last(kB)) {
    Fill(log, kA, 1, 100);
    ASSERT_LE(log.start(kA), cursor.at) << "B is older";
  }
  while (auto run = log.Read(kA, cursor, 1000)) all += run->bytes;
  EXPECT_EQ(all, Wanted(0, log.last(kA).value, 100));
}

TEST_F(LogTest, AReaderInAnEvictedChunkGoesOnFromTheStart) {
  constexpr size_t kBudget = 128 << 10;
  MutationLog log(PresenceGrammar(), kBudget);
  log.Reset(kA, Seq(0));
  Fill(log, kA, 100, 100);
  MutationLog::Cursor cursor{Seq(0)};
  ASSERT_TRUE(log.Read(kA, cursor, 500).has_value());
  Fill(log, kA, 5000, 100, 10);
  EXPECT_FALSE(log.Reaches(kA, cursor.at));
  // What a rebase does: it puts the reader at a position that is here.
  cursor.at = log.start(kA);
  std::string all;
  while (auto run = log.Read(kA, cursor, 4096)) all += run->bytes;
  EXPECT_EQ(all, Wanted(log.start(kA).value, 5100, 100));
}

TEST_F(LogTest, ADroppedStreamGivesItsBytesBack) {
  MutationLog log(PresenceGrammar(), kPlenty);
  log.Reset(kA, Seq(0));
  log.Reset(kB, Seq(0));
  Fill(log, kA, 1000, 100);
  size_t only_a = log.bytes();
  Fill(log, kB, 1000, 100);
  log.Drop(kB);
  EXPECT_EQ(log.bytes(), only_a);
  log.Drop(kA);
  EXPECT_EQ(log.bytes(), 0u);
}

TEST_F(LogTest, AResetStreamStartsAnewAtItsPosition) {
  MutationLog log(PresenceGrammar(), kPlenty);
  log.Reset(kA, Seq(0));
  Fill(log, kA, 100, 100);
  log.Reset(kA, Seq(5000));
  EXPECT_EQ(log.bytes(), 0u);
  EXPECT_FALSE(log.Reaches(kA, Seq(100)));
  Fill(log, kA, 10, 100);
  EXPECT_EQ(ReadAll(log, kA, Seq(5000), 300), Wanted(5000, 5010, 100));
}

TEST_F(LogTest, TenThousandLivesOfAStreamLeaveNoTrace) {
  MutationLog log(PresenceGrammar(), kPlenty);
  log.Reset(kA, Seq(0));
  log.Reset(kB, Seq(0));
  Fill(log, kA, 10, 100);
  Fill(log, kB, 10, 100);
  size_t before = log.bytes();
  EXPECT_EQ(log.chunk_count(), 2u);
  for (int life = 0; life < 10000; ++life) {
    log.Drop(kB);
    log.Reset(kB, Seq(0));
    Fill(log, kB, 10, 100, 10);
  }
  EXPECT_LE(log.bytes(), 2 * before);
  EXPECT_EQ(log.chunk_count(), 2u);
}

TEST_F(LogTest, NamesTheStreamsThatMovedSinceItWasAsked) {
  MutationLog log(PresenceGrammar(), 100 << 10);
  log.Reset(kA, Seq(0));
  log.Reset(kB, Seq(0));
  EXPECT_EQ(log.TakeChanged().size(), 2u);
  EXPECT_TRUE(log.TakeChanged().empty());
  Fill(log, kA, 10, 100);
  EXPECT_EQ(log.TakeChanged(), std::vector<MutationLog::StreamIdx>{kA});
  // Whose chunk goes has moved, too.
  Fill(log, kB, 2'000, 100);
  auto moved = log.TakeChanged();
  std::sort(moved.begin(), moved.end());
  EXPECT_EQ(moved, (std::vector<MutationLog::StreamIdx>{kA, kB}));
}

TEST_F(LogTest, KnowsWhetherSoManyBytesMorePushOutWhatIsNeeded) {
  constexpr size_t kBudget = 100 << 10;
  MutationLog log(PresenceGrammar(), kBudget);
  log.Reset(kA, Seq(0));
  log.Reset(kB, Seq(0));
  Fill(log, kB, 100, 100);
  Fill(log, kA, 100, 100);
  EXPECT_FALSE(log.MayLose(kA, Seq(0), kBudget / 4));
  EXPECT_TRUE(log.MayLose(kA, Seq(0), kBudget));
  EXPECT_FALSE(log.MayLose(kA, Seq(100), kBudget));
  // What it foretells comes true, and not before.
  while (!log.MayLose(kA, Seq(50), kBudget / 4)) {
    ASSERT_TRUE(log.Reaches(kA, Seq(50)));
    Fill(log, kA, 1, 100);
  }
  EXPECT_TRUE(log.Reaches(kA, Seq(50)));
  Fill(log, kA, kBudget / 2 / 100, 100);
  EXPECT_FALSE(log.Reaches(kA, Seq(50)));
}

}  // namespace
}  // namespace muster::crdt
