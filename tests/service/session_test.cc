// Sessions over streams and over calls, against a node in this process.
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

class SessionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(node_.WaitReady());
    stub_ = node_.Presence();
  }
  std::string OpenUnary(uint32_t grace_ms = 0) {
    v1::OpenSessionRequest request;
    request.set_grace_ms(grace_ms);
    v1::OpenSessionResponse response;
    Context context;
    EXPECT_TRUE(stub_->OpenSession(&context, request, &response).ok());
    return response.token();
  }
  v1::TrackResponse TrackUnary(const std::string& token,
                               const std::vector<std::string>& keys) {
    v1::TrackRequest request;
    request.set_token(token);
    for (const std::string& key : keys) {
      request.add_ops()->set_topic("t");
      request.mutable_ops()->rbegin()->set_key(key);
    }
    v1::TrackResponse response;
    Context context;
    const grpc::Status status = stub_->Track(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }

  TestNode node_{"a"};
  std::unique_ptr<v1::Presence::Stub> stub_;
};

TEST_F(SessionTest, WhatAStreamTracksIsListedUntilItEnds) {
  {
    SessionClient session(stub_.get());
    session.Open();
    const std::string ref = session.Track("room", "user", "{\"a\":1}");
    EXPECT_THAT(ref, Not(IsEmpty()));
    v1::GetRequest get;
    get.set_topic("room");
    get.set_key("user");
    v1::GetResponse got;
    Context context;
    ASSERT_TRUE(stub_->Get(&context, get, &got).ok());
    ASSERT_EQ(got.entries_size(), 1);
    EXPECT_EQ(got.entries(0).meta(), "{\"a\":1}");
    EXPECT_EQ(got.entries(0).ref(), ref);
  }
  EXPECT_TRUE(WaitFor([&] { return CountOf(stub_.get(), "room") == 0; }));
}

TEST_F(SessionTest, OfOneKeyAThousandEntriesAreToldAndThatThereAreMore) {
  SessionClient session(stub_.get());
  session.Open();
  v1::SessionRequest request;
  for (int i = 0; i < 256; ++i) {
    v1::TrackOp* op = request.add_track();
    op->set_topic("t");
    op->set_key("k");
    op->set_allow_duplicate(true);
  }
  v1::SessionResponse tracked;
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(session.Ask(request, &tracked));
    EXPECT_EQ(tracked.track_errors_size(), 0);
  }
  for (const bool more : {false, true}) {
    v1::GetRequest get;
    get.set_topic("t");
    get.set_key("k");
    v1::GetResponse got;
    Context asking;
    ASSERT_TRUE(stub_->Get(&asking, get, &got).ok());
    EXPECT_EQ(got.entries_size(), 1024);
    EXPECT_EQ(got.more(), more);
    v1::ExplainRequest explain;
    explain.set_topic("t");
    explain.set_key("k");
    v1::ExplainResponse lines;
    Context explaining;
    ASSERT_TRUE(stub_->Explain(&explaining, explain, &lines).ok());
    EXPECT_EQ(lines.lines_size(), 1024);
    EXPECT_EQ(lines.more(), more);
    request.mutable_track()->DeleteSubrange(1, request.track_size() - 1);
    ASSERT_TRUE(session.Ask(request, &tracked));
  }
}

TEST_F(SessionTest, AHalfClosedStreamAnswersAllAndEndsWell) {
  SessionClient session(stub_.get());
  v1::SessionRequest request;
  request.mutable_open();
  for (uint64_t number = 1; number <= 200; ++number) {
    request.set_number(number);
    request.clear_track();
    v1::TrackOp* op = request.add_track();
    op->set_topic("t");
    op->set_key(std::to_string(number));
    ASSERT_TRUE(session.Write(request));
    request.clear_start();
  }
  session.HalfClose();
  v1::SessionResponse response;
  for (uint64_t number = 1; number <= 200; ++number) {
    ASSERT_TRUE(session.Read(&response));
    EXPECT_EQ(response.number(), number);
    EXPECT_EQ(response.tracked_refs_size(), 1);
    EXPECT_EQ(response.track_errors_size(), 0);
  }
  EXPECT_TRUE(session.Finish().ok());
  EXPECT_TRUE(WaitFor([&] { return CountOf(stub_.get(), "t") == 0; }));
}

TEST_F(SessionTest, UntrackUpdateAndTrackOfOneRequestAreAppliedInThatOrder) {
  SessionClient session(stub_.get());
  session.Open();
  const std::string first = session.Track("t", "first");
  const std::string second = session.Track("t", "second");
  v1::SessionRequest request;
  request.add_untrack(first);
  request.add_update()->set_ref(second);
  request.mutable_update(0)->set_meta("new");
  request.add_track()->set_topic("t");
  request.mutable_track(0)->set_key("first");  // Free again by now.
  v1::SessionResponse response;
  ASSERT_TRUE(session.Ask(request, &response));
  EXPECT_EQ(response.untrack_errors_size(), 0);
  EXPECT_EQ(response.update_errors_size(), 0);
  EXPECT_EQ(response.track_errors_size(), 0);
  EXPECT_NE(response.updated_refs(0), second);
  EXPECT_EQ(CountOf(stub_.get(), "t"), 2u);
}

TEST_F(SessionTest, ABadOperationIsAnErrorOfItsIndexAndTheRestIsApplied) {
  SessionClient session(stub_.get());
  session.Open();
  v1::SessionRequest request;
  for (const char* key : {"good", "", "good", "also good"}) {
    request.add_track()->set_topic("t");
    request.mutable_track()->rbegin()->set_key(key);
  }
  request.mutable_track(3)->set_meta(std::string(65537, 'm'));
  request.add_untrack("nonsense");
  v1::SessionResponse response;
  ASSERT_TRUE(session.Ask(request, &response));
  ASSERT_EQ(response.tracked_refs_size(), 4);
  EXPECT_THAT(response.tracked_refs(0), Not(IsEmpty()));
  ASSERT_EQ(response.track_errors_size(), 3);
  EXPECT_EQ(response.track_errors(0).index(), 1u);
  EXPECT_EQ(response.track_errors(0).code(), grpc::INVALID_ARGUMENT);
  EXPECT_EQ(response.track_errors(1).index(), 2u);
  EXPECT_EQ(response.track_errors(1).code(), grpc::ALREADY_EXISTS);
  EXPECT_EQ(response.track_errors(2).index(), 3u);
  EXPECT_THAT(response.track_errors(2).message(),
              HasSubstr("track[3].meta is 65537 bytes; the limit is 65536"));
  ASSERT_EQ(response.untrack_errors_size(), 1);
  EXPECT_EQ(response.untrack_errors(0).code(), grpc::NOT_FOUND);
  EXPECT_EQ(CountOf(stub_.get(), "t"), 1u);
}

TEST_F(SessionTest, AStreamMustBeginWithOpenOrResume) {
  SessionClient session(stub_.get());
  v1::SessionRequest request;
  request.add_track()->set_topic("t");
  ASSERT_TRUE(session.Write(request));
  const grpc::Status status = session.Finish();
  EXPECT_EQ(status.error_code(), grpc::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("neither open nor resume"));
}

TEST_F(SessionTest, ASecondOpenEndsTheStream) {
  SessionClient session(stub_.get());
  session.Open();
  v1::SessionRequest request;
  request.mutable_open();
  ASSERT_TRUE(session.Write(request));
  EXPECT_EQ(session.Finish().error_code(), grpc::INVALID_ARGUMENT);
}

TEST_F(SessionTest, ASessionWithGraceIsResumedOverAnotherStream) {
  std::string token;
  std::string ref;
  {
    SessionClient session(stub_.get());
    token = session.Open(60'000);
    ref = session.Track("t", "k", "meta");
  }
  SessionClient again(stub_.get());
  v1::SessionRequest request;
  v1::ResumeRequest* resume = request.mutable_resume();
  resume->set_token(token);
  resume->set_grace_ms(60'000);
  resume->set_resume_number(1);
  v1::Entry* entry = resume->add_entries();
  entry->set_topic("t");
  entry->set_key("k");
  entry->set_ref(ref);
  v1::SessionResponse response;
  ASSERT_TRUE(again.Ask(request, &response));
  EXPECT_EQ(response.resumed().missing_refs_size(), 0);
  EXPECT_GE(response.resumed().session().resume_number(), 1u);
  EXPECT_EQ(CountOf(stub_.get(), "t"), 1u);
}

TEST_F(SessionTest, AResumeTakesTheSessionFromAStreamThatStillHoldsIt) {
  SessionClient old_stream(stub_.get());
  const std::string token = old_stream.Open(0);
  const std::string ref = old_stream.Track("t", "k");
  SessionClient new_stream(stub_.get());
  v1::SessionRequest request;
  v1::ResumeRequest* resume = request.mutable_resume();
  resume->set_token(token);
  v1::Entry* entry = resume->add_entries();
  entry->set_topic("t");
  entry->set_key("k");
  entry->set_ref(ref);
  // Sent at once: it waits for the resume.
  v1::SessionRequest track;
  track.add_track()->set_topic("t");
  track.mutable_track(0)->set_key("k2");
  ASSERT_TRUE(new_stream.Write(request));
  ASSERT_TRUE(new_stream.Write(track));
  v1::SessionResponse response;
  ASSERT_TRUE(new_stream.Read(&response));
  EXPECT_EQ(response.resumed().missing_refs_size(), 0);
  ASSERT_TRUE(new_stream.Read(&response));
  EXPECT_EQ(response.track_errors_size(), 0);
  const grpc::Status status = old_stream.Finish();
  EXPECT_EQ(status.error_code(), grpc::ABORTED);
  EXPECT_THAT(status.error_message(), HasSubstr("session moved"));
  // The end of the old stream has not ended the session.
  EXPECT_THAT(new_stream.Track("t", "k3"), Not(IsEmpty()));
  EXPECT_EQ(CountOf(stub_.get(), "t"), 3u);
}

// The loop takes some operations at a time, before a resume and after it.
TEST_F(SessionTest, ALargeBatchIsAnsweredWholeAndInOrder) {
  SessionClient old_stream(stub_.get());
  v1::SessionRequest resume;
  resume.mutable_resume()->set_token(old_stream.Open(60'000));
  v1::SessionRequest request;
  for (int i = 0; i < 400; ++i) {
    v1::TrackOp* op = request.add_track();
    op->set_topic("t");
    if (i != 250) op->set_key(std::to_string(i));
  }
  v1::SessionResponse response;
  ASSERT_TRUE(old_stream.Ask(request, &response));
  ASSERT_EQ(response.tracked_refs_size(), 400);
  ASSERT_EQ(response.track_errors_size(), 1);
  EXPECT_EQ(response.track_errors(0).index(), 250u);

  v1::SessionRequest change;
  for (int i = 0; i < 400; ++i) {
    if (i == 250) continue;
    v1::Entry* entry = resume.mutable_resume()->add_entries();
    entry->set_topic("t");
    entry->set_key(std::to_string(i));
    entry->set_ref(response.tracked_refs(i));
    if (i < 200) {
      change.add_untrack(entry->ref());
    } else {
      change.add_update()->set_ref(entry->ref());
      change.mutable_update()->rbegin()->set_meta("new");
    }
    change.add_track()->set_topic("other");
    change.mutable_track()->rbegin()->set_key(entry->key());
  }
  SessionClient new_stream(stub_.get());
  ASSERT_TRUE(new_stream.Write(resume));
  ASSERT_TRUE(new_stream.Write(change));
  ASSERT_TRUE(new_stream.Read(&response));
  EXPECT_EQ(response.resumed().missing_refs_size(), 0);
  ASSERT_TRUE(new_stream.Read(&response));
  EXPECT_EQ(response.untrack_errors_size(), 0);
  EXPECT_EQ(response.update_errors_size(), 0);
  EXPECT_EQ(response.updated_refs_size(), 199);
  EXPECT_EQ(response.tracked_refs_size(), 399);
  EXPECT_EQ(CountOf(stub_.get(), "t"), 199u);
  EXPECT_EQ(CountOf(stub_.get(), "other"), 399u);
}

TEST_F(SessionTest, CloseSessionEndsTheStreamThatHoldsIt) {
  SessionClient session(stub_.get());
  v1::CloseSessionRequest request;
  request.set_token(session.Open(60'000));
  session.Track("t", "k");
  v1::CloseSessionResponse response;
  Context context;
  ASSERT_TRUE(stub_->CloseSession(&context, request, &response).ok());
  EXPECT_EQ(session.Finish().error_code(), grpc::ABORTED);
  EXPECT_TRUE(WaitFor([&] { return CountOf(stub_.get(), "t") == 0; }));
}

TEST_F(SessionTest, CallsWithoutAStreamDoTheSame) {
  const std::string token = OpenUnary();
  const v1::TrackResponse tracked = TrackUnary(token, {"a", "", "b"});
  ASSERT_EQ(tracked.refs_size(), 3);
  ASSERT_EQ(tracked.errors_size(), 1);
  EXPECT_EQ(tracked.errors(0).index(), 1u);
  EXPECT_EQ(CountOf(stub_.get(), "t"), 2u);

  v1::UpdateRequest update;
  update.set_token(token);
  update.add_ops()->set_ref(tracked.refs(0));
  update.mutable_ops(0)->set_meta("new");
  v1::UpdateResponse updated;
  Context update_context;
  ASSERT_TRUE(stub_->Update(&update_context, update, &updated).ok());
  ASSERT_EQ(updated.refs_size(), 1);
  EXPECT_NE(updated.refs(0), tracked.refs(0));

  v1::UntrackRequest untrack;
  untrack.set_token(token);
  untrack.add_refs(updated.refs(0));
  untrack.add_refs(tracked.refs(0));  // Not its name any more.
  v1::UntrackResponse untracked;
  Context untrack_context;
  ASSERT_TRUE(stub_->Untrack(&untrack_context, untrack, &untracked).ok());
  ASSERT_EQ(untracked.errors_size(), 1);
  EXPECT_EQ(untracked.errors(0).index(), 1u);
  EXPECT_EQ(CountOf(stub_.get(), "t"), 1u);

  std::vector<std::string> many;
  for (int i = 0; i < 500; ++i) many.push_back(std::to_string(i));
  EXPECT_EQ(TrackUnary(token, many).refs_size(), 500);
  EXPECT_EQ(CountOf(stub_.get(), "t"), 501u);
}

TEST_F(SessionTest, AHeartbeatNamesTheSessionsItCouldNotKeepAlive) {
  v1::HeartbeatRequest request;
  for (int i = 0; i < 2500; ++i) {
    request.add_sessions()->set_token(std::string(32, '0'));
  }
  request.mutable_sessions(1234)->set_token(OpenUnary());
  v1::HeartbeatResponse response;
  Context context;
  ASSERT_TRUE(stub_->Heartbeat(&context, request, &response).ok());
  ASSERT_EQ(response.errors_size(), 2499);
  EXPECT_EQ(response.errors(1233).index(), 1233u);
  EXPECT_EQ(response.errors(1234).index(), 1235u);
  EXPECT_EQ(response.errors(0).code(), grpc::NOT_FOUND);
}

TEST_F(SessionTest, AResumeWithoutAStreamTakesOverToo) {
  SessionClient session(stub_.get());
  v1::ResumeRequest request;
  request.set_token(session.Open(0));
  request.add_entries()->set_topic("t");
  request.mutable_entries(0)->set_key("k");
  request.mutable_entries(0)->set_ref(session.Track("t", "k"));
  v1::ResumeResponse response;
  Context context;
  const grpc::Status status = stub_->Resume(&context, request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.missing_refs_size(), 0);
  EXPECT_EQ(response.session().token(), request.token());
  EXPECT_EQ(session.Finish().error_code(), grpc::ABORTED);
  EXPECT_EQ(CountOf(stub_.get(), "t"), 1u);
}

}  // namespace
}  // namespace muster::service
