// A second kind of stream converges over links that lose, double and reorder
// frames, and are cut: the proof that replication and rebase are of no kind.
#include <algorithm>
#include <random>
#include <string>

#include "gtest/gtest.h"
#include "tests/core/stream/toy_cluster.h"

namespace muster::core {
namespace {

// Random work on the own stream of one node.
void Write(ToyNode& node, std::mt19937_64& random, int mutations) {
  for (int n = 0; n < mutations; ++n) {
    const auto& elements = node.state.of(*node.own);
    const std::string text(1 + random() % 40,
                           static_cast<char>('a' + random() % 26));
    const uint64_t choice = random() % 10;
    if (elements.empty() || choice < 5) {
      node.state.Put(*node.own, text);
      continue;
    }
    auto it = std::next(elements.begin(),
                        static_cast<ptrdiff_t>(random() % elements.size()));
    if (choice < 7) {
      node.state.Update(*node.own, it->first, text);
    } else {
      node.state.Remove(*node.own, it->first);
    }
  }
}

class StreamConvergenceTest : public testing::TestWithParam<uint64_t> {};

TEST_P(StreamConvergenceTest, AToyKindIsTheSameEverywhereOnceLinksAreWhole) {
  std::mt19937_64 random(GetParam());
  const int nodes = 2 + static_cast<int>(random() % 3);
  ToyCluster cluster(nodes);
  const uint64_t faults = random() % 4 == 0 ? 0 : 1 + random() % 20;
  cluster.arrives = [&](int, int, const Frame&) {
    if (random() % 100 >= faults) return 1;
    return random() % 2 == 0 ? 0 : 2;
  };
  for (int round = 0; round < 30; ++round) {
    const int a = static_cast<int>(random() % nodes);
    const int b = static_cast<int>(random() % nodes);
    if (a != b && cluster.connected(a, b) && random() % 2 == 0) {
      cluster.Cut(a, b);
    } else if (a != b) {
      cluster.Connect(a, b);
    }
    Write(cluster.node(a), random, static_cast<int>(random() % 60));
    cluster.Run(absl::Milliseconds(10 * (1 + random() % 40)));
  }
  // A chain, whole and made anew: streams come by relay.
  cluster.arrives = nullptr;
  for (int a = 0; a < nodes; ++a) {
    for (int b = a + 1; b < nodes; ++b) cluster.Cut(a, b);
  }
  for (int a = 0; a + 1 < nodes; ++a) cluster.Connect(a, a + 1);
  for (int left = 200; !cluster.Equal() && left > 0; --left) {
    cluster.Run(absl::Milliseconds(100));
  }
  EXPECT_TRUE(cluster.Equal()) << cluster.Text();
  for (int i = 0; i < nodes; ++i) {
    EXPECT_EQ(cluster.node(i).Counter("bad_peer_frames"), 0u);
    EXPECT_EQ(cluster.node(i).Counter("digest_mismatches"), 0u);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, StreamConvergenceTest,
                         testing::Range<uint64_t>(1, 301));

TEST(StreamConvergenceTest, SeedsReachRebasesRelaysAndGaps) {
  ToyCluster cluster(3);
  cluster.Connect(0, 1);
  cluster.Connect(1, 2);
  std::mt19937_64 random(7);
  Write(cluster.node(0), random, 40);
  cluster.Run(absl::Seconds(1));
  EXPECT_TRUE(cluster.Equal()) << cluster.Text();
  EXPECT_GT(cluster.node(2).Counter("deltas_in") +
                cluster.node(2).Counter("rebases_in"),
            0u)
      << "c has no link to a";
  cluster.Cut(1, 2);
  Write(cluster.node(0), random, 300);  // More than the log holds.
  cluster.Run(absl::Seconds(1));
  const uint64_t before = cluster.node(2).Counter("rebases_in");
  cluster.Connect(1, 2);
  cluster.Run(absl::Seconds(2));
  EXPECT_TRUE(cluster.Equal()) << cluster.Text();
  EXPECT_GT(cluster.node(2).Counter("rebases_in"), before);
  EXPECT_EQ(cluster.node(2).Counter("digest_mismatches"), 0u);
}

}  // namespace
}  // namespace muster::core
