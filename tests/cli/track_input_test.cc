#include <gtest/gtest.h>

#include <sstream>
#include <string>

#include "node/cli/track_command.h"

namespace muster::cli {
namespace {

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

}  // namespace
}  // namespace muster::cli
