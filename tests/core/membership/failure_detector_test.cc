#include "node/core/membership/failure_detector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace muster::core {
namespace {

using absl::Milliseconds;

GapWindow Series(const std::vector<int>& pattern_ms, int times) {
  GapWindow gaps;
  for (int i = 0; i < times; ++i) {
    for (int ms : pattern_ms) gaps.Add(Milliseconds(ms));
  }
  return gaps;
}

struct Row {
  const char* what;
  std::vector<int> pattern_ms;
  int times;
  int suspect_ms;         // With datagrams: clamped to 1.0–2.0 s.
  int suspect_stream_ms;  // By stream alone: to 1.0–4.0 s.
};

TEST(FailureDetectorTest, GapSeriesGiveTheirSuspicionTimes) {
  // mean + 5.612 * max(sigma, 100 ms), clamped.
  const Row rows[] = {
      {"nothing heard yet", {}, 0, 1000, 1000},
      {"one gap", {250}, 1, 1000, 1000},
      {"regular beats", {250}, 100, 1000, 1000},
      {"bursts", {0, 0, 0, 1000}, 25, 2000, 2680},
      {"slow and regular", {500}, 100, 1061, 1061},
      {"every tenth lost",
       {250, 250, 250, 250, 250, 250, 250, 250, 500},
       11,
       1000,
       1000},
      {"every second lost, 100 ms of jitter", {400, 600}, 50, 1061, 1061},
      {"200 ms of jitter either way", {200, 600}, 50, 1522, 1522},
      {"erratic", {100, 900}, 50, 2000, 2745},
      {"hardly anything", {1000, 3000}, 50, 2000, 4000},
      {"outages count for 10 s", {250, 90000}, 1, 2000, 4000},
  };
  const FailureDetector detector{DetectorOptions{}};
  for (const Row& row : rows) {
    GapWindow gaps = Series(row.pattern_ms, row.times);
    EXPECT_NEAR(row.suspect_ms,
                absl::ToDoubleMilliseconds(detector.SuspectAfter(gaps, false)),
                1)
        << row.what;
    EXPECT_NEAR(row.suspect_stream_ms,
                absl::ToDoubleMilliseconds(detector.SuspectAfter(gaps, true)),
                1)
        << row.what;
  }
}

TEST(FailureDetectorTest, OnlyTheLastHundredGapsCount) {
  const FailureDetector detector{DetectorOptions{}};
  GapWindow gaps = Series({100, 1500}, 100);
  EXPECT_EQ(Milliseconds(2000), detector.SuspectAfter(gaps, false));
  for (int i = 0; i < 100; ++i) gaps.Add(Milliseconds(500));
  EXPECT_EQ(100u, gaps.size());
  EXPECT_EQ(Milliseconds(500), gaps.Mean());
  EXPECT_EQ(absl::ZeroDuration(), gaps.Sigma());
  EXPECT_NEAR(
      1061, absl::ToDoubleMilliseconds(detector.SuspectAfter(gaps, false)), 1);
}

TEST(FailureDetectorTest, PhiReachesTheThresholdWhenSuspicionBegins) {
  const FailureDetector detector{DetectorOptions{}};
  GapWindow gaps = Series({200, 600}, 50);
  absl::Duration when = detector.SuspectAfter(gaps, false);
  EXPECT_NEAR(8, detector.Phi(gaps, when), 0.01);
  EXPECT_LT(detector.Phi(gaps, when - Milliseconds(50)), 8);
  EXPECT_NEAR(0.301, detector.Phi(gaps, gaps.Mean()), 0.001);
}

TEST(FailureDetectorTest, AHigherThresholdWaitsLonger) {
  DetectorOptions patient;
  patient.phi_threshold = 16;
  GapWindow gaps = Series({200, 600}, 50);
  EXPECT_GT(FailureDetector{patient}.SuspectAfter(gaps, true),
            FailureDetector{DetectorOptions{}}.SuspectAfter(gaps, true));
}

Instant Ms(int64_t ms) { return Instant{ms * 1000}; }

TEST(StallWatchTest, RegularCallsAreNoStall) {
  StallWatch watch(Ms(0));
  for (int ms = 10; ms < 1000; ms += 10) {
    EXPECT_EQ(absl::ZeroDuration(), watch.OnCall(Ms(ms)));
    watch.Tick(Ms(ms));
    EXPECT_FALSE(watch.settling());
  }
}

TEST(StallWatchTest, AfterAStallInputIsReadBeforeAnybodyIsJudged) {
  StallWatch watch(Ms(0));
  EXPECT_EQ(Milliseconds(5000), watch.OnCall(Ms(5000)));
  EXPECT_TRUE(watch.settling());
  EXPECT_EQ(Milliseconds(5000), watch.InputDelay());
  watch.Tick(Ms(5000));
  for (int ms = 5010; ms < 5050; ms += 10) {
    watch.OnCall(Ms(ms));
    watch.Tick(Ms(ms));
    EXPECT_TRUE(watch.settling()) << "these are not 50 ms yet";
  }
  watch.OnCall(Ms(5060));
  watch.Tick(Ms(5060));
  EXPECT_FALSE(watch.settling());
  EXPECT_EQ(absl::ZeroDuration(), watch.InputDelay());
}

TEST(StallWatchTest, AfterAPauseTheFirstTickJudgesNobody) {
  StallWatch watch(Ms(0));
  EXPECT_EQ(absl::ZeroDuration(), watch.OnCall(Ms(150)));
  watch.Tick(Ms(150));
  EXPECT_TRUE(watch.settling());
  watch.OnCall(Ms(160));
  watch.Tick(Ms(160));
  EXPECT_FALSE(watch.settling());
  // Input may come first.
  watch.OnCall(Ms(310));
  watch.OnCall(Ms(310));
  watch.Tick(Ms(310));
  EXPECT_TRUE(watch.settling());
  // Nobody would ever be judged by one whose ticks are always far apart.
  watch.OnCall(Ms(460));
  watch.Tick(Ms(460));
  EXPECT_FALSE(watch.settling());
}

TEST(StallWatchTest, InputOfOneWithTooMuchToDoHasWaitedAsItsTicks) {
  StallWatch watch(Ms(0));
  for (int ms = 1; ms <= 300; ++ms) watch.OnCall(Ms(ms));
  EXPECT_EQ(Milliseconds(300), watch.InputDelay());
  watch.Tick(Ms(300));
  for (int ms = 301; ms <= 900; ++ms) watch.OnCall(Ms(ms));
  EXPECT_EQ(Milliseconds(900), watch.InputDelay()) << "all came after 0";
  watch.Tick(Ms(900));
  watch.OnCall(Ms(901));
  EXPECT_EQ(Milliseconds(601), watch.InputDelay()) << "all came after 300";
  EXPECT_FALSE(watch.settling());
  watch.Tick(Ms(910));
  watch.OnCall(Ms(911));
  EXPECT_EQ(absl::ZeroDuration(), watch.InputDelay());
}

TEST(StallWatchTest, ASecondStallIsCountedOnItsOwn) {
  StallWatch watch(Ms(0));
  watch.OnCall(Ms(1000));
  watch.Tick(Ms(1000));
  EXPECT_EQ(Milliseconds(300), watch.OnCall(Ms(1300)));
  EXPECT_TRUE(watch.settling());
}

}  // namespace
}  // namespace muster::core
