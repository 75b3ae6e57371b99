// Versions: what a watch that comes back is told, and slow watchers.
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "node/core/watch/watch_hub.h"
#include "tests/core/watch/watch_fixture.h"

namespace muster::core {
namespace {

using crdt::RowIdx;

// A client that was live and then went away.
class WatchResumeTest : public testing::Test {
 protected:
  WatchResumeTest() { Begin({}); }
  void Begin(WatchOptions options) {
    world_ = std::make_unique<WatchWorld>(options);
    ann_ = world_->Add("room", "ann");
    client_ = &world_->Open(Topics({"room"}));
    world_->Settle();
    world_->Close(*client_);
    client_->read.clear();
    client_->states = client_->resets = 0;
  }
  void Change(int changes, const std::string& meta = "m") {
    for (int i = 0; i < changes; ++i) {
      world_->Update(ann_, meta);
      if (i % 100 == 0) world_->Flush();
    }
  }
  void ExpectNoState() {
    EXPECT_EQ(client_->resets, 0u);
    EXPECT_EQ(client_->states, 0u);
    ExpectWhole();
  }
  void ExpectWhole() {
    EXPECT_TRUE(client_->complete);
    EXPECT_EQ(client_->version, world_->hub.counter());
    EXPECT_EQ(client_->roster, world_->Shown(client_->request));
  }

  std::unique_ptr<WatchWorld> world_;
  TestClient* client_ = nullptr;
  RowIdx ann_ = 0;
};

TEST_F(WatchResumeTest, AResumedWatchGetsNoStateButWhatItMissed) {
  Change(3);
  world_->Add("room", "bob");
  world_->Add("other", "bob");
  world_->Reopen(*client_);
  world_->Settle();
  ASSERT_EQ(client_->read.size(), 1u);
  const WatchBatch& batch = *client_->read[0];
  EXPECT_TRUE(batch.state_complete);
  EXPECT_FALSE(batch.reset);
  ASSERT_EQ(batch.diffs.size(), 1u);
  EXPECT_EQ(batch.diffs[0].updates.size(), 3u);
  EXPECT_EQ(batch.diffs[0].joins.size(), 1u);
  ExpectNoState();
  EXPECT_EQ(world_->hub.counters().resumes, 1u);
}

TEST_F(WatchResumeTest, AWatchThatMissedNothingIsToldThatItIsLive) {
  world_->Reopen(*client_);
  world_->Settle();
  ASSERT_EQ(client_->read.size(), 1u);
  EXPECT_TRUE(client_->read[0]->diffs.empty());
  EXPECT_TRUE(client_->read[0]->state_complete);
  ExpectNoState();
  Change(1);
  world_->Settle();
  EXPECT_EQ(client_->read.size(), 2u);
  ExpectNoState();
}

TEST_F(WatchResumeTest, TenThousandDiffsOf256BytesAreKeptByDefault) {
  Change(10'000, std::string(256, 'x'));
  world_->Reopen(*client_);
  world_->Settle();
  ExpectNoState();
  size_t updates = 0;
  for (const auto& batch : client_->read) {
    for (const TopicDiff& diff : batch->diffs) updates += diff.updates.size();
  }
  EXPECT_EQ(updates, 10'000u);
  EXPECT_LT(world_->hub.bytes(), 10u << 20);
}

TEST_F(WatchResumeTest, WhatWasMissedComesInSlices) {
  Change(10'000, std::string(256, 'x'));
  world_->Reopen(*client_);
  while (world_->RunSlice()) {
  }
  world_->Deliver();
  EXPECT_EQ(client_->queue.size(), WatchHub::kSlicesInFlight);
  for (const auto& batch : client_->queue) {
    EXPECT_LE(batch->arena.used(), kWatchBatchBytes + 1000);
    EXPECT_FALSE(batch->state_complete);
  }
  Change(1);  // Not yet: it comes in its turn.
  world_->Flush();
  world_->Deliver();
  EXPECT_EQ(client_->queue.size(), WatchHub::kSlicesInFlight);
  world_->Settle();
  ExpectNoState();
}

TEST_F(WatchResumeTest, AWatchCanResumeFromTheMiddleOfWhatItMissed) {
  Change(2000);
  world_->Reopen(*client_);
  world_->RunSlice();
  world_->Read(*client_, 1);
  EXPECT_FALSE(client_->complete);
  world_->Reopen(*client_);
  world_->Settle();
  ExpectNoState();
}

TEST_F(WatchResumeTest, ChangesNotYetFlushedAreNotToldTwice) {
  world_->Open(Topics({"room"}));
  world_->Settle();
  Change(1);
  world_->Update(ann_, "pending in the channel");
  world_->Reopen(*client_);
  world_->Settle();
  ExpectNoState();
}

TEST_F(WatchResumeTest, TooLateIsAFreshState) {
  Begin({.history = 100});
  Change(101);
  world_->Reopen(*client_);
  world_->Settle();
  EXPECT_EQ(client_->resets, 1u);
  ExpectWhole();
}

TEST_F(WatchResumeTest, TheLastChangeThatTheRingHoldsIsNotTooLate) {
  Begin({.history = 100});
  Change(100);
  world_->Reopen(*client_);
  world_->Settle();
  ExpectNoState();
}

TEST_F(WatchResumeTest, AWatchThatTheRingOvertakesStartsAfresh) {
  Begin({.history = 2000});
  Change(2000);
  world_->Reopen(*client_);
  world_->RunSlice();
  Change(2000);
  world_->Settle();
  EXPECT_EQ(client_->resets, 1u);
  ExpectWhole();
}

TEST_F(WatchResumeTest, AVersionOfAnotherLifeIsAFreshState) {
  WatchRequest request = client_->request;
  request.version_life = {1, 2};
  request.version_counter = client_->version;
  const auto id = world_->hub.Watch(request, world_->now, world_->out);
  ASSERT_TRUE(id.ok());
  world_->RunSlice();
  ASSERT_EQ(world_->out.watch.size(), 1u);
  EXPECT_TRUE(world_->out.watch[0].batch->reset);
  EXPECT_EQ(world_->out.watch[0].batch->state.size(), 1u);
  world_->out.watch.clear();
}

TEST_F(WatchResumeTest, PrefixesAndKeysResumeToo) {
  TestClient& prefix = world_->Open(Prefix("ro"));
  TestClient& keys = world_->Open(Keys({"ann", "bob"}));
  world_->Settle();
  for (TestClient* client : {&prefix, &keys}) world_->Close(*client);
  Change(2);
  world_->Add("room", "bob");
  world_->Add("elsewhere", "bob");
  world_->Add("elsewhere", "cid");
  for (TestClient* client : {&prefix, &keys}) {
    world_->Reopen(*client);
    world_->Settle();
    EXPECT_EQ(client->resets, 1u) << "only that of its beginning";
    EXPECT_EQ(client->roster, world_->Shown(client->request));
  }
}

TEST_F(WatchResumeTest, AFlappingEntryIsReplayedInItsOrder) {
  for (int i = 0; i < 500; ++i) {
    world_->store.Hide(ann_);
    world_->store.Show(ann_);
  }
  world_->store.Hide(ann_);
  world_->Reopen(*client_);
  world_->Settle();
  ExpectNoState();
  EXPECT_TRUE(client_->roster.empty());
}

TEST_F(WatchResumeTest, AQuietWatchIsGivenNewVersionsInTime) {
  Begin({.history = 100});
  world_->Reopen(*client_);
  world_->Settle();
  const uint64_t before = client_->version;
  const size_t messages = client_->read.size();
  for (int i = 0; i < 200; ++i) world_->Add("other", absl::StrCat(i));
  world_->Flush();
  world_->Tick(absl::Seconds(9));
  world_->Settle();
  EXPECT_EQ(client_->read.size(), messages) << "too soon";
  world_->Tick(absl::Seconds(1));
  world_->Settle();
  EXPECT_EQ(client_->read.size(), messages + 1);
  EXPECT_GT(client_->version, before);
  world_->Reopen(*client_);
  world_->Settle();
  ExpectNoState();
  // One that has nothing to learn is left alone.
  world_->Tick(absl::Seconds(60));
  world_->Settle();
  EXPECT_EQ(client_->read.size(), messages + 2);
}

TEST_F(WatchResumeTest, ANewVersionNeverOvertakesAChange) {
  Begin({.history = 4});
  world_->Reopen(*client_);
  world_->Settle();
  Change(3);  // Not flushed.
  world_->Tick(absl::Seconds(60));
  world_->ReadAll();
  ExpectNoState();
}

// ------------------------------------------------------------ slow watchers

class SlowWatcherTest : public testing::Test {
 protected:
  SlowWatcherTest()
      : world_({.max_queued = 8}),
        ann_(world_.Add("room", "ann")),
        slow_(world_.Open(Topics({"room"}))),
        quick_(world_.Open(Topics({"room"}))) {
    world_.Settle();
  }
  void Change(int flushes) {
    for (int i = 0; i < flushes; ++i) {
      world_.Update(ann_, absl::StrCat(i));
      world_.Flush();
      while (world_.RunSlice()) {
      }
      world_.Read(quick_);
    }
    world_.Deliver();
  }

  WatchWorld world_;
  RowIdx ann_;
  TestClient& slow_;
  TestClient& quick_;
};

TEST_F(SlowWatcherTest, AWatcherIsSentNoMoreThanTheLimitUnwritten) {
  Change(8);
  EXPECT_EQ(slow_.queue.size(), 8u);
  EXPECT_EQ(world_.hub.counters().lagged, 0u);
  Change(1);
  EXPECT_EQ(world_.hub.counters().lagged, 1u);
  const size_t bytes = world_.hub.bytes();
  Change(1000);
  EXPECT_EQ(slow_.queue.size(), 8u);
  EXPECT_EQ(world_.hub.counters().lagged, 1u);
  EXPECT_LT(world_.hub.bytes(), bytes + 200'000) << "the ring's share";
}

TEST_F(SlowWatcherTest, OthersAreNotHeldUp) {
  Change(100);
  EXPECT_EQ(quick_.roster, world_.Shown(quick_.request));
  EXPECT_EQ(quick_.resets, 1u);
}

TEST_F(SlowWatcherTest, AFreshStateComesOnceEverythingIsWritten) {
  Change(20);
  world_.Read(slow_, 7);
  Change(1);
  EXPECT_EQ(slow_.queue.size(), 1u) << "not before the last is written";
  world_.Read(slow_, 1);
  EXPECT_TRUE(world_.out.more_work);
  world_.Settle();
  EXPECT_EQ(slow_.resets, 2u);
  EXPECT_TRUE(slow_.complete);
  EXPECT_EQ(slow_.roster, world_.Shown(slow_.request));
  Change(1);
  world_.Read(slow_);
  EXPECT_EQ(slow_.roster, world_.Shown(slow_.request));
  EXPECT_EQ(slow_.resets, 2u);
}

TEST_F(SlowWatcherTest, OneFlushOfTooManyPartsMakesItLag) {
  for (int i = 0; i < 2000; ++i) {
    world_.Add("room", absl::StrCat("u", i), std::string(1000, 'x'));
  }
  world_.Settle();
  EXPECT_EQ(world_.hub.counters().lagged, 2u);
  for (const TestClient* client : {&slow_, &quick_}) {
    EXPECT_EQ(client->resets, 2u);
    EXPECT_EQ(client->roster, world_.Shown(client->request));
  }
}

TEST_F(SlowWatcherTest, OneThatLagsWithinItsStateBeginsAnew) {
  for (int i = 0; i < 2000; ++i) world_.Add("room", absl::StrCat("u", i));
  world_.Settle();
  TestClient& late = world_.Open(Topics({"room"}));
  Change(50);
  EXPECT_EQ(late.queue.size(), 8u) << "four slices and four diffs";
  world_.Settle();
  EXPECT_EQ(late.resets, 2u);
  EXPECT_EQ(late.roster, world_.Shown(late.request));
}

}  // namespace
}  // namespace muster::core
