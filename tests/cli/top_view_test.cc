#include "node/cli/top_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "node/cli/text.h"

namespace muster::cli {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

v1::StreamStatus Stream(const std::string& life, uint64_t seq) {
  v1::StreamStatus stream;
  stream.set_life_id(life);
  stream.set_seq(seq);
  return stream;
}

// a has made 300 changes, of which b lacks 20; c does not answer.
TopSample Sample(absl::Time at, uint64_t changes_of_a) {
  TopSample sample;
  sample.at = at;
  sample.asked = "h:1";
  for (const char* node : {"a", "b", "c"}) {
    v1::Member member;
    member.set_node(node);
    member.set_life_id(absl::StrCat("life ", node));
    member.set_state(v1::MEMBER_STATE_ALIVE);
    sample.members.push_back(member);
  }
  sample.members[0].set_address("h:1");
  sample.members[0].set_self(true);
  sample.members[0].set_presence_seq(changes_of_a);
  sample.members[1].set_address("h:2");
  sample.members[2].set_address("h:3");
  sample.members[2].set_state(v1::MEMBER_STATE_SUSPECT);
  v1::StatusResponse& a = sample.statuses["h:1"];
  a.set_node("a");
  a.set_cluster("muster");
  a.set_entries(1234);
  (*a.mutable_members_by_state())["alive"] = 2;
  (*a.mutable_members_by_state())["suspect"] = 1;
  (*a.mutable_members_by_state())["down"] = 0;
  (*a.mutable_members_by_state())["left"] = 4;
  *a.add_streams() = Stream("life a", changes_of_a);
  *a.add_streams() = Stream("life b", 5);
  v1::StatusResponse& b = sample.statuses["h:2"];
  b.set_watchers(7);
  *b.add_streams() = Stream("life a", changes_of_a - 20);
  *b.add_streams() = Stream("life b", 5);
  for (const char* topic : {"hall", "room"}) {
    v1::TopicCount count;
    count.set_topic(topic);
    count.set_entries(topic == std::string("room") ? changes_of_a : 3);
    sample.topics.push_back(count);
  }
  return sample;
}

std::string Draw(const TopSample& now, const TopSample* before,
                 ScreenSize size) {
  return absl::StrJoin(DrawTop(now, before, size), "\n");
}

TEST(TopViewTest, ShowsRatesAndWhoIsBehind) {
  const absl::Time start = absl::FromUnixSeconds(1'000'000);
  const TopSample before = Sample(start, 100);
  const TopSample now = Sample(start + absl::Seconds(2), 300);
  const std::string frame = Draw(now, &before, {120, 40});
  EXPECT_THAT(frame, HasSubstr("cluster muster as a sees it: 1234 entries"));
  EXPECT_THAT(frame, HasSubstr("; members: 2 alive, 1 suspect, 4 left"));
  EXPECT_THAT(frame, ContainsRegex("a +alive +0 +100 +- +0 "));
  EXPECT_THAT(frame, ContainsRegex("b +alive +0 +0 +0 ms +20 +0 +7 "));
  EXPECT_THAT(frame, ContainsRegex("c +suspect +0 +0 +0 ms +- +- +- +- +- "));
  EXPECT_THAT(frame, ContainsRegex("300 +0 +100 +room\n +3 +0 +0 +hall"));
}

TEST(TopViewTest, WithoutAnEarlierSampleRatesAreLeftOpen) {
  const std::string frame =
      Draw(Sample(absl::FromUnixSeconds(1), 300), nullptr, {120, 40});
  EXPECT_THAT(frame, ContainsRegex("a +alive +0 +- +- +0 "));
  EXPECT_THAT(frame, ContainsRegex("300 +0 +- +room"));
}

TEST(TopViewTest, FitsAnyScreen) {
  const TopSample sample = Sample(absl::FromUnixSeconds(1), 300);
  for (const ScreenSize size : {ScreenSize{20, 3}, ScreenSize{1, 1}}) {
    const std::vector<std::string> lines = DrawTop(sample, nullptr, size);
    EXPECT_LE(lines.size(), size.rows);
    for (const std::string& line : lines) {
      EXPECT_LE(DisplayWidth(line), size.columns);
    }
  }
}

TEST(TopViewTest, SaysAboveTheTopicsWhenNotAllWereLookedAt) {
  TopSample sample = Sample(absl::FromUnixSeconds(1), 300);
  EXPECT_THAT(Draw(sample, nullptr, {120, 40}), Not(HasSubstr("of the first")));
  sample.more_topics = true;
  EXPECT_THAT(Draw(sample, nullptr, {120, 40}),
              HasSubstr("BUSIEST TOPICS of the first 2 in byte order"));
  // Also on a screen that has no room for all the rows.
  EXPECT_THAT(Draw(sample, nullptr, {120, 8}), HasSubstr("of the first 2"));
}

}  // namespace
}  // namespace muster::cli
