// How links come up, and what they bear.
#include <tuple>

#include "gtest/gtest.h"
#include "tests/sim/scenario.h"

namespace muster::sim {
namespace {

constexpr uint64_t kSeeds = 5;

// Nodes, latency. Slowest: until a cluster is equal after its start, in steps
// of 100 ms.
class Start : public ::testing::TestWithParam<std::tuple<int, SimTime>> {};

TEST_P(Start, OfACrowdThatDialsEachOtherAtOnceIsOverWithinASecond) {
  auto [nodes, latency] = GetParam();
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Cluster cluster(nodes, nullptr, seed, latency);
    EXPECT_LE(cluster.checks.slowest_quiet, kSecond) << "seed " << seed;
  }
}

TEST_P(Start, WithOneAddressTakesTwoDialsOneAfterTheOther) {
  auto [nodes, latency] = GetParam();
  auto join_first = [](core::Options& options) {
    options.join = {AddressOf(0)};
  };
  // A dial crosses the network six times (connect, hello, proof), and then
  // members are told; there and back once more for the streams.
  const SimTime most = 200 * kMillisecond + 2 * 7 * latency;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Cluster cluster(nodes, join_first, seed, latency);
    EXPECT_LE(cluster.checks.slowest_quiet, most) << "seed " << seed;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Links, Start,
    ::testing::Combine(::testing::Values(3, 7, 20),
                       ::testing::Values(200, 20 * kMillisecond,
                                         80 * kMillisecond)));

// A pair of nodes, a second or more apart.
class SlowLink : public ::testing::TestWithParam<SimTime> {
 protected:
  SlowLink() : cluster_(3) {
    for (auto [from, to] : {std::pair(1, 2), std::pair(2, 1)}) {
      Path& path = cluster_.world.network().path(from, to);
      path.latency = GetParam();
      path.jitter = GetParam() / 10;
    }
  }
  bool Linked() {
    for (const core::MemberView& member :
         cluster_.node(1).replica().Members(cluster_.node(1).Now())) {
      if (member.origin.node == "c") return member.linked;
    }
    return false;
  }
  Cluster cluster_;
};

TEST_P(SlowLink, StaysWhenItBecomesSlow) {
  Session& session = cluster_.Open(1, 0, 50);
  cluster_.Run(60 * kSecond);
  cluster_.TrackMany(session, 50, "later");
  SimTime unlinked = 0;
  for (int i = 0; i < 600; ++i) {
    cluster_.Run(kSecond / 10);
    unlinked += Linked() ? 0 : kSecond / 10;
  }
  EXPECT_EQ(unlinked, 0);
  cluster_.Settle();
  EXPECT_EQ(cluster_.Count(2), 100u);
}

TEST_P(SlowLink, ComesUpThoughBeatsPromiseBetterAndThenStays) {
  cluster_.Run(10 * kSecond);
  cluster_.world.network().BreakLinks(1, 2);
  cluster_.Run(kSecond);
  ASSERT_FALSE(Linked());
  // Eight crossings, after attempts that were not waited for.
  const SimTime took =
      cluster_.TimeUntil([&] { return Linked(); }, 60 * kSecond);
  EXPECT_GE(took, 0);
  EXPECT_LE(took, 5 * kSecond + 8 * GetParam());
  SimTime unlinked = 0;
  for (int i = 0; i < 1200; ++i) {
    cluster_.Run(kSecond / 10);
    unlinked += Linked() ? 0 : kSecond / 10;
  }
  EXPECT_EQ(unlinked, 0);
}

INSTANTIATE_TEST_SUITE_P(Links, SlowLink,
                         ::testing::Values(300 * kMillisecond, kSecond,
                                           1500 * kMillisecond));

TEST(HealedLink, IsRedialledOnAFreshSocketWithinTwoSeconds) {
  for (SimTime cut : {5 * kSecond, 60 * kSecond}) {
    for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
      Cluster cluster(3, nullptr, seed);
      cluster.checks.Cut(0, 1, false);
      cluster.Run(cut);
      cluster.checks.Mend(0, 1);
      cluster.Settle(2 * kSecond);
    }
  }
}

}  // namespace
}  // namespace muster::sim
