// Watches of keys: what is told of them around a state's cursor, in every
// scope, and to those who resume. TestClient checks each number and flag.
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/core/watch/watch_fixture.h"

namespace muster::core {
namespace {

using crdt::RowIdx;

TestClient& OpenKeys(WatchWorld& world, WatchRequest request) {
  return world.Open(Detailed(std::move(request), WatchDetail::kKeys));
}

KeyRoster ShownKeys(const WatchWorld& world, const TestClient& client) {
  return KeysOf(world.Shown(client.request));
}

// Messages that tell of a key since the first `from`.
size_t Told(const TestClient& client, size_t from) {
  size_t told = 0;
  for (size_t i = from; i < client.read.size(); ++i) {
    told += client.read[i]->diffs.empty() ? 0 : 1;
  }
  return told;
}

TEST(WatchKeysTest, EntriesOfAKeyAreToldAsANumber) {
  WatchWorld world;
  const RowIdx first = world.Add("room", "ann");
  TestClient& client = OpenKeys(world, Topics({"room"}));
  world.Settle();
  EXPECT_EQ(client.keys, (KeyRoster{{{"room", "ann"}, 1}}));
  const RowIdx second = world.Add("room", "ann");
  world.Add("room", "bob");
  world.Settle();
  EXPECT_EQ(client.keys,
            (KeyRoster{{{"room", "ann"}, 2}, {{"room", "bob"}, 1}}));
  world.Remove(first);
  world.Remove(second);
  world.Settle();
  EXPECT_EQ(client.keys, (KeyRoster{{{"room", "bob"}, 1}}));
  EXPECT_TRUE(client.roster.empty());
}

TEST(WatchKeysTest, UpdatesAndReplacementsAreNoNews) {
  WatchWorld world;
  RowIdx row = world.Add("room", "ann");
  TestClient& client = OpenKeys(world, Topics({"room"}));
  world.Settle();
  const size_t before = client.read.size();
  world.Update(row, "new");
  world.Settle();
  EXPECT_EQ(client.read.size(), before) << "nothing was sent";
  world.Remove(row);
  row = world.Add("room", "ann");
  world.Settle();
  EXPECT_EQ(Told(client, before), 0u);
  EXPECT_EQ(client.version, world.hub.counter());
}

TEST(WatchKeysTest, AChangeAheadOfTheCursorIsNotLost) {
  WatchWorld world;
  // ann is in the first slice and in the last.
  world.Add("room", "ann");
  std::vector<RowIdx> rows;
  for (int i = 0; i < 1000; ++i) {
    rows.push_back(world.Add("room", absl::StrCat("u", i)));
  }
  const RowIdx late = world.Add("room", "ann");
  TestClient& client = OpenKeys(world, Topics({"room"}));
  ASSERT_TRUE(world.RunSlice());
  world.Read(client);
  EXPECT_EQ((client.keys[{"room", "ann"}]), 2u);
  ASSERT_FALSE(client.keys.contains({"room", "u999"}));
  world.Remove(late);
  world.Remove(rows[999]);
  world.Add("room", "u998");
  world.Flush();
  world.Read(client);
  EXPECT_EQ((client.keys[{"room", "ann"}]), 1u);
  EXPECT_EQ((client.keys[{"room", "u998"}]), 2u);
  EXPECT_FALSE(client.complete);
  world.Settle();
  EXPECT_TRUE(client.complete);
  EXPECT_EQ(client.keys, ShownKeys(world, client));
}

TEST(WatchKeysTest, AKeyOfVeryManyEntriesIsToldOnceASlice) {
  WatchWorld world;
  for (int i = 0; i < 2000; ++i) world.Add("room", "bot");
  TestClient& client = OpenKeys(world, Topics({"room"}));
  world.Settle();
  EXPECT_EQ(client.keys, (KeyRoster{{{"room", "bot"}, 2000}}));
  for (const auto& batch : client.read) {
    for (const TopicState& state : batch->state) {
      EXPECT_EQ(state.keys.size(), 1u);
    }
  }
}

TEST(WatchKeysTest, AFriendsListIsToldOfEachTopicOfItsKeys) {
  WatchWorld world;
  for (int i = 0; i < 300; ++i) {
    world.Add(absl::StrCat("room", i), "ann");
    world.Add(absl::StrCat("room", i), "ann");
  }
  TestClient& client = OpenKeys(world, Keys({"ann", "bob"}));
  world.RunSlice();
  world.Read(client);
  const RowIdx row = world.Add("room0", "ann");
  world.Add("room299", "bob");
  world.Settle();
  EXPECT_EQ((client.keys[{"room0", "ann"}]), 3u);
  EXPECT_EQ(client.keys.size(), 301u);
  world.Remove(row);
  world.Settle();
  EXPECT_EQ(client.keys, ShownKeys(world, client));
}

TEST(WatchKeysTest, WhatWasMissedIsToldAsOneChangeOfTheKey) {
  WatchWorld world;
  const RowIdx gone = world.Add("room", "ann");
  const RowIdx back = world.Add("room", "bob");
  TestClient& client = OpenKeys(world, Prefix("ro"));
  world.Settle();
  world.Close(client);
  world.Remove(gone);
  world.Remove(back);
  world.Add("room", "bob");
  world.Add("room", "eve");
  world.Add("room", "eve");
  const size_t before = client.read.size();
  world.Reopen(client);
  world.Settle();
  EXPECT_EQ(client.resets, 1u);
  EXPECT_EQ(Told(client, before), 1u);
  EXPECT_EQ(client.keys,
            (KeyRoster{{{"room", "bob"}, 1}, {{"room", "eve"}, 2}}));
}

TEST(WatchKeysTest, EntriesAndKeysComeTogetherOnceTheStateIsComplete) {
  WatchWorld world;
  std::vector<RowIdx> rows;
  for (int i = 0; i < 600; ++i) {
    rows.push_back(world.Add("room", absl::StrCat("u", i % 300)));
  }
  TestClient& client =
      world.Open(Detailed(Topics({"room"}), WatchDetail::kEntriesAndKeys));
  world.RunSlice();
  world.Read(client);
  ASSERT_FALSE(client.complete);
  world.Remove(rows[0]);    // Behind the cursor;
  world.Remove(rows[599]);  // ahead of it.
  world.Flush();
  world.Settle();
  EXPECT_EQ(client.keys, ShownKeys(world, client));
  // Both of one key, in a diff of two parts.
  world.store.Hide(rows[1]);
  world.store.Hide(rows[301]);
  world.store.Show(rows[1]);
  world.Settle();
  EXPECT_EQ((client.keys[{"room", "u1"}]), 1u);
  EXPECT_EQ(client.roster, world.Shown(client.request));
}

TEST(WatchKeysTest, AQuietWatchIsGivenNewVersionsInTime) {
  WatchWorld world({.history = 100});
  TestClient& client = OpenKeys(world, Topics({"room"}));
  const RowIdx row = world.Add("room", "ann");
  world.Settle();
  const uint64_t version = client.version;
  for (int i = 0; i < 50; ++i) world.Update(row, absl::StrCat(i));
  world.Tick(absl::Seconds(11));
  world.Settle();
  EXPECT_EQ(client.version, version + 50);
}

}  // namespace
}  // namespace muster::core
