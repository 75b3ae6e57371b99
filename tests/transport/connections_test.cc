#include "node/listener/connections.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <limits>
#include <list>

#include "node/listener/file_limit.h"

namespace muster {
namespace {

using asio::ip::tcp;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Place = Connections::Place;

asio::ip::address Host(const char* text) {
  return asio::ip::make_address(text);
}

class ConnectionsTest : public ::testing::Test {
 protected:
  // Both ends of a connection; the node's may be called to come from anywhere.
  struct Pair {
    explicit Pair(asio::io_context& io) : near(io), far(io) {}
    tcp::socket near;
    tcp::socket far;
    tcp::endpoint from;
  };

  Pair& Connect(const char* host = "127.0.0.1") {
    Pair& pair = pairs_.emplace_back(io_);
    pair.far.connect(acceptor_.local_endpoint());
    pair.near = acceptor_.accept();
    pair.from = {Host(host), pair.far.local_endpoint().port()};
    return pair;
  }
  Place Admit(Connections& table, Pair& pair) {
    return table.Admit(pair.near.native_handle(), pair.from, now_);
  }
  Place Admit(Connections& table, const char* host = "127.0.0.1") {
    return Admit(table, Connect(host));
  }
  // What gRPC does with a connection that is over.
  static void Close(Pair& pair) {
    std::error_code ignored;
    pair.near.shutdown(tcp::socket::shutdown_both, ignored);
    pair.near.close(ignored);
  }
  // The far end reads the end of the stream.
  static bool IsClosed(Pair& pair) {
    char byte;
    std::error_code error;
    pair.far.read_some(asio::buffer(&byte, 1), error);
    return error == asio::error::eof;
  }

  asio::io_context io_;
  tcp::acceptor acceptor_{io_, {Host("127.0.0.1"), 0}};
  std::list<Pair> pairs_;
  Connections::Clock::time_point now_{seconds(1000)};
};

TEST_F(ConnectionsTest, PastTheClientsComeGuestsAndThenNobody) {
  Connections table({.clients = 1, .guests = 2});
  EXPECT_EQ(Admit(table), Place::kClient);
  EXPECT_EQ(Admit(table), Place::kGuest);
  EXPECT_EQ(Admit(table), Place::kGuest);
  EXPECT_EQ(Admit(table), Place::kClosed);
  EXPECT_EQ(table.counters().accepted, 1u);
  EXPECT_EQ(table.counters().guests, 2u);
  EXPECT_EQ(table.counters().refused_full, 1u);
  EXPECT_EQ(table.counters().open_guests, 2u);
}

TEST_F(ConnectionsTest, TheNextConnectionTakesThePlaceOfAClientThatWent) {
  Connections table({.clients = 1});
  for (int i = 0; i < 20; ++i) {
    Pair& client = Connect();
    // At once: a small table is looked at as often as is asked.
    now_ += milliseconds(1);
    EXPECT_EQ(Admit(table, client), Place::kClient) << i;
    Close(client);
  }
}

TEST_F(ConnectionsTest, AGuestIsClosedAfterTwoSecondsAndNotBefore) {
  Connections table({.clients = 0});
  Pair& guest = Connect();
  EXPECT_EQ(Admit(table, guest), Place::kGuest);
  EXPECT_EQ(table.CloseOverdue(now_ + milliseconds(1999)), now_ + seconds(2));
  EXPECT_EQ(table.counters().guests_closed, 0u);
  EXPECT_EQ(table.CloseOverdue(now_ + seconds(2)), std::nullopt);
  EXPECT_EQ(table.counters().guests_closed, 1u);
  EXPECT_TRUE(IsClosed(guest));
}

TEST_F(ConnectionsTest, WhatHasTheNumberOfAGuestThatWentIsLeftAlone) {
  Connections table({.clients = 0});
  Pair& guest = Connect();
  Admit(table, guest);
  const int number = guest.near.native_handle();
  Close(guest);
  Pair& other = Connect();
  ASSERT_TRUE(other.near.native_handle() == number ||
              other.far.native_handle() == number);
  table.CloseOverdue(now_ + seconds(3));
  EXPECT_EQ(table.counters().guests_closed, 0u);
  other.near.write_some(asio::buffer("x", 1));
  EXPECT_FALSE(IsClosed(other));
}

TEST_F(ConnectionsTest, AGuestThatWentMakesRoomForTheNext) {
  Connections table({.clients = 0, .guests = 1});
  Pair& first = Connect();
  EXPECT_EQ(Admit(table, first), Place::kGuest);
  EXPECT_EQ(Admit(table), Place::kClosed);
  Close(first);
  EXPECT_EQ(Admit(table), Place::kGuest);
}

TEST_F(ConnectionsTest, TheHostOfAGuestThatWasToldAndStayedIsTurnedAwayOnce) {
  Connections table({.clients = 0});
  Pair& told = Connect("10.0.0.1");
  Admit(table, told);
  Admit(table, "10.0.0.2");  // Asks nothing.
  table.Told(told.from);
  table.CloseOverdue(now_ += seconds(2));
  EXPECT_EQ(Admit(table, "10.0.0.2"), Place::kGuest);
  EXPECT_EQ(Admit(table, "10.0.0.1"), Place::kClosed);
  EXPECT_EQ(Admit(table, "10.0.0.1"), Place::kGuest);
  EXPECT_EQ(table.counters().refused_told, 1u);
  EXPECT_EQ(table.counters().calls_refused, 1u);
}

TEST_F(ConnectionsTest, AGuestThatWasToldAndWentByItselfOwesNothing) {
  Connections table({.clients = 0});
  Pair& told = Connect("10.0.0.1");
  Admit(table, told);
  table.Told(told.from);
  Close(told);
  table.CloseOverdue(now_ += seconds(2));
  EXPECT_EQ(Admit(table, "10.0.0.1"), Place::kGuest);
}

TEST_F(ConnectionsTest, AHostIsForgottenTenSecondsAfterItWasTold) {
  Connections table({.clients = 0});
  Pair& told = Connect("10.0.0.1");
  Admit(table, told);
  table.Told(told.from);
  table.CloseOverdue(now_ += seconds(2));
  now_ += Connections::kToldTime;
  EXPECT_EQ(Admit(table, "10.0.0.1"), Place::kGuest);
}

TEST_F(ConnectionsTest, APeerTakesNoPlaceOfClients) {
  Connections table({.clients = 1, .guests = 0});
  Pair& peer = Connect();
  EXPECT_EQ(Admit(table, peer), Place::kClient);
  table.SetPeer(peer.from, true, now_);
  EXPECT_EQ(table.counters().open_peers, 1u);
  EXPECT_EQ(Admit(table), Place::kClient);
  EXPECT_EQ(Admit(table), Place::kClosed);
  // What was a peer is one of many again.
  table.SetPeer(peer.from, false, now_);
  EXPECT_EQ(table.counters().open_clients, 2u);
}

TEST_F(ConnectionsTest, AGuestThatProvesToBeAPeerStaysWhileItIsOne) {
  Connections table({.clients = 0, .guests = 1});
  Pair& peer = Connect();
  EXPECT_EQ(Admit(table, peer), Place::kGuest);
  table.SetPeer(peer.from, true, now_);
  EXPECT_EQ(Admit(table), Place::kGuest);  // The place is free again.
  table.CloseOverdue(now_ += seconds(60));
  peer.near.write_some(asio::buffer("x", 1));
  EXPECT_FALSE(IsClosed(peer));
  table.SetPeer(peer.from, false, now_);
  EXPECT_EQ(table.CloseOverdue(now_), now_ + seconds(2));
  table.CloseOverdue(now_ + seconds(2));
  EXPECT_TRUE(IsClosed(peer));
}

TEST_F(ConnectionsTest, GuestPlacesAreKeptForHostsOfPeers) {
  Connections table(
      {.clients = 0,
       .guests = 1,
       .peer_guests = 1,
       .has_peers = [](const auto& h) { return h == Host("10.0.0.7"); }});
  EXPECT_EQ(Admit(table, "10.0.0.1"), Place::kGuest);
  EXPECT_EQ(Admit(table, "10.0.0.2"), Place::kClosed);
  EXPECT_EQ(Admit(table, "10.0.0.7"), Place::kGuest);
  EXPECT_EQ(Admit(table, "10.0.0.7"), Place::kClosed);
}

TEST_F(ConnectionsTest, AnIPv4AddressWithinIPv6IsTheSame) {
  const tcp::endpoint plain(Host("10.0.0.1"), 80);
  EXPECT_EQ(Plain({Host("::ffff:10.0.0.1"), 80}), plain);
  EXPECT_EQ(PlainEndpoint("10.0.0.1:80"), plain);
  EXPECT_EQ(PlainEndpoint("[::ffff:10.0.0.1]:80"), plain);
  EXPECT_EQ(PlainEndpoint("[fe80::1%252]:80"),
            tcp::endpoint(Host("fe80::1"), 80));
  EXPECT_EQ(PlainEndpoint("unix:"), tcp::endpoint());
}

TEST(ClientPlacesTest, AreAsManyAsAskedForWhileThereAreFiles) {
  EXPECT_EQ(ClientPlaces(10'000, 20'000, 1024), 10'000u);
  EXPECT_EQ(ClientPlaces(5, std::numeric_limits<size_t>::max(), 3), 5u);
}

TEST(ClientPlacesTest, ShrinkBeforeThoseOfPeersDo) {
  // 224 of its own, 176 for 24 members and 64 more.
  EXPECT_EQ(ClientPlaces(10'000, 1024, 24), 1024u - 224 - 176);
  // More members than there are files for: half and half.
  EXPECT_EQ(ClientPlaces(10'000, 1024, 1024), 400u);
  EXPECT_EQ(ClientPlaces(10'000, 100, 1024), 1u);
}

}  // namespace
}  // namespace muster
