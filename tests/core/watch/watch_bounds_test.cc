// What one step of the hub does at most, and that nothing is lost between two
// steps.
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

constexpr size_t kMany = 10'000;

std::vector<std::string> Names(size_t count) {
  std::vector<std::string> names;
  for (size_t i = 0; i < count; ++i) names.push_back(absl::StrCat("n", i));
  return names;
}

// ------------------------------------------------------------ many watchers

class ManyWatchersTest : public testing::Test {
 protected:
  ManyWatchersTest() {
    for (size_t i = 0; i < kMany; ++i) world_.Open(Topics({"room"}));
    world_.Settle();
  }
  // Runs steps until nothing is left; the most messages of one, and all.
  struct Sent {
    size_t most = 0;
    std::vector<WatchEvent> all;
  };
  Sent RunAll() {
    Sent sent;
    const auto take = [&] {
      sent.most = std::max(sent.most, world_.out.watch.size());
      for (WatchEvent& event : world_.out.watch) {
        sent.all.push_back(event);
      }
      world_.Deliver();
    };
    world_.Flush();
    take();
    while (world_.hub.has_work()) {
      world_.RunSlice();
      take();
    }
    return sent;
  }
  WatchWorld world_;
};

TEST_F(ManyWatchersTest, TheyShareOneBatchWhichTakesSeveralSteps) {
  EXPECT_EQ(world_.hub.channels(), 1u);
  const uint64_t batches = world_.hub.counters().batches;
  world_.Add("room", "ann");
  const Sent sent = RunAll();
  EXPECT_LE(sent.most, WatchStep().messages);
  EXPECT_EQ(world_.hub.counters().batches, batches + 1);
  ASSERT_EQ(sent.all.size(), kMany);
  for (const WatchEvent& event : sent.all) {
    EXPECT_EQ(event.batch, sent.all[0].batch);
  }
}

TEST_F(ManyWatchersTest, ThoseThatComeAndGoMeanwhileMissNothing) {
  world_.Add("room", "ann");
  world_.Flush();
  world_.Deliver();
  ASSERT_TRUE(world_.hub.has_work());
  // Of those that were told already, and of those that were not.
  for (size_t i = 0; i < kMany; i += 3) world_.Close(*world_.clients[i]);
  world_.Add("room", "bob");
  for (int i = 0; i < 10; ++i) world_.Open(Topics({"room"}));
  world_.RunSlice();
  world_.Deliver();
  world_.Add("room", "cid");
  world_.Settle();
  const Roster shown = world_.Shown(Topics({"room"}));
  ASSERT_EQ(shown.size(), 3u);
  for (const auto& client : world_.clients) {
    if (client->open) {
      ASSERT_EQ(client->roster, shown);
    }
  }
}

TEST_F(ManyWatchersTest, CountsTakeSeveralStepsToo) {
  WatchWorld world;
  for (size_t i = 0; i < kMany; ++i) world.Open(CountsOf(Topics({"room"})));
  world.Settle();
  world.Add("room", "ann");
  world.Tick(absl::Seconds(1));
  EXPECT_LE(world.out.watch.size(), 2 * WatchStep().messages);
  world.Settle();
  for (const auto& client : world.clients) {
    ASSERT_EQ(client->counts["room"], std::make_pair(uint64_t{1}, uint64_t{1}));
  }
}

// ------------------------------------------------------------- many channels

TEST(ManyChannelsTest, AChangeThatConcernsManyIsRoutedInSteps) {
  WatchWorld world;
  for (size_t i = 0; i < 5'000; ++i) {
    world.Open(Keys({"star", absl::StrCat("own", i)}));
  }
  world.Settle();
  ASSERT_EQ(world.hub.channels(), 5'000u);
  const RowIdx star = world.Add("room", "star");
  world.Update(star, "2");
  world.Flush();
  EXPECT_LE(world.out.watch.size(), WatchStep().messages);
  EXPECT_TRUE(world.hub.has_work());
  // Some end in the middle of it, and others come.
  for (size_t i = 0; i < 5'000; i += 7) world.Close(*world.clients[i]);
  world.Open(Keys({"star"}));
  world.RunSlice();
  world.Remove(star);
  world.Add("room", "star", "3");
  world.Settle();
  const Roster shown = world.Shown(Keys({"star"}));
  ASSERT_EQ(shown.size(), 1u);
  for (const auto& client : world.clients) {
    if (client->open) {
      ASSERT_EQ(client->roster, shown);
    }
  }
}

TEST(ManyChannelsTest, ATopicThatIsGoneBeforeItsChangesAreRoutedHasThemStill) {
  WatchWorld world({}, 1, {.messages = 4, .names = 1});
  for (int i = 0; i < 20; ++i) {
    world.Open(CountsOf(Prefix("ro"), absl::Milliseconds(100 + i)));
  }
  TestClient& client = world.Open(Prefix("roo"));
  world.Settle();
  const RowIdx ann = world.Add("room", "ann");
  world.Remove(ann);
  ASSERT_EQ(world.store.topics().size(), 0u);
  world.Settle();
  ASSERT_EQ(client.read.size(), 2u);
  EXPECT_EQ(client.read.back()->diffs[0].joins.size(), 1u);
  EXPECT_EQ(client.read.back()->diffs[0].leaves.size(), 1u);
}

TEST(ManyChannelsTest, WhoeverIsTooFarBehindIsToldAtOnce) {
  WatchWorld world({.history = 10}, 1, {.messages = 1, .names = 1});
  for (int i = 0; i < 10; ++i) {
    world.Open(Topics({"room", absl::StrCat("own", i)}));
  }
  world.Settle();
  const size_t bytes = world.hub.bytes();
  size_t most = 0;
  for (uint64_t i = 0; i < 3 * WatchHub::kMaxBehind; ++i) {
    world.Remove(world.Add("room", "ann"));
    world.Flush();
    most = std::max(most, world.hub.bytes());
    for (WatchEvent& event : world.out.watch) {
      world.hub.WatchWritten(event.watch, 1, world.now, world.out);
    }
    world.out.watch.clear();
  }
  EXPECT_LT(most - bytes, 2 * WatchHub::kMaxBehind * 200);
}

// ---------------------------------------------------------------- many names

TEST(ManyNamesTest, TheyEnterTheIndexInSlices) {
  WatchWorld world;
  TestClient& client = world.Open(Topics(Names(kMany)));
  EXPECT_LE(world.store.topics().size(), WatchStep().names);
  for (size_t before = world.store.topics().size(); world.RunSlice();) {
    world.Read(client);
    // And one that is there without having entered.
    EXPECT_LE(world.store.topics().size(), before + WatchStep().names + 1);
    before = world.store.topics().size();
    // In a topic that has entered, and in one that has not.
    if (before < kMany) {
      world.Add("n0", absl::StrCat(before));
      world.Add("n9999", absl::StrCat(before));
    }
  }
  EXPECT_EQ(world.store.topics().size(), kMany);
  world.Settle();
  EXPECT_EQ(client.roster, world.Shown(Topics({"n0", "n9999"})));
  EXPECT_GT(client.roster.size(), 50u);
}

TEST(ManyNamesTest, TheyLeaveTheIndexInSlices) {
  WatchWorld world;
  TestClient& first = world.Open(Topics(Names(kMany)));
  world.Settle();
  world.Close(first);
  EXPECT_EQ(world.hub.channels(), 0u);
  EXPECT_GE(world.store.topics().size(), kMany - WatchStep().names);
  // The same once more, while the names of the first one leave.
  TestClient& second = world.Open(Topics(Names(kMany)));
  world.Add("n0", "ann");
  world.Add("n9999", "ann");
  for (size_t n = 0; n < 10; ++n) world.RunSlice();
  world.Add("n0", "bob");
  world.Add("n9999", "bob");
  world.Settle();
  EXPECT_EQ(second.roster, world.Shown(second.request));
  EXPECT_EQ(second.roster.size(), 4u);
  world.Close(second);
  for (size_t before = world.store.topics().size(); world.RunSlice();) {
    EXPECT_GE(world.store.topics().size() + WatchStep().names, before);
    before = world.store.topics().size();
  }
  EXPECT_EQ(world.store.topics().size(), 2u);
}

TEST(ManyNamesTest, AWatchThatEndsBeforeAllHaveEnteredLeavesNone) {
  WatchWorld world;
  for (const WatchRequest& request :
       {Topics(Names(kMany)), Keys(Names(kMany))}) {
    TestClient& client = world.Open(request);
    world.RunSlice();
    world.Add("n1", "n1");
    world.Close(client);
    while (world.hub.has_work()) world.RunSlice();
  }
  EXPECT_EQ(world.store.topics().size(), 1u);
  EXPECT_TRUE(world.out.watch.empty());
}

TEST(ManyNamesTest, AWatchThatResumesIsToldWhatItMissedOfAllOfThem) {
  WatchWorld world;
  TestClient& client = world.Open(Keys(Names(kMany)));
  world.Settle();
  world.Close(client);
  world.Add("room", "n0");
  world.Add("room", "n9999");
  world.Reopen(client);
  world.RunSlice();
  world.Add("room", "n1");
  world.Add("room", "n9998");
  world.Settle();
  EXPECT_EQ(client.resets, 1u);
  EXPECT_EQ(client.roster.size(), 4u);
  EXPECT_EQ(client.roster, world.Shown(client.request));
  world.Add("room", "n5000");
  world.Settle();
  EXPECT_EQ(client.roster.size(), 5u);
}

// ------------------------------------------------------------------ a crowd

TEST(CrowdTest, TheStateOfAKeyOfManyEntriesIsWholeThoughItChangesMeanwhile) {
  WatchWorld world;
  std::vector<RowIdx> rows;
  for (int i = 0; i < 2'000; ++i) {
    rows.push_back(world.Add(absl::StrCat("room", i % 50), "star"));
  }
  TestClient& client = world.Open(Keys({"star"}));
  TestClient& counts = world.Open(CountsOf(Keys({"star"})));
  // Behind and ahead of the cursor.
  for (size_t i = 0; world.RunSlice(); i += 60) {
    world.Update(rows[i], "new");
    world.store.Hide(rows[i + 1]);
    world.Remove(rows[i + 2]);
    world.Add("room0", "star");
    world.Add("room49", "star");
    world.Read(client);
    world.Read(counts);
  }
  world.Settle();
  EXPECT_GE(client.states, 2'000 / kSliceRows);
  EXPECT_EQ(client.roster, world.Shown(client.request));
  world.Tick(absl::Seconds(1));
  world.Settle();
  EXPECT_EQ(counts.counts, world.Counted(counts.request));
  EXPECT_EQ(world.store.Audit(), "");
}

}  // namespace
}  // namespace muster::core
