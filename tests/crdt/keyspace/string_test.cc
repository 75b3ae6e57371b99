// Strings, and what every key has: applying, following, abandoning.
#include <string>

#include "gtest/gtest.h"
#include "side.h"

namespace muster::kv {
namespace {

TEST(StringTest, AStringIsShownAsItWasSet) {
  Side a(1);
  a.Run("SET k hello");
  EXPECT_EQ(a.Show("k"), "hello");
  EXPECT_EQ(a.Show("other"), "-");
  a.Run("SET k world");
  EXPECT_EQ(a.Show("k"), "world");
  EXPECT_EQ(a.state().Keys(0), 1u);
  EXPECT_EQ(a.state().Audit(), "");
}

TEST(StringTest, AnyBytesAreAKeyAndAValue) {
  Side a(1);
  const std::string bytes("\0\xff;\n", 4);
  const Context base;
  Transaction tx(a.state(), {base, a.life(), Seq(1)}, Stamp(1), Time());
  tx.PutString({15, bytes}, "", Deadline());
  tx.PutString({15, ""}, bytes, Deadline());
  tx.Commit();
  std::string scratch;
  const KeyView empty = a.state().Find({15, bytes}, Time());
  ASSERT_EQ(empty.type(), Type::kString);
  EXPECT_EQ(empty.String(scratch), "");
  EXPECT_EQ(a.state().Find({15, ""}, Time()).String(scratch), bytes);
  EXPECT_FALSE(a.state().Find({0, bytes}, Time()).exists());
}

TEST(StringTest, AValueOfAMegabyteIsKeptWhole) {
  Side a(1);
  const std::string value(1 << 20, 'v');
  a.Run("SET k " + value);
  EXPECT_EQ(a.Show("k"), value);
  EXPECT_EQ(a.state().Audit(), "");
  a.Run("DEL k");
  EXPECT_LT(a.state().bytes(), size_t{600} << 10);
}

TEST(StringTest, ASetReplacesAKeyOfAnyType) {
  Side a(1);
  for (const char* made :
       {"HSET k f v", "SADD k m", "ZADD k 1 m", "RPUSH k v", "INCRBY k 5"}) {
    a.Run(made);
    a.Run("SET k text");
    EXPECT_EQ(a.Show("k"), "text") << made;
    a.Run("DEL k");
    EXPECT_EQ(a.Versions(), "") << made;
  }
}

TEST(StringTest, AFollowerShowsWhatItsLeaderShows) {
  Side a(1);
  Side b(2);
  for (const char* commands :
       {"SET k one", "SET k two; SET l three AT 900", "INCRBY n 3; INCRBY n 4",
        "DEL k", "SET k 5; INCRBY k 1"}) {
    b.Follow(a.Run(commands), a);
    EXPECT_EQ(b.Versions(), a.Versions()) << commands;
    EXPECT_EQ(b.state().digests().all(), a.state().digests().all());
    EXPECT_EQ(b.state().context(), a.state().context());
  }
  EXPECT_EQ(b.ShowAll(), "k = 6\nl = three until 900\nn = 7\n");
}

TEST(StringTest, ATransactionSeesItsOwnOps) {
  Side a(1);
  const Context base;
  Transaction tx(a.state(), {base, a.life(), Seq(1)}, Stamp(1), Time());
  std::string scratch;
  EXPECT_FALSE(tx.Find({0, "k"}).exists());
  tx.PutString({0, "k"}, "9", Deadline());
  EXPECT_EQ(tx.Find({0, "k"}).String(scratch), "9");
  tx.Increment({0, "k"}, 1);
  EXPECT_EQ(tx.Find({0, "k"}).String(scratch), "10");
  EXPECT_EQ(tx.ops(), 2u);
  EXPECT_TRUE(a.state().context().empty());
  tx.Commit();
  EXPECT_EQ(a.state().context().Of(a.life()), Seq(1));
}

TEST(StringTest, ATransactionThatIsAbandonedLeavesTheStateAsItWas) {
  Side a(1);
  a.Run("SET k 5 AT 900; INCRBY k 2; HSET h f v; RPUSH l x y; SADD s m");
  const std::string before = a.Versions();
  const uint64_t digest = a.state().digests().all();
  a.TryRun("SET k 6; DEL h; HSET h g w; LPOP l; LSET l 0 z; SADD s n; SET n 1");
  EXPECT_EQ(a.Versions(), before);
  EXPECT_EQ(a.state().digests().all(), digest);
  EXPECT_EQ(a.state().Keys(0), 4u);
  EXPECT_EQ(a.state().Audit(), "");
  a.TryRun("FLUSH; RENAME k h");
  EXPECT_EQ(a.Versions(), before);
}

TEST(StringTest, ATransactionWithoutOpsUsesNoSeq) {
  Side a(1);
  EXPECT_EQ(a.Run("DEL nothing; EXPIREAT nothing 5; FLUSH"), "");
  EXPECT_TRUE(a.state().context().empty());
}

TEST(StringTest, EqualPositionsHaveEqualDigestsByWhateverWay) {
  Side a(1);
  a.Run("SET k one; SET l two");
  a.Run("DEL l");
  Side follower(2);
  follower.Join(a);
  EXPECT_EQ(follower.state().digests().all(), a.state().digests().all());
  // One byte of a value, or the dot alone, makes another digest.
  Side other(1);
  other.Run("SET k one; SET l two");
  EXPECT_NE(other.state().digests().all(), a.state().digests().all());
}

}  // namespace
}  // namespace muster::kv
