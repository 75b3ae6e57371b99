#include "node/cli/text.h"

#include <gtest/gtest.h>

#include <sstream>
#include <string>

namespace muster::cli {
namespace {

TEST(TextTableTest, ColumnsAreAsWideAsTheirWidestCell) {
  TextTable table({TextTable::Align::kLeft, TextTable::Align::kRight,
                   TextTable::Align::kLeft});
  table.AddRow({"a", "1", "x"});
  table.AddRow({"müller", "100", ""});
  std::ostringstream out;
  table.Print(out);
  EXPECT_EQ(out.str(),
            "a         1  x\n"
            "müller  100\n");
}

TEST(TextTableTest, WithoutRowsNothingIsPrinted) {
  std::ostringstream out;
  TextTable({TextTable::Align::kLeft}).Print(out);
  EXPECT_EQ(out.str(), "");
}

TEST(PrintableTest, NothingThatATerminalObeysGetsThrough) {
  EXPECT_EQ(Printable("é 漢 {\"a\":1}"), "é 漢 {\"a\":1}");
  EXPECT_EQ(Printable("\x1b[2J\n\x7f"), "\\x1b[2J\\x0a\\x7f");
  EXPECT_EQ(Printable("\xc2\x9b"), "\\xc2\\x9b");  // C1: CSI.
  EXPECT_EQ(Printable("a\xff\xc3"), "a\\xff\\xc3");
}

TEST(ClipTest, CutsBetweenCodePoints) {
  EXPECT_EQ(Clip("äöü", 2), "äö");
  EXPECT_EQ(Clip("ab", 5), "ab");
  EXPECT_EQ(DisplayWidth("äöü"), 3u);
}

TEST(ShortTest, TimesAndSizesAreAFewCharacters) {
  EXPECT_EQ(ShortTime(0), "0 ms");
  EXPECT_EQ(ShortTime(999), "999 ms");
  EXPECT_EQ(ShortTime(12'345), "12.3 s");
  EXPECT_EQ(ShortTime(250'000), "4 min 10 s");
  EXPECT_EQ(ShortTime(12'000'000), "3 h 20 min");
  EXPECT_EQ(ShortTime(446'400'000), "5 d 4 h");
  EXPECT_EQ(ShortBytes(512), "512 B");
  EXPECT_EQ(ShortBytes(3 << 10), "3.0 KiB");
  EXPECT_EQ(ShortBytes(uint64_t{5} << 40), "5.0 TiB");
}

}  // namespace
}  // namespace muster::cli
