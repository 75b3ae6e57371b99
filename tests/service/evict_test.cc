// Evict and Forget, and what the clients of an evicted entry are told.
#include <future>
#include <memory>
#include <string>
#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/service/test_node.h"

namespace muster::service {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

v1::EvictRequest Evict(const std::string& topic, const std::string& key,
                       const std::string& reason = "") {
  v1::EvictRequest request;
  request.set_topic(topic);
  request.set_key(key);
  request.set_reason(reason);
  return request;
}

class EvictTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(node_.WaitReady());
    stub_ = node_.Presence();
  }
  grpc::Status Ask(const v1::EvictRequest& request,
                   v1::EvictResponse* response) {
    Context context;
    return stub_->Evict(&context, request, response);
  }

  TestNode node_{"a"};
  std::unique_ptr<v1::Presence::Stub> stub_;
};

TEST_F(EvictTest, AStreamIsToldWhatItLostAndWhyAndGoesOn) {
  SessionClient session(stub_.get());
  session.Open();
  const std::string ref = session.Track("room", "ann");
  session.Track("room", "bob");
  v1::EvictResponse response;
  ASSERT_TRUE(Ask(Evict("room", "ann", "spam"), &response).ok());
  EXPECT_EQ(response.entries(), 1u);
  EXPECT_THAT(response.unreached(), IsEmpty());
  v1::SessionResponse told;
  ASSERT_TRUE(session.Read(&told));
  EXPECT_EQ(told.number(), 0u);
  ASSERT_EQ(told.evicted_size(), 1);
  EXPECT_EQ(told.evicted(0).ref(), ref);
  EXPECT_EQ(told.evicted(0).topic(), "room");
  EXPECT_EQ(told.evicted(0).key(), "ann");
  EXPECT_EQ(told.evicted(0).reason(), "spam");
  EXPECT_EQ(CountOf(stub_.get(), "room"), 1u);
  // Nothing bans a return.
  EXPECT_NE(session.Track("room", "ann"), "");
  EXPECT_EQ(CountOf(stub_.get(), "room"), 2u);
}

TEST_F(EvictTest, AGatewayIsToldTheSlot) {
  SessionsClient stream(stub_.get());
  v1::SessionsRequest request;
  request.set_number(1);
  for (const uint32_t slot : {3u, 4u}) {
    v1::SessionPart* part = request.add_parts();
    part->set_slot(slot);
    part->mutable_open();
    part->add_track()->set_topic("room");
    part->mutable_track(0)->set_key(slot == 4 ? "ann" : "bob");
  }
  v1::SessionsResponse response;
  ASSERT_TRUE(stream.Ask(request, &response));
  const std::string ref =
      response.ref_prefix() + response.results(1).tracked_refs(0);
  v1::EvictResponse evicted;
  ASSERT_TRUE(Ask(Evict("room", "ann"), &evicted).ok());
  EXPECT_EQ(evicted.entries(), 1u);
  ASSERT_TRUE(stream.Read(&response));
  EXPECT_THAT(response.results(), IsEmpty());
  ASSERT_EQ(response.evicted_size(), 1);
  EXPECT_EQ(response.evicted(0).slot(), 4u);
  EXPECT_EQ(response.evicted(0).ref(), ref);
}

TEST_F(EvictTest, AClientWithoutAStreamLearnsItFromItsNextUseOfTheRef) {
  v1::OpenSessionResponse opened;
  Context opening;
  ASSERT_TRUE(stub_->OpenSession(&opening, {}, &opened).ok());
  v1::TrackRequest track;
  track.set_token(opened.token());
  track.add_ops()->set_topic("room");
  track.mutable_ops(0)->set_key("ann");
  v1::TrackResponse tracked;
  Context tracking;
  ASSERT_TRUE(stub_->Track(&tracking, track, &tracked).ok());
  v1::EvictResponse response;
  ASSERT_TRUE(Ask(Evict("room", "ann", "spam"), &response).ok());
  v1::UpdateRequest update;
  update.set_token(opened.token());
  update.add_ops()->set_ref(tracked.refs(0));
  v1::UpdateResponse updated;
  Context updating;
  ASSERT_TRUE(stub_->Update(&updating, update, &updated).ok());
  ASSERT_EQ(updated.errors_size(), 1);
  EXPECT_EQ(updated.errors(0).code(), grpc::NOT_FOUND);
  EXPECT_THAT(updated.errors(0).message(), HasSubstr("was evicted: spam"));
}

TEST_F(EvictTest, WhoWasEvictedInGraceIsToldAsItResumes) {
  std::string token;
  std::string ref;
  {
    SessionClient session(stub_.get());
    token = session.Open(60'000);
    ref = session.Track("room", "ann");
  }
  v1::EvictResponse response;
  ASSERT_TRUE(Ask(Evict("room", "ann", "spam"), &response).ok());
  EXPECT_EQ(response.entries(), 1u);
  SessionClient session(stub_.get());
  v1::SessionRequest request;
  request.set_number(1);
  request.mutable_resume()->set_token(token);
  v1::Entry* entry = request.mutable_resume()->add_entries();
  entry->set_topic("room");
  entry->set_key("ann");
  entry->set_ref(ref);
  v1::SessionResponse told;
  ASSERT_TRUE(session.Ask(request, &told));
  EXPECT_EQ(told.number(), 1u);
  EXPECT_THAT(told.resumed().missing_refs(), IsEmpty());
  ASSERT_TRUE(session.Read(&told));
  ASSERT_EQ(told.evicted_size(), 1);
  EXPECT_EQ(told.evicted(0).ref(), ref);
  EXPECT_EQ(told.evicted(0).reason(), "spam");
}

TEST_F(EvictTest, OfNobodyRemovesNothing) {
  v1::EvictResponse response;
  EXPECT_TRUE(Ask(Evict("room", "nobody"), &response).ok());
  EXPECT_EQ(response.entries(), 0u);
}

TEST_F(EvictTest, WhatIsMalformedIsRefusedWithTheRule) {
  v1::EvictResponse response;
  grpc::Status status = Ask(Evict("", "ann"), &response);
  EXPECT_EQ(status.error_code(), grpc::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("topic is empty"));
  status = Ask(Evict("room", "ann", std::string(1025, 'r')), &response);
  EXPECT_EQ(status.error_code(), grpc::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(),
              HasSubstr("reason: 1025 bytes; at most 1024"));
  status = Ask(Evict("room", "ann", "a\nb"), &response);
  EXPECT_THAT(status.error_message(), HasSubstr("control characters"));
}

// A call that nobody answered would keep the server, and so the node, for ever.
TEST(OrdersTest, ANodeThatEndsAnswersAnEvictionThatWaitsForAPeer) {
  auto a = std::make_unique<TestNode>("a");
  TestNode b("b", {a->address()});
  ASSERT_TRUE(a->WaitReady());
  ASSERT_TRUE(b.WaitReady());
  const auto of_a = a->Presence();
  const auto of_b = b.Presence();
  SessionClient here(of_a.get());
  here.Open();
  here.Track("room", "ann");
  SessionClient there(of_b.get());
  there.Open();
  there.Track("room", "ann");
  ASSERT_TRUE(WaitFor([&] { return CountOf(of_a.get(), "room") == 2; }));
  std::promise<void> go_on;
  b.runtime().Post(
      [held = go_on.get_future()](core::Replica&, core::Now) { held.wait(); });
  grpc::Status status;
  std::thread evict([&of_a, &status] {
    Context context;
    v1::EvictResponse response;
    status = of_a->Evict(&context, Evict("room", "ann"), &response);
  });
  v1::SessionResponse told;
  EXPECT_TRUE(here.Read(&told));
  EXPECT_EQ(told.evicted_size(), 1);  // From now on a waits for b.
  a.reset();
  go_on.set_value();
  evict.join();
  EXPECT_EQ(status.error_code(), grpc::UNAVAILABLE) << status.error_message();
}

TEST(ForgetTest, OnlyTheDeadAndOnEveryNode) {
  TestNode a("a");
  TestNode b("b", {a.address()});
  auto c =
      std::make_unique<TestNode>("c", std::vector<std::string>{a.address()});
  const auto stub = a.Cluster();
  const auto state = [](TestNode& of, const std::string& name) {
    return of.Status().members_by_state().at(name);
  };
  ASSERT_TRUE(WaitFor([&] { return state(a, "alive") == 3; }));
  ASSERT_TRUE(WaitFor([&] { return state(b, "alive") == 3; }));
  const auto forget = [&stub](const std::string& name,
                              v1::ForgetResponse* response) {
    v1::ForgetRequest request;
    request.set_node(name);
    Context context;
    return stub->Forget(&context, request, response);
  };
  v1::ForgetResponse response;
  grpc::Status status = forget("c", &response);
  EXPECT_EQ(status.error_code(), grpc::FAILED_PRECONDITION);
  EXPECT_THAT(status.error_message(), HasSubstr("node c (" + c->address()));
  EXPECT_EQ(forget("z", &response).error_code(), grpc::NOT_FOUND);
  EXPECT_EQ(forget("", &response).error_code(), grpc::INVALID_ARGUMENT);
  c->runtime().Drain();
  ASSERT_TRUE(WaitFor([&] { return state(a, "left") == 1; }));
  ASSERT_TRUE(WaitFor([&] { return state(b, "left") == 1; }));
  c.reset();
  status = forget("c", &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_THAT(response.unreached(), IsEmpty());
  for (TestNode* node : {&a, &b}) {
    EXPECT_EQ(state(*node, "left") + state(*node, "down"), 0u);
    EXPECT_EQ(state(*node, "alive"), 2u);
  }
}

}  // namespace
}  // namespace muster::service
