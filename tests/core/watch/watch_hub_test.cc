// Scopes, diffs, versions and errors of watches.
#include "node/core/watch/watch_hub.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/core/watch/watch_fixture.h"

namespace muster::core {
namespace {

using crdt::RowIdx;
using testing::HasSubstr;

TEST(WatchHubTest, AWatchGetsTheStateThenEveryChange) {
  WatchWorld world;
  const RowIdx ann = world.Add("room", "ann", "1");
  world.Add("other", "bob");
  TestClient& client = world.Open(Topics({"room"}));
  world.Settle();
  ASSERT_EQ(client.read.size(), 1u);
  EXPECT_TRUE(client.read[0]->reset);
  EXPECT_TRUE(client.read[0]->state_complete);
  EXPECT_EQ(client.read[0]->version_counter, world.hub.counter());
  EXPECT_EQ(client.roster, world.Shown(client.request));

  const crdt::Ref before = world.store.ref(ann);
  world.Update(ann, "2");
  world.Add("room", "cid");
  world.Flush();
  world.Deliver();
  ASSERT_EQ(client.queue.size(), 1u);
  const WatchBatch& diff = *client.queue[0];
  EXPECT_FALSE(diff.reset);
  EXPECT_FALSE(diff.state_complete);
  EXPECT_TRUE(diff.state.empty());
  EXPECT_EQ(diff.version_counter, world.hub.counter());
  ASSERT_EQ(diff.diffs.size(), 1u);
  ASSERT_EQ(diff.diffs[0].updates.size(), 1u);
  EXPECT_EQ(diff.diffs[0].updates[0].ref_prev, before);
  EXPECT_EQ(diff.diffs[0].updates[0].meta, "2");
  world.Read(client);
  EXPECT_EQ(client.roster, world.Shown(client.request));

  world.Remove(ann);
  world.Settle();
  EXPECT_EQ(client.roster.size(), 1u);
  EXPECT_EQ(client.roster, world.Shown(client.request));
}

TEST(WatchHubTest, AnEmptyTopicIsCompleteAtOnce) {
  WatchWorld world;
  TestClient& client = world.Open(Topics({"nobody"}));
  EXPECT_TRUE(world.out.more_work);
  world.Settle();
  ASSERT_EQ(client.read.size(), 1u);
  EXPECT_TRUE(client.read[0]->reset);
  EXPECT_TRUE(client.read[0]->state_complete);
  EXPECT_TRUE(client.read[0]->state.empty());
  EXPECT_NE(client.version, 0u);
}

TEST(WatchHubTest, ChangesElsewhereSendNothing) {
  WatchWorld world;
  TestClient& client = world.Open(Topics({"room"}));
  world.Settle();
  world.Add("roomy", "ann");
  world.Add("roo", "ann");
  world.Settle();
  EXPECT_EQ(client.read.size(), 1u);
  world.Add("room", "ann");  // The marker: it would have come after them.
  world.Settle();
  EXPECT_EQ(client.read.size(), 2u);
}

TEST(WatchHubTest, HiddenEntriesAreNotThere) {
  WatchWorld world;
  const RowIdx hidden = world.Add("room", "ann", "m", /*show=*/false);
  TestClient& client = world.Open(Topics({"room"}));
  world.Settle();
  EXPECT_TRUE(client.roster.empty());
  world.Update(hidden, "new");
  world.Settle();
  EXPECT_EQ(client.read.size(), 1u);
  world.store.Show(hidden);
  world.Settle();
  EXPECT_EQ(client.roster.size(), 1u);
}

TEST(WatchHubTest, TheOrderOfTopicsInARequestDoesNotMatter) {
  WatchWorld world;
  world.Open(Topics({"a", "b", "a"}));
  world.Open(Topics({"b", "a"}));
  EXPECT_EQ(world.hub.channels(), 1u);
  world.Add("a", "ann");
  world.Settle();
  EXPECT_EQ(world.clients[0]->roster.size(), 1u);
}

TEST(WatchHubTest, OneFlushIsOneMessageHoweverManyTopicsItTouches) {
  WatchWorld world;
  std::vector<std::string> topics;
  for (int i = 0; i < 500; ++i) topics.push_back(absl::StrCat("t", i));
  TestClient& client = world.Open(Topics(topics));
  world.Settle();
  const size_t before = client.read.size();
  for (const std::string& topic : topics) world.Add(topic, "ann");
  world.Settle();
  EXPECT_EQ(client.read.size(), before + 1);
  EXPECT_EQ(client.roster.size(), 500u);
}

TEST(WatchHubTest, AnEntryThatJoinsAndLeavesInOneFlushIsGone) {
  WatchWorld world;
  TestClient& client = world.Open(Topics({"room"}));
  world.Settle();
  world.Remove(world.Add("room", "ann"));
  const RowIdx bob = world.Add("room", "bob");
  world.Update(bob, "2");
  world.Update(bob, "3");
  world.Settle();
  EXPECT_EQ(client.roster, world.Shown(client.request));
  EXPECT_EQ(client.roster.size(), 1u);
}

TEST(WatchHubTest, ARowHiddenAndShownAgainInOneFlushIsThere) {
  WatchWorld world;
  const RowIdx ann = world.Add("room", "ann");
  TestClient& client = world.Open(Topics({"room"}));
  world.Settle();
  for (int i = 0; i < 3; ++i) {
    world.store.Hide(ann);
    world.store.Show(ann);
  }
  world.Flush();
  world.Deliver();
  ASSERT_EQ(client.queue.size(), 4u);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(client.queue[i]->version_counter, 0u);
  EXPECT_EQ(client.queue[3]->version_counter, world.hub.counter());
  world.Read(client);
  EXPECT_EQ(client.roster, world.Shown(client.request));
}

TEST(WatchHubTest, AnAdoptionIsAnUpdateOnlyIfTheRefChanges) {
  WatchWorld world;
  const RowIdx here = world.Add("room", "ann", "1");
  TestClient& client = world.Open(Topics({"room"}));
  world.Settle();
  const crdt::Ref ref = world.store.ref(here);
  const RowIdx adopted = world.Add("room", "ann", "1", false, 1, ref);
  world.store.Transfer(here, adopted);
  world.Remove(here);
  world.Settle();
  EXPECT_EQ(client.read.size(), 1u) << "the same ref: nothing happened";

  const RowIdx later = world.Add("room", "ann", "2", false, 0);
  world.store.Transfer(adopted, later);
  world.Remove(adopted);
  world.Settle();
  ASSERT_EQ(client.read.size(), 2u);
  ASSERT_EQ(client.read[1]->diffs[0].updates.size(), 1u);
  EXPECT_EQ(client.read[1]->diffs[0].updates[0].ref_prev, ref);
  EXPECT_EQ(client.roster, world.Shown(client.request));
}

TEST(WatchHubTest, LargeDiffsComeInPartsAndTheVersionWithTheLast) {
  WatchWorld world;
  TestClient& client = world.Open(Topics({"room"}));
  world.Settle();
  for (int i = 0; i < 300; ++i) {
    world.Add("room", absl::StrCat("u", i), std::string(1000, 'x'));
  }
  world.Flush();
  world.Deliver();
  ASSERT_GE(client.queue.size(), 5u);
  for (const auto& part : client.queue) {
    EXPECT_EQ(part->version_counter != 0, part == client.queue.back());
    EXPECT_LE(part->arena.used(), kWatchBatchBytes + 1100);
  }
  world.Read(client);
  EXPECT_EQ(client.roster.size(), 300u);
}

// ------------------------------------------------------------------ scopes

TEST(WatchHubTest, APrefixCoversTopicsThatAppearLater) {
  WatchWorld world;
  world.Add("room:1", "ann");
  world.Add("lobby", "ann");
  TestClient& client = world.Open(Prefix("room:"));
  world.Settle();
  EXPECT_EQ(client.roster.size(), 1u);
  world.Add("room:2", "bob");
  world.Add("roon", "bob");
  const RowIdx cid = world.Add("room:", "cid");
  world.Settle();
  EXPECT_EQ(client.roster, world.Shown(client.request));
  EXPECT_EQ(client.roster.size(), 3u);
  world.Remove(cid);
  world.Settle();
  world.Add("room:", "cid");
  world.Settle();
  EXPECT_EQ(client.roster.size(), 3u);
}

TEST(WatchHubTest, NestedPrefixesEachGetTheChange) {
  WatchWorld world;
  world.Add("a:b:c", "early");
  std::vector<TestClient*> clients;
  for (const char* prefix : {"a", "a:", "a:b:", "a:b:c", "a:b:c:d", "b"}) {
    clients.push_back(&world.Open(Prefix(prefix)));
    world.Add("a:b:c", absl::StrCat("after ", prefix));
  }
  world.Settle();
  for (const TestClient* client : clients) {
    EXPECT_EQ(client->roster, world.Shown(client->request));
  }
  world.Close(*clients[1]);
  world.Add("a:b:c", "late");
  world.Settle();
  EXPECT_EQ(clients[0]->roster.size(), 8u);
  EXPECT_EQ(clients[2]->roster.size(), 8u);
  EXPECT_EQ(clients[5]->roster.size(), 0u);
}

TEST(WatchHubTest, AFriendsListFollowsItsKeysInAnyTopic) {
  WatchWorld world;
  world.Add("x", "ann");
  world.Add("y", "ann");
  world.Add("y", "bob");
  TestClient& client = world.Open(Keys({"bob", "ann", "eve"}));
  world.Settle();
  EXPECT_EQ(client.roster.size(), 3u);
  const RowIdx eve = world.Add("z", "eve");
  world.Add("z", "mallory");
  world.Settle();
  EXPECT_EQ(client.roster, world.Shown(client.request));
  EXPECT_EQ(client.roster.size(), 4u);
  world.Remove(eve);
  world.Settle();
  EXPECT_EQ(client.roster.size(), 3u);
}

TEST(WatchHubTest, EndedWatchesLeaveNothingBehind) {
  WatchWorld world;
  const size_t bytes = world.hub.bytes();
  for (int i = 0; i < 3; ++i) {
    world.Open(Topics({"none", "room:1"}));
    world.Open(Prefix("room:"));
    world.Open(Keys({"ann", "bob"}));
    world.Open(CountsOf(Prefix("room:")));
    const RowIdx ann = world.Add("room:1", "ann");
    world.Settle();
    world.Update(ann, "pending");
    world.Remove(ann);
    for (const auto& client : world.clients) world.Close(*client);
    world.clients.clear();
    EXPECT_EQ(world.hub.watchers(), 0u);
    EXPECT_EQ(world.hub.channels(), 0u);
    EXPECT_EQ(world.store.topics().size(), 0u) << "no topic is pinned";
    world.Flush();
    world.Tick(absl::Seconds(5));
    EXPECT_TRUE(world.out.watch.empty());
  }
  EXPECT_LT(world.hub.bytes() - bytes, 300'000u) << "one chunk of the ring";
}

TEST(WatchHubTest, AWatchEndedBetweenAChangeAndItsFlushGetsNothing) {
  WatchWorld world;
  TestClient& gone = world.Open(Topics({"room"}));
  TestClient& stays = world.Open(Prefix("ro"));
  world.Settle();
  world.Add("room", "ann");
  world.Close(gone);
  world.Settle();  // An event for an ended watch would fail in Deliver.
  EXPECT_EQ(stays.roster.size(), 1u);
}

// ---------------------------------------------------------------- versions

TEST(WatchHubTest, EveryDiffHasTheNodesLastCounterAsItsVersion) {
  WatchWorld world;
  TestClient& client = world.Open(Topics({"room"}));
  world.Settle();
  uint64_t last = client.version;
  for (int i = 0; i < 10; ++i) {
    world.Add("elsewhere", absl::StrCat(i));
    world.Add("room", absl::StrCat(i));
    world.Settle();
    EXPECT_EQ(client.version, last + 2);
    EXPECT_EQ(client.version, world.hub.counter());
    last = client.version;
  }
}

TEST(WatchHubTest, BeforeTheFirstWatchChangesAreOnlyCounted) {
  WatchWorld world;
  for (int i = 0; i < 100; ++i) world.Add("room", absl::StrCat(i));
  EXPECT_EQ(world.hub.counter(), 101u);
  EXPECT_EQ(world.hub.bytes(), 0u);
}

// ------------------------------------------------------------------ errors

TEST(WatchHubTest, OneWatcherTooManyIsRefusedWithTheLimit) {
  WatchWorld world({.max_watchers = 2});
  TestClient& first = world.Open(Topics({"a"}));
  world.Open(Topics({"b"}));
  const auto refused = world.hub.Watch(Topics({"c"}), world.now, world.out);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(refused.status().message(),
            "watches: this node serves 2, its limit (--max-watchers)");
  EXPECT_EQ(world.store.topics().size(), 2u) << "nothing has changed";
  world.Close(first);
  EXPECT_TRUE(world.hub.Watch(Topics({"c"}), world.now, world.out).ok());
}

TEST(WatchHubTest, AVersionFromTheFutureIsRefused) {
  WatchWorld world;
  WatchRequest request = Topics({"a"});
  request.version_life = kSelf;
  request.version_counter = 2;
  const auto refused = world.hub.Watch(request, world.now, world.out);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(refused.status().message(),
            "version: its counter 2 is from the future, the last change of "
            "this node is 1");
  EXPECT_EQ(world.hub.watchers(), 0u);
  // Of another life, any counter may be.
  request.version_life = {1, 1};
  EXPECT_TRUE(world.hub.Watch(request, world.now, world.out).ok());
}

TEST(WatchHubTest, AWatchNamesOneKindOfScope) {
  WatchWorld world;
  WatchRequest both = Topics({"a"});
  both.prefix = "b";
  for (const WatchRequest& request : {both, WatchRequest{}}) {
    const auto refused = world.hub.Watch(request, world.now, world.out);
    EXPECT_EQ(refused.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(refused.status().message()),
                HasSubstr("exactly one of topics, prefix and keys"));
  }
}

TEST(WatchHubTest, UnknownWatchesAreIgnored) {
  WatchWorld world;
  world.hub.EndWatch(77);
  world.hub.WatchWritten(77, 3, world.now, world.out);
  EXPECT_FALSE(world.out.more_work);
  EXPECT_EQ(world.hub.watchers(), 0u);
}

}  // namespace
}  // namespace muster::core
