// Beats and probes over real sockets on loopback.
#include <gtest/gtest.h>

#include <asio/io_context.hpp>
#include <asio/ip/udp.hpp>

#include "node/codec/peer_codec.h"
#include "node/codec/peer_proof.h"
#include "tests/transport/fake_node.h"
#include "tests/transport/memory_stream.h"

namespace muster::peer {
namespace {

using asio::ip::tcp;
using asio::ip::udp;
using Events = FakeNode::Events;

const asio::ip::address kLoopback = asio::ip::make_address("127.0.0.1");

class BeatsTest : public ::testing::Test {
 protected:
  struct Node {
    std::unique_ptr<FakeNode> fake;
    udp::endpoint at;
    std::string address() const {
      return "127.0.0.1:" + std::to_string(at.port());
    }
  };
  Node Make(const std::string& name, LinkPolicy policy) {
    Node node;
    udp::socket bound(io_, {kLoopback, 0});
    node.at = bound.local_endpoint();
    policy.cluster = "muster";
    policy.address = node.address();
    node.fake = std::make_unique<FakeNode>(name, policy, net_.MakeConnector());
    net_.Listen({kLoopback, node.at.port()}, &node.fake->transport());
    node.fake->Do([&](PeerTransport& t) {
      udp::socket socket(node.fake->loop()->io());
      socket.assign(udp::v4(), bound.release());
      t.UseUdp(std::move(socket));
    });
    return node;
  }
  static core::BeatDatagram Beat(uint64_t number) {
    return {{"x", crdt::Incarnation(1), {9, 9}}, number, crdt::Seq(3), {}};
  }
  static std::shared_ptr<const core::BeatDatagram> Shared(uint64_t number) {
    return std::make_shared<const core::BeatDatagram>(Beat(number));
  }
  static size_t BeatsAt(Node& node) {
    return node.fake->See([](const Events& e) { return e.beats.size(); });
  }
  // Sends bytes that no node made.
  void Throw(const std::string& bytes, const udp::endpoint& to) {
    udp::socket socket(io_, {kLoopback, 0});
    socket.send_to(asio::buffer(bytes), to);
  }

  asio::io_context io_;
  MemoryNet net_;
};

TEST_F(BeatsTest, ABeatArrives) {
  for (const char* secret : {"", "swordfish"}) {
    LinkPolicy policy;
    policy.secret = secret;
    Node a = Make("a", policy);
    Node b = Make("b", policy);
    a.fake->Do([&](PeerTransport& t) { t.SendBeat(b.address(), Shared(41)); });
    ASSERT_TRUE(Await([&] { return BeatsAt(b) == 1; }));
    b.fake->See([](const Events& e) {
      EXPECT_EQ(e.beats[0].number, 41u);
      EXPECT_EQ(e.beats[0].presence_seq, crdt::Seq(3));
      return 0;
    });
  }
}

TEST_F(BeatsTest, ABeatIsProvedByTheSecretThatItsReceiverKnows) {
  for (const char* known : {"new", "old"}) {
    LinkPolicy both;
    both.secret = "new";
    both.secret_also = "old";
    Node a = Make("a", both);
    LinkPolicy one;
    one.secret = known;
    Node b = Make("b", one);
    // Nothing is known of b, and what it cannot check would be an alarm there.
    a.fake->Do([&](PeerTransport& t) { t.SendBeat(b.address(), Shared(1)); });
    a.fake->Do([&](PeerTransport& t) { t.Dial({b.address()}); });
    ASSERT_TRUE(Await([&] { return a.fake->links_up() == 1; }));
    a.fake->Do([&](PeerTransport& t) { t.SendBeat(b.address(), Shared(2)); });
    ASSERT_TRUE(Await([&] { return BeatsAt(b) == 1; }));
    EXPECT_EQ(b.fake->counter(Counter::kUnprovedDatagrams), 0u);
    // And the other way, whichever it is.
    b.fake->Do([&](PeerTransport& t) { t.SendBeat(a.address(), Shared(3)); });
    ASSERT_TRUE(Await([&] { return BeatsAt(a) == 1; }));
    EXPECT_EQ(a.fake->counter(Counter::kUnprovedDatagrams), 0u);
    uint64_t cluster = codec::ClusterHash("muster");
    Throw(codec::EncodeDatagram(Beat(4), cluster, "older"), a.at);
    ASSERT_TRUE(Await(
        [&] { return a.fake->counter(Counter::kUnprovedDatagrams) == 1; }));
  }
}

TEST_F(BeatsTest, ANameIsResolvedForBeats) {
  Node a = Make("a", {});
  Node b = Make("b", {});
  std::string name = "localhost:" + std::to_string(b.at.port());
  // The first ones are lost while the name is resolved.
  EXPECT_TRUE(Await([&] {
    a.fake->Do([&](PeerTransport& t) { t.SendBeat(name, Shared(41)); });
    return BeatsAt(b) > 0;
  }));
}

TEST_F(BeatsTest, WhatIsNoBeatOfThisClusterIsCountedAndDropped) {
  LinkPolicy policy;
  policy.secret = "swordfish";
  Node a = Make("a", policy);
  uint64_t cluster = codec::ClusterHash("muster");
  Throw("nonsense", a.at);
  Throw(std::string(core::kMaxDatagramBytes + 100, 'x'), a.at);
  Throw(codec::EncodeDatagram(Beat(1), codec::ClusterHash("other"), ""), a.at);
  Throw(codec::EncodeDatagram(Beat(2), cluster, "sardine"), a.at);
  Throw(codec::EncodeDatagram(Beat(3), cluster, ""), a.at);
  Throw(codec::EncodeDatagram(Beat(4), cluster, "swordfish"), a.at);
  ASSERT_TRUE(Await([&] { return BeatsAt(a) == 1; }));
  EXPECT_EQ(a.fake->See([](const Events& e) { return e.beats[0].number; }), 4u);
  EXPECT_EQ(a.fake->counter(Counter::kBadDatagrams), 2u);
  EXPECT_EQ(a.fake->counter(Counter::kForeignDatagrams), 1u);
  EXPECT_EQ(a.fake->counter(Counter::kUnprovedDatagrams), 2u);
}

TEST_F(BeatsTest, MoreBeatsThanOneBatchAllArrive) {
  Node a = Make("a", {});
  Node b = Make("b", {});
  constexpr size_t kBeats = 3 * Beats::kReceiveBatch;
  a.fake->Do([&](PeerTransport& t) {
    for (size_t i = 1; i <= kBeats; ++i) t.SendBeat(b.address(), Shared(i));
  });
  EXPECT_TRUE(Await([&] { return BeatsAt(b) == kBeats; }));
}

TEST_F(BeatsTest, AConnectProbeTellsListeningRefusedAndUnknownApart) {
  Node a = Make("a", {});
  tcp::acceptor open(io_, {kLoopback, 0});
  uint16_t closed_port;
  {
    tcp::acceptor closed(io_, {kLoopback, 0});
    closed_port = closed.local_endpoint().port();
  }
  a.fake->Do([&](PeerTransport& t) {
    t.StartProbe(1,
                 "127.0.0.1:" + std::to_string(open.local_endpoint().port()));
    t.StartProbe(2, "127.0.0.1:" + std::to_string(closed_port));
    t.StartProbe(3, "no.such.host.invalid:7700");
  });
  ASSERT_TRUE(Await([&] {
    return a.fake->See([](const Events& e) { return e.probes.size() == 3; });
  }));
  auto outcomes = a.fake->See([](const Events& e) {
    return std::map<uint64_t, ConnectOutcome>(e.probes.begin(), e.probes.end());
  });
  EXPECT_EQ(outcomes[1], ConnectOutcome::kConnected);
  EXPECT_EQ(outcomes[2], ConnectOutcome::kRefused);
  EXPECT_EQ(outcomes[3], ConnectOutcome::kNoAnswer);
}

}  // namespace
}  // namespace muster::peer
