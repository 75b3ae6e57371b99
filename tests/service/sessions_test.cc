// Many sessions over one stream.
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/service/test_node.h"

namespace muster::service {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class SessionsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(node_.WaitReady());
    stub_ = node_.Presence();
  }
  static v1::SessionPart* AddPart(v1::SessionsRequest* request, uint32_t slot,
                                  bool open, const std::string& key) {
    v1::SessionPart* part = request->add_parts();
    part->set_slot(slot);
    if (open) part->mutable_open();
    if (!key.empty()) {
      part->add_track()->set_topic("t");
      part->mutable_track(0)->set_key(key);
    }
    return part;
  }
  // The token of slot 1, which the first request opens with an entry "a".
  static std::string OpenFirst(SessionsClient& stream) {
    v1::SessionsRequest request;
    request.set_number(1);
    AddPart(&request, 1, true, "a");
    v1::SessionsResponse response;
    EXPECT_TRUE(stream.Ask(request, &response));
    return response.results(0).opened().token();
  }

  TestNode node_{"a"};
  std::unique_ptr<v1::Presence::Stub> stub_;
};

TEST_F(SessionsTest, EachPartIsOfItsOwnSession) {
  SessionsClient stream(stub_.get());
  v1::SessionsRequest request;
  request.set_number(1);
  for (uint32_t slot = 0; slot < 50; ++slot) {
    AddPart(&request, slot, true, "key");
  }
  v1::SessionsResponse response;
  ASSERT_TRUE(stream.Ask(request, &response));
  EXPECT_EQ(response.number(), 1u);
  ASSERT_EQ(response.results_size(), 50);
  for (const v1::SessionPartResult& result : response.results()) {
    EXPECT_EQ(result.code(), 0) << result.message();
    EXPECT_EQ(result.opened().token().size(), 32u);
    EXPECT_EQ(result.tracked_refs_size(), 1);
  }
  EXPECT_EQ(CountOf(stub_.get(), "t"), 50u);

  request.Clear();
  request.set_number(2);
  AddPart(&request, 7, false, "")->set_close(true);
  AddPart(&request, 7, true, "again");
  ASSERT_TRUE(stream.Ask(request, &response));
  EXPECT_EQ(response.results(0).code(), 0);
  EXPECT_EQ(response.results(1).code(), 0) << "a closed slot is free";
  EXPECT_TRUE(WaitFor([&] { return CountOf(stub_.get(), "t") == 50; }));
  EXPECT_EQ(CountOf(stub_.get(), "t"), 50u);
}

TEST_F(SessionsTest, AWrongSlotSpoilsItsPartOnly) {
  SessionsClient stream(stub_.get());
  v1::SessionsRequest request;
  request.set_number(1);
  AddPart(&request, 1, true, "a");
  AddPart(&request, 1, true, "b");
  AddPart(&request, 2, false, "c");
  AddPart(&request, 1 << 20, true, "d");
  AddPart(&request, 1, false, "e");
  v1::SessionsResponse response;
  ASSERT_TRUE(stream.Ask(request, &response));
  ASSERT_EQ(response.results_size(), 5);
  EXPECT_EQ(response.results(0).code(), grpc::OK);
  EXPECT_EQ(response.results(1).code(), grpc::ALREADY_EXISTS);
  EXPECT_EQ(response.results(2).code(), grpc::NOT_FOUND);
  EXPECT_THAT(response.results(2).message(), HasSubstr("slot 2"));
  EXPECT_EQ(response.results(3).code(), grpc::INVALID_ARGUMENT);
  EXPECT_EQ(response.results(4).code(), grpc::OK);
  EXPECT_EQ(CountOf(stub_.get(), "t"), 2u);
}

TEST_F(SessionsTest, AThousandSessionsEndWithTheirStream) {
  {
    SessionsClient stream(stub_.get());
    v1::SessionsResponse response;
    for (uint32_t number = 1; number <= 5; ++number) {
      v1::SessionsRequest request;
      request.set_number(number);
      for (uint32_t i = 0; i < 500; ++i) {
        AddPart(&request, number * 1000 + i, true, "k");
      }
      ASSERT_TRUE(stream.Ask(request, &response));
    }
    EXPECT_EQ(CountOf(stub_.get(), "t"), 2500u);
    EXPECT_EQ(node_.Status().sessions(), 2500u);
  }
  EXPECT_TRUE(WaitFor([&] { return CountOf(stub_.get(), "t") == 0; }));
}

TEST_F(SessionsTest, ASessionTakenByAnotherStreamEndsItsSlotOnly) {
  SessionsClient stream(stub_.get());
  v1::SessionsRequest request;
  request.set_number(1);
  AddPart(&request, 5, true, "a");
  AddPart(&request, 6, true, "b");
  v1::SessionsResponse response;
  ASSERT_TRUE(stream.Ask(request, &response));

  SessionsClient other(stub_.get());
  v1::SessionsRequest resume;
  resume.set_number(1);
  v1::SessionPart* part = resume.add_parts();
  part->set_slot(0);
  part->mutable_resume()->set_token(response.results(0).opened().token());
  v1::Entry* entry = part->mutable_resume()->add_entries();
  entry->set_topic("t");
  entry->set_key("a");
  entry->set_ref(response.ref_prefix() + response.results(0).tracked_refs(0));
  AddPart(&resume, 0, false, "c");
  v1::SessionsResponse resumed;
  ASSERT_TRUE(other.Ask(resume, &resumed));
  ASSERT_EQ(resumed.results_size(), 2);
  EXPECT_EQ(resumed.results(0).code(), 0) << resumed.results(0).message();
  EXPECT_THAT(resumed.results(0).resumed().missing_refs(), IsEmpty());
  EXPECT_EQ(resumed.results(1).code(), 0) << resumed.results(1).message();

  ASSERT_TRUE(stream.Read(&response));
  EXPECT_EQ(response.number(), 0u);
  ASSERT_EQ(response.ended_size(), 1);
  EXPECT_EQ(response.ended(0).slot(), 5u);
  EXPECT_EQ(response.ended(0).code(), grpc::ABORTED);
  request.Clear();
  request.set_number(2);
  AddPart(&request, 5, true, "d");
  AddPart(&request, 6, false, "e");
  ASSERT_TRUE(stream.Ask(request, &response));
  EXPECT_EQ(response.results(0).code(), 0);
  EXPECT_EQ(response.results(1).code(), 0);
  EXPECT_EQ(CountOf(stub_.get(), "t"), 5u);
}

TEST_F(SessionsTest, AResumeNumberThatNoNodeHasGivenIsRefused) {
  SessionsClient stream(stub_.get());
  const std::string token = OpenFirst(stream);
  v1::SessionsRequest request;
  v1::SessionsResponse response;
  request.set_number(2);
  v1::ResumeRequest* resume = AddPart(&request, 2, false, "")->mutable_resume();
  resume->set_token(token);
  resume->set_resume_number(UINT64_MAX);
  ASSERT_TRUE(stream.Ask(request, &response));
  EXPECT_EQ(response.results(0).code(), grpc::INVALID_ARGUMENT);
  EXPECT_THAT(response.results(0).message(),
              HasSubstr("resume_number: 18446744073709551615 is none that"));
  request.Clear();
  request.set_number(3);
  AddPart(&request, 1, false, "b");
  ASSERT_TRUE(stream.Ask(request, &response));
  EXPECT_EQ(response.results(0).code(), 0) << "it goes on where it was";
}

TEST_F(SessionsTest, PartsForASlotWaitForItsResumeAndOthersDoNot) {
  SessionsClient stream(stub_.get());
  const std::string token = OpenFirst(stream);
  v1::SessionsRequest request;
  v1::SessionsResponse response;
  request.set_number(2);
  // A stale epoch would fail; this succeeds, and what follows it waits.
  v1::SessionPart* part = request.add_parts();
  part->set_slot(9);
  part->mutable_resume()->set_token(token);
  AddPart(&request, 9, false, "b")->set_close(true);
  AddPart(&request, 9, true, "c");
  AddPart(&request, 10, true, "d");
  ASSERT_TRUE(stream.Write(request));
  uint64_t answered = 0;
  int ended = 0;
  while (answered != 2) {
    ASSERT_TRUE(stream.Read(&response));
    ended += response.ended_size();
    if (response.number() == 0) continue;
    answered = response.number();
    ASSERT_EQ(response.results_size(), 4);
    for (const v1::SessionPartResult& result : response.results()) {
      EXPECT_EQ(result.code(), 0) << result.message();
    }
  }
  // Slot 1 of this stream has lost the session to slot 9.
  while (ended == 0) {
    ASSERT_TRUE(stream.Read(&response));
    ended += response.ended_size();
  }
  EXPECT_EQ(response.ended(0).slot(), 1u);
  EXPECT_TRUE(WaitFor([&] { return CountOf(stub_.get(), "t") == 2; }));
}

TEST_F(SessionsTest, RequestsAreAnsweredInOrderHoweverManyAreSent) {
  SessionsClient stream(stub_.get());
  constexpr uint64_t kRequests = 500;
  std::thread writer([&] {
    v1::SessionsRequest request;
    for (uint64_t number = 1; number <= kRequests; ++number) {
      request.Clear();
      request.set_number(number);
      AddPart(&request, 0, number == 1, "k" + std::to_string(number));
      EXPECT_TRUE(stream.Write(request));
    }
  });
  v1::SessionsResponse response;
  for (uint64_t number = 1; number <= kRequests; ++number) {
    ASSERT_TRUE(stream.Read(&response));
    ASSERT_EQ(response.number(), number);
  }
  writer.join();
  EXPECT_EQ(CountOf(stub_.get(), "t"), kRequests);
}

TEST_F(SessionsTest, ADrainTellsTheStreamToMove) {
  SessionsClient stream(stub_.get());
  v1::SessionsRequest request;
  request.set_number(1);
  AddPart(&request, 1, true, "a");
  v1::SessionsResponse response;
  ASSERT_TRUE(stream.Ask(request, &response));
  node_.runtime().Drain();
  ASSERT_TRUE(stream.Read(&response));
  EXPECT_TRUE(response.moving());
  const grpc::Status status = stream.Finish();
  EXPECT_EQ(status.error_code(), grpc::UNAVAILABLE);
  EXPECT_THAT(status.error_message(), HasSubstr("draining"));
  EXPECT_THAT(status.error_details(), Not(IsEmpty())) << "retry info";
}

}  // namespace
}  // namespace muster::service
