// Sessions that move between nodes.
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/sim/scenario.h"

namespace muster::sim {
namespace {

constexpr int kSessions = 200;

std::vector<Session*> OpenMany(Cluster& cluster, int node, SimTime grace) {
  std::vector<Session*> sessions;
  for (int i = 0; i < kSessions; ++i) {
    sessions.push_back(
        &cluster.clients.Open(cluster.node(node), true, 0, grace));
  }
  cluster.Run(10 * kMillisecond);
  for (int i = 0; i < kSessions; ++i) {
    cluster.clients.Track(*sessions[static_cast<size_t>(i)], "t",
                          absl::StrCat("user", i));
  }
  cluster.Settle();
  EXPECT_EQ(cluster.Count(2), static_cast<uint64_t>(kSessions));
  return sessions;
}

// Resumes all within a second; the diffs seen by anyone until it is over.
void MoveAll(Cluster& cluster, const std::vector<Session*>& sessions,
             const std::vector<int>& watching, int to) {
  std::vector<uint64_t> before;
  for (int node : watching) {
    before.push_back(cluster.audit(node).mirror.diffs());
  }
  for (Session* session : sessions) {
    cluster.clients.Resume(*session, cluster.node(to), 0);
    cluster.Run(kSecond / kSessions);
  }
  cluster.Run(30 * kSecond);
  for (size_t i = 0; i < watching.size(); ++i) {
    EXPECT_EQ(cluster.audit(watching[i]).mirror.diffs(), before[i])
        << "at node " << watching[i];
    EXPECT_EQ(cluster.Count(watching[i]), static_cast<uint64_t>(kSessions));
  }
  for (Session* session : sessions) {
    EXPECT_EQ(session->missing, 0u);
    EXPECT_EQ(session->resumes, 1u);
  }
}

TEST(Adoption, ShowsNothingWhileTheOldOwnerLives) {
  Cluster cluster(3);
  const auto sessions = OpenMany(cluster, 0, 10 * kSecond);
  MoveAll(cluster, sessions, {0, 1, 2}, 1);
  cluster.Settle();
}

TEST(Adoption, ShowsNothingWithoutGraceWhileTheOldOwnerLives) {
  Cluster cluster(3);
  const auto sessions = OpenMany(cluster, 0, 0);
  MoveAll(cluster, sessions, {0, 1, 2}, 1);
  cluster.Settle();
}

TEST(Adoption, ShowsNothingAfterTheOldOwnerWasKilled) {
  Cluster cluster(3);
  const auto sessions = OpenMany(cluster, 0, 10 * kSecond);
  cluster.checks.Kill(cluster.node(0));
  MoveAll(cluster, sessions, {1, 2}, 1);
  cluster.Settle();
}

TEST(Adoption, ShowsNothingThoughAdopterAndWatcherAreCut) {
  for (bool reset : {false, true}) {
    Cluster cluster(3);
    const auto sessions = OpenMany(cluster, 0, 10 * kSecond);
    cluster.checks.Cut(1, 2, reset);
    MoveAll(cluster, sessions, {0, 1, 2}, 1);
    cluster.checks.Mend(1, 2);
    cluster.Settle();
  }
}

TEST(Adoption, ShowsNothingThoughTheAdoptersLinkIsSlow) {
  Cluster cluster(3);
  const auto sessions = OpenMany(cluster, 0, 10 * kSecond);
  Path& path = cluster.world.network().path(1, 2);
  path.latency = kSecond;
  path.bytes_per_second = 2000;
  MoveAll(cluster, sessions, {0, 1, 2}, 1);
  cluster.Settle();
}

TEST(Adoption, RollingRestartShowsNoLeaveAndNoGhost) {
  Cluster cluster(3);
  std::vector<Session*> sessions;
  for (int i = 0; i < 30; ++i) {
    sessions.push_back(
        &cluster.Open(i % 3, 10 * kSecond, 3, absl::StrCat("s", i, "-")));
  }
  cluster.Settle();
  for (int node = 0; node < 3; ++node) {
    std::vector<uint64_t> left;
    cluster.checks.Drain(cluster.node(node));
    for (Session* session : sessions) {
      if (session->at != nullptr && session->at->host.index != node) continue;
      cluster.Run(20 * kMillisecond);
      cluster.clients.Resume(*session, cluster.node((node + 1) % 3), 0);
    }
    ASSERT_TRUE(cluster.world.RunUntilTrue(
        [&] { return cluster.host(node).process == nullptr; }, 5 * kSecond));
    cluster.Start(node);
    cluster.Settle();
    for (int i = 0; i < 3; ++i) ASSERT_EQ(cluster.Count(i), 90u);
  }
  cluster.Run(20 * kSecond);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(cluster.Count(i), 90u);
    // Its state, and never a change of it.
    EXPECT_EQ(cluster.audit(i).mirror.diffs(), i == 0 ? 0u : 0u);
  }
  for (Session* session : sessions) EXPECT_EQ(session->missing, 0u);
}

TEST(Adoption, TheHigherEpochWinsAfterACut) {
  Cluster cluster(3);
  Session& session = cluster.Open(0, 10 * kSecond, 2);
  cluster.Settle();
  cluster.checks.Cut(0, 1, false);
  cluster.checks.Cut(0, 2, false);
  cluster.Run(4 * kSecond);
  cluster.clients.Resume(session, cluster.node(1), 1);
  cluster.Run(kSecond);
  cluster.clients.Track(session, "t", "later");
  cluster.Run(kSecond);
  cluster.checks.Mend(0, 1);
  cluster.checks.Mend(0, 2);
  cluster.Settle();
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(cluster.Count(i), 3u);
    EXPECT_TRUE(cluster.Shows(i, "later"));
  }
}

TEST(Adoption, ANodeWithoutTheRecordNamesEverythingAsMissing) {
  Cluster cluster(2);
  cluster.checks.Cut(0, 1, false);
  cluster.Run(5 * kSecond);
  Session& session = cluster.Open(0, 10 * kSecond, 4);
  cluster.clients.Resume(session, cluster.node(1), 0);
  cluster.Run(kSecond);
  EXPECT_EQ(session.missing, 4u);
  cluster.checks.Mend(0, 1);
  cluster.Settle();
  EXPECT_EQ(cluster.Count(0), 4u);
}

// The rows that the client no longer names stay as they are until the new copy
// is there, and do not keep those behind them.
TEST(Adoption, OfManyEntriesAndFewKeptEnds) {
  Cluster cluster(2);
  Session& session = cluster.Open(0, 10 * kSecond, 400);
  cluster.Settle();
  while (session.held.size() > 10) session.held.erase(session.held.begin());
  cluster.clients.Resume(session, cluster.node(1), 0);
  cluster.Run(20 * kSecond);
  cluster.Settle();
  EXPECT_EQ(cluster.Count(0), 10u);
  EXPECT_EQ(cluster.Count(1), 10u);
}

TEST(Adoption, OfASessionThatComesAndGoesFewRecordsAreKept) {
  Cluster cluster(3);
  Session& session = cluster.Open(0, kSecond, 3);
  cluster.Settle();
  const uint64_t before = cluster.audit(2).mirror.diffs();
  for (int i = 1; i <= 200; ++i) {
    cluster.clients.Resume(session, cluster.node(i % 2), 0);
    // Before the copy that it leaves has expired, and after.
    cluster.Run(i % 20 < 10 ? 200 * kMillisecond : 8 * kSecond);
  }
  cluster.Run(8 * kSecond);
  EXPECT_EQ(session.resumes, 200u);
  EXPECT_EQ(cluster.audit(2).mirror.diffs(), before);
  for (int node = 0; node < 3; ++node) {
    Process& at = cluster.node(node);
    size_t records = 0;
    for (const core::StreamView& s : at.replica().Status(at.Now()).streams) {
      records += s.sessions;
    }
    EXPECT_LE(records, 2u) << "at node " << node;
  }
  cluster.Settle();
}

// Where a limit stands in its way a session stays what it was.
TEST(Adoption, AtTheLimitOfSessionsIsRefused) {
  Cluster cluster(2, [](core::Options& options) {
    if (options.node == "b") options.sessions.max_sessions = 1;
  });
  Session& here = cluster.Open(1, 10 * kSecond, 1, "here");
  Session& moving = cluster.Open(0, 10 * kSecond, 3, "moving");
  cluster.Settle();
  const uint64_t before = cluster.audit(1).mirror.diffs();
  cluster.clients.Resume(moving, cluster.node(1), 0);
  cluster.Run(20 * kSecond);
  EXPECT_EQ(moving.last_error,
            absl::ResourceExhaustedError(
                "sessions: this node holds 1, its limit (--max-sessions)"));
  EXPECT_EQ(moving.resumes, 0u);
  EXPECT_EQ(cluster.audit(1).mirror.diffs(), before);
  cluster.clients.Resume(moving, cluster.node(0), 0);
  cluster.clients.Close(here);
  cluster.Settle();
  EXPECT_EQ(moving.resumes, 1u);
  cluster.clients.Resume(moving, cluster.node(1), 0);
  cluster.Settle();
  EXPECT_EQ(moving.resumes, 2u);
  EXPECT_EQ(moving.missing, 0u);
  EXPECT_EQ(cluster.Count(1), 3u);
}

// The node that held the session before never hears of the copy that lapsed:
// nobody learns what nobody shows.
TEST(Adoption, ACopyThatHasLapsedHidesNothing) {
  for (SimTime grace : {SimTime{0}, kSecond}) {
    Cluster cluster(3);
    Session& session = cluster.Open(0, grace, 2);
    cluster.Settle();
    cluster.checks.Cut(0, 1, false);
    cluster.checks.Cut(0, 2, false);
    cluster.checks.Kill(cluster.node(1));
    cluster.Start(1);
    cluster.Run(4 * kSecond);
    cluster.clients.Resume(session, cluster.node(1), 1);
    cluster.Run(kSecond);
    ASSERT_EQ(session.resumes, 1u);
    ASSERT_EQ(cluster.Count(2), 2u);
    cluster.checks.Kill(cluster.node(1));
    cluster.Run(8 * kSecond);
    ASSERT_EQ(cluster.Count(2), 0u);
    cluster.checks.Mend(0, 2);
    cluster.Settle();
    EXPECT_EQ(cluster.Count(0), 2u);
    EXPECT_EQ(cluster.Count(2), 2u);
    // Nor is the epoch of it forgotten.
    cluster.clients.Resume(session, cluster.node(2), 0);
    cluster.Settle();
    EXPECT_EQ(session.resumes, 2u);
    EXPECT_EQ(cluster.Count(0), 2u);
  }
}

// What was due of its grace before the resume is no measure for what comes.
TEST(Adoption, ATimeToLiveCountsAnewAfterAResumeInGrace) {
  constexpr SimTime kTtl = 2 * kSecond;
  constexpr SimTime kGrace = 10 * kSecond;
  Cluster cluster(2);
  Session& session = cluster.clients.Open(cluster.node(0), false, kTtl, kGrace);
  cluster.Run(10 * kMillisecond);
  cluster.clients.Track(session, "t", "u");
  cluster.clients.Disconnect(session);
  cluster.Run(kTtl + kSecond);
  cluster.clients.Resume(session, cluster.node(0), 0);
  cluster.Run(10 * kMillisecond);
  cluster.clients.Disconnect(session);
  const SimTime gone =
      cluster.TimeUntil([&] { return !cluster.Shows(1, "u"); }, 60 * kSecond);
  EXPECT_GE(gone, kTtl + kGrace);
  EXPECT_LE(gone, kTtl + kGrace + 6 * kSecond);
}

}  // namespace
}  // namespace muster::sim
