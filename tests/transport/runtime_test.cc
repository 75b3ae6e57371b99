// Whole nodes, without client services, in one process.
#include "node/runtime/runtime.h"

#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/ip/udp.hpp>
#include <asio/read.hpp>
#include <atomic>
#include <chrono>
#include <future>

#include "node/listener/connections.h"
#include "tests/transport/fake_node.h"
#include "transport/peer/address.h"

namespace muster {
namespace {

using peer::Await;
using ::testing::HasSubstr;

class QuietSink : public ServiceSink {
 public:
  void OnStarted(grpc::Server&) override { started = true; }
  void OnReplies(std::vector<core::AsyncReply>) override {}
  void OnSessionsEnded(std::vector<core::SessionEnded>) override {}
  void OnEvicted(std::vector<core::EntryEvicted>) override {}
  void OnOrders(std::vector<core::OrderDone>) override {}
  void OnWatchEvents(std::vector<core::WatchEvent>) override {}
  void OnSubscribed(std::vector<core::SubscribeHeld>) override {}
  void OnMessages(std::vector<core::MessageDelivery>) override {}
  void OnKvAnswers(std::vector<core::KvAnswer>) override {}
  void OnMembersChanged(const core::Replica&, core::Now) override {
    ++members_changed;
  }
  void OnReadyChanged(bool now_ready) override { ready = now_ready; }
  void OnDraining() override { ++draining; }

  std::atomic<bool> started = false;
  std::atomic<bool> ready = false;
  std::atomic<int> members_changed = 0;
  std::atomic<int> draining = 0;
};

class Node {
 public:
  Node(const std::string& name, std::vector<std::string> join,
       std::function<void(RuntimeOptions&)> change = nullptr) {
    RuntimeOptions options;
    options.listen = "127.0.0.1:0";
    options.core.node = name;
    options.core.join = std::move(join);
    if (change) change(options);
    runtime_ = std::make_unique<Runtime>(std::move(options));
    status_ = runtime_->Start({}, &sink_);
  }

  // Runs `ask` in the core and waits for its answer.
  template <typename Ask>
  auto Do(Ask ask) {
    std::promise<decltype(ask(std::declval<core::Replica&>(), core::Now{}))>
        answer;
    runtime_->Post([&](core::Replica& replica, core::Now now) {
      answer.set_value(ask(replica, now));
    });
    return answer.get_future().get();
  }
  bool AwaitReady() {
    return Await([&] { return sink_.ready.load(); });
  }
  // Whether it sees `n` live members, all but itself linked.
  bool Sees(size_t n) {
    return Do([n](core::Replica& replica, core::Now now) {
      size_t good = 0;
      for (const core::MemberView& m : replica.Members(now)) {
        bool alive = m.state == core::MemberState::kAlive;
        if (alive && (m.self || m.linked)) ++good;
      }
      return good == n;
    });
  }
  uint64_t Entries() {
    return Do([](core::Replica& replica, core::Now) {
      return replica.Count().entries;
    });
  }
  // Tracks `n` entries in a session of their own.
  void Track(uint64_t session, int n) {
    Do([&](core::Replica& replica, core::Now now) {
      core::OpenSessionRequest open;
      open.session = {session, session};
      open.stream = true;
      EXPECT_TRUE(replica.OpenSession(open, now).ok());
      core::ApplyRequest apply;
      apply.session = open.session;
      std::vector<std::string> keys;
      for (int i = 0; i < n; ++i) keys.push_back("user" + std::to_string(i));
      for (const std::string& key : keys) {
        apply.track.push_back({"room", key, "{}", false});
      }
      auto reply = replica.Apply(apply, now);
      EXPECT_TRUE(reply.ok()) << reply.status();
      return true;
    });
  }
  uint64_t Counter(absl::string_view wanted) {
    for (const auto& [name, value] : runtime_->Stats().counters) {
      if (name == wanted) return value;
    }
    ADD_FAILURE() << "no counter " << wanted;
    return 0;
  }
  void Kill() { runtime_.reset(); }

  Runtime& operator*() { return *runtime_; }
  Runtime* operator->() { return runtime_.get(); }
  QuietSink& sink() { return sink_; }
  const absl::Status& status() const { return status_; }

 private:
  QuietSink sink_;
  std::unique_ptr<Runtime> runtime_;
  absl::Status status_;
};

TEST(RuntimeTest, ANodeAloneBecomesReady) {
  Node a("a", {});
  ASSERT_TRUE(a.status().ok()) << a.status();
  EXPECT_TRUE(a.sink().started);
  EXPECT_TRUE(a.AwaitReady());
  EXPECT_EQ(a->listen_address(), a->advertised_address());
}

TEST(RuntimeTest, TwoNodesLinkAndHoldTheSameEntries) {
  Node a("a", {});
  Node b("b", {a->listen_address()});
  ASSERT_TRUE(b.status().ok()) << b.status();
  ASSERT_TRUE(a.AwaitReady());
  ASSERT_TRUE(b.AwaitReady());
  EXPECT_TRUE(Await([&] { return a.Sees(2) && b.Sees(2); }));
  a.Track(1, 1000);
  b.Track(2, 500);
  EXPECT_TRUE(Await([&] { return a.Entries() == 1500; }));
  EXPECT_TRUE(Await([&] { return b.Entries() == 1500; }));
}

TEST(RuntimeTest, ThreeNodesWithOneListLinkAll) {
  Node a("a", {});
  std::vector<std::string> list = {a->listen_address()};
  Node b("b", list);
  Node c("c", list);
  EXPECT_TRUE(Await([&] { return a.Sees(3) && b.Sees(3) && c.Sees(3); }));
}

TEST(RuntimeTest, ANodeThatJoinsLaterCatchesUp) {
  Node a("a", {});
  ASSERT_TRUE(a.AwaitReady());
  a.Track(1, 20000);
  Node b("b", {a->listen_address()});
  ASSERT_TRUE(b.AwaitReady());
  EXPECT_EQ(b.Entries(), 20000u);
}

TEST(RuntimeTest, ANodeWithTheSecretAndOneWithoutDoNotLink) {
  auto secret = [](RuntimeOptions& o) { o.cluster_secret = "swordfish"; };
  Node a("a", {}, secret);
  Node b("b", {a->listen_address()});
  Node c("c", {a->listen_address()}, secret);
  EXPECT_TRUE(Await([&] { return a.Sees(2) && c.Sees(2); }));
  // A part of the cluster is what b is not, and it does not pass for one.
  const absl::Status why = b->Wait();
  EXPECT_EQ(why.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(why.message()),
              HasSubstr(a->listen_address() +
                        ": b has no --cluster-secret, but a asks for one"));
  EXPECT_FALSE(b.sink().ready);
}

TEST(RuntimeTest, ARefusedNodeServesAloneIfThatIsAllowed) {
  Node a("a", {}, [](RuntimeOptions& o) { o.core.cluster = "other"; });
  Node b("b", {a->listen_address()},
         [](RuntimeOptions& o) { o.core.join_optional = true; });
  EXPECT_TRUE(b.AwaitReady());
  std::vector<std::string> notes =
      b.Do([](core::Replica& r, core::Now now) { return r.Status(now).notes; });
  EXPECT_THAT(notes, ::testing::Contains(HasSubstr(
                         "serving alone: refused by " + a->listen_address() +
                         ": a is of cluster \"other\"")));
}

TEST(RuntimeTest, ASecondNodeOfTheNameExitsAndSaysWhereTheNameIsInUse) {
  Node a("a", {});
  ASSERT_TRUE(a.AwaitReady());
  Node other("a", {a->listen_address()});
  absl::Status why = other->Wait();
  EXPECT_THAT(std::string(why.message()),
              HasSubstr("in use by " + a->listen_address()));
  EXPECT_TRUE(a.Sees(1));
}

TEST(RuntimeTest, ANodeThatAFullClusterRefusesDialsItLessAndLess) {
  Node a("a", {}, [](RuntimeOptions& o) { o.core.max_members = 1; });
  ASSERT_TRUE(a.AwaitReady());
  const auto start = std::chrono::steady_clock::now();
  Node b("b", {a->listen_address()});
  ASSERT_TRUE(Await([&] {
    for (const auto& [name, value] : b->Stats().counters) {
      if (name == "peer_dials") return value >= 5;
    }
    return false;
  }));
  // After 50, 100, 200 and 400 ms, of each of which a quarter may be left out.
  EXPECT_GE(std::chrono::steady_clock::now() - start,
            std::chrono::milliseconds(562));
  EXPECT_TRUE(a.Sees(1));
}

TEST(RuntimeTest, ADrainTellsServicesAndPeersAndEnds) {
  Node a("a", {});
  Node b("b", {a->listen_address()});
  ASSERT_TRUE(Await([&] { return a.Sees(2) && b.Sees(2); }));
  b->Drain();
  EXPECT_TRUE(b->Wait().ok());
  EXPECT_EQ(b.sink().draining, 1);
  EXPECT_TRUE(Await([&] {
    return a.Do([](core::Replica& replica, core::Now now) {
      for (const core::MemberView& m : replica.Members(now)) {
        if (m.origin.node == "b") return m.state == core::MemberState::kLeft;
      }
      return false;
    });
  }));
}

TEST(RuntimeTest, ANodeThatGoesIsDialledAgainUnderItsNextLife) {
  Node a("a", {});
  auto b = std::make_unique<Node>("b", std::vector{a->listen_address()});
  ASSERT_TRUE(Await([&] { return a.Sees(2); }));
  b->Kill();
  b = std::make_unique<Node>("b", std::vector{a->listen_address()});
  EXPECT_TRUE(Await([&] { return a.Sees(2) && b->Sees(2); }));
}

// ------------------------------------------------------------------ options

TEST(RuntimeTest, APortAlreadyTakenIsAClearError) {
  Node a("a", {});
  Node b("b", {}, [&](RuntimeOptions& o) { o.listen = a->listen_address(); });
  EXPECT_TRUE(absl::IsUnavailable(b.status()));
  EXPECT_EQ(b.status().message(),
            "--listen " + a->listen_address() + ": the port is already taken");
}

TEST(RuntimeTest, AUdpPortTakenByAnotherIsSaidInStatus) {
  asio::io_context io;
  asio::ip::udp::socket udp(io, {asio::ip::make_address("127.0.0.1"), 0});
  std::string at = "127.0.0.1:" + std::to_string(udp.local_endpoint().port());
  Node a("a", {}, [&](RuntimeOptions& o) { o.listen = at; });
  ASSERT_TRUE(a.status().ok()) << a.status();
  std::vector<std::string> notes =
      a.Do([](core::Replica& r, core::Now now) { return r.Status(now).notes; });
  EXPECT_THAT(notes, ::testing::Contains(HasSubstr("UDP")));
}

TEST(RuntimeTest, OptionsThatMakeNoSenseAreNamed) {
  struct Case {
    std::function<void(RuntimeOptions&)> change;
    const char* says;
  };
  const Case cases[] = {
      {[](RuntimeOptions& o) { o.core.node = ""; }, "--node"},
      {[](RuntimeOptions& o) { o.core.cluster = "a\nb"; }, "--cluster"},
      {[](RuntimeOptions& o) { o.core.join = {"nowhere"}; }, "--join nowhere"},
      {[](RuntimeOptions& o) { o.listen = "nowhere"; }, "--listen"},
      {[](RuntimeOptions& o) { o.listen = "192.0.2.1:0"; }, "--listen"},
      {[](RuntimeOptions& o) { o.advertise = "a b"; }, "--advertise"},
  };
  for (const Case& c : cases) {
    Node node("a", {}, c.change);
    EXPECT_FALSE(node.status().ok()) << c.says;
    EXPECT_THAT(std::string(node.status().message()), HasSubstr(c.says));
  }
}

TEST(RuntimeTest, AnAdvertisedHostGetsThePortThatIsListenedOn) {
  Node a("a", {}, [](RuntimeOptions& o) { o.advertise = "node-a.test"; });
  std::string port = a->listen_address().substr(a->listen_address().find(':'));
  EXPECT_EQ(a->advertised_address(), "node-a.test" + port);
}

// What a call of a client gets, with a connection of its own.
grpc::Status Call(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  grpc::GenericStub stub(grpc::CreateCustomChannel(
      address, grpc::InsecureChannelCredentials(), arguments));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::seconds(20));
  grpc::Slice empty;
  grpc::ByteBuffer request(&empty, 1);
  grpc::ByteBuffer response;
  std::promise<grpc::Status> done;
  stub.UnaryCall(&context, "/muster.v1.Presence/Count", {}, &request, &response,
                 [&done](grpc::Status status) { done.set_value(status); });
  return done.get_future().get();
}

TEST(RuntimeTest, ACallOverTheLimitIsToldSo) {
  Node a("a", {}, [](RuntimeOptions& o) { o.max_connections = 1; });
  asio::io_context io;
  asio::ip::tcp::socket client(io);
  client.connect(peer::NumericEndpoint(a->listen_address())[0]);
  ASSERT_TRUE(Await([&] { return a.Counter("connections_accepted") == 1; }));
  const grpc::Status told = Call(a->listen_address());
  EXPECT_EQ(told.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(told.error_message(),
            "too many connections: --max-connections is 1");
  // It goes: there is room again.
  client.close();
  EXPECT_TRUE(Await([&] {
    return Call(a->listen_address()).error_code() ==
           grpc::StatusCode::UNIMPLEMENTED;
  }));
}

TEST(RuntimeTest, PastItsGuestsANodeHangsUpBeforeItSaysAnything) {
  Node a("a", {}, [](RuntimeOptions& o) { o.max_connections = 1; });
  asio::io_context io;
  auto at = peer::NumericEndpoint(a->listen_address())[0];
  std::vector<asio::ip::tcp::socket> sockets;
  for (size_t i = 0; i < 1 + Connections::kMaxGuests + 1; ++i) {
    sockets.emplace_back(io).connect(at);
  }
  ASSERT_TRUE(Await([&] { return a.Counter("connections_refused") == 1; }));
  std::string answer;
  std::error_code error;
  asio::read(sockets.back(), asio::dynamic_buffer(answer), error);
  EXPECT_EQ(answer, "");
  // The guests have to go, and make room for others.
  EXPECT_TRUE(Await([&] { return a.Counter("connections_open_guests") == 0; }));
  EXPECT_EQ(Call(a->listen_address()).error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST(RuntimeTest, ANodeThatIsFullOfClientsTakesAPeer) {
  Node a("a", {}, [](RuntimeOptions& o) { o.max_connections = 1; });
  asio::io_context io;
  asio::ip::tcp::socket client(io);
  client.connect(peer::NumericEndpoint(a->listen_address())[0]);
  ASSERT_TRUE(Await([&] { return a.Counter("connections_accepted") == 1; }));
  Node b("b", {a->listen_address()});
  ASSERT_TRUE(Await([&] { return a.Sees(2) && b.Sees(2); }));
  ASSERT_TRUE(Await([&] { return a.Counter("connections_open_guests") == 0; }));
  EXPECT_EQ(a.Counter("connections_open_clients"), 1u);
  // It stays when the time of a guest that came after it is over.
  const uint64_t closed = a.Counter("connections_guests_closed");
  asio::ip::tcp::socket guest(io);
  guest.connect(peer::NumericEndpoint(a->listen_address())[0]);
  ASSERT_TRUE(
      Await([&] { return a.Counter("connections_guests_closed") > closed; }));
  EXPECT_TRUE(a.Sees(2));
  EXPECT_EQ(a.Counter("peer_links_down"), 0u);
  b.Track(1, 1000);
  EXPECT_TRUE(Await([&] { return a.Entries() == 1000; }));
}

TEST(RuntimeTest, PeersTakeNoPlacesOfClients) {
  Node a("a", {}, [](RuntimeOptions& o) { o.max_connections = 1; });
  Node b("b", {a->listen_address()});
  Node c("c", {a->listen_address()});
  ASSERT_TRUE(Await([&] { return a.Sees(3) && b.Sees(3) && c.Sees(3); }));
  EXPECT_TRUE(Await([&] {
    return Call(a->listen_address()).error_code() ==
           grpc::StatusCode::UNIMPLEMENTED;
  }));
}

TEST(RuntimeTest, StatsNameEveryCounterOnceInOrder) {
  Node a("a", {});
  RuntimeStats stats = a->Stats();
  ASSERT_GT(stats.counters.size(), 10u);
  for (size_t i = 1; i < stats.counters.size(); ++i) {
    EXPECT_LT(stats.counters[i - 1].first, stats.counters[i].first);
  }
}

}  // namespace
}  // namespace muster
