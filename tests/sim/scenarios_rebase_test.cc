// Peers that are behind the log, and what it costs to bring them up.
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/sim/scenario.h"

namespace muster::sim {
namespace {

void SmallLog(core::Options& options) { options.replication.log_bytes = 512; }

TEST(Rebase, TenDifferencesAmongManyCostAByteAnEntry) {
  constexpr int kEntries = 20'000;
  Cluster cluster(2, SmallLog);
  Session& session = cluster.Open(0, 60 * kSecond, kEntries);
  cluster.Settle();
  cluster.checks.Cut(0, 1, false);
  cluster.Run(5 * kSecond);
  Batch batch;
  for (const auto& [ref, content] : session.held) {
    batch.update.emplace_back(ref, std::string(100, 'x'));
    if (batch.update.size() == 10) break;
  }
  cluster.clients.Apply(session, batch);
  cluster.Run(kSecond);
  Network& network = cluster.world.network();
  const uint64_t diffs = cluster.audit(1).mirror.diffs();
  const uint64_t bytes = network.BytesBetween(0, 1);
  cluster.checks.Mend(0, 1);
  cluster.Settle();
  EXPECT_EQ(cluster.audit(1).mirror.diffs() - diffs, 10u);
  EXPECT_EQ(cluster.audit(1).resets, 1u);
  EXPECT_LE(network.BytesBetween(0, 1) - bytes, kEntries * 12u / 10 + 6000);
}

TEST(Rebase, AnEmptyNodeGetsEverything) {
  Cluster cluster(3, SmallLog);
  cluster.checks.Kill(cluster.node(2));
  cluster.Open(0, 0, 5000);
  cluster.Open(1, 0, 100, "b");
  cluster.Run(kSecond);
  cluster.Start(2);
  cluster.Settle();
  EXPECT_EQ(cluster.Count(2), 5100u);
}

TEST(Rebase, GoesOnWhileWritesGoOn) {
  Cluster cluster(2, SmallLog);
  Session& session = cluster.Open(0, 60 * kSecond, 2000);
  cluster.Settle();
  cluster.world.network().path(0, 1).bytes_per_second = 100'000;
  cluster.checks.Cut(0, 1, false);
  cluster.Run(4 * kSecond);
  for (int i = 0; i < 200; ++i) {
    cluster.clients.Track(session, "t", absl::StrCat("w", i));
    cluster.Run(10 * kMillisecond);
    if (i == 20) cluster.checks.Mend(0, 1);
  }
  cluster.Settle();
  EXPECT_EQ(cluster.Count(1), 2200u);
}

// A newcomer c is in the middle of a rebase of a's stream.
class InTheMiddle : public ::testing::Test {
 protected:
  InTheMiddle() : cluster_(3, SmallLog) {
    cluster_.checks.Kill(cluster_.node(2));
    cluster_.Open(0, 60 * kSecond, 20'000);
    cluster_.Run(5 * kSecond);
    for (int from : {0, 1}) {
      cluster_.world.network().path(from, 2).bytes_per_second = 400'000;
    }
    cluster_.Start(2);
    const uint64_t bytes = cluster_.world.network().BytesBetween(0, 2);
    EXPECT_TRUE(cluster_.world.RunUntilTrue(
        [&] {
          return cluster_.world.network().BytesBetween(0, 2) > bytes + 200'000;
        },
        10 * kSecond, kMillisecond));
  }
  void BackToSpeed() {
    for (int from : {0, 1}) {
      cluster_.world.network().path(from, 2).bytes_per_second = 0;
    }
  }
  Cluster cluster_;
};

TEST_F(InTheMiddle, TheSenderDies) {
  cluster_.checks.Kill(cluster_.node(0));
  BackToSpeed();
  cluster_.Settle();
  EXPECT_EQ(cluster_.Count(2), 20'000u);
}

TEST_F(InTheMiddle, TheReceiverDiesAndStartsAgain) {
  cluster_.checks.Kill(cluster_.node(2));
  cluster_.Run(kSecond);
  cluster_.Start(2);
  BackToSpeed();
  cluster_.Settle();
  EXPECT_EQ(cluster_.Count(2), 20'000u);
}

TEST_F(InTheMiddle, TheLinkBreaks) {
  const uint64_t before = cluster_.world.network().BytesBetween(0, 2);
  cluster_.world.network().BreakLinks(0, 2);
  BackToSpeed();
  cluster_.Settle();
  EXPECT_EQ(cluster_.Count(2), 20'000u);
  // It goes on rather than starting over: a live entry costs about 25 bytes.
  EXPECT_LE(cluster_.world.network().BytesBetween(0, 2) - before, 1'500'000u);
}

TEST_F(InTheMiddle, ThePairIsCut) {
  cluster_.checks.Cut(0, 2, false);
  BackToSpeed();
  EXPECT_NE(cluster_.TimeUntil([&] { return cluster_.Count(2) == 20'000u; },
                               3 * kSecond),
            -1);
  cluster_.checks.Mend(0, 2);
  cluster_.Settle();
  EXPECT_EQ(cluster_.Count(2), 20'000u);
}

// The second stream waits behind the first: to ask for it again would only
// lengthen the queue.
TEST(Rebase, TwoLargeStreamsOverASlowLinkAreSentOnce) {
  constexpr int kEntries = 4000;
  Cluster cluster(3, SmallLog);
  cluster.checks.Kill(cluster.node(2));
  cluster.Open(0, 60 * kSecond, kEntries);
  cluster.Open(1, 60 * kSecond, kEntries, "b");
  cluster.Run(5 * kSecond);
  Network& network = cluster.world.network();
  cluster.checks.Cut(1, 2, false);
  network.path(0, 2).bytes_per_second = 20'000;
  const uint64_t before = network.BytesBetween(0, 2);
  cluster.Start(2);
  ASSERT_NE(cluster.TimeUntil([&] { return cluster.Count(2) == 2 * kEntries; },
                              60 * kSecond),
            -1);
  // An entry costs about 15 bytes.
  EXPECT_LE(network.BytesBetween(0, 2) - before, 2 * kEntries * 20u);
  cluster.checks.Mend(1, 2);
  network.path(0, 2).bytes_per_second = 0;
  cluster.Settle();
}

// The way to the origin is free while another brings its stream.
class OriginComesLater : public ::testing::Test {
 protected:
  OriginComesLater() : cluster_(3, SmallLog) {
    cluster_.checks.Kill(cluster_.node(2));
    cluster_.Open(0, 60 * kSecond, kEntries);
    cluster_.Run(5 * kSecond);
  }
  void FreeInTheMiddle(uint64_t bytes_per_second) {
    Network& network = cluster_.world.network();
    network.path(1, 2).bytes_per_second = bytes_per_second;
    cluster_.checks.Cut(0, 2, false);
    cluster_.Start(2);
    const uint64_t before = network.BytesBetween(1, 2);
    ASSERT_NE(cluster_.TimeUntil(
                  [&] { return network.BytesBetween(1, 2) > before + 20'000; },
                  10 * kSecond),
              -1);
    cluster_.checks.Mend(0, 2);
    ASSERT_NE(cluster_.TimeUntil([&] { return network.LinksBetween(0, 2) > 0; },
                                 3 * kSecond),
              -1);
    ASSERT_LT(cluster_.Count(2), kEntries);
  }
  static constexpr uint64_t kEntries = 20'000;
  Cluster cluster_;
};

TEST_F(OriginComesLater, WhatHasBegunToComeIsNotBegunAgain) {
  FreeInTheMiddle(80'000);
  cluster_.Settle();
  EXPECT_EQ(cluster_.Count(2), kEntries);
  EXPECT_EQ(CounterOf(cluster_.node(2), "rebase_restarts"), 0u);
}

TEST_F(OriginComesLater, WhatWouldTakeLongComesFromTheOrigin) {
  FreeInTheMiddle(5'000);
  EXPECT_NE(cluster_.TimeUntil([&] { return cluster_.Count(2) == kEntries; },
                               12 * kSecond),
            -1);
  cluster_.world.network().path(1, 2).bytes_per_second = 0;
  cluster_.Settle();
}

// Further apart than a source is waited for at first.
TEST(Rebase, FramesThatComeSlowlyAreWaitedFor) {
  constexpr int kEntries = 60;
  Cluster cluster(2, SmallLog);
  cluster.checks.Kill(cluster.node(1));
  Session& session = cluster.Open(0, 60 * kSecond);
  Batch batch;
  for (int i = 0; i < kEntries; ++i) {
    batch.track.push_back({"t", absl::StrCat("k", i), std::string(4000, 'x')});
  }
  cluster.clients.Apply(session, std::move(batch));
  cluster.Run(5 * kSecond);
  Network& network = cluster.world.network();
  network.path(0, 1).bytes_per_second = 40'000;
  const uint64_t before = network.BytesBetween(0, 1);
  cluster.Start(1);
  ASSERT_NE(cluster.TimeUntil([&] { return cluster.Count(1) == kEntries; },
                              120 * kSecond),
            -1);
  // Links that seem to stall are dialled afresh, twice.
  EXPECT_LE(network.BytesBetween(0, 1) - before, kEntries * 4000u * 3);
  network.path(0, 1).bytes_per_second = 0;
  cluster.Settle();
}

TEST(Rebase, ANodeServesThoughThePeerThatWasToBringItUpHasFrozen) {
  Cluster cluster(2, SmallLog);
  cluster.checks.Kill(cluster.node(1));
  cluster.Open(0, 60 * kSecond, 5000);
  cluster.Run(5 * kSecond);
  cluster.world.network().path(0, 1).bytes_per_second = 20'000;
  cluster.Start(1);
  const auto serves = [&] { return cluster.node(1).replica().Serving().ok(); };
  cluster.Run(2 * kSecond);
  ASSERT_FALSE(serves());
  cluster.checks.Freeze(cluster.node(0));
  EXPECT_NE(cluster.TimeUntil(serves, 5 * kSecond), -1);
  cluster.checks.Thaw(cluster.node(0));
  cluster.world.network().path(0, 1).bytes_per_second = 0;
  cluster.Settle();
}

// What c has of d comes first, and takes long: neither may take the other, who
// has no more, for a source of c's own.
TEST(Rebase, TwoNewcomersWaitForWhoHasItAndNotForEachOther) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    Cluster cluster(
        4, [](core::Options& o) { o.replication.window_bytes = 2048; }, seed,
        80 * kMillisecond);
    for (int newcomer : {0, 1}) cluster.checks.Kill(cluster.node(newcomer));
    cluster.Open(2, 60 * kSecond, 300, "c");
    cluster.Open(3, 60 * kSecond, 1000, "d");
    cluster.Run(20 * kSecond);
    ASSERT_EQ(cluster.Count(2), 1300u);
    cluster.checks.Kill(cluster.node(3));
    cluster.Run(3 * kSecond);
    for (int newcomer : {0, 1}) cluster.Start(newcomer);
    const SimTime took = cluster.TimeUntil(
        [&] { return cluster.Count(0) == 1300 && cluster.Count(1) == 1300; },
        30 * kSecond);
    EXPECT_GE(took, 0) << seed;
  }
}

// b stands still and is taken for overtaken by another life of its name, which
// dies: c has dropped b's stream, and hears of it again from a newcomer first.
TEST(Rebase, ThePastOfAStreamThatWasDroppedIsNotReplayed) {
  Cluster cluster(4, nullptr, 1, 20 * kMillisecond);
  cluster.checks.Kill(cluster.node(3));
  Session& past = cluster.Open(1, 60 * kSecond, 20, "past");
  cluster.Run(5 * kSecond);
  cluster.clients.Close(past);
  cluster.Open(1, 60 * kSecond, 5, "kept");
  cluster.Settle();
  Process& b = cluster.node(1);
  cluster.checks.Freeze(b);
  cluster.Run(kSecond);
  Process& twin = cluster.Start(1, 4);
  ASSERT_GE(cluster.TimeUntil([&] { return twin.replica().Serving().ok(); },
                              5 * kSecond),
            0);
  cluster.checks.PowerOff(twin);
  cluster.Run(2 * kSecond);
  ASSERT_EQ(cluster.Count(2), 5u);
  cluster.checks.Thaw(b);
  EXPECT_GE(cluster.TimeUntil([&] { return cluster.Count(2) == 0; }, kSecond),
            0);
  const uint64_t diffs = cluster.audit(2).mirror.diffs();
  cluster.Start(3);
  EXPECT_GE(cluster.TimeUntil([&] { return cluster.Count(2) == 5; }, kSecond),
            0);
  EXPECT_EQ(cluster.audit(2).mirror.diffs() - diffs, 5u);
}

// What takes longer on its way than a source is given: of two such sources one
// must be waited for.
TEST(Rebase, TwoFarSourcesAreWaitedFor) {
  Cluster cluster(3, SmallLog, 1, 300 * kMillisecond);
  cluster.checks.Kill(cluster.node(2));
  cluster.Open(0, 60 * kSecond, 500);
  cluster.Run(10 * kSecond);
  cluster.Start(2);
  const SimTime took =
      cluster.TimeUntil([&] { return cluster.Count(2) == 500; }, 10 * kSecond);
  EXPECT_GE(took, 0);
  EXPECT_LE(took, 6 * kSecond);
}

}  // namespace
}  // namespace muster::sim
