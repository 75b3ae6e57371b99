// Cluster, health and reflection, and reads in pages.
#include <set>
#include <string>

#include "gmock/gmock.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "gtest/gtest.h"
#include "tests/service/test_node.h"

namespace muster::service {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using HealthResponse = grpc::health::v1::HealthCheckResponse;

TEST(ClusterTest, StatusSaysWhoTheNodeIsAndHowItIs) {
  TestNode node("a");
  ASSERT_TRUE(node.WaitReady());
  const v1::StatusResponse status = node.Status();
  EXPECT_EQ(status.node(), "a");
  EXPECT_EQ(status.cluster(), "muster");
  EXPECT_EQ(status.version(), "test");
  EXPECT_EQ(status.address(), node.address());
  EXPECT_EQ(status.life_id().size(), 32u);
  EXPECT_GT(status.incarnation(), 0u);
  EXPECT_GT(status.rss_bytes(), 1'000'000u);
  EXPECT_FALSE(status.draining());
}

TEST(ClusterTest, MembersAreWatchedFromTheWholeListOn) {
  TestNode a("a");
  ASSERT_TRUE(a.WaitReady());
  const auto stub = a.Cluster();
  Context context;
  const auto stream = stub->WatchMembers(&context, {});
  v1::WatchMembersResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_TRUE(response.full());
  ASSERT_EQ(response.members_size(), 1);
  EXPECT_TRUE(response.members(0).self());
  auto b =
      std::make_unique<TestNode>("b", std::vector<std::string>{a.address()});
  const auto read_until = [&](v1::MemberState state) {
    while (stream->Read(&response)) {
      for (const v1::Member& member : response.members()) {
        if (member.node() == "b" && member.state() == state) return true;
      }
    }
    return false;
  };
  EXPECT_TRUE(read_until(v1::MEMBER_STATE_ALIVE));
  b->runtime().Drain();
  EXPECT_TRUE(read_until(v1::MEMBER_STATE_LEFT));
  v1::MembersResponse members;
  Context members_context;
  ASSERT_TRUE(stub->Members(&members_context, {}, &members).ok());
  EXPECT_EQ(members.members_size(), 2);
  context.TryCancel();
  stream->Finish();
}

TEST(HealthTest, ServesWhenReadyAndNotWhileDraining) {
  TestNode node("a");
  const auto stub = grpc::health::v1::Health::NewStub(node.Connect());
  grpc::health::v1::HealthCheckRequest request;
  request.set_service("muster.v1.Presence");
  Context watch_context;
  const auto watch = stub->Watch(&watch_context, request);
  HealthResponse response;
  ASSERT_TRUE(watch->Read(&response));
  if (response.status() != HealthResponse::SERVING) {
    EXPECT_EQ(response.status(), HealthResponse::NOT_SERVING);
    ASSERT_TRUE(watch->Read(&response));
  }
  EXPECT_EQ(response.status(), HealthResponse::SERVING);
  Context check_context;
  ASSERT_TRUE(stub->Check(&check_context, request, &response).ok());
  EXPECT_EQ(response.status(), HealthResponse::SERVING);
  node.runtime().Drain();
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthResponse::NOT_SERVING);
}

TEST(HealthTest, AnUnknownServiceIsNotFoundOrUnknown) {
  TestNode node("a");
  const auto stub = grpc::health::v1::Health::NewStub(node.Connect());
  grpc::health::v1::HealthCheckRequest request;
  request.set_service("no.such.Service");
  HealthResponse response;
  Context check_context;
  EXPECT_EQ(stub->Check(&check_context, request, &response).error_code(),
            grpc::NOT_FOUND);
  Context watch_context;
  const auto watch = stub->Watch(&watch_context, request);
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthResponse::SERVICE_UNKNOWN);
}

TEST(DrainTest, CallsAreUnavailableWithRetryInfoOnceTheNodeDrains) {
  TestNode node("a");
  ASSERT_TRUE(node.WaitReady());
  const auto presence = node.Presence();
  const auto cluster = node.Cluster();
  v1::DrainResponse drained;
  Context drain_context;
  ASSERT_TRUE(cluster->Drain(&drain_context, {}, &drained).ok());
  v1::OpenSessionResponse response;
  Context context;
  const grpc::Status status = presence->OpenSession(&context, {}, &response);
  EXPECT_EQ(status.error_code(), grpc::UNAVAILABLE);
  EXPECT_TRUE(node.runtime().Wait().ok());
}

TEST(DrainTest, ANodeWithAnAdminTokenAsksEvenLoopbackForIt) {
  TestNode node("a", {}, {}, {}, "open-sesame");
  ASSERT_TRUE(node.WaitReady());
  const auto cluster = node.Cluster();
  const auto drain = [&cluster](std::vector<std::string> credentials) {
    Context context;
    for (const std::string& text : credentials) {
      context.AddMetadata("authorization", text);
    }
    v1::DrainResponse response;
    return cluster->Drain(&context, {}, &response);
  };
  EXPECT_EQ(drain({}).error_code(), grpc::UNAUTHENTICATED);
  EXPECT_THAT(drain({}).error_message(), HasSubstr("--admin-token"));
  EXPECT_EQ(drain({"Basic open-sesame"}).error_code(), grpc::UNAUTHENTICATED);
  EXPECT_EQ(drain({"Bearer open-barley"}).error_code(),
            grpc::PERMISSION_DENIED);
  EXPECT_EQ(drain({"Bearer open-sesam"}).error_code(), grpc::PERMISSION_DENIED);
  EXPECT_EQ(drain({"Bearer open-sesame", "Bearer x"}).error_code(),
            grpc::INVALID_ARGUMENT);
  const v1::StatusResponse status = node.Status();
  EXPECT_FALSE(status.draining());
  EXPECT_EQ(status.counters().at("admin_calls_refused"), 5u);
  EXPECT_TRUE(drain({"bearer open-sesame"}).ok());
  EXPECT_TRUE(node.runtime().Wait().ok());
}

class ReadTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(node_.WaitReady());
    stub_ = node_.Presence();
    session_ = std::make_unique<SessionClient>(stub_.get());
    session_->Open();
  }
  void TrackMany(const std::string& topic, int from, int to) {
    v1::SessionRequest request;
    for (int i = from; i < to; ++i) {
      request.add_track()->set_topic(topic);
      request.mutable_track()->rbegin()->set_key(std::to_string(i));
    }
    v1::SessionResponse response;
    ASSERT_TRUE(session_->Ask(request, &response));
    ASSERT_EQ(response.track_errors_size(), 0);
  }
  TestNode node_{"a"};
  std::unique_ptr<v1::Presence::Stub> stub_;
  std::unique_ptr<SessionClient> session_;
};

TEST_F(ReadTest, PagesOfAListHoldEveryEntryOnce) {
  for (int i = 0; i < 5; ++i) TrackMany("t", i * 500, i * 500 + 500);
  v1::ListRequest request;
  request.set_topic("t");
  request.set_page_size(700);
  std::set<std::string> keys;
  int pages = 0;
  do {
    v1::ListResponse response;
    Context context;
    ASSERT_TRUE(stub_->List(&context, request, &response).ok());
    EXPECT_LE(response.entries_size(), 700);
    for (const v1::Entry& entry : response.entries()) {
      EXPECT_TRUE(keys.insert(entry.key()).second) << entry.key();
    }
    request.set_page_token(response.next_page_token());
    ++pages;
  } while (!request.page_token().empty());
  EXPECT_EQ(keys.size(), 2500u);
  EXPECT_EQ(pages, 4);
}

TEST_F(ReadTest, APageTokenOfAnotherTopicIsNotFound) {
  TrackMany("t", 0, 10);
  v1::ListRequest request;
  request.set_topic("t");
  request.set_page_size(3);
  v1::ListResponse response;
  Context context;
  ASSERT_TRUE(stub_->List(&context, request, &response).ok());
  ASSERT_THAT(response.next_page_token(), Not(IsEmpty()));
  request.set_topic("u");
  request.set_page_token(response.next_page_token());
  Context again;
  EXPECT_EQ(stub_->List(&again, request, &response).error_code(),
            grpc::NOT_FOUND);
}

TEST_F(ReadTest, TopicsAndTopicsOfGoOnAfterTheirLastName) {
  for (int i = 10; i < 40; ++i) {
    TrackMany("room:" + std::to_string(i), 0, 1);
  }
  TrackMany("lobby", 0, 2);
  v1::TopicsRequest request;
  request.set_prefix("room:");
  request.set_page_size(20);
  v1::TopicsResponse topics;
  Context first;
  ASSERT_TRUE(stub_->Topics(&first, request, &topics).ok());
  ASSERT_EQ(topics.topics_size(), 20);
  EXPECT_EQ(topics.topics(0).topic(), "room:10");
  EXPECT_EQ(topics.topics(0).entries(), 1u);
  request.set_page_token(topics.next_page_token());
  Context second;
  ASSERT_TRUE(stub_->Topics(&second, request, &topics).ok());
  ASSERT_EQ(topics.topics_size(), 10);
  EXPECT_EQ(topics.topics(0).topic(), "room:30");
  EXPECT_EQ(topics.next_page_token(), "");

  v1::TopicsOfRequest of;
  of.set_key("0");
  of.set_page_size(30);
  v1::TopicsOfResponse in;
  Context third;
  ASSERT_TRUE(stub_->TopicsOf(&third, of, &in).ok());
  ASSERT_EQ(in.topics_size(), 30);
  EXPECT_EQ(in.topics(0), "lobby");
  of.set_page_token(in.next_page_token());
  Context fourth;
  ASSERT_TRUE(stub_->TopicsOf(&fourth, of, &in).ok());
  EXPECT_EQ(in.topics_size(), 1);
}

TEST_F(ReadTest, CountsAndExplainTellTheSameAsLists) {
  TrackMany("t", 0, 3);
  TrackMany("u", 0, 2);
  EXPECT_EQ(CountOf(stub_.get(), "t"), 3u);
  EXPECT_EQ(CountOf(stub_.get(), ""), 5u);
  v1::CountRequest by_key;
  by_key.set_key("1");
  v1::CountResponse count;
  Context count_context;
  ASSERT_TRUE(stub_->Count(&count_context, by_key, &count).ok());
  EXPECT_EQ(count.entries(), 2u);
  v1::ExplainRequest explain;
  explain.set_topic("t");
  explain.set_key("1");
  v1::ExplainResponse explained;
  Context explain_context;
  ASSERT_TRUE(stub_->Explain(&explain_context, explain, &explained).ok());
  ASSERT_EQ(explained.lines_size(), 1);
  EXPECT_EQ(explained.lines(0).node(), "a");
  EXPECT_TRUE(explained.lines(0).shown());
  EXPECT_TRUE(explained.lines(0).connected());
  EXPECT_EQ(explained.lines(0).session_id().size(), 32u);
}

TEST(AdoptionTest, AStreamWhoseSessionMovesToAnotherNodeIsEnded) {
  TestNode a("a");
  ASSERT_TRUE(a.WaitReady());
  TestNode b("b", {a.address()});
  ASSERT_TRUE(b.WaitReady());
  const auto stub_a = a.Presence();
  const auto stub_b = b.Presence();
  SessionClient on_a(stub_a.get());
  v1::SessionRequest request;
  v1::ResumeRequest* resume = request.mutable_resume();
  resume->set_token(on_a.Open(60'000));
  resume->set_grace_ms(60'000);
  v1::Entry* entry = resume->add_entries();
  entry->set_topic("t");
  entry->set_key("k");
  entry->set_ref(on_a.Track("t", "k", "meta"));
  ASSERT_TRUE(WaitFor([&] { return CountOf(stub_b.get(), "t") == 1; }));
  SessionClient on_b(stub_b.get());
  v1::SessionResponse response;
  ASSERT_TRUE(on_b.Ask(request, &response));
  EXPECT_EQ(response.resumed().missing_refs_size(), 0);
  EXPECT_EQ(response.resumed().session().node(), "b");
  const grpc::Status status = on_a.Finish();
  EXPECT_EQ(status.error_code(), grpc::ABORTED);
  EXPECT_THAT(status.error_message(), HasSubstr("session moved"));
  EXPECT_EQ(CountOf(stub_b.get(), "t"), 1u);
  EXPECT_EQ(CountOf(stub_a.get(), "t"), 1u);
}

}  // namespace
}  // namespace muster::service
