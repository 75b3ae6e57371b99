// What a grace is worth: not less, and little more where nothing is wrong.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/sim/network.h"
#include "tests/sim/scenario.h"

namespace muster::sim {
namespace {

constexpr SimTime kGrace = 200 * kMillisecond;
// What the documentation promises on a quiet local network.
constexpr SimTime kLanBound = 300 * kMillisecond;
constexpr SimTime kCeiling = 3 * kSecond;

// How long after its client has gone a session of node 0 leaves at `at`.
SimTime LeavesAfter(Cluster& cluster, Session& session, int at) {
  cluster.clients.Disconnect(session);
  return cluster.TimeUntil([&] { return cluster.Count(at) == 0; },
                           10 * kSecond);
}

TEST(Grace, OnAQuietNetworkEntriesLeaveSoonAfterIt) {
  for (int nodes : {1, 2, 5}) {
    for (int at = 0; at < std::min(nodes, 2); ++at) {
      Cluster cluster(nodes);
      Session& session = cluster.Open(0, kGrace, 2);
      cluster.Settle();
      cluster.Run(5 * kSecond);
      const SimTime after = LeavesAfter(cluster, session, at);
      EXPECT_GE(after, kGrace) << nodes << " nodes, at " << at;
      EXPECT_LE(after, kGrace + kLanBound) << nodes << " nodes, at " << at;
    }
  }
}

TEST(Grace, ManySessionsLeaveSoonAfterIt) {
  Cluster cluster(3);
  std::vector<Session*> sessions;
  for (int i = 0; i < 300; ++i) {
    sessions.push_back(&cluster.Open(0, kGrace, 1, absl::StrCat("s", i)));
  }
  cluster.Settle();
  cluster.Run(5 * kSecond);
  const uint64_t pings = CounterOf(cluster.node(0), "pings_sent");
  for (Session* session : sessions) cluster.clients.Disconnect(*session);
  const SimTime after =
      cluster.TimeUntil([&] { return cluster.Count(2) == 0; }, 10 * kSecond);
  EXPECT_GE(after, kGrace);
  EXPECT_LE(after, kGrace + kLanBound);
  // One question is for all of them.
  EXPECT_LE(CounterOf(cluster.node(0), "pings_sent") - pings, 12u);
}

// A beat of each node is waited for then, and no more.
TEST(Grace, WhereStreamsAreWrittenToEntriesLeaveSoonAfterIt) {
  Cluster cluster(2);
  Session& session = cluster.Open(0, kGrace, 1);
  Session& busy = cluster.Open(1, 0, 0);
  cluster.Settle();
  cluster.Run(5 * kSecond);
  for (int i = 0; i < 500; ++i) {
    cluster.world.After(i * 10 * kMillisecond, [&cluster, &busy, i] {
      cluster.clients.Track(busy, "t", absl::StrCat("busy", i));
    });
  }
  cluster.Run(kSecond);
  cluster.clients.Disconnect(session);
  const SimTime after =
      cluster.TimeUntil([&] { return !cluster.Shows(1, "k0"); }, 10 * kSecond);
  EXPECT_GE(after, kGrace);
  EXPECT_LE(after, kGrace + 500 * kMillisecond);
}

// The rest of the way took a millisecond when it was last measured.
TEST(Grace, AResumeOnASlowWayIsWaitedFor) {
  Cluster cluster(3);
  Session& session = cluster.Open(0, kSecond, 2);
  cluster.Settle();
  cluster.Run(5 * kSecond);
  cluster.clients.Disconnect(session);
  cluster.Run(500 * kMillisecond);
  cluster.checks.Slowed();
  for (int other : {0, 2}) {
    cluster.world.network().path(1, other).latency = 800 * kMillisecond;
  }
  const uint64_t diffs = cluster.audit(2).mirror.diffs();
  cluster.Run(400 * kMillisecond);
  cluster.clients.Resume(session, cluster.node(1), 0);
  cluster.Run(10 * kSecond);
  EXPECT_EQ(session.resumes, 1u);
  EXPECT_EQ(session.missing, 0u);
  EXPECT_EQ(cluster.audit(2).mirror.diffs(), diffs);
  EXPECT_EQ(cluster.Count(0), 2u);
  EXPECT_EQ(cluster.Count(2), 2u);
}

TEST(Grace, AResumeInItsLastMomentIsKnownBeforeTheEntriesLeave) {
  for (SimTime before = 0; before <= 20 * kMillisecond;
       before += 2 * kMillisecond) {
    Cluster cluster(3, nullptr, 1, 20 * kMillisecond);
    Session& session = cluster.Open(0, kSecond, 2);
    cluster.Settle();
    cluster.Run(5 * kSecond);
    const uint64_t diffs = cluster.audit(2).mirror.diffs();
    cluster.clients.Disconnect(session);
    cluster.Run(kSecond - before);
    cluster.clients.Resume(session, cluster.node(1), 0);
    cluster.Run(5 * kSecond);
    EXPECT_EQ(session.missing, 0u) << before;
    EXPECT_EQ(cluster.audit(2).mirror.diffs(), diffs) << before;
    EXPECT_EQ(cluster.Count(2), 2u) << before;
  }
}

// Nobody knows what one has accepted that does not answer.
TEST(Grace, APeerThatStandsStillIsWaitedForUntilItIsDown) {
  Cluster cluster(2);
  Session& session = cluster.Open(0, kGrace, 1);
  cluster.Settle();
  cluster.Run(5 * kSecond);
  cluster.checks.Freeze(cluster.node(1));
  cluster.Run(100 * kMillisecond);
  const SimTime after = LeavesAfter(cluster, session, 0);
  EXPECT_GE(after, kSecond);
  EXPECT_LE(after, kGrace + kCeiling + 100 * kMillisecond);
}

TEST(Grace, WhereALinkIsMissingTheDelayHasItsCeiling) {
  for (bool reset : {false, true}) {
    Cluster cluster(3);
    Session& session = cluster.Open(0, kGrace, 1);
    cluster.Settle();
    cluster.checks.Cut(0, 1, reset);
    cluster.Run(10 * kSecond);
    const SimTime after = LeavesAfter(cluster, session, 0);
    EXPECT_GE(after, kGrace + kCeiling - 100 * kMillisecond) << reset;
    EXPECT_LE(after, kGrace + kCeiling + 100 * kMillisecond) << reset;
  }
}

TEST(Grace, TheDelayHasTheCeilingThatIsSet) {
  Cluster cluster(3, [](core::Options& options) {
    options.sessions.leave_delay = absl::ZeroDuration();
  });
  Session& session = cluster.Open(0, kGrace, 1);
  cluster.Settle();
  cluster.checks.Cut(0, 1, false);
  cluster.Run(10 * kSecond);
  const SimTime after = LeavesAfter(cluster, session, 0);
  EXPECT_GE(after, kGrace);
  EXPECT_LE(after, kGrace + 20 * kMillisecond);
}

// A resume here after the grace, and before the entries have left.
TEST(Grace, OneThatIsResumedWhileItsEntriesAreAboutToLeaveStays) {
  Cluster cluster(2);
  Session& session = cluster.Open(0, kGrace, 2);
  cluster.Settle();
  cluster.Run(5 * kSecond);
  const uint64_t diffs = cluster.audit(1).mirror.diffs();
  for (int i = 0; i < 5; ++i) {
    cluster.clients.Disconnect(session);
    cluster.Run(kGrace + 20 * kMillisecond);
    ASSERT_EQ(cluster.Count(0), 2u);
    cluster.clients.Resume(session, cluster.node(0), 0);
    cluster.Run(kSecond);
    EXPECT_EQ(cluster.Count(1), 2u);
  }
  EXPECT_EQ(cluster.audit(1).mirror.diffs(), diffs);
  EXPECT_EQ(session.missing, 0u);
}

// ------------------------------------------------------------------- records

TEST(Records, OverTheirLimitTheOldestGoAndNothingIsRefused) {
  Cluster cluster(
      2, [](core::Options& options) { options.sessions.max_ended = 10; });
  cluster.Settle();
  // Held, and open all the while: it is none of them.
  Session& open = cluster.Open(0, 0, 1, "open");
  std::vector<Session*> closed;
  for (int i = 0; i < 25; ++i) {
    closed.push_back(&cluster.Open(0, 0, i == 0 ? 40 : 1, "closed"));
    cluster.clients.Close(*closed.back());
    cluster.Run(20 * kMillisecond);
  }
  cluster.Settle();
  EXPECT_EQ(CounterOf(cluster.node(0), "ended_records_dropped"), 15u);
  EXPECT_EQ(cluster.Count(1), 1u);
  EXPECT_FALSE(open.over);
  for (int node : {0, 1}) {
    const core::StatusView status =
        cluster.node(node).replica().Status(cluster.node(node).Now());
    uint64_t records = 0;
    for (const core::StreamView& s : status.streams) records += s.sessions;
    EXPECT_EQ(records, 11u) << "at node " << node;
  }
  // Those that are left are known to have ended.
  core::Replica& replica = cluster.node(0).replica();
  const auto beat = [&](const Session& session) {
    const absl::Status status =
        replica.Heartbeat(session.id, 0, cluster.node(0).Now());
    return std::string(status.message());
  };
  EXPECT_EQ(beat(*closed[24]), "token: its session has ended");
  EXPECT_EQ(beat(*closed[15]), "token: its session has ended");
  EXPECT_EQ(beat(*closed[14]),
            "token: this node knows no session of it; open or resume one");
}

TEST(Records, OfClosedSessionsAreKeptNoLongerThanAsked) {
  Cluster cluster(1, [](core::Options& options) {
    options.sessions.record_keep = absl::Seconds(2);
  });
  Session& session = cluster.Open(0, 0, 1);
  cluster.clients.Close(session);
  const auto records = [&] {
    return cluster.node(0)
        .replica()
        .Status(cluster.node(0).Now())
        .streams.front()
        .sessions;
  };
  cluster.Run(kSecond);
  EXPECT_EQ(records(), 1u);
  cluster.Run(2 * kSecond);
  EXPECT_EQ(records(), 0u);
  EXPECT_EQ(CounterOf(cluster.node(0), "ended_records_dropped"), 0u);
}

}  // namespace
}  // namespace muster::sim
