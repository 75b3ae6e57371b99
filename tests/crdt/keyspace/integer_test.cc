// Integers: a root and what each life counted on top of it.
#include <cstdint>
#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "crdt/keyspace/shown.h"
#include "gtest/gtest.h"
#include "side.h"

namespace muster::kv {
namespace {

Version Value(uint64_t seq, uint64_t stamp, absl::string_view text) {
  Version version;
  version.dot = {{0, 1}, Seq(seq), 0};
  version.stamp = Stamp(stamp);
  version.bytes = text;
  return version;
}

Version Count(uint64_t life, int64_t sum, const Dot& on) {
  Version version;
  version.kind = VersionKind::kCount;
  version.dot = {{0, life}, Seq(100), 0};
  version.stamp = Stamp(1);
  version.sum = sum;
  version.on = on;
  return version;
}

std::string Shown(const Versions& versions) {
  std::string scratch;
  return std::string(ShownValue(versions, scratch));
}

TEST(IntegerTest, CountsOnTheRootThatIsShownAddUp) {
  const Version root = Value(1, 5, "10");
  EXPECT_EQ(Shown({root, Count(2, 3, root.dot), Count(3, -1, root.dot)}), "12");
  EXPECT_EQ(Shown({root, Count(2, 3, {})}), "10");
  EXPECT_EQ(Shown({Count(2, 3, {}), Count(3, 4, root.dot)}), "7");
  const Version later = Value(2, 6, "70");
  EXPECT_EQ(Shown({root, later, Count(2, 3, root.dot)}), "70");
}

TEST(IntegerTest, TheHigherDotDecidesWhereStampsAreEqual) {
  EXPECT_EQ(Shown({Value(1, 5, "low"), Value(2, 5, "high")}), "high");
  EXPECT_EQ(Shown({Value(1, 6, "low"), Value(2, 5, "high")}), "low");
}

TEST(IntegerTest, ASumSaturates) {
  const Version root = Value(1, 5, "9223372036854775000");
  EXPECT_EQ(Shown({root, Count(2, 5000, root.dot)}), "9223372036854775807");
  EXPECT_EQ(Shown({Count(2, std::numeric_limits<int64_t>::min(), {}),
                   Count(3, -1, {})}),
            "-9223372036854775808");
}

TEST(IntegerTest, OnlyWhatRedisWritesAsAnIntegerIsOne) {
  for (const char* text :
       {"0", "-1", "12", "9223372036854775807", "-9223372036854775808"}) {
    ASSERT_TRUE(ParseInteger(text).has_value()) << text;
    EXPECT_EQ(absl::StrCat(*ParseInteger(text)), text);
  }
  for (const char* text :
       {"", "-", "+1", "01", "-0", " 1", "1 ", "1.0", "0x1", "a",
        "9223372036854775808", "-9223372036854775809"}) {
    EXPECT_FALSE(ParseInteger(text).has_value()) << text;
  }
}

TEST(IntegerTest, EachIncrementGivesTheNextNumber) {
  Side a(1);
  Side::stamp = 1;
  for (int i = 1; i <= 50; ++i) {
    a.Run("INCRBY n 1");
    EXPECT_EQ(a.Show("n"), absl::StrCat(i));
  }
  // A birth and one count, however often.
  EXPECT_EQ(a.Versions(),
            "n 0  0.0.0 | 1.1.0 1 birth\n"
            "n 1  0.0.0 | 1.50.0 50 count 50 on 0.0.0");
}

TEST(IntegerTest, IncrementsOfBothSidesAddUp) {
  Side a(1);
  Side b(2);
  a.Run("SET n 10");
  b.Join(a);
  a.Run("INCRBY n 1");
  b.Run("INCRBY n 2");
  b.Run("INCRBY n 2");
  a.Join(b);
  b.Join(a);
  EXPECT_EQ(a.Show("n"), "15");
  EXPECT_EQ(b.Show("n"), "15");
  b.Run("INCRBY n 1");
  a.Join(b);
  EXPECT_EQ(a.Show("n"), "16");
}

TEST(IntegerTest, AKeyCreatedOnBothSidesAddsUpToo) {
  Side a(1);
  Side b(2);
  a.Run("INCRBY n 3");
  b.Run("INCRBY n 4");
  a.Join(b);
  EXPECT_EQ(a.Show("n"), "7");
  a.Run("INCRBY n 1");
  EXPECT_EQ(a.Show("n"), "8");
}

TEST(IntegerTest, ASetBeatsIncrementsThatItHasNotSeen) {
  Side a(1);
  Side b(2);
  a.Run("SET n 10");
  b.Join(a);
  a.Run("INCRBY n 5");
  b.Run("SET n 100");
  a.Join(b);
  EXPECT_EQ(a.Show("n"), "100");
  a.Run("INCRBY n 1");
  EXPECT_EQ(a.Show("n"), "101");
}

TEST(IntegerTest, ARemovalLeavesWhatWasCountedUnseen) {
  Side a(1);
  Side b(2);
  a.Run("SET n 10; INCRBY n 5");
  b.Join(a);
  a.Run("INCRBY n 1");
  b.Run("DEL n");
  a.Join(b);
  b.Join(a);
  EXPECT_EQ(a.Show("n"), "6") << "the root is gone, the count of 6 is not";
  a.Run("INCRBY n 1");
  EXPECT_EQ(a.Show("n"), "7");
  b.Join(a);
  b.Run("INCRBY n 1");
  EXPECT_EQ(b.Show("n"), "8");
}

TEST(IntegerTest, ACountThatWouldOverflowBecomesAValue) {
  Side a(1);
  a.Run("SET n -9223372036854775808 AT 900");
  a.Run("INCRBY n 9223372036854775807");
  a.Run("INCRBY n 9223372036854775807");
  EXPECT_EQ(a.Show("n"), "9223372036854775806 until 900");
  a.Run("HSET h f -9223372036854775808");
  a.Run("HINCRBY h f 9223372036854775807");
  a.Run("HINCRBY h f 9223372036854775807");
  EXPECT_EQ(a.Show("h"), "{f: 9223372036854775806}");
}

}  // namespace
}  // namespace muster::kv
