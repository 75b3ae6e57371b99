// What is done with whole keys: deadlines, moves, flushes, scans; and ops of a
// leader that has not seen everything.
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "side.h"

namespace muster::kv {
namespace {

TEST(DeadlineTest, AKeyThatIsDueIsAbsent) {
  Side a(1);
  a.Run("SET k x AT 500; HSET h f v; EXPIREAT h 600");
  a.set_now(499);
  EXPECT_EQ(a.Show("k"), "x until 500");
  a.set_now(500);
  EXPECT_EQ(a.Show("k"), "-");
  EXPECT_EQ(a.Show("h"), "{f: v} until 600");
  EXPECT_EQ(a.ShowAll(), "h = {f: v} until 600\n");
  EXPECT_EQ(a.state().Keys(0), 2u) << "due keys are counted until they go";
  EXPECT_EQ(a.state().Find({0, "k"}, Time(500)).digest(), 0u);
}

TEST(DeadlineTest, TheFirstDueKeyIsNamed) {
  Side a(1);
  a.Run("SET k x AT 500; SET l y AT 300; SET m z");
  EXPECT_EQ(a.state().NextDeadline(), Deadline{300});
  EXPECT_EQ(a.state().FirstDue(Time(299)), std::nullopt);
  EXPECT_EQ(a.state().FirstDue(Time(300)), (OwnedKey{0, "l"}));
  a.Run("DEL l");
  EXPECT_EQ(a.state().FirstDue(Time(300)), std::nullopt);
  EXPECT_EQ(a.state().FirstDue(Time(900)), (OwnedKey{0, "k"}));
  a.Run("PERSIST k");
  EXPECT_FALSE(a.state().NextDeadline().IsSet());
}

TEST(DeadlineTest, WhatIsWrittenToADueKeyBeginsAnew) {
  for (const char* write : {"INCRBY k 1", "HSET k f v", "SADD k m",
                            "ZADD k 1 m", "RPUSH k v", "SET k 1"}) {
    Side a(1);
    a.Run("HSET k old x; EXPIREAT k 500");
    a.set_now(600);
    const std::string mutation = a.Run(write);
    Side fresh(1);
    fresh.Run(write);
    EXPECT_EQ(a.Show("k"), fresh.Show("k")) << write;
    EXPECT_EQ(a.Show("k").find("old"), std::string::npos);
  }
}

TEST(DeadlineTest, IncrementsKeepTheDeadline) {
  Side a(1);
  a.Run("SET n 1 AT 500; INCRBY n 1");
  EXPECT_EQ(a.Show("n"), "2 until 500");
  a.Run("INCRBY m 1; EXPIREAT m 700; INCRBY m 1");
  EXPECT_EQ(a.Show("m"), "2 until 700");
  a.Run("HINCRBY h f 1; EXPIREAT h 700; HINCRBY h f 1");
  EXPECT_EQ(a.Show("h"), "{f: 2} until 700");
}

TEST(DeadlineTest, ACounterThatBothSidesMadeHasTheDeadlineOfItsLaterBirth) {
  Side a(1);
  Side b(2);
  a.Run("INCRBY n 1; EXPIREAT n 500");
  b.Run("INCRBY n 1; EXPIREAT n 700");
  a.Join(b);
  EXPECT_EQ(a.Show("n"), "2 until 700");
}

TEST(MoveTest, EveryTypeIsMovedAndCopiedWithItsDeadline) {
  for (const char* made :
       {"SET k 5; INCRBY k 2", "HSET k f v; HINCRBY k n 3", "SADD k m n",
        "ZADD k 1 m; ZADD k 0 n", "RPUSH k a b", "INCRBY k 9"}) {
    Side a(1);
    a.Run(made);
    a.Run("EXPIREAT k 900");
    const std::string shown = a.Show("k");
    a.Run("SET l old; COPY k l");
    EXPECT_EQ(a.Show("k"), shown);
    EXPECT_EQ(a.Show("l"), shown);
    a.Run("RENAME k m");
    EXPECT_EQ(a.Show("k"), "-");
    EXPECT_EQ(a.Show("m"), shown);
    EXPECT_EQ(a.state().Audit(), "");
    a.Run("PERSIST l");
    EXPECT_EQ(a.Show("l") + " until 900", shown);
  }
}

TEST(MoveTest, AFoldedCountCountsOnAtTheDestination) {
  Side a(1);
  a.Run("SET k 5; INCRBY k 2; RENAME k l; INCRBY l 1");
  EXPECT_EQ(a.Show("l"), "8");
  a.Run("HINCRBY h f 2; COPY h g; HINCRBY g f 1");
  EXPECT_EQ(a.Show("g"), "{f: 3}");
  EXPECT_EQ(a.Show("h"), "{f: 2}");
}

TEST(FlushTest, AFlushEmptiesOneDatabase) {
  Side a(1);
  const Context base;
  Transaction tx(a.state(), {base, a.life(), Seq(1)}, Stamp(1), Time());
  for (int i = 0; i < 2000; ++i) {
    tx.PutString({0, absl::StrCat(i)}, "v", Deadline{900});
    tx.PutString({1, absl::StrCat(i)}, "v", Deadline());
  }
  tx.Commit();
  a.Run("FLUSH");
  EXPECT_EQ(a.state().Keys(0), 0u);
  EXPECT_EQ(a.state().Keys(1), 2000u);
  EXPECT_FALSE(a.state().NextDeadline().IsSet());
  EXPECT_EQ(a.state().Audit(), "");
}

TEST(ScanTest, EveryKeyThatStaysIsVisitedOnce) {
  for (const int keys : {5, 900, 20000}) {
    Side a(1);
    const Context base;
    Transaction tx(a.state(), {base, a.life(), Seq(1)}, Stamp(1), Time());
    for (int i = 0; i < keys; ++i) {
      tx.PutString({0, absl::StrCat("stays", i)}, "", Deadline());
      tx.PutString({0, absl::StrCat("goes", i)}, "", Deadline());
    }
    tx.Commit();
    std::multiset<std::string> visited;
    uint32_t cursor = 0;
    int gone = 0;
    do {
      uint32_t pages = 0;
      cursor = a.state().ScanKeys(0, cursor, 100, Time(), [&](auto key) {
        if (key.substr(0, 5) == "stays") visited.emplace(key);
        ++pages;
      });
      ASSERT_LE(pages, 110u);
      // The index shrinks and grows while it is scanned.
      std::string commands = absl::StrCat("SET new", gone, " x");
      for (int i = 0; i < 150 && gone < keys; ++i) {
        absl::StrAppend(&commands, ";DEL goes", gone++);
      }
      a.Run(commands);
    } while (cursor != 0);
    ASSERT_EQ(visited.size(), static_cast<size_t>(keys));
    ASSERT_EQ(std::set<std::string>(visited.begin(), visited.end()).size(),
              static_cast<size_t>(keys));
  }
}

// A leader whose base lacks what b wrote: its ops leave that alone, wherever
// they are applied.
TEST(UnseenTest, AnOpTouchesOnlyVersionsThatItsLeaderHadSeen) {
  struct Case {
    const char* before;
    const char* unseen;
    const char* op;
    const char* shown;
  };
  for (const Case& c : std::vector<Case>{
           {"SET k 1", "DEL k; HSET k f v", "DEL k", "{f: v}"},
           {"SET k 1", "SET k 2", "DEL k", "2"},
           {"INCRBY k 1", "INCRBY k 5", "SET k 9", "9"},
           {"INCRBY k 1", "INCRBY k 5", "DEL k", "5"},
           {"HSET k f v", "HSET k g w", "FLUSH", "{g: w}"},
           {"SADD k m", "SADD k m", "SREM k m", "(m)"},
           {"ZADD k 1 m", "ZADD k 2 m", "DEL k", "(2 m)"},
           {"RPUSH k a", "RPUSH k b", "LPOP k", "[b]"},
           {"RPUSH k a", "RPUSH k b", "RENAME k l", "[b]"},
           {"SADD k m", "SADD k n", "SETTLE k", "(m, n)"},
           {"SET k 1", "SADD l n", "RENAME k l", "-"},
       }) {
    SCOPED_TRACE(std::string(c.unseen) + " | " + c.op);
    Side leader(1);
    Side other(2);
    leader.Run(c.before);
    other.Join(leader);
    const Context base = leader.state().context();
    other.Run(c.unseen);
    const std::string mutation = leader.Run(c.op);
    // Applied where the unseen is, and joined with it: the same.
    Side applied(3);
    applied.Join(other);
    applied.state().Apply(mutation, {base, leader.life(), leader.seq()});
    leader.Join(other);
    EXPECT_EQ(applied.Show("k"), c.shown);
    EXPECT_EQ(applied.Versions(), leader.Versions());
    EXPECT_EQ(applied.state().Audit(), "");
  }
}

}  // namespace
}  // namespace muster::kv
