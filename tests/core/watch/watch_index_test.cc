#include "node/core/watch/watch_index.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "node/core/watch/watch_channel.h"
#include "tests/core/watch/watch_fixture.h"

namespace muster::core {
namespace {

using crdt::RowIdx;

class WatchIndexTest : public testing::Test {
 protected:
  using Kind = WatchScope::Kind;
  // The channels that a change of this topic goes to.
  std::vector<WatchChannel*> Find(const std::string& topic) {
    std::vector<WatchChannel*> found;
    for (const WatchIndex::Channels* list :
         index_.Of(world_.store.topics().Find(topic), "key")) {
      found.insert(found.end(), list->begin(), list->end());
    }
    return found;
  }
  WatchWorld world_;
  WatchIndex index_{world_.store};
  WatchChannel a_, b_;
};

TEST_F(WatchIndexTest, TopicsWithoutAChannelHaveNoRecord) {
  index_.Add(Kind::kPrefix, "x:", &a_);
  for (int i = 0; i < 1000; ++i) {
    world_.Add(absl::StrCat("y:", i), "key");
    EXPECT_TRUE(Find(absl::StrCat("y:", i)).empty());
  }
  EXPECT_EQ(index_.linked_topics(), 0u);
  world_.Add("x:1", "key");
  EXPECT_EQ(Find("x:1"), std::vector<WatchChannel*>({&a_}));
  EXPECT_EQ(index_.linked_topics(), 1u);
}

TEST_F(WatchIndexTest, TheRecordOfATopicGoesWithItsLastShownEntry) {
  index_.Add(Kind::kPrefix, "x:", &a_);
  const RowIdx row = world_.Add("x:1", "key");
  EXPECT_EQ(Find("x:1").size(), 1u);
  const crdt::TopicIdx topic = world_.store.topic_of(row);
  world_.store.Hide(row);
  index_.OnTopicEmpty(topic);
  EXPECT_EQ(index_.linked_topics(), 0u);
  world_.store.Show(row);
  EXPECT_EQ(Find("x:1").size(), 1u);
}

TEST_F(WatchIndexTest, WhatWasFoundIsForgottenWhenPrefixesChange) {
  world_.Add("x:1", "key");
  index_.Add(Kind::kTopics, "x:1", &a_);
  EXPECT_EQ(Find("x:1").size(), 1u);
  index_.Add(Kind::kPrefix, "x", &b_);
  EXPECT_EQ(Find("x:1"), std::vector<WatchChannel*>({&a_, &b_}));
  index_.Remove(Kind::kTopics, "x:1", &a_);
  EXPECT_EQ(Find("x:1"), std::vector<WatchChannel*>({&b_}));
  index_.Remove(Kind::kPrefix, "x", &b_);
  EXPECT_TRUE(Find("x:1").empty());
  EXPECT_EQ(index_.linked_topics(), 0u);
}

}  // namespace
}  // namespace muster::core
