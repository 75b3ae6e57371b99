// States in slices: their bounds, and what happens around the cursor.
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "node/core/watch/watch_hub.h"
#include "tests/core/watch/watch_fixture.h"

namespace muster::core {
namespace {

using crdt::RowIdx;

size_t Entries(const WatchBatch& batch) {
  size_t entries = 0;
  for (const TopicState& state : batch.state) entries += state.entries.size();
  return entries;
}

// A topic of 1,000 entries and a client that has been sent the first slice.
class WatchStateTest : public testing::Test {
 protected:
  WatchStateTest() {
    for (int i = 0; i < 1000; ++i) {
      rows_.push_back(world_.Add("room", absl::StrCat("u", i)));
    }
    client_ = &world_.Open(Topics({"room"}));
    EXPECT_TRUE(world_.RunSlice());
    world_.Read(*client_);
    sent_ = client_->roster.size();
  }
  // The client has what is shown, and has had no more messages than slices
  // and `diffs`.
  void ExpectWhole(size_t diffs) {
    world_.Settle();
    EXPECT_TRUE(client_->complete);
    EXPECT_EQ(client_->roster, world_.Shown(client_->request));
    size_t with_diffs = 0;
    for (const auto& batch : client_->read) {
      with_diffs += batch->diffs.empty() ? 0 : 1;
    }
    EXPECT_EQ(with_diffs, diffs);
  }

  WatchWorld world_;
  std::vector<RowIdx> rows_;
  TestClient* client_;
  size_t sent_;
};

TEST_F(WatchStateTest, ASliceHasABoundedNumberOfRows) {
  EXPECT_GT(sent_, 0u);
  EXPECT_LE(sent_, kSliceRows);
  ExpectWhole(0);
  EXPECT_GE(client_->states, 4u);
  for (const auto& batch : client_->read) {
    EXPECT_LE(Entries(*batch), kSliceRows);
  }
}

TEST_F(WatchStateTest, OnlyTheFirstIsAResetAndOnlyTheLastHasTheVersion) {
  ExpectWhole(0);
  for (const auto& batch : client_->read) {
    const bool last = batch == client_->read.back();
    EXPECT_EQ(batch->reset, batch == client_->read.front());
    EXPECT_EQ(batch->state_complete, last);
    EXPECT_EQ(batch->version_counter, last ? world_.hub.counter() : 0u);
  }
}

TEST_F(WatchStateTest, AChangeBehindTheCursorFollowsAsADiff) {
  world_.Update(rows_[0], "new");
  world_.Remove(rows_[1]);
  world_.Flush();
  world_.Deliver();
  ASSERT_EQ(client_->queue.size(), 1u);
  const TopicDiff& diff = client_->queue[0]->diffs[0];
  EXPECT_EQ(diff.updates.size(), 1u);
  EXPECT_EQ(diff.leaves.size(), 1u);
  EXPECT_EQ(client_->queue[0]->version_counter, 0u);
  ExpectWhole(1);
}

TEST_F(WatchStateTest, AChangeAheadOfTheCursorIsInALaterSlice) {
  world_.Update(rows_[900], "new");
  world_.Remove(rows_[901]);
  world_.Add("room", "last");
  world_.Flush();
  world_.Deliver();
  EXPECT_TRUE(client_->queue.empty());
  ExpectWhole(0);
}

TEST_F(WatchStateTest, ARowHiddenBehindAndShownAgainFollowsTwice) {
  world_.store.Hide(rows_[3]);
  world_.Flush();
  world_.store.Show(rows_[3]);
  ExpectWhole(2);
}

TEST_F(WatchStateTest, AnAdoptedEntryKeepsItsPlace) {
  for (RowIdx row : {rows_[5], rows_[900]}) {
    const RowIdx other =
        world_.Add("room", std::string(world_.store.key(row)), "2", false, 1);
    world_.store.Transfer(row, other);
    world_.Remove(row);
  }
  ExpectWhole(1);
}

TEST_F(WatchStateTest, AHiddenRowBehindTheCursorJoinsWhenItIsShown) {
  WatchWorld world;
  const RowIdx hidden = world.Add("room", "early", "m", false);
  for (int i = 0; i < 600; ++i) world.Add("room", absl::StrCat("u", i));
  TestClient& client = world.Open(Topics({"room"}));
  world.RunSlice();
  world.store.Show(hidden);
  world.Settle();
  EXPECT_EQ(client.roster, world.Shown(client.request));
}

TEST_F(WatchStateTest, ATopicThatGoesWhileItIsReadLeavesNothing) {
  for (RowIdx row : rows_) world_.Remove(row);
  ExpectWhole(1);
  EXPECT_TRUE(client_->roster.empty());
}

TEST_F(WatchStateTest, AClientThatDoesNotReadGetsFourSlices) {
  TestClient& slow = world_.Open(Topics({"room", "x"}));
  for (int i = 0; i < 5000; ++i) world_.Add("x", absl::StrCat("y", i));
  while (world_.RunSlice()) {
  }
  world_.Deliver();
  EXPECT_EQ(slow.queue.size(), WatchHub::kSlicesInFlight);
  world_.Read(slow, 1);
  EXPECT_TRUE(world_.out.more_work);
  while (world_.RunSlice()) {
  }
  world_.Deliver();
  EXPECT_EQ(slow.queue.size(), WatchHub::kSlicesInFlight);
  world_.Settle();
  EXPECT_EQ(slow.roster, world_.Shown(slow.request));
}

TEST(WatchStateSliceTest, ASliceHasABoundedNumberOfBytes) {
  WatchWorld world;
  for (int i = 0; i < 200; ++i) {
    world.Add("room", absl::StrCat("u", i), std::string(5000, 'x'));
  }
  TestClient& client = world.Open(Topics({"room"}));
  world.Settle();
  EXPECT_EQ(client.roster.size(), 200u);
  EXPECT_GE(client.read.size(), 15u);
  for (const auto& batch : client.read) {
    EXPECT_LE(batch->arena.used(), kWatchBatchBytes + 6000);
  }
}

TEST(WatchStateSliceTest, HiddenRowsDoNotMakeASliceLong) {
  WatchWorld world;
  for (int i = 0; i < 20'000; ++i) {
    world.Add("room", absl::StrCat("u", i), "m", i == 19'999);
  }
  TestClient& client = world.Open(Topics({"room"}));
  int slices = 1;
  while (world.RunSlice()) ++slices;
  EXPECT_GE(slices, 5);
  world.Settle();
  EXPECT_EQ(client.roster.size(), 1u);
  // Slices in which nothing was found are not sent, but for the first.
  EXPECT_EQ(client.read.size(), 2u);
}

TEST(WatchStateSliceTest, APrefixIsReadInTheOrderOfItsTopics) {
  WatchWorld world;
  for (int i = 999; i >= 0; --i) {
    world.Add(absl::StrCat("room:", i), absl::StrCat("u", i));
  }
  TestClient& client = world.Open(Prefix("room:"));
  world.RunSlice();
  world.Deliver();
  ASSERT_FALSE(client.queue.empty());
  const std::string last(client.queue.back()->state.back().topic);
  ASSERT_LT(last, "room:9");
  world.Add("room:0+", "behind");
  world.Add("room:999+", "ahead");
  world.Flush();
  world.Deliver();
  ASSERT_EQ(client.queue.back()->diffs.size(), 1u);
  EXPECT_EQ(client.queue.back()->diffs[0].topic, "room:0+");
  world.Settle();
  EXPECT_EQ(client.roster, world.Shown(client.request));
  EXPECT_EQ(client.roster.size(), 1002u);
}

TEST(WatchStateSliceTest, AKeyOfManyTopicsIsReadInSlices) {
  WatchWorld world;
  std::vector<RowIdx> rows;
  for (int i = 0; i < 1000; ++i) {
    rows.push_back(world.Add(absl::StrCat("t", i), "bot"));
    world.Add(absl::StrCat("t", i), "zoe");
  }
  TestClient& client = world.Open(Keys({"zoe", "bot", "none"}));
  world.RunSlice();
  world.Remove(rows[0]);
  world.Update(rows[999], "new");
  world.Settle();
  EXPECT_EQ(client.roster, world.Shown(client.request));
  EXPECT_EQ(client.roster.size(), 1999u);
  for (const auto& batch : client.read) {
    EXPECT_LE(Entries(*batch), kSliceRows);
    std::set<absl::string_view> topics;
    for (const TopicState& state : batch->state) {
      EXPECT_TRUE(topics.insert(state.topic).second);
    }
  }
}

TEST(WatchStateSliceTest, ASmallStateDoesNotWaitForALargeOne) {
  WatchWorld world;
  for (int i = 0; i < 5000; ++i) world.Add("large", absl::StrCat("u", i));
  world.Add("small", "ann");
  TestClient& large = world.Open(Topics({"large"}));
  TestClient& small = world.Open(Topics({"small"}));
  world.RunSlice();
  world.RunSlice();
  world.ReadAll();
  EXPECT_TRUE(small.complete);
  EXPECT_FALSE(large.complete);
}

TEST(WatchStateSliceTest, WatchersThatBeginTogetherShareTheirSlices) {
  WatchWorld world;
  for (int i = 0; i < 1000; ++i) world.Add("room", absl::StrCat("u", i));
  for (int i = 0; i < 50; ++i) world.Open(Topics({"room"}));
  const uint64_t before = world.hub.counters().batches;
  world.Settle();
  EXPECT_LE(world.hub.counters().batches - before, 5u);
  for (const auto& client : world.clients) {
    EXPECT_EQ(client->roster.size(), 1000u);
    EXPECT_EQ(client->read, world.clients[0]->read);
  }
}

TEST(WatchStateSliceTest, AWatcherThatJoinsLaterIsNotGivenTheMiddle) {
  WatchWorld world;
  for (int i = 0; i < 1000; ++i) world.Add("room", absl::StrCat("u", i));
  TestClient& first = world.Open(Topics({"room"}));
  world.RunSlice();
  TestClient& second = world.Open(Topics({"room"}));
  world.Settle();
  EXPECT_EQ(first.roster.size(), 1000u);
  EXPECT_EQ(second.roster.size(), 1000u);
  EXPECT_EQ(second.resets, 1u);
}

}  // namespace
}  // namespace muster::core
