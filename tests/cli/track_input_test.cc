#include "node/cli/track_input.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <sstream>
#include <string>
#include <vector>

namespace muster::cli {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Le;

absl::StatusOr<std::vector<client::HeldEntry>> Read(const std::string& text) {
  std::istringstream in(text);
  return ReadEntries(in);
}

TEST(TrackInputTest, ALineIsTopicKeyAndAMetaThatMayHoldTabs) {
  const auto entries = Read("room\tu1\t{\"a\":\t1}\n\nroom\tu2\nhall\tu 3\t");
  ASSERT_TRUE(entries.ok()) << entries.status();
  ASSERT_EQ(entries->size(), 3u);
  EXPECT_EQ((*entries)[0].topic, "room");
  EXPECT_EQ((*entries)[0].key, "u1");
  EXPECT_EQ((*entries)[0].meta, "{\"a\":\t1}");
  EXPECT_EQ((*entries)[1].key, "u2");
  EXPECT_EQ((*entries)[1].meta, "");
  EXPECT_EQ((*entries)[2].key, "u 3");
  EXPECT_EQ((*entries)[0].id, 1u);
  EXPECT_EQ((*entries)[1].id, 3u);  // The number of its line.
}

TEST(TrackInputTest, WhatWindowsAddsIsNoPartOfAName) {
  const auto entries =
      Read("\xEF\xBB\xBFroom\tu1\r\nroom\tu2\t{}\r\n\r\nroom\tu\r3\r");
  ASSERT_TRUE(entries.ok()) << entries.status();
  ASSERT_EQ(entries->size(), 3u);
  EXPECT_EQ((*entries)[0].topic, "room");
  EXPECT_EQ((*entries)[0].key, "u1");
  EXPECT_EQ((*entries)[1].meta, "{}");
  EXPECT_EQ((*entries)[2].key, "u\r3");
}

TEST(TrackInputTest, ALineWithoutATabIsRefusedByNumber) {
  EXPECT_EQ(Read("room\tu1\n\nroom u2\n").status().message(),
            "standard input, line 3: no tab; a line is "
            "topic<TAB>key<TAB>meta");
}

TEST(TrackInputTest, TellsJsonFromWhatIsNone) {
  for (const char* json : {"{}", "{\"a\":[1,2]}", "7", "\"x\"", "null"}) {
    EXPECT_TRUE(IsJson(json)) << json;
  }
  for (const char* other : {"{", "hello", "{\"a\":}", "\xff"}) {
    EXPECT_FALSE(IsJson(other)) << other;
  }
}

std::vector<size_t> SizesOf(size_t entries, const std::string& name) {
  std::vector<size_t> sizes;
  const client::HeldEntry entry{name, name, ""};
  for (const auto& session :
       SplitBySession(std::vector<client::HeldEntry>(entries, entry))) {
    sizes.push_back(session.size());
  }
  return sizes;
}

TEST(TrackInputTest, ASessionHoldsNoMoreThanOneResumeMayName) {
  EXPECT_THAT(SizesOf(0, "u"), IsEmpty());
  EXPECT_THAT(SizesOf(25'000, "u"), ElementsAre(10'000, 10'000, 5'000));
  // 1 MiB of names and what belongs to them, whatever the metas.
  const std::vector<size_t> sizes = SizesOf(10'000, std::string(256, 'n'));
  EXPECT_THAT(sizes, Each(Le((1 << 20) / (2 * 256 + 45))));
  EXPECT_EQ(std::accumulate(sizes.begin(), sizes.end(), size_t{0}), 10'000u);
  // One that is larger than that is alone.
  EXPECT_THAT(SizesOf(2, std::string(1 << 20, 'n')), ElementsAre(1, 1));
}

TEST(TrackInputTest, ARefusalNamesItsLineAndAdvisesNothingThatCannotBeDone) {
  EXPECT_EQ(RefusalText({"room", "u1", "", 7},
                        absl::AlreadyExistsError("set allow_duplicate")),
            "standard input, line 7: room  u1: an earlier line has the same "
            "topic and key");
  EXPECT_EQ(
      RefusalText({"room", "u1", ""}, absl::InvalidArgumentError("too long")),
      "room  u1: too long");
}

}  // namespace
}  // namespace muster::cli
