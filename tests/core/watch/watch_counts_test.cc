// Watches of counts.
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "node/core/watch/watch_hub.h"
#include "tests/core/watch/watch_fixture.h"

namespace muster::core {
namespace {

using crdt::RowIdx;
using Pair = std::pair<uint64_t, uint64_t>;

class WatchCountsTest : public testing::Test {
 protected:
  TestClient& Open(WatchRequest request) {
    TestClient& client = world_.Open(CountsOf(std::move(request)));
    world_.Settle();
    return client;
  }
  // Ticks for this long; how many messages the client got.
  size_t Messages(TestClient& client, absl::Duration time) {
    const size_t before = client.read.size();
    for (absl::Duration t; t < time; t += absl::Milliseconds(10)) {
      world_.Tick();
      world_.ReadAll();
    }
    return client.read.size() - before;
  }
  WatchWorld world_;
};

TEST_F(WatchCountsTest, TheFirstCountsComeAtOnce) {
  world_.Add("room", "ann");
  world_.Add("room", "ann");
  world_.Add("room", "bob");
  world_.Add("room", "hidden", "m", false);
  TestClient& client = Open(Topics({"room", "empty"}));
  ASSERT_EQ(client.read.size(), 1u);
  EXPECT_TRUE(client.read[0]->reset);
  EXPECT_TRUE(client.read[0]->state_complete);
  EXPECT_TRUE(client.read[0]->state.empty());
  EXPECT_EQ(client.counts,
            (Counts{{"room", Pair(3, 2)}, {"empty", Pair(0, 0)}}));
}

TEST_F(WatchCountsTest, ChangesComeAtMostOnceAnInterval) {
  TestClient& client = Open(Topics({"room"}));
  size_t messages = 0;
  for (int i = 0; i < 500; ++i) {
    world_.Add("room", absl::StrCat(i));
    world_.Flush();
    messages += Messages(client, absl::Milliseconds(10));
  }
  EXPECT_EQ(messages, 5u) << "in five seconds";
  Messages(client, absl::Seconds(1));
  EXPECT_EQ(client.counts["room"], Pair(500, 500));
}

TEST_F(WatchCountsTest, TheCostOfARoomIsNotThatOfItsChanges) {
  TestClient& client = Open(Topics({"room"}));
  for (int i = 0; i < 5000; ++i) world_.Add("room", absl::StrCat(i));
  EXPECT_EQ(Messages(client, absl::Seconds(1)), 1u);
  EXPECT_EQ(client.read.back()->counts.size(), 1u);
  EXPECT_TRUE(client.read.back()->diffs.empty());
}

TEST_F(WatchCountsTest, NothingIsSentIfNothingHasChanged) {
  const RowIdx ann = world_.Add("room", "ann");
  TestClient& client = Open(Topics({"room"}));
  EXPECT_EQ(Messages(client, absl::Seconds(5)), 0u);
  world_.Update(ann, "new");
  EXPECT_EQ(Messages(client, absl::Seconds(5)), 0u) << "an update counts not";
  world_.Remove(world_.Add("room", "bob"));
  EXPECT_EQ(Messages(client, absl::Seconds(5)), 0u) << "as it was before";
  world_.Add("room", "ann");
  EXPECT_EQ(Messages(client, absl::Seconds(5)), 1u);
  EXPECT_EQ(client.counts["room"], Pair(2, 1));
}

TEST_F(WatchCountsTest, AChangeAfterALongSilenceComesWithTheNextTick) {
  TestClient& client = Open(Topics({"room"}));
  Messages(client, absl::Seconds(5));
  world_.Add("room", "ann");
  EXPECT_EQ(Messages(client, absl::Milliseconds(10)), 1u);
}

TEST_F(WatchCountsTest, OneKeyForAnotherIsSeenInTheKeys) {
  const RowIdx tab = world_.Add("room", "ann");
  world_.Add("room", "ann");
  TestClient& client = Open(Topics({"room"}));
  EXPECT_EQ(client.counts["room"], Pair(2, 1));
  world_.Remove(tab);
  world_.Add("room", "bob");
  EXPECT_EQ(Messages(client, absl::Seconds(2)), 1u);
  EXPECT_EQ(client.counts["room"], Pair(2, 2));
}

TEST_F(WatchCountsTest, OfAPrefixOnlyWhatHasChangedIsSent) {
  for (int i = 0; i < 1000; ++i) world_.Add(absl::StrCat("room:", i), "ann");
  const RowIdx last = world_.Add("room:last", "ann");
  TestClient& client = Open(Prefix("room:"));
  EXPECT_EQ(client.counts.size(), 1001u);
  EXPECT_GE(client.read.size(), 4u) << "in slices";
  world_.Add("room:7", "bob");
  world_.Add("room:new", "bob");
  world_.Remove(last);
  EXPECT_EQ(Messages(client, absl::Seconds(2)), 1u);
  EXPECT_EQ(client.read.back()->counts.size(), 3u);
  EXPECT_EQ(client.counts["room:7"], Pair(2, 2));
  EXPECT_EQ(client.counts["room:new"], Pair(1, 1));
  EXPECT_EQ(client.counts["room:last"], Pair(0, 0));
}

TEST_F(WatchCountsTest, OfAKeyItsEntriesAndTopicsAreCounted) {
  world_.Add("x", "ann");
  world_.Add("x", "ann");
  const RowIdx y = world_.Add("y", "ann");
  TestClient& client = Open(Keys({"ann", "bob"}));
  EXPECT_EQ(client.counts, (Counts{{"ann", Pair(3, 2)}, {"bob", Pair(0, 0)}}));
  world_.Remove(y);
  world_.Add("z", "bob");
  world_.Add("z", "cid");
  EXPECT_EQ(Messages(client, absl::Seconds(2)), 1u);
  EXPECT_EQ(client.counts, (Counts{{"ann", Pair(2, 1)}, {"bob", Pair(1, 1)}}));
}

TEST_F(WatchCountsTest, ALateWatcherIsNotLeftWithCountsInBetween) {
  TestClient& first = Open(Topics({"room"}));
  const RowIdx ann = world_.Add("room", "ann");
  TestClient& late = Open(Topics({"room"}));
  EXPECT_EQ(late.counts["room"], Pair(1, 1));
  world_.Remove(ann);
  Messages(first, absl::Seconds(2));
  EXPECT_EQ(first.counts["room"], Pair(0, 0));
  EXPECT_EQ(late.counts["room"], Pair(0, 0));
}

TEST_F(WatchCountsTest, EachIntervalIsItsOwn) {
  TestClient& slow = world_.Open(CountsOf(Topics({"room"}), absl::Seconds(2)));
  TestClient& quick =
      world_.Open(CountsOf(Topics({"room"}), absl::Milliseconds(100)));
  world_.Settle();
  const size_t slow_before = slow.read.size();
  const size_t quick_before = quick.read.size();
  for (int i = 0; i < 400; ++i) {
    world_.Add("room", absl::StrCat(i));
    Messages(slow, absl::Milliseconds(10));
  }
  EXPECT_EQ(slow.read.size() - slow_before, 2u);
  EXPECT_EQ(quick.read.size() - quick_before, 40u);
}

TEST_F(WatchCountsTest, ManyChangedNamesAreCountedOverSeveralSteps) {
  TestClient& client = Open(Prefix("room:"));
  for (int i = 0; i < 5000; ++i) world_.Add(absl::StrCat("room:", i), "ann");
  Messages(client, absl::Seconds(1));
  EXPECT_LT(client.counts.size(), 5000u);
  world_.Settle();
  EXPECT_EQ(client.counts.size(), 5000u);
}

TEST_F(WatchCountsTest, AWatcherThatDoesNotReadGetsAllCountsAfresh) {
  WatchWorld world({.max_queued = 3});
  TestClient& client =
      world.Open(CountsOf(Topics({"room"}), absl::Milliseconds(100)));
  world.Settle();
  for (int i = 0; i < 100; ++i) {
    world.Add("room", absl::StrCat(i));
    world.Tick(absl::Milliseconds(100));
  }
  world.Deliver();
  EXPECT_EQ(client.queue.size(), 3u);
  world.Settle();
  EXPECT_EQ(client.resets, 2u);
  EXPECT_EQ(client.counts["room"], Pair(100, 100));
}

TEST_F(WatchCountsTest, EndedCountsAreNotSent) {
  TestClient& client = Open(Topics({"room"}));
  world_.Add("room", "ann");
  world_.Tick();  // It is scheduled.
  world_.Close(client);
  TestClient& other = Open(Topics({"other"}));
  world_.Add("other", "ann");
  world_.Close(other);  // Before it is scheduled.
  world_.Tick(absl::Seconds(10));
  EXPECT_TRUE(world_.out.watch.empty());
}

}  // namespace
}  // namespace muster::core
