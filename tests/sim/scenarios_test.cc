// The scenarios that presence systems are known to fail.
#include <algorithm>
#include <ctime>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/sim/scenario.h"

namespace muster::sim {
namespace {

size_t Pulls(Cluster& cluster, int from, int to) {
  return cluster.world.network().Sent(from, to, Network::kPull);
}

TEST(Scenario, DroppedDeltasAreCaughtUpWithOnePull) {
  Cluster cluster(2);
  Session& session = cluster.Open(0, 0, 5);
  cluster.Settle();
  cluster.Run(60 * kSecond);
  Network& network = cluster.world.network();
  network.drop = [](int from, int, const core::Frame& frame) {
    return from == 0 && std::holds_alternative<core::DeltaFrame>(frame.body);
  };
  for (int i = 0; i < 20; ++i) {
    cluster.clients.Track(session, "t", absl::StrCat("lost", i));
    cluster.Run(20 * kMillisecond);
  }
  network.drop = nullptr;
  const size_t pulls = Pulls(cluster, 1, 0);
  const uint64_t diffs = cluster.audit(1).mirror.diffs();
  cluster.clients.Track(session, "t", "found");
  cluster.Run(300 * kMillisecond);
  EXPECT_EQ(cluster.Count(1), 26u);
  EXPECT_EQ(cluster.audit(1).mirror.diffs() - diffs, 21u);
  EXPECT_LE(Pulls(cluster, 1, 0) - pulls, 1u);
  // Bytes that a link has lost are never acknowledged: it is closed as stalled,
  // and the next one pulls once.
  cluster.Settle();
  cluster.Run(10 * kSecond);
  EXPECT_EQ(cluster.Count(1), 26u);
  EXPECT_EQ(cluster.audit(1).mirror.diffs() - diffs, 21u);
  // Of the two kinds of stream; by two links, if both dial and one gives way.
  EXPECT_LE(Pulls(cluster, 1, 0) - pulls, 1u + 2 * 2);
}

TEST(Scenario, ChangesReachAThirdNodeThroughTheSecond) {
  Cluster cluster(3);
  Session& session = cluster.Open(0, 0, 5);
  cluster.Settle();
  cluster.checks.Cut(0, 2, false);
  cluster.Run(2 * kSecond);
  Batch batch;
  batch.track.push_back({"t", "joined", "{}"});
  batch.untrack.push_back(session.held.begin()->first);
  const std::string removed = session.held.begin()->second.key;
  cluster.clients.Apply(session, batch);
  cluster.Run(kSecond);
  EXPECT_TRUE(cluster.Shows(2, "joined"));
  EXPECT_FALSE(cluster.Shows(2, removed));
  cluster.checks.Mend(0, 2);
  cluster.Settle();
}

TEST(Scenario, BothSidesOfAHealedSplitShowBothSidesChanges) {
  Cluster cluster(3);
  Session& a = cluster.Open(0, 0, 5, "a");
  Session& c = cluster.Open(2, 0, 5, "c");
  cluster.Settle();
  cluster.checks.Cut(0, 2, false);
  cluster.checks.Cut(0, 1, false);
  cluster.Run(10 * kSecond);
  EXPECT_EQ(cluster.Count(0), 5u);
  EXPECT_EQ(cluster.Count(1), 5u);
  for (Session* session : {&a, &c}) {
    Batch batch;
    batch.untrack.push_back(session->held.begin()->first);
    batch.track.push_back({"t", "more", "{}"});
    cluster.clients.Apply(*session, batch);
  }
  cluster.Run(kSecond);
  cluster.checks.Mend(0, 2);
  cluster.checks.Mend(0, 1);
  const SimTime took = cluster.TimeUntil(
      [&] { return cluster.Count(0) == 10 && cluster.Count(2) == 10; },
      10 * kSecond);
  EXPECT_GE(took, 0);
  EXPECT_LE(took, 2 * kSecond);
  cluster.Settle();
}

TEST(Scenario, WhatArrivesTwiceEmitsNothing) {
  Cluster cluster(2);
  cluster.world.network().twice = true;
  Session& session = cluster.Open(0, 0, 50);
  cluster.Settle();
  EXPECT_EQ(cluster.audit(1).mirror.diffs(), 50u);
  Batch batch;
  batch.update.emplace_back(session.held.begin()->first, "new");
  cluster.clients.Apply(session, batch);
  cluster.Settle();
  EXPECT_EQ(cluster.audit(1).mirror.diffs(), 51u);
}

TEST(Scenario, AnUpdateIsAnUpdateThroughACatchUp) {
  Cluster cluster(2);
  Session& session = cluster.Open(0, 60 * kSecond, 1);
  cluster.Settle();
  cluster.checks.Cut(0, 1, false);
  cluster.Run(5 * kSecond);
  for (int i = 0; i < 5; ++i) {
    Batch batch;
    batch.update.emplace_back(session.held.begin()->first,
                              absl::StrCat("meta", i));
    cluster.clients.Apply(session, batch);
    cluster.Run(kMillisecond);
  }
  const uint64_t diffs = cluster.audit(1).mirror.diffs();
  cluster.checks.Mend(0, 1);
  cluster.Settle();
  EXPECT_GE(cluster.audit(1).mirror.diffs() - diffs, 1u);
  EXPECT_EQ(cluster.Count(1), 1u);
}

TEST(Scenario, AWatchResumedInTimeGetsNoState) {
  Cluster cluster(2);
  Session& session = cluster.Open(0, 0, 3000);
  core::WatchRequest request;
  request.prefix = "t";
  Watcher& watcher = cluster.clients.Watch(cluster.node(1), request);
  cluster.Settle();
  const uint64_t states = watcher.mirror.states();
  const uint64_t resets = watcher.resets;
  const uint64_t diffs = watcher.mirror.diffs();
  cluster.clients.EndWatch(watcher);
  cluster.TrackMany(session, 9'999, "x");
  cluster.Run(kSecond);
  cluster.clients.WatchOn(watcher, cluster.node(1));
  cluster.Settle();
  EXPECT_EQ(watcher.mirror.states(), states);
  EXPECT_EQ(watcher.resets, resets);
  EXPECT_EQ(watcher.mirror.diffs() - diffs, 9'999u);
  EXPECT_EQ(watcher.mirror.entries().size(), 12'999u);
}

TEST(Scenario, AWatchResumedTooLateOrElsewhereStartsAfresh) {
  Cluster cluster(2, [](core::Options& o) { o.watch.history = 100; });
  Session& session = cluster.Open(0, 0, 10);
  core::WatchRequest request;
  request.prefix = "t";
  Watcher& watcher = cluster.clients.Watch(cluster.node(1), request);
  cluster.Settle();
  const uint64_t resets = watcher.resets;
  cluster.clients.WatchOn(watcher, cluster.node(0));
  cluster.Settle();
  EXPECT_EQ(watcher.resets, resets + 1);
  cluster.TrackMany(session, 10, "y");
  cluster.Settle();
  EXPECT_EQ(watcher.mirror.entries().size(), 20u);
}

TEST(Scenario, GraceIsKeptAndNotExceeded) {
  Cluster cluster(3);
  Session& session = cluster.Open(0, 5 * kSecond, 2);
  cluster.Settle();
  cluster.clients.Disconnect(session);
  const SimTime first = cluster.TimeUntil(
      [&] { return cluster.Count(0) + cluster.Count(2) < 4; }, 30 * kSecond);
  EXPECT_GE(first, 5 * kSecond);
  const SimTime rest = cluster.TimeUntil(
      [&] { return cluster.Count(0) + cluster.Count(2) == 0; }, 30 * kSecond);
  EXPECT_GE(rest, 0);
  EXPECT_LE(first + rest, 11 * kSecond);
}

TEST(Scenario, GraceOfAKilledNodesSessionIsKept) {
  Cluster cluster(3);
  cluster.Open(0, 5 * kSecond, 2);
  cluster.Settle();
  cluster.checks.Kill(cluster.node(0));
  const SimTime gone = cluster.TimeUntil(
      [&] { return cluster.Count(1) + cluster.Count(2) == 0; }, 30 * kSecond);
  EXPECT_GE(gone, 4700 * kMillisecond);
  EXPECT_LE(gone, 11 * kSecond);
}

// What a node holds of the lives that have ended, in bytes and rows.
struct Held {
  explicit Held(Process& process)
      : store_bytes(CounterOf(process, "store_bytes")),
        watch_bytes(CounterOf(process, "watch_bytes")),
        ended(CounterOf(process, "members_ended") -
              CounterOf(process, "members_forgotten")) {}
  uint64_t store_bytes;
  uint64_t watch_bytes;
  uint64_t ended;
};

// Kills node a and starts it again, and waits until it serves.
void Restart(Cluster& cluster, int number) {
  cluster.checks.Kill(cluster.node(0));
  Process& started = cluster.Start(0);
  started.tick_period = 20 * kMillisecond;
  ASSERT_GE(cluster.TimeUntil([&] { return started.replica().Serving().ok(); },
                              10 * kSecond),
            0)
      << number;
  if (number % 10 == 0) cluster.Open(0, 0, 2);
}

TEST(Scenario, TenThousandRestartsLeaveNoTrace) {
  // So that what has a bound has reached it after the first thousand.
  Cluster cluster(2,
                  [](core::Options& options) { options.watch.history = 256; });
  Process& witness = cluster.node(1);
  auto streams = [&] {
    return witness.replica().Status(witness.Now()).streams.size();
  };
  auto members = [&] {
    return witness.replica().Members(witness.Now()).size();
  };
  // Of each node, one of presence and one of interest.
  ASSERT_EQ(streams(), 2u * 2);
  ASSERT_EQ(members(), 2u);
  std::vector<std::clock_t> took;  // Processor time,
  std::vector<uint64_t> steps;     // and steps, of each thousand.
  std::vector<Held> held;          // After it.
  for (int thousand = 0; thousand < 10; ++thousand) {
    const std::clock_t begun = std::clock();
    const uint64_t steps_before = cluster.world.steps;
    for (int i = 0; i < 1000; ++i) {
      ASSERT_NO_FATAL_FAILURE(Restart(cluster, thousand * 1000 + i));
    }
    took.push_back(std::clock() - begun);
    steps.push_back(cluster.world.steps - steps_before);
    held.emplace_back(witness);
  }
  for (size_t i = 1; i < held.size(); ++i) {
    EXPECT_LE(held[i].store_bytes, held[0].store_bytes * 11 / 10) << i;
    EXPECT_LE(held[i].watch_bytes, held[0].watch_bytes * 11 / 10) << i;
    EXPECT_LE(held[i].ended, 1024u) << i;
    EXPECT_LE(steps[i], steps[0] * 11 / 10) << i;
  }
  // Other work on the machine makes some of them slower.
  EXPECT_LE(*std::min_element(took.begin() + 7, took.end()),
            2 * *std::min_element(took.begin() + 1, took.begin() + 4));
  cluster.Run(30 * kSecond);
  cluster.Settle();
  EXPECT_EQ(streams(), 2u * 2);
  EXPECT_EQ(members(), 2u);
}

TEST(Scenario, WhatIsDeadForLongIsForgotten) {
  Cluster cluster(3);
  cluster.Open(0, 10 * kSecond, 5);
  cluster.Settle();
  cluster.checks.Kill(cluster.node(0));
  for (Process* process : cluster.world.Alive()) {
    process->tick_period = 50 * kMillisecond;
  }
  cluster.Run(22 * 60 * kSecond);
  for (int i : {1, 2}) {
    Process& process = cluster.node(i);
    EXPECT_EQ(process.replica().Status(process.Now()).streams.size(), 2u * 2);
    EXPECT_EQ(process.replica().Members(process.Now()).size(), 2u);
    EXPECT_EQ(cluster.Count(i), 0u);
  }
}

}  // namespace
}  // namespace muster::sim
