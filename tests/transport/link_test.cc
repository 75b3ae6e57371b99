// Links between two transports, over streams in memory: handshake, refusals,
// order, back-off, breaks. All of it runs under ThreadSanitizer.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "tests/transport/fake_node.h"
#include "tests/transport/memory_stream.h"

namespace muster::peer {
namespace {

using ::testing::HasSubstr;
using Events = FakeNode::Events;

class LinkTest : public ::testing::Test {
 protected:
  static asio::ip::tcp::endpoint At(uint16_t port) {
    return {asio::ip::make_address("127.0.0.1"), port};
  }
  static LinkPolicy Policy() {
    LinkPolicy policy;
    policy.cluster = "muster";
    return policy;
  }
  std::unique_ptr<FakeNode> Node(const std::string& name, uint16_t port,
                                 LinkPolicy policy = Policy()) {
    policy.address = "127.0.0.1:" + std::to_string(port);
    auto node = std::make_unique<FakeNode>(name, policy, net_.MakeConnector());
    net_.Listen(At(port), &node->transport());
    return node;
  }
  // Node a dials b; both report the link.
  bool Link(FakeNode& a, FakeNode& b, const std::string& address) {
    size_t before = a.links_up();
    a.Do([&](PeerTransport& t) { t.Dial({address}); });
    return Await([&] { return a.links_up() == before + 1; }) &&
           Await([&] { return b.links_up() > 0; });
  }
  // Dials with these policies and expects that both sides give this reason.
  void ExpectRefused(LinkPolicy dialler, LinkPolicy acceptor,
                     Counter reason = Counter::kLinksRefusedSecret) {
    auto a = Node("a", 1, std::move(dialler));
    auto b = Node("b", 2, std::move(acceptor));
    a->Do([](PeerTransport& t) { t.Dial({"127.0.0.1:2", kNobody}); });
    EXPECT_TRUE(Await([&] { return a->counter(Counter::kLinksRefused) == 1; }));
    EXPECT_TRUE(Await([&] { return b->counter(Counter::kLinksRefused) == 1; }));
    // The reason is counted, and the core told, right after the sum.
    EXPECT_TRUE(
        Await([&] { return a->counter(Counter::kLinksRefusedByPeer) == 1; }));
    EXPECT_TRUE(Await([&] { return b->counter(reason) == 1; }));
    const auto told = [&] {
      return a->See([](const Events& e) { return e.refused.size() == 1; });
    };
    ASSERT_TRUE(Await(told));
    a->See([](const Events& e) {
      EXPECT_EQ(e.refused[0].first, "127.0.0.1:2");
      EXPECT_FALSE(e.refused[0].second.empty());
    });
    // Nobody was dialled by b.
    EXPECT_TRUE(b->See([](const Events& e) { return e.refused.empty(); }));
    AwaitBackOffs();
    EXPECT_EQ(a->links_up() + b->links_up(), 0u);
    // Refused for good: not dialled again.
    EXPECT_EQ(net_.Dials(At(2)), 1u);
  }
  // Until a node that dials kNobody has done so a few more times: what else
  // had failed no more often it has dialled by then, if it was going to.
  void AwaitBackOffs() {
    size_t enough = net_.Dials(At(9)) + 3;
    EXPECT_TRUE(Await([&] { return net_.Dials(At(9)) >= enough; }));
  }
  static constexpr const char* kNobody = "127.0.0.1:9";

  MemoryNet net_;
};

TEST_F(LinkTest, BothSidesLearnWhoTheOtherIs) {
  auto a = Node("a", 1);
  auto b = Node("b", 2);
  ASSERT_TRUE(Link(*a, *b, "127.0.0.1:2"));
  core::PeerHello at_a = a->See([](const Events& e) { return e.up[0].hello; });
  EXPECT_EQ(at_a.origin, b->origin());
  EXPECT_EQ(at_a.address, "127.0.0.1:2");
  EXPECT_TRUE(at_a.outbound);
  EXPECT_EQ(at_a.dialed, "127.0.0.1:2");
  core::PeerHello at_b = b->See([](const Events& e) { return e.up[0].hello; });
  EXPECT_EQ(at_b.origin, a->origin());
  EXPECT_FALSE(at_b.outbound);
  EXPECT_EQ(at_b.dialed, "");
}

TEST_F(LinkTest, TwoNodesWithTheSameSecretLink) {
  LinkPolicy policy = Policy();
  policy.secret = "swordfish";
  auto a = Node("a", 1, policy);
  auto b = Node("b", 2, policy);
  ASSERT_TRUE(Link(*a, *b, "127.0.0.1:2"));
}

TEST_F(LinkTest, AnotherClusterIsRefused) {
  LinkPolicy other = Policy();
  other.cluster = "other";
  ExpectRefused(Policy(), other, Counter::kLinksRefusedCluster);
}

TEST_F(LinkTest, AnotherSecretIsRefused) {
  LinkPolicy one = Policy();
  one.secret = "swordfish";
  LinkPolicy other = Policy();
  other.secret = "sardine";
  ExpectRefused(one, other);
}

// ------------------------------------------------------------- two secrets

LinkPolicy WithSecrets(const std::string& secret,
                       const std::string& also = "") {
  LinkPolicy policy;
  policy.cluster = "muster";
  policy.secret = secret;
  policy.secret_also = also;
  return policy;
}

TEST_F(LinkTest, ANodeOfTwoSecretsLinksToOneOfEitherWhoeverDials) {
  struct Pair {
    LinkPolicy dialler;
    LinkPolicy acceptor;
  };
  const Pair pairs[] = {
      {WithSecrets("new", "old"), WithSecrets("old")},
      {WithSecrets("new", "old"), WithSecrets("new")},
      {WithSecrets("old"), WithSecrets("new", "old")},
      {WithSecrets("new"), WithSecrets("new", "old")},
      {WithSecrets("new", "old"), WithSecrets("new", "old")},
      {WithSecrets("new", "old"), WithSecrets("old", "new")},
  };
  uint16_t port = 10;
  for (const Pair& pair : pairs) {
    auto a = Node("a", port, pair.dialler);
    auto b = Node("b", port + 1, pair.acceptor);
    EXPECT_TRUE(Link(*a, *b, "127.0.0.1:" + std::to_string(port + 1))) << port;
    // That one of the secrets was refused is not a refusal of the node.
    EXPECT_EQ(a->counter(Counter::kLinksRefused), 0u);
    EXPECT_TRUE(a->See([](const Events& e) { return e.refused.empty(); }));
    port += 2;
  }
}

TEST_F(LinkTest, ANodeThatKnowsNeitherSecretRefusesBothAndIsLeftAlone) {
  auto a = Node("a", 1, WithSecrets("new", "old"));
  auto b = Node("b", 2, WithSecrets("older"));
  a->Do([](PeerTransport& t) { t.Dial({"127.0.0.1:2", kNobody}); });
  ASSERT_TRUE(Await([&] { return a->counter(Counter::kLinksRefused) == 1; }));
  AwaitBackOffs();
  EXPECT_EQ(net_.Dials(At(2)), 2u);
  EXPECT_EQ(b->counter(Counter::kLinksRefusedSecret), 2u);
  EXPECT_EQ(a->See([](const Events& e) { return e.refused.size(); }), 1u);
}

TEST_F(LinkTest, EveryLinkBeginsWithTheFirstSecret) {
  auto a = Node("a", 1, WithSecrets("new", "old"));
  auto b = Node("b", 2, WithSecrets("old"));
  ASSERT_TRUE(Link(*a, *b, "127.0.0.1:2"));
  EXPECT_EQ(b->counter(Counter::kLinksRefusedSecret), 1u);
  // It comes back with both secrets: nothing is refused any more.
  net_.Listen(At(2), nullptr);
  net_.BreakAll();
  ASSERT_TRUE(Await([&] { return a->links_down() == 1; }));
  auto next = Node("b", 2, WithSecrets("new", "old"));
  ASSERT_TRUE(Await([&] { return a->links_up() == 2; }));
  EXPECT_EQ(next->counter(Counter::kLinksRefusedSecret), 0u);
}

TEST_F(LinkTest, ASecretOnOneSideAloneIsRefused) {
  LinkPolicy secret = Policy();
  secret.secret = "swordfish";
  ExpectRefused(secret, Policy());
}

TEST_F(LinkTest, NoSecretIsRefusedWhereOneIsAskedFor) {
  LinkPolicy secret = Policy();
  secret.secret = "swordfish";
  ExpectRefused(Policy(), secret);
}

TEST_F(LinkTest, AnIncompatibleVersionIsRefused) {
  LinkPolicy later = Policy();
  later.protocol_min = 2;
  later.protocol_max = 3;
  ExpectRefused(later, Policy(), Counter::kLinksRefusedProtocol);
}

TEST_F(LinkTest, APeerThatIsNotOnLoopbackNeedsASecretOrAFlag) {
  auto a = Node("a", 1);
  a->Do([](PeerTransport& t) { t.Dial({"192.0.2.1:7400", "127.0.0.1:2"}); });
  EXPECT_TRUE(Await([&] { return a->counter(Counter::kDials) >= 2; }));
  EXPECT_TRUE(
      Await([&] { return a->counter(Counter::kLinksRefusedInsecure) == 1; }));
  EXPECT_TRUE(Await([&] {
    return a->See([](const Events& e) {
      return e.refused.size() == 1 && e.refused[0].first == "192.0.2.1:7400";
    });
  }));
  a->Stop();
  LinkPolicy insecure = Policy();
  insecure.insecure_peers = true;
  auto b = Node("b", 2, insecure);
  b->Do([](PeerTransport& t) { t.Dial({"192.0.2.1:7400"}); });
  EXPECT_TRUE(Await([&] { return b->counter(Counter::kDials) >= 1; }));
}

TEST(InsecurePeerTest, ASecretAFlagOrLoopbackIsEnough) {
  LinkPolicy policy;
  EXPECT_TRUE(InsecurePeer(policy, false).has_value());
  EXPECT_FALSE(InsecurePeer(policy, true).has_value());
  policy.insecure_peers = true;
  EXPECT_FALSE(InsecurePeer(policy, false).has_value());
  policy.insecure_peers = false;
  policy.secret = "swordfish";
  EXPECT_FALSE(InsecurePeer(policy, false).has_value());
}

TEST_F(LinkTest, AProbeLearnsTheLifeAndMakesNoLink) {
  auto a = Node("a", 1);
  auto b = Node("b", 2);
  a->Do([](PeerTransport& t) {
    t.StartHelloProbe(5, "127.0.0.1:2");
    t.StartHelloProbe(6, "127.0.0.1:3");
  });
  ASSERT_TRUE(Await([&] {
    return a->See([](const Events& e) { return e.lives.size() == 2; });
  }));
  std::map<uint64_t, crdt::LifeId> lives = a->See([](const Events& e) {
    return std::map<uint64_t, crdt::LifeId>(e.lives.begin(), e.lives.end());
  });
  EXPECT_EQ(lives[5], b->origin().life);
  EXPECT_TRUE(lives[6].IsZero());
  EXPECT_EQ(a->links_up() + b->links_up(), 0u);
}

TEST_F(LinkTest, AProbeOfAnotherClusterFindsNobody) {
  LinkPolicy other = Policy();
  other.cluster = "other";
  auto a = Node("a", 1);
  auto b = Node("b", 2, other);
  a->Do([](PeerTransport& t) { t.StartHelloProbe(5, "127.0.0.1:2"); });
  ASSERT_TRUE(Await([&] {
    return a->See([](const Events& e) { return e.lives.size() == 1; });
  }));
  EXPECT_TRUE(
      a->See([](const Events& e) { return e.lives[0].second.IsZero(); }));
}

TEST_F(LinkTest, ABrokenLinkIsReportedByBothAndDialledAgain) {
  auto a = Node("a", 1);
  auto b = Node("b", 2);
  ASSERT_TRUE(Link(*a, *b, "127.0.0.1:2"));
  net_.BreakAll();
  EXPECT_TRUE(Await([&] { return a->links_down() == 1; }));
  EXPECT_TRUE(Await([&] { return b->links_down() == 1; }));
  EXPECT_TRUE(Await([&] { return a->links_up() == 2; }));
  EXPECT_TRUE(Await([&] { return b->links_up() == 2; }));
}

TEST_F(LinkTest, WhoIsNotThereYetIsDialledUntilItIs) {
  auto a = Node("a", 1);
  a->Do([](PeerTransport& t) { t.Dial({"127.0.0.1:2"}); });
  ASSERT_TRUE(Await([&] { return a->counter(Counter::kDials) >= 3; }));
  auto b = Node("b", 2);
  EXPECT_TRUE(Await([&] { return a->links_up() == 1; }));
}

TEST_F(LinkTest, AnAddressTakenOutOfTheSetIsNotDialledAnyMore) {
  auto a = Node("a", 1);
  a->Do([](PeerTransport& t) { t.Dial({"127.0.0.1:2", kNobody}); });
  ASSERT_TRUE(Await([&] { return net_.Dials(At(2)) >= 2; }));
  a->Do([](PeerTransport& t) { t.Dial({kNobody}); });
  size_t dials = net_.Dials(At(2));
  AwaitBackOffs();
  // One may have been on its way.
  EXPECT_LE(net_.Dials(At(2)), dials + 1);
}

TEST_F(LinkTest, ALinkClosedByTheCoreTellsBothSidesWhy) {
  auto a = Node("a", 1);
  auto b = Node("b", 2);
  ASSERT_TRUE(Link(*a, *b, "127.0.0.1:2"));
  core::LinkId link = b->last_link();
  a->Do([](PeerTransport& t) { t.Dial({"127.0.0.1:2", kNobody}); });
  b->Do([&](PeerTransport& t) { t.CloseLink(link, "it is a test", true); });
  ASSERT_TRUE(Await([&] { return a->links_down() == 1; }));
  ASSERT_TRUE(Await([&] { return b->links_down() == 1; }));
  EXPECT_EQ(a->See([](const Events& e) { return e.down[0].why; }),
            "it is a test");
  EXPECT_EQ(b->See([](const Events& e) { return e.down[0].why; }),
            "it is a test");
  AwaitBackOffs();
  EXPECT_EQ(net_.Dials(At(2)), 1u);
}

TEST_F(LinkTest, AfterAStallTheRedialIsAFreshLink) {
  auto a = Node("a", 1);
  auto b = Node("b", 2);
  ASSERT_TRUE(Link(*a, *b, "127.0.0.1:2"));
  core::LinkId link = a->last_link();
  a->Do([&](PeerTransport& t) { t.CloseLink(link, "stalled", false); });
  EXPECT_TRUE(Await([&] { return a->links_up() == 2; }));
  EXPECT_NE(a->last_link(), link);
}

TEST_F(LinkTest, OfTwoAddressesOfOneLifeTheClosedOneIsLeftAlone) {
  auto a = Node("a", 1);
  auto b = Node("b", 2);
  net_.Listen(At(3), &b->transport());
  ASSERT_TRUE(Link(*a, *b, "127.0.0.1:2"));
  a->Do([](PeerTransport& t) {
    t.Dial({"127.0.0.1:2", "127.0.0.1:3", kNobody});
  });
  ASSERT_TRUE(Await([&] { return a->links_up() == 2; }));
  core::LinkId second = a->last_link();
  a->Do([&](PeerTransport& t) { t.CloseLink(second, "duplicate", false); });
  ASSERT_TRUE(Await([&] { return a->links_down() == 1; }));
  AwaitBackOffs();
  EXPECT_EQ(net_.Dials(At(3)), 1u);
  // Until the one that is left is lost.
  net_.Listen(At(2), nullptr);
  net_.BreakAll();
  EXPECT_TRUE(Await([&] { return a->links_up() == 3; }));
  EXPECT_EQ(net_.Dials(At(3)), 2u);
}

TEST_F(LinkTest, FramesArriveInOrderWithinTheirClass) {
  constexpr uint64_t kFrames = 200;
  auto a = Node("a", 1);
  auto b = Node("b", 2);
  ASSERT_TRUE(Link(*a, *b, "127.0.0.1:2"));
  core::LinkId link = a->last_link();
  a->Do([&](PeerTransport& t) {
    for (uint64_t n = 1; n <= kFrames; ++n) {
      t.Send(link, RebaseOf(n));
      t.Send(link, DeltaOf(n + 1, 100));
      t.Send(link, AckOf(n));
    }
  });
  ASSERT_TRUE(Await([&] {
    return b->See([](const Events& e) { return e.frames.size(); }) ==
           3 * kFrames;
  }));
  b->See([&](const Events& e) {
    uint64_t ack = 0;
    uint64_t delta = 1;
    uint64_t rebase = 0;
    for (const auto& [from, frame] : e.frames) {
      if (auto* f = std::get_if<core::AckFrame>(&frame.body)) {
        EXPECT_EQ(f->bulk_bytes, ++ack);
      } else if (auto* f = std::get_if<core::DeltaFrame>(&frame.body)) {
        EXPECT_EQ(f->first.value, ++delta);
      } else {
        EXPECT_EQ(std::get<core::RebaseFrame>(frame.body).number, ++rebase);
      }
    }
    return 0;
  });
}

TEST_F(LinkTest, AFrameOverTheLimitEndsTheLinkAndTheLimitIsNamed) {
  auto a = Node("a", 1);
  LinkPolicy policy = Policy();
  policy.max_frame_bytes = 10'000;
  auto b = Node("b", 2, policy);
  ASSERT_TRUE(Link(*a, *b, "127.0.0.1:2"));
  core::LinkId link = a->last_link();
  a->Do([&](PeerTransport& t) { t.Send(link, DeltaOf(2, 200'000)); });
  ASSERT_TRUE(Await([&] { return b->links_down() == 1; }));
  EXPECT_THAT(b->See([](const Events& e) { return e.down[0].why; }),
              ::testing::HasSubstr("at most 10000 (--max-frame-bytes)"));
}

TEST_F(LinkTest, ALinkWhoseQueueOverflowsIsClosed) {
  auto a = Node("a", 1);
  auto b = Node("b", 2);
  ASSERT_TRUE(Link(*a, *b, "127.0.0.1:2"));
  core::LinkId link = a->last_link();
  core::Frame big = DeltaOf(2, 200'000);
  // Faster than any stream takes them.
  a->Do([&](PeerTransport& t) {
    for (int i = 0; i < 5000; ++i) t.Send(link, big);
  });
  EXPECT_TRUE(Await([&] { return a->links_down() == 1; }));
  EXPECT_GE(a->counter(Counter::kQueueOverflows), 1u);
  EXPECT_TRUE(Await([&] { return b->links_down() == 1; }));
}

TEST_F(LinkTest, MoreInboundLinksThanTheLimitAreRefused) {
  auto hub = Node("hub", 1);
  std::vector<std::unique_ptr<FakeNode>> nodes;
  for (uint16_t i = 0; i < 9; ++i) {
    nodes.push_back(Node("n" + std::to_string(i), 100 + i));
    nodes.back()->Do([](PeerTransport& t) { t.Dial({"127.0.0.1:1"}); });
  }
  EXPECT_TRUE(Await([&] { return hub->links_up() == 8; }));
  EXPECT_TRUE(Await([&] { return hub->counter(Counter::kLinksRefused) >= 1; }));
  EXPECT_EQ(hub->links_up(), 8u);
}

TEST_F(LinkTest, LinksThatComeAndGoUnderLoadLeaveNothingBehind) {
  auto a = Node("a", 1);
  auto b = Node("b", 2);
  a->Do([](PeerTransport& t) { t.Dial({"127.0.0.1:2"}); });
  for (size_t round = 1; round <= 20; ++round) {
    ASSERT_TRUE(Await([&] { return a->links_up() >= round; }));
    core::LinkId link = a->last_link();
    a->Do([&](PeerTransport& t) {
      for (uint64_t n = 1; n < 50; ++n) t.Send(link, DeltaOf(n + 1, 1000));
    });
    net_.BreakAll();
    ASSERT_TRUE(Await([&] { return a->links_down() >= round; }));
    // Afresh: without the back-off of links that did not hold.
    a->Do([](PeerTransport& t) { t.Dial({}); });
    a->Do([](PeerTransport& t) { t.Dial({"127.0.0.1:2"}); });
  }
  EXPECT_TRUE(Await([&] { return a->links_up() == a->links_down() + 1; }));
  EXPECT_TRUE(Await([&] { return b->links_up() == b->links_down() + 1; }));
}

}  // namespace
}  // namespace muster::peer
