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

}  // namespace
}  // namespace muster::sim
