// Long runs and random faults, in simulated time. Each prints its seed when it
// fails; the same seed gives the same run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include "absl/strings/str_cat.h"
#include "tests/core/membership/member_world.h"

namespace muster::core {
namespace {

using absl::Milliseconds;
using absl::Minutes;
using absl::Seconds;
using Kind = MembershipEvent::Kind;

TEST(MembershipSimTest, NobodyIsDownInAnHourOfLossAndJitter) {
  NetOptions net;
  net.udp_loss = 0.1;
  net.udp_jitter = Milliseconds(200);
  for (uint64_t seed : {1, 2, 3}) {
    World world(seed, net);
    Process& a = world.Start("a", {"b:1", "c:1"});
    Process& b = world.Start("b", {"a:1", "c:1"});
    Process& c = world.Start("c", {"a:1", "b:1"});
    std::vector<Process*> all = {&a, &b, &c};
    ASSERT_TRUE(world.RunUntil([&] { return world.Whole(all); }, Seconds(5)));
    world.Run(Minutes(60));
    for (Process* p : all) {
      EXPECT_EQ(0u, p->Counter("downs")) << seed << "\n" << world.log();
      EXPECT_EQ(0u, p->Counter("links_stalled")) << seed;
    }
    EXPECT_TRUE(world.Whole(all)) << seed;
  }
}

// By datagrams and each other's word alone: a star of links, whose centre is
// not there to carry beats, would hide what loss does.
TEST(MembershipSimTest, NobodyIsDownInAnHourWithoutAnyLinkBetweenTwo) {
  NetOptions net;
  net.udp_loss = 0.1;
  net.udp_jitter = Milliseconds(200);
  World world(4, net);
  Process& a = world.Start("a", {"b:1", "c:1", "d:1"});
  Process& b = world.Start("b", {"a:1", "c:1", "d:1"});
  Process& c = world.Start("c", {"a:1", "b:1", "d:1"});
  Process& d = world.Start("d", {"a:1", "b:1", "c:1"});
  std::vector<Process*> all = {&a, &b, &c, &d};
  ASSERT_TRUE(world.RunUntil([&] { return world.Whole(all); }, Seconds(5)));
  // a and b hear each other by c and d only.
  world.Cut(a, b);
  world.Run(Minutes(60));
  for (Process* p : all) EXPECT_EQ(0u, p->Counter("downs")) << world.log();
}

// Seven nodes; random kills, restarts, freezes, cuts; then quiet.
class Chaos {
 public:
  explicit Chaos(uint64_t seed) : random_(seed), world_(seed, Net(seed)) {
    for (int i = 0; i < kNodes; ++i) {
      join_.push_back(absl::StrCat("n", i, ":1"));
    }
    for (int i = 0; i < kNodes; ++i) nodes_.push_back(&StartNode(i));
  }
  void Run(int faults) {
    for (int i = 0; i < faults; ++i) {
      OneFault();
      world_.Run(Milliseconds(random_() % 3000));
      CheckSafety();
    }
  }
  // Everything heals; all must be whole within 10 s.
  void HealAndCheck() {
    for (int i = 0; i < kNodes; ++i) {
      for (int j = 0; j < i; ++j) world_.Heal(*nodes_[i], *nodes_[j]);
    }
    for (int i = 0; i < kNodes; ++i) {
      Process& node = *nodes_[i];
      if (!node.running) {
        nodes_[i] = &StartNode(i);
      } else if (node.frozen) {
        world_.Thaw(node);
      }
    }
    EXPECT_TRUE(
        world_.RunUntil([&] { return world_.Whole(nodes_); }, Seconds(10)))
        << world_.Missing(nodes_) << world_.log();
    for (const Process* node : nodes_) {
      EXPECT_TRUE(node->running) << node->name << "\n" << world_.log();
    }
  }

 private:
  static constexpr int kNodes = 7;
  static NetOptions Net(uint64_t seed) {
    NetOptions net;
    net.udp_loss = seed % 3 == 0 ? 0.3 : 0.02;
    net.udp_jitter = Milliseconds(seed % 2 == 0 ? 100 : 5);
    net.udp_blocked = seed % 10 == 9;
    return net;
  }
  Process& StartNode(int i) {
    // Two seeds for everybody, so that the rest is learnt from peers.
    return world_.Start(absl::StrCat("n", i), {join_[0], join_[1]});
  }
  void OneFault() {
    int i = random_() % kNodes;
    Process& node = *nodes_[i];
    Process& other = *nodes_[(i + 1 + random_() % (kNodes - 1)) % kNodes];
    switch (random_() % 8) {
      case 0:
        if (node.running) world_.Kill(node);
        break;
      case 1:
        if (!node.running) nodes_[i] = &StartNode(i);
        break;
      case 2:
        if (node.running) world_.Freeze(node);
        break;
      case 3:
        if (node.frozen && node.running) world_.Thaw(node);
        break;
      case 4:
        world_.Cut(node, other);
        break;
      case 5:
        world_.Refuse(node, other);
        break;
      default:
        world_.Heal(node, other);
        break;
    }
  }
  // kLinked and kUnlinked alternate, and no life that ended is alive.
  void CheckSafety() {
    for (const Process* node : nodes_) {
      std::set<crdt::LifeId> linked;
      std::set<crdt::LifeId> ended;
      for (const Process::Seen& seen : node->seen) {
        crdt::LifeId life = seen.event.origin.life;
        switch (seen.event.kind) {
          case Kind::kLinked:
            EXPECT_TRUE(linked.insert(life).second);
            EXPECT_FALSE(ended.contains(life));
            break;
          case Kind::kUnlinked:
            EXPECT_EQ(1u, linked.erase(life));
            break;
          case Kind::kEnded:
            EXPECT_TRUE(ended.insert(life).second);
            EXPECT_FALSE(linked.contains(life));
            break;
          case Kind::kAlive:
            EXPECT_FALSE(ended.contains(life));
            break;
          default:
            break;
        }
      }
    }
  }

  std::mt19937_64 random_;
  World world_;
  std::vector<std::string> join_;
  std::vector<Process*> nodes_;
};

// MUSTER_SEED=n runs n alone, MUSTER_SEEDS=n all from 1 to n.
uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

TEST(MembershipSimTest, SevenNodesAreWholeAgainAfterAnyFaults) {
  uint64_t alone = FromEnvironment("MUSTER_SEED", 0);
  uint64_t first = alone != 0 ? alone : 1;
  uint64_t last = alone != 0 ? alone : FromEnvironment("MUSTER_SEEDS", 100);
  for (uint64_t seed = first; seed <= last; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Chaos chaos(seed);
    chaos.Run(40);
    chaos.HealAndCheck();
    if (::testing::Test::HasFailure()) break;
  }
}

}  // namespace
}  // namespace muster::core
