// What happens when a node dies, freezes, drains, or cannot be heard.
#include <set>

#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "tests/sim/scenario.h"

namespace muster::sim {
namespace {

TEST(Detection, EntriesOfAKilledNodeAreGoneWithinHalfASecond) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    Cluster cluster(3, nullptr, seed);
    cluster.Open(0, 0, 10);
    cluster.Settle();
    ASSERT_EQ(cluster.Count(2), 10u);
    cluster.checks.Kill(cluster.node(0));
    const SimTime took = cluster.TimeUntil(
        [&] { return cluster.Count(1) == 0 && cluster.Count(2) == 0; },
        3 * kSecond);
    EXPECT_GE(took, 0);
    EXPECT_LE(took, 500 * kMillisecond);
  }
}

TEST(Detection, OfTwoNodesTheOtherNoticesAKillWithinHalfASecond) {
  Cluster cluster(2);
  cluster.Open(0, 0, 1);
  cluster.Settle();
  cluster.checks.Kill(cluster.node(0));
  const SimTime took =
      cluster.TimeUntil([&] { return cluster.Count(1) == 0; }, 3 * kSecond);
  EXPECT_GE(took, 0);
  EXPECT_LE(took, 500 * kMillisecond);
}

TEST(Detection, AMachineWithoutPowerIsDownWithinThreeSeconds) {
  Cluster cluster(3);
  cluster.Open(0, 0, 10);
  cluster.Settle();
  cluster.checks.PowerOff(cluster.node(0));
  const SimTime took = cluster.TimeUntil(
      [&] { return cluster.Count(1) == 0 && cluster.Count(2) == 0; },
      5 * kSecond);
  EXPECT_GE(took, 0);
  EXPECT_LE(took, 3 * kSecond);
}

TEST(Detection, AFrozenNodeIsGoneWithinThreeSecondsAndBackAtOnce) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    Cluster cluster(3, nullptr, seed);
    cluster.Open(0, 0, 10);
    cluster.Settle();
    Process& frozen = cluster.node(0);
    cluster.checks.Freeze(frozen);
    const SimTime gone = cluster.TimeUntil(
        [&] { return cluster.Count(1) == 0 && cluster.Count(2) == 0; },
        5 * kSecond);
    EXPECT_GE(gone, 0);
    EXPECT_LE(gone, 3 * kSecond);
    cluster.Run(20 * kSecond);
    const uint64_t before = cluster.audit(1).mirror.diffs();
    cluster.checks.Thaw(frozen);
    const SimTime back = cluster.TimeUntil(
        [&] { return cluster.Count(1) == 10 && cluster.Count(2) == 10; },
        5 * kSecond);
    EXPECT_GE(back, 0);
    EXPECT_LE(back, 500 * kMillisecond);
    cluster.Settle();
    cluster.Run(10 * kSecond);
    // Ten joins, once.
    EXPECT_EQ(cluster.audit(1).mirror.diffs() - before, 10u);
    EXPECT_EQ(cluster.Count(0), 10u);
  }
}

TEST(Detection, AThawedNodeAccusesNobody) {
  Cluster cluster(3);
  cluster.Open(1, 0, 5);
  cluster.Settle();
  Process& frozen = cluster.node(0);
  const uint64_t before = cluster.audit(0).mirror.diffs();
  cluster.checks.Freeze(frozen);
  cluster.Run(30 * kSecond);
  cluster.checks.Thaw(frozen);
  cluster.Run(20 * kSecond);
  EXPECT_EQ(cluster.audit(0).mirror.diffs(), before);
  EXPECT_EQ(cluster.Living(0), 3u);
}

// What a node with too much to do has heard of the dead has waited, and it does
// not tell of it as of news.
TEST(Detection, OneWithTooMuchToDoDoesNotBringTheDeadBack) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    Cluster cluster(3, nullptr, seed);
    cluster.Open(1, 0, 3);
    cluster.Settle();
    cluster.Run(5 * kSecond);
    cluster.checks.Slow(cluster.node(2), 3 * kMillisecond);
    cluster.checks.Cut(0, 1, false);
    // For three seconds and more it reads what came in one, of strangers.
    for (int ms = 0; ms < 1000; ++ms) {
      cluster.node(2).Post([](core::Replica& replica, core::Now now) {
        replica.OnDatagram({}, now);
      });
      cluster.Run(kMillisecond);
    }
    cluster.checks.PowerOff(cluster.node(1));
    const SimTime gone =
        cluster.TimeUntil([&] { return cluster.Count(0) == 0; }, 3 * kSecond);
    EXPECT_GE(gone, 0) << seed;
    for (int step = 0; step < 50; ++step) {
      cluster.Run(100 * kMillisecond);
      ASSERT_EQ(cluster.Count(0), 0u) << seed << ", after " << step;
    }
  }
}

// What it has heard of the living it passes on, for as old as it may be.
TEST(Detection, NobodyIsDownWhoIsHeardOfThroughOneWithMuchToDo) {
  for (bool reset : {false, true}) {
    Cluster cluster(3);
    cluster.Settle();
    cluster.checks.Slow(cluster.node(1), 3 * kMillisecond);
    cluster.checks.Cut(0, 2, reset);
    for (int step = 0; step < 60; ++step) {
      for (int i = 0; i < 100; ++i) {
        cluster.node(1).Post([](core::Replica& replica, core::Now now) {
          replica.OnDatagram({}, now);
        });
      }
      cluster.Run(400 * kMillisecond);
      for (int node = 0; node < 3; ++node) {
        ASSERT_EQ(cluster.Living(node), 3u) << "at " << node << ", " << step;
      }
    }
  }
}

// Runs a minute with a–c cut while b hears both.
void NobodyIsDown(bool reset) {
  Cluster cluster(3);
  Session& session = cluster.Open(0, 0, 3);
  cluster.Open(2, 0, 3, "c");
  cluster.Settle();
  cluster.checks.Cut(0, 2, reset);
  for (int second = 0; second < 60; ++second) {
    cluster.Run(kSecond);
    for (int i = 0; i < 3; ++i) ASSERT_EQ(cluster.Living(i), 3u) << second;
  }
  EXPECT_EQ(cluster.Count(2), 6u);
  EXPECT_EQ(cluster.Count(0), 6u);
  // What a says still reaches c, through b.
  cluster.clients.Track(session, "t", "new");
  const SimTime took =
      cluster.TimeUntil([&] { return cluster.Shows(2, "new"); }, kSecond);
  EXPECT_GE(took, 0);
  EXPECT_LE(took, 100 * kMillisecond);
  cluster.checks.Mend(0, 2);
  cluster.Settle();
}
TEST(Detection, NobodyIsDownWhileOnePairIsCutInSilence) { NobodyIsDown(false); }
TEST(Detection, NobodyIsDownWhileOnePairIsCutByResets) { NobodyIsDown(true); }

// Each hears all but its neighbours through up to ten others.
TEST(Detection, InAChainOfTwelveNobodyIsDown) {
  for (SimTime latency : {Path().latency, 40 * kMillisecond}) {
    Cluster cluster(12, nullptr, 1, latency);
    cluster.Settle(20 * kSecond);
    for (int a = 0; a < 12; ++a) {
      for (int b = a + 2; b < 12; ++b) cluster.checks.Cut(a, b, false);
    }
    for (int second = 0; second < 60; ++second) {
      cluster.Run(kSecond);
      for (int node = 0; node < 12; ++node) {
        ASSERT_EQ(cluster.Living(node), 12u) << "at " << node << ", " << second;
      }
    }
  }
}

// The one who knows better hears the node later than others wait on a fast
// network.
TEST(Detection, ARefusalWaitsForAWitnessThatHearsLate) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    Cluster cluster(3, nullptr, seed);
    for (auto [from, to] : {std::pair(1, 2), std::pair(2, 1)}) {
      Path& path = cluster.world.network().path(from, to);
      path.latency = 400 * kMillisecond;
    }
    cluster.Open(1, 0, 3);
    cluster.Settle();
    cluster.Run(10 * kSecond);
    cluster.checks.Cut(0, 2, true);
    for (int step = 0; step < 50; ++step) {
      cluster.Run(100 * kMillisecond);
      ASSERT_EQ(cluster.Living(0), 3u) << seed;
      ASSERT_EQ(cluster.Living(2), 3u) << seed;
    }
  }
}

TEST(Detection, ADrainedNodeIsGoneAtOnce) {
  Cluster cluster(3);
  cluster.Open(0, 0, 10);
  cluster.Settle();
  Process& drained = cluster.node(0);
  cluster.checks.Drain(drained);
  const SimTime took = cluster.TimeUntil(
      [&] { return cluster.Count(1) == 0 && cluster.Count(2) == 0; },
      5 * kSecond);
  EXPECT_GE(took, 0);
  EXPECT_LE(took, 100 * kMillisecond);
  EXPECT_GE(cluster.TimeUntil([&] { return !drained.alive(); }, 5 * kSecond),
            0);
  EXPECT_EQ(cluster.checks.StateOf(cluster.node(1), drained),
            core::MemberState::kLeft);
}

TEST(Detection, ANameInUseIsRefusedAndNothingChanges) {
  Cluster cluster(3);
  cluster.Open(0, 0, 10);
  cluster.Settle();
  cluster.Run(kSecond);
  uint64_t before[3];
  for (int i = 0; i < 3; ++i) before[i] = cluster.audit(i).batches;
  Process& twin = cluster.Start(0, 3);
  const SimTime took =
      cluster.TimeUntil([&] { return !twin.alive(); }, 10 * kSecond);
  EXPECT_GE(took, 0);
  EXPECT_LE(took, 3 * kSecond);
  cluster.Run(5 * kSecond);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(cluster.audit(i).batches, before[i]);
    EXPECT_EQ(cluster.Living(i), 3u);
    EXPECT_EQ(cluster.Count(i), 10u);
  }
  EXPECT_TRUE(cluster.node(0).alive());
}

// What it sent into a cut waits for TCP to try again, ever later; its new link
// does not.
TEST(Detection, ANewcomerThatWasCutOffAsItBeganIsKnownSoonAfter) {
  Cluster cluster(3, nullptr, 1, 20 * kMillisecond);
  cluster.Settle();
  cluster.checks.Kill(cluster.node(2));
  cluster.Run(5 * kSecond);
  cluster.Start(2);
  Network& network = cluster.world.network();
  ASSERT_GE(cluster.TimeUntil([&] { return network.LinksBetween(0, 2) > 0; },
                              kSecond),
            0);
  for (int other : {0, 1}) cluster.checks.CutOneWay(2, other);
  cluster.Run(60 * kSecond);
  for (int other : {0, 1}) cluster.checks.Mend(other, 2);
  EXPECT_GE(
      cluster.TimeUntil(
          [&] { return cluster.Living(0) == 3 && cluster.Living(1) == 3; },
          5 * kSecond),
      0);
  cluster.Settle();
}

// A second node of its name began while c could not be reached, and all that it
// has said, as the first on its link, comes when it has long ended.
TEST(Detection, WhatCameTooLateOfAnotherOfItsNameEndsNobody) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Cluster cluster(3, nullptr, seed, 20 * kMillisecond);
    cluster.Open(2, 60 * kSecond, 10);
    cluster.Settle();
    for (int other : {0, 1}) cluster.checks.Cut(other, 2, false);
    for (int other : {1, 2}) cluster.checks.Cut(other, 3, false);
    cluster.Run(5 * kSecond);
    ASSERT_EQ(cluster.Living(0), 2u);
    Process& second = cluster.Start(2, 3);
    Network& network = cluster.world.network();
    ASSERT_GE(cluster.TimeUntil([&] { return network.LinksBetween(0, 3) > 0; },
                                kSecond),
              0);
    cluster.checks.CutOneWay(3, 0);
    cluster.Run(3 * kSecond);
    for (int other : {0, 1}) cluster.checks.Mend(other, 2);
    cluster.checks.Drain(second);
    ASSERT_GE(cluster.TimeUntil([&] { return !second.alive(); }, kSecond), 0);
    cluster.checks.Cut(0, 3, false);
    cluster.Run(20 * kSecond);
    ASSERT_EQ(cluster.Living(0), 3u);
    const uint64_t diffs = cluster.audit(0).mirror.diffs();
    cluster.checks.Mend(0, 3);
    cluster.Run(30 * kSecond);
    EXPECT_EQ(cluster.Count(0), 10u) << seed;
    EXPECT_EQ(cluster.audit(0).mirror.diffs(), diffs) << seed;
  }
}

TEST(Detection, ARestartUnderTheSameNameShowsNoOldEntry) {
  for (bool grace : {false, true}) {
    Cluster cluster(3);
    cluster.Open(0, grace ? kSecond : 0, 10, "old");
    cluster.Settle();
    cluster.checks.Kill(cluster.node(0));
    cluster.Start(0);
    const SimTime ready = cluster.TimeUntil(
        [&] { return cluster.node(0).replica().Serving().ok(); }, 5 * kSecond);
    EXPECT_GE(ready, 0);
    EXPECT_LE(ready, 3 * kSecond);
    cluster.Open(0, 0, 5, "new");
    cluster.Run(200 * kMillisecond);
    for (int i = 0; i < 3; ++i) {
      EXPECT_TRUE(cluster.Shows(i, "new0"));
      EXPECT_TRUE(grace || !cluster.Shows(i, "old0"));
    }
    cluster.Run(8 * kSecond);
    cluster.Settle();
    for (int i = 0; i < 3; ++i) EXPECT_EQ(cluster.Count(i), 5u);
  }
}

TEST(Detection, AnHourOfLossAndJitterAccusesNobody) {
  Cluster cluster(3);
  cluster.Open(0, 0, 3);
  cluster.Settle();
  for (int a = 0; a < 3; ++a) {
    for (int b = 0; b < 3; ++b) {
      Path& path = cluster.world.network().path(a, b);
      path.datagram_loss_ppm = 100'000;
      path.segment_loss_ppm = 100'000;
      path.jitter = 200 * kMillisecond;
    }
  }
  const uint64_t before = cluster.audit(1).mirror.diffs();
  for (int minute = 0; minute < 60; ++minute) {
    cluster.Run(60 * kSecond);
    for (int i = 0; i < 3; ++i) ASSERT_EQ(cluster.Living(i), 3u) << minute;
  }
  EXPECT_EQ(cluster.audit(1).mirror.diffs(), before);
}

TEST(Detection, TwoLivesOfANameThatMeetLeaveTheLaterOne) {
  Cluster cluster(3);
  cluster.Open(0, 0, 5, "first");
  cluster.Settle();
  // a alone on one side; a newcomer of its name on the other.
  for (int other : {1, 2, 3}) cluster.checks.Cut(0, other, false);
  cluster.Run(5 * kSecond);
  Process& first = cluster.node(0);
  Process& second = cluster.Start(0, 3);
  cluster.Run(5 * kSecond);
  ASSERT_TRUE(second.alive());
  Session& session = cluster.clients.Open(second, true, 0, 0);
  cluster.Run(10 * kMillisecond);
  cluster.clients.Track(session, "t", "second");
  cluster.Run(kSecond);
  EXPECT_TRUE(cluster.Shows(1, "second"));
  for (int other : {1, 2, 3}) cluster.checks.Mend(0, other);
  EXPECT_GE(cluster.TimeUntil([&] { return !first.alive(); }, 10 * kSecond), 0);
  EXPECT_TRUE(second.alive());
  cluster.Settle();
  EXPECT_EQ(cluster.Count(1), 1u);
}

}  // namespace
}  // namespace muster::sim
