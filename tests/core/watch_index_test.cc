#include "node/core/watch_index.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "node/core/watch_channel.h"
#include "tests/core/watch_fixture.h"

namespace muster::core {
namespace {

using crdt::RowIdx;

class WatchIndexTest : public testing::Test {
 protected:
  static WatchScope Scope(const WatchRequest& request) {
    return *WatchScope::From(request);
  }
  // The channels that a change of this topic goes to.
  std::vector<WatchChannel*> Find(const std::string& topic) {
    std::vector<WatchChannel*> found;
    index_.ForEach(world_.store.FindTopic(topic), "key",
                   [&](WatchChannel& channel) { found.push_back(&channel); });
    return found;
  }
  WatchWorld world_;
  WatchIndex index_{world_.store};
  WatchChannel a_, b_;
};

TEST_F(WatchIndexTest, TopicsWithoutAChannelHaveNoRecord) {
  index_.Add(Scope(Prefix("x:")), &a_);
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
  index_.Add(Scope(Prefix("x:")), &a_);
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
  index_.Add(Scope(Topics({"x:1"})), &a_);
  EXPECT_EQ(Find("x:1").size(), 1u);
  index_.Add(Scope(Prefix("x")), &b_);
  EXPECT_EQ(Find("x:1"), std::vector<WatchChannel*>({&a_, &b_}));
  index_.Remove(Scope(Topics({"x:1"})), &a_);
  EXPECT_EQ(Find("x:1"), std::vector<WatchChannel*>({&b_}));
  index_.Remove(Scope(Prefix("x")), &b_);
  EXPECT_TRUE(Find("x:1").empty());
  EXPECT_EQ(index_.linked_topics(), 0u);
}

}  // namespace
}  // namespace muster::core
