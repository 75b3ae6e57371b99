// Links over gRPC and real sockets.
#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include "muster/v1/peer.grpc.pb.h"
#include "tests/transport/fake_node.h"
#include "transport/peer/grpc_stream.h"

namespace muster::peer {
namespace {

using ::testing::HasSubstr;
using Events = FakeNode::Events;

// A fake node with a server of its own.
class ServedNode {
 public:
  explicit ServedNode(const std::string& name) {
    LinkPolicy policy;
    policy.cluster = "muster";
    node_ = std::make_unique<FakeNode>(name, policy, MakeGrpcConnector());
    service_ = MakeGrpcPeerService(
        [this](std::shared_ptr<FrameStream> stream, const std::string& from) {
          node_->transport().Accept(std::move(stream), from);
        });
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                             &port_);
    builder.RegisterService(service_.get());
    server_ = builder.BuildAndStart();
  }
  ~ServedNode() {
    CloseServer();
    node_->Stop();
  }
  // As if the process had died: its connections are reset or closed.
  void CloseServer() {
    if (server_ == nullptr) return;
    server_->Shutdown(std::chrono::system_clock::now());
    server_.reset();
  }

  FakeNode& operator*() { return *node_; }
  FakeNode* operator->() { return node_.get(); }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

 private:
  int port_ = 0;
  std::unique_ptr<FakeNode> node_;
  std::unique_ptr<grpc::Service> service_;
  std::unique_ptr<grpc::Server> server_;
};

bool Link(ServedNode& a, ServedNode& b) {
  a->Do([&](PeerTransport& t) { t.Dial({b.address()}); });
  return Await([&] { return a->links_up() == 1; }) &&
         Await([&] { return b->links_up() == 1; });
}

size_t FramesAt(ServedNode& node) {
  return node->See([](const Events& e) { return e.frames.size(); });
}

TEST(GrpcLinkTest, FramesFlowBothWays) {
  ServedNode a("a");
  ServedNode b("b");
  ASSERT_TRUE(Link(a, b));
  a->Do([&](PeerTransport& t) { t.Send(a->last_link(), AckOf(1)); });
  b->Do([&](PeerTransport& t) { t.Send(b->last_link(), AckOf(2)); });
  EXPECT_TRUE(Await([&] { return FramesAt(a) == 1; }));
  EXPECT_TRUE(Await([&] { return FramesAt(b) == 1; }));
}

TEST(GrpcLinkTest, FullFramesArriveWholeAndInOrder) {
  constexpr uint64_t kFrames = 100;
  ServedNode a("a");
  ServedNode b("b");
  ASSERT_TRUE(Link(a, b));
  core::LinkId link = a->last_link();
  core::Frame sample = DeltaOf(1, core::kBulkFrameBytes);
  a->Do([&](PeerTransport& t) {
    for (uint64_t n = 1; n <= kFrames; ++n) {
      t.Send(link, DeltaOf(n + 1, core::kBulkFrameBytes));
    }
  });
  ASSERT_TRUE(Await([&] { return FramesAt(b) == kFrames; }));
  b->See([](const Events& e) {
    for (size_t i = 0; i < e.frames.size(); ++i) {
      const auto& delta = std::get<core::DeltaFrame>(e.frames[i].second.body);
      EXPECT_EQ(delta.first.value, i + 2);
      EXPECT_GT(delta.mutations->size(), core::kBulkFrameBytes);
    }
    return 0;
  });
}

TEST(GrpcLinkTest, ADeadPeerIsNoticedByItsConnectionAndDialledAgain) {
  ServedNode a("a");
  auto b = std::make_unique<ServedNode>("b");
  ASSERT_TRUE(Link(a, *b));
  uint64_t dials = a->counter(Counter::kDials);
  b->CloseServer();
  EXPECT_TRUE(Await([&] { return a->links_down() == 1; }));
  EXPECT_TRUE(Await([&] { return a->counter(Counter::kDials) > dials + 1; }));
}

TEST(GrpcLinkTest, AStoppedNodeSendsWhatIsQueuedAndThenTheEnd) {
  ServedNode a("a");
  ServedNode b("b");
  ASSERT_TRUE(Link(a, b));
  a->Do([&](PeerTransport& t) {
    t.Send(a->last_link(), {1, core::LeavingFrame{}});
  });
  a->Stop();
  EXPECT_TRUE(Await([&] { return b->links_down() == 1; }));
  EXPECT_EQ(FramesAt(b), 1u);
}

TEST(GrpcLinkTest, AnAcceptorThatStopsEndsTheLinkInOrder) {
  ServedNode a("a");
  ServedNode b("b");
  ASSERT_TRUE(Link(a, b));
  b->Do([&](PeerTransport& t) {
    t.Send(b->last_link(), {1, core::LeavingFrame{}});
  });
  b->Stop();
  EXPECT_TRUE(Await([&] { return a->links_down() == 1; }));
  EXPECT_EQ(FramesAt(a), 1u);
}

// What the node answers to a stranger that sends these bytes.
std::string AnswerTo(ServedNode& node, const v1::PeerFrame& frame) {
  auto stub = v1::Peer::NewStub(
      grpc::CreateChannel(node.address(), grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::seconds(10));
  auto stream = stub->Link(&context);
  stream->Write(frame);
  v1::PeerFrame answer;
  std::string reason;
  while (stream->Read(&answer)) reason = answer.refusal().reason();
  stream->Finish();
  return reason;
}

TEST(GrpcLinkTest, StrangersThatMakeNoSenseAreToldSoAndHungUpOn) {
  ServedNode a("a");
  v1::PeerFrame frame;
  frame.set_beat(1);
  EXPECT_THAT(AnswerTo(a, frame), HasSubstr("frame.body"));
  frame.mutable_ack();
  EXPECT_THAT(AnswerTo(a, frame), HasSubstr("out of turn"));
  frame.mutable_hello()->set_cluster(std::string(300, 'x'));
  EXPECT_THAT(AnswerTo(a, frame), HasSubstr("hello."));
  frame.mutable_delta()->set_mutations(std::string(100'000, 'x'));
  EXPECT_THAT(AnswerTo(a, frame), HasSubstr("at most 4096"));
  EXPECT_EQ(a->links_up(), 0u);
  EXPECT_EQ(a->counter(Counter::kBadFrames), 3u);
}

TEST(GrpcLinkTest, AStrangerThatSaysNothingIsHungUpOn) {
  ServedNode a("a");
  auto stub = v1::Peer::NewStub(
      grpc::CreateChannel(a.address(), grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::seconds(10));
  auto stream = stub->Link(&context);
  v1::PeerFrame answer;
  EXPECT_FALSE(stream->Read(&answer));
  EXPECT_NE(stream->Finish().error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
}

}  // namespace
}  // namespace muster::peer
