// What clients must not send: each gets a status and a sentence, and changes
// nothing.
#include <grpcpp/generic/generic_stub.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "grpc/health/v1/health.pb.h"
#include "gtest/gtest.h"
#include "node/codec/opaque_text.h"
#include "node/service/tokens.h"
#include "tests/service/test_node.h"

namespace muster::service {
namespace {

using ::testing::HasSubstr;

using Stub = v1::Presence::Stub;

// What the tests below ask of their node.
class ClientTest : public ::testing::Test {
 protected:
  virtual TestNode& node() = 0;

  // Calls `method` with `request`; expects `code` and `text`.
  template <class Request, class Response>
  void Expect(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                           Response*),
              const Request& request, grpc::StatusCode code,
              const std::string& text) {
    Context context;
    Response response;
    const grpc::Status status =
        (stub_.get()->*method)(&context, request, &response);
    EXPECT_EQ(status.error_code(), code) << status.error_message();
    EXPECT_THAT(status.error_message(), HasSubstr(text));
  }
  // Calls it, and expects it to succeed.
  template <class Request, class Response>
  Response Call(grpc::Status (Stub::*method)(grpc::ClientContext*,
                                             const Request&, Response*),
                const Request& request) {
    Context context;
    Response response;
    const grpc::Status status =
        (stub_.get()->*method)(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }
  // Sends bytes that no generated code would make.
  grpc::Status CallRaw(const std::string& method, const std::string& bytes,
                       const std::string& service = "muster.v1.Presence") {
    grpc::TemplatedGenericStub<grpc::ByteBuffer, grpc::ByteBuffer> stub(
        node().Connect());
    Context context;
    grpc::CompletionQueue queue;
    const grpc::Slice slice(bytes);
    auto call = stub.PrepareUnaryCall(&context, "/" + service + "/" + method,
                                      grpc::ByteBuffer(&slice, 1), &queue);
    call->StartCall();
    grpc::ByteBuffer response;
    grpc::Status status;
    call->Finish(&response, &status, nullptr);
    void* tag;
    bool ok;
    queue.Next(&tag, &ok);
    return status;
  }
  void ExpectWatch(const v1::WatchRequest& request, const std::string& text) {
    Context context;
    v1::WatchResponse response;
    auto stream = stub_->Watch(&context, request);
    EXPECT_FALSE(stream->Read(&response));
    const grpc::Status status = stream->Finish();
    EXPECT_EQ(status.error_code(), grpc::INVALID_ARGUMENT)
        << status.error_message();
    EXPECT_THAT(status.error_message(), HasSubstr(text));
  }
  std::string Open(uint64_t epoch = 0) {
    v1::OpenSessionRequest open;
    open.set_epoch(epoch);
    return Call(&Stub::OpenSession, open).token();
  }

  std::unique_ptr<Stub> stub_;
};

class BadInputTest : public ClientTest {
 protected:
  static void SetUpTestSuite() {
    node_ = new TestNode("a");
    ASSERT_TRUE(node_->WaitReady());
  }
  static void TearDownTestSuite() {
    delete node_;
    node_ = nullptr;
  }
  void SetUp() override { stub_ = node_->Presence(); }
  void TearDown() override { EXPECT_EQ(CountOf(stub_.get(), ""), 0u); }
  TestNode& node() override { return *node_; }

  static TestNode* node_;
};
TestNode* BadInputTest::node_ = nullptr;

TEST_F(BadInputTest, EmptyAndLongNames) {
  v1::ListRequest list;
  Expect(&Stub::List, list, grpc::INVALID_ARGUMENT, "topic is empty");
  list.set_topic(std::string(257, 't'));
  Expect(&Stub::List, list, grpc::INVALID_ARGUMENT,
         "topic is 257 bytes; the limit is 256 (--max-name-bytes)");
  v1::GetRequest get;
  get.set_topic("t");
  Expect(&Stub::Get, get, grpc::INVALID_ARGUMENT, "key is empty");
  v1::ExplainRequest explain;
  explain.set_key("k");
  Expect(&Stub::Explain, explain, grpc::INVALID_ARGUMENT, "topic is empty");
  v1::CountRequest count;
  count.set_topic("");
  Expect(&Stub::Count, count, grpc::INVALID_ARGUMENT, "topic is empty");
  v1::TopicsOfRequest topics_of;
  Expect(&Stub::TopicsOf, topics_of, grpc::INVALID_ARGUMENT, "key is empty");
  v1::TopicsRequest topics;
  topics.set_prefix(std::string(300, 'p'));
  Expect(&Stub::Topics, topics, grpc::INVALID_ARGUMENT, "prefix is 300 bytes");
}

TEST_F(BadInputTest, MalformedUtf8AndMalformedMessages) {
  grpc::Status status = CallRaw("List", std::string("\x0a\x02\xff\x41", 4));
  EXPECT_EQ(status.error_code(), grpc::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(), "topic is not valid UTF-8: \"\\xff\\x41\"");
  status = CallRaw("List", "\x0a\x7f");
  EXPECT_EQ(status.error_code(), grpc::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(),
              HasSubstr("no well-formed muster.v1.ListRequest"));
  status = CallRaw("Track", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff");
  EXPECT_EQ(status.error_code(), grpc::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(),
              HasSubstr("no well-formed muster.v1.TrackRequest"));
}

TEST_F(BadInputTest, WrongTokensAndUnknownSessions) {
  v1::TrackRequest track;
  track.set_token("secret");
  Expect(&Stub::Track, track, grpc::NOT_FOUND, "token (6 bytes)");
  track.set_token(std::string(32, 'a'));
  Expect(&Stub::Track, track, grpc::NOT_FOUND, "token");
  v1::CloseSessionRequest close;
  close.set_token(std::string(32, 'a'));
  Expect(&Stub::CloseSession, close, grpc::NOT_FOUND, "token");
  v1::ResumeRequest resume;
  resume.set_token("x");
  Expect(&Stub::Resume, resume, grpc::NOT_FOUND, "token (1 bytes)");
}

TEST_F(BadInputTest, BatchesOverTheLimit) {
  v1::TrackRequest track;
  track.set_token(Open());
  for (int i = 0; i < 1001; ++i) {
    track.add_ops()->set_topic("t");
    track.mutable_ops(i)->set_key(std::to_string(i));
  }
  Expect(&Stub::Track, track, grpc::INVALID_ARGUMENT,
         "ops has 1001; the limit is 1000 (--max-batch-ops)");
  v1::HeartbeatRequest heartbeat;
  for (int i = 0; i < 10'001; ++i) heartbeat.add_sessions();
  Expect(&Stub::Heartbeat, heartbeat, grpc::INVALID_ARGUMENT,
         "sessions has 10001; the limit is 10000 (--max-heartbeat-sessions)");
}

TEST_F(BadInputTest, TimesOutOfRange) {
  v1::OpenSessionRequest open;
  open.set_ttl_ms(5);
  Expect(&Stub::OpenSession, open, grpc::INVALID_ARGUMENT,
         "ttl_ms is 5; it must be at least 1000");
  open.set_ttl_ms(0);
  open.set_grace_ms(600'001);
  Expect(&Stub::OpenSession, open, grpc::INVALID_ARGUMENT,
         "grace_ms is 600001; the limit is 600000 (--max-grace-ms)");
}

TEST_F(BadInputTest, UnknownRefs) {
  v1::UntrackRequest untrack;
  untrack.set_token(Open());
  untrack.add_refs("nonsense");
  untrack.add_refs("AAECAwQFBgc.1f");
  v1::UntrackResponse response;
  Context context;
  ASSERT_TRUE(stub_->Untrack(&context, untrack, &response).ok());
  ASSERT_EQ(response.errors_size(), 2);
  EXPECT_EQ(response.errors(0).code(), grpc::NOT_FOUND);
  EXPECT_THAT(response.errors(0).message(), HasSubstr("nonsense"));
  EXPECT_EQ(response.errors(1).code(), grpc::NOT_FOUND);
}

TEST_F(BadInputTest, PagesAndTheirTokens) {
  v1::ListRequest list;
  list.set_topic("t");
  list.set_page_size(1001);
  Expect(&Stub::List, list, grpc::INVALID_ARGUMENT,
         "page_size is 1001; the limit is 1000 (--max-page-size)");
  list.set_page_size(0);
  list.set_page_token("nonsense");
  Expect(&Stub::List, list, grpc::NOT_FOUND, "page_token (8 bytes)");
  v1::TopicsRequest topics;
  topics.set_page_token("nonsense");
  Expect(&Stub::Topics, topics, grpc::NOT_FOUND, "page_token");
}

TEST_F(BadInputTest, GetOfAKeyThatIsNotThere) {
  v1::GetRequest get;
  get.set_topic("t");
  get.set_key("k");
  Expect(&Stub::Get, get, grpc::NOT_FOUND,
         "key \"k\" is not present in topic \"t\"");
}

TEST_F(BadInputTest, WatchesOfNothingOrOfTooMuch) {
  v1::WatchRequest request;
  ExpectWatch(request, "none of topics, prefix and keys is set");
  request.add_topics("t");
  request.set_prefix("p");
  ExpectWatch(request, "more than one of topics, prefix and keys");
  request.clear_prefix();
  request.add_topics("");
  ExpectWatch(request, "topics[1] is empty");
  request.clear_topics();
  for (int i = 0; i < 10'001; ++i) request.add_keys(std::to_string(i));
  ExpectWatch(request, "keys has 10001; the limit is 10000");
  request.Clear();
  request.add_topics("t");
  request.set_interval_ms(50);
  ExpectWatch(request, "interval_ms is 50; it must be at least 100");
  request.clear_interval_ms();
  request.set_detail(static_cast<v1::WatchDetail>(9));
  ExpectWatch(request, "detail is 9; this node knows 0 to 3");
  request.set_detail(v1::WATCH_DETAIL_KEYS);
  request.set_counts_only(true);
  ExpectWatch(request, "detail is WATCH_DETAIL_KEYS; with counts_only there");
}

TEST_F(BadInputTest, VersionsThatNoNodeGave) {
  v1::WatchRequest request;
  request.add_topics("t");
  request.set_version("nonsense");
  ExpectWatch(request, "version (8 bytes) is not one that a node has given");
  std::string version;
  {
    Context context;
    v1::WatchRequest fresh;
    fresh.add_topics("t");
    v1::WatchResponse response;
    auto stream = stub_->Watch(&context, fresh);
    while (version.empty() && stream->Read(&response)) {
      version = response.version();
    }
    context.TryCancel();
    stream->Finish();
  }
  codec::Version parsed;
  ASSERT_TRUE(codec::ParseVersion(version, &parsed));
  parsed.counter += 1'000'000;
  request.set_version(codec::VersionText(parsed));
  ExpectWatch(request, absl::StrCat("version: its counter ", parsed.counter,
                                    " is from the future, the last change of "
                                    "this node is "));
  request.set_version(version);
  request.set_detail(v1::WATCH_DETAIL_KEYS);
  ExpectWatch(request, "version belongs to a watch of something else");
  request.clear_detail();
  request.add_topics("another");
  ExpectWatch(request, "version belongs to a watch of something else");
}

TEST_F(BadInputTest, GarbageOnASessionStreamEndsItWithAReason) {
  grpc::TemplatedGenericStub<grpc::ByteBuffer, grpc::ByteBuffer> stub(
      node_->Connect());
  Context context;
  grpc::CompletionQueue queue;
  auto call = stub.PrepareCall(&context, "/muster.v1.Presence/Session", &queue);
  void* tag;
  bool ok;
  call->StartCall(nullptr);
  queue.Next(&tag, &ok);
  const grpc::Slice slice("\xff\xff\xff");
  call->Write(grpc::ByteBuffer(&slice, 1), nullptr);
  queue.Next(&tag, &ok);
  grpc::Status status;
  call->Finish(&status, nullptr);
  queue.Next(&tag, &ok);
  EXPECT_EQ(status.error_code(), grpc::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(),
              HasSubstr("no well-formed muster.v1.SessionRequest"));
}

TEST_F(BadInputTest, AnErrorRepeatsNoMoreThanTheBeginningOfAForeignText) {
  grpc::health::v1::HealthCheckRequest request;
  request.set_service(std::string(100'000, 's'));
  const grpc::Status status =
      CallRaw("Check", request.SerializeAsString(), "grpc.health.v1.Health");
  EXPECT_EQ(status.error_code(), grpc::NOT_FOUND);
  EXPECT_EQ(status.error_message(),
            "service is \"" + std::string(64, 's') +
                "...\"; this node serves muster.v1.Presence, "
                "muster.v1.PubSub and muster.v1.Cluster");
}

// ------------------------------------------------------ limits, and what stays

// A node with low limits, and a session of epoch 7 with two entries.
class SmallLimitsTest : public ClientTest {
 protected:
  static constexpr size_t kMessage = 65'536;

  static Limits SmallLimits() {
    Limits limits;
    limits.max_message_bytes = kMessage;
    limits.max_resume_entries = 3;
    return limits;
  }
  SmallLimitsTest()
      : node_("a", {}, SmallLimits(), [](RuntimeOptions& options) {
          options.max_message_bytes = kMessage;
          options.core.sessions.max_sessions = 3;
          options.core.sessions.max_ended = 4;
          options.core.sessions.max_entries_per_session = 2;
        }) {}
  void SetUp() override {
    ASSERT_TRUE(node_.WaitReady());
    stub_ = node_.Presence();
    token_ = Open(7);
    Track("k0");
    Track("k1");
    before_ = Held();
    ASSERT_EQ(entries_.size(), 2);
  }
  TestNode& node() override { return node_; }

  v1::TrackResponse Track(const std::string& key) {
    v1::TrackRequest track;
    track.set_token(token_);
    track.add_ops()->set_topic("t");
    track.mutable_ops(0)->set_key(key);
    return Call(&Stub::Track, track);
  }
  // All that the node holds: the entries of "t", their sessions with epoch and
  // resume number, and how many sessions there are.
  std::string Held() {
    v1::ListRequest list;
    list.set_topic("t");
    entries_ = Call(&Stub::List, list).entries();
    std::string text = absl::StrCat(node_.Status().sessions(), " sessions\n");
    for (const v1::Entry& entry : entries_) {
      v1::ExplainRequest explain;
      explain.set_topic("t");
      explain.set_key(entry.key());
      v1::ExplainResponse lines = Call(&Stub::Explain, explain);
      for (v1::ExplainResponse::Line& line : *lines.mutable_lines()) {
        line.clear_since_unix_ms();
        line.clear_last_heartbeat_age_ms();
      }
      absl::StrAppend(&text, entry.DebugString(), lines.DebugString());
    }
    return text;
  }
  // Of the session, with `entries` of its entries: its own, again and again.
  v1::ResumeRequest Resume(uint64_t epoch, int entries) {
    v1::ResumeRequest resume;
    resume.set_token(token_);
    resume.set_epoch(epoch);
    resume.set_resume_number(5);
    for (int i = 0; i < entries; ++i) {
      v1::Entry* entry = resume.add_entries();
      *entry = entries_[i % entries_.size()];
      entry->set_topic("t");
    }
    return resume;
  }
  v1::HeartbeatResponse Beat(uint64_t epoch) {
    v1::HeartbeatRequest request;
    request.add_sessions()->set_token(token_);
    request.mutable_sessions(0)->set_epoch(epoch);
    return Call(&Stub::Heartbeat, request);
  }
  static std::string TooLong(size_t bytes) {
    return absl::StrCat("the request is ", bytes,
                        " bytes; the limit is 65536 (--max-message-bytes)");
  }

  TestNode node_;
  std::string token_;
  google::protobuf::RepeatedPtrField<v1::Entry> entries_;
  std::string before_;
};

TEST_F(SmallLimitsTest, NoCallTakesAMessageOverTheLimit) {
  const std::string bytes(kMessage + 1, '\0');
  for (const char* method : {"OpenSession", "CloseSession", "Resume", "Track",
                             "Update", "Untrack", "Heartbeat", "Watch", "List",
                             "Get", "Count", "Topics", "TopicsOf", "Explain"}) {
    const grpc::Status status = CallRaw(method, bytes);
    EXPECT_EQ(status.error_code(), grpc::INVALID_ARGUMENT) << method;
    EXPECT_EQ(status.error_message(), TooLong(kMessage + 1)) << method;
  }
  for (const char* method : {"Check", "Watch"}) {
    const grpc::Status status = CallRaw(method, bytes, "grpc.health.v1.Health");
    EXPECT_EQ(status.error_code(), grpc::INVALID_ARGUMENT) << method;
    EXPECT_EQ(status.error_message(), TooLong(kMessage + 1)) << method;
  }
  EXPECT_EQ(Held(), before_);
}

TEST_F(SmallLimitsTest, AMessageOfExactlyTheLimitIsTaken) {
  // A topic, and a field of another version: 7 bytes and what it holds.
  const std::string bytes = absl::StrCat("\x0a\x01t", "\x7a\xf9\xff\x03",
                                         std::string(kMessage - 7, 'x'));
  ASSERT_EQ(bytes.size(), kMessage);
  const grpc::Status status = CallRaw("List", bytes);
  EXPECT_TRUE(status.ok()) << status.error_message();
}

TEST_F(SmallLimitsTest, AMessageOverTheLimitEndsASessionStream) {
  SessionClient session(stub_.get());
  session.Open(/*grace_ms=*/60'000);
  session.Track("u", "k");
  v1::SessionRequest request;
  for (const char* key : {"k2", "k3", "k4"}) {
    v1::TrackOp* op = request.add_track();
    op->set_topic("u");
    op->set_key(key);
    op->set_meta(std::string(60'000, 'm'));
  }
  session.Write(request);
  const grpc::Status status = session.Finish();
  EXPECT_EQ(status.error_code(), grpc::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(), TooLong(request.ByteSizeLong()));
  EXPECT_EQ(CountOf(stub_.get(), "u"), 1u);
}

TEST_F(SmallLimitsTest, AMessageOverTheLimitEndsASessionsStream) {
  SessionsClient sessions(stub_.get());
  v1::SessionsRequest request;
  request.set_number(1);
  v1::SessionPart* part = request.add_parts();
  part->mutable_open();
  part->add_track()->set_topic("u");
  part->mutable_track(0)->set_key("k");
  part->mutable_track(0)->set_meta(std::string(kMessage, 'm'));
  sessions.Write(request);
  const grpc::Status status = sessions.Finish();
  EXPECT_EQ(status.error_code(), grpc::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(), TooLong(request.ByteSizeLong()));
  EXPECT_EQ(Held(), before_);
}

TEST_F(SmallLimitsTest, WhatIsFarLargerIsRefusedByGrpc) {
  const grpc::Status status = CallRaw("List", std::string(5 << 20, '\0'));
  EXPECT_EQ(status.error_code(), grpc::RESOURCE_EXHAUSTED);
  EXPECT_EQ(Held(), before_);
}

TEST_F(SmallLimitsTest, SessionsOverTheLimit) {
  const std::string text =
      "sessions: this node holds 3, its limit (--max-sessions)";
  const std::string second = Open();
  Open();
  const std::string before = Held();
  EXPECT_THAT(before, HasSubstr("3 sessions"));
  Expect(&Stub::OpenSession, {}, grpc::RESOURCE_EXHAUSTED, text);
  v1::ResumeRequest resume;
  resume.set_token(NewToken());  // Of a session elsewhere.
  Expect(&Stub::Resume, resume, grpc::RESOURCE_EXHAUSTED, text);
  SessionClient session(stub_.get());
  v1::SessionRequest open;
  open.mutable_open();
  session.Write(open);
  const grpc::Status status = session.Finish();
  EXPECT_EQ(status.error_code(), grpc::RESOURCE_EXHAUSTED);
  EXPECT_EQ(status.error_message(), text);
  SessionsClient sessions(stub_.get());
  v1::SessionsRequest request;
  request.set_number(1);
  request.add_parts()->mutable_open();
  v1::SessionsResponse response;
  ASSERT_TRUE(sessions.Ask(request, &response));
  ASSERT_EQ(response.results_size(), 1);
  EXPECT_EQ(response.results(0).code(), grpc::RESOURCE_EXHAUSTED);
  EXPECT_EQ(response.results(0).message(), text);
  EXPECT_EQ(Held(), before);
  v1::CloseSessionRequest close;
  close.set_token(second);
  Call(&Stub::CloseSession, close);
  Open();
}

TEST_F(SmallLimitsTest, OfEndedSessionsOverTheLimitTheOldestAreForgotten) {
  std::vector<std::string> tokens;
  for (int i = 0; i < 10; ++i) {
    tokens.push_back(Open());
    v1::CloseSessionRequest close;
    close.set_token(tokens.back());
    Call(&Stub::CloseSession, close);
  }
  EXPECT_EQ(Held(), before_);
  EXPECT_EQ(node_.Status().counters().at("ended_records_dropped"), 6u);
  v1::CloseSessionRequest again;
  again.set_token(tokens[6]);
  Expect(&Stub::CloseSession, again, grpc::NOT_FOUND,
         "token: its session has ended");
  again.set_token(tokens[5]);
  Expect(&Stub::CloseSession, again, grpc::NOT_FOUND,
         "token: this node knows no session of it; open or resume one");
}

TEST_F(SmallLimitsTest, EntriesOfASessionOverTheLimit) {
  const v1::TrackResponse response = Track("k2");
  ASSERT_EQ(response.errors_size(), 1);
  EXPECT_EQ(response.errors(0).index(), 0u);
  EXPECT_EQ(response.errors(0).code(), grpc::RESOURCE_EXHAUSTED);
  EXPECT_EQ(response.errors(0).message(),
            "track: the session holds 2 entries, its limit "
            "(--max-entries-per-session)");
  ASSERT_EQ(response.refs_size(), 1);
  EXPECT_EQ(response.refs(0), "");
  EXPECT_EQ(Held(), before_);
  v1::UntrackRequest untrack;
  untrack.set_token(token_);
  untrack.add_refs(entries_[0].ref());
  EXPECT_EQ(Call(&Stub::Untrack, untrack).errors_size(), 0);
  EXPECT_EQ(Track("k2").errors_size(), 0);
}

TEST_F(SmallLimitsTest, EntriesOfAResumeOverTheLimit) {
  const std::string text =
      "entries has 4; the limit is 3 (--max-resume-entries)";
  Expect(&Stub::Resume, Resume(7, 4), grpc::INVALID_ARGUMENT, text);
  SessionClient session(stub_.get());
  v1::SessionRequest request;
  *request.mutable_resume() = Resume(7, 4);
  session.Write(request);
  const grpc::Status status = session.Finish();
  EXPECT_EQ(status.error_code(), grpc::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(), text);
  EXPECT_EQ(Held(), before_);
  // As many as the limit are taken.
  const v1::ResumeResponse resumed = Call(&Stub::Resume, Resume(7, 3));
  EXPECT_EQ(resumed.missing_refs_size(), 0);
  EXPECT_NE(Held(), before_);
}

TEST_F(SmallLimitsTest, AResumeWithAStaleEpoch) {
  // It names one entry: the other would be dropped.
  Expect(&Stub::Resume, Resume(5, 1), grpc::FAILED_PRECONDITION,
         "stale epoch 5, current is 7");
  SessionClient session(stub_.get());
  v1::SessionRequest request;
  *request.mutable_resume() = Resume(6, 1);
  session.Write(request);
  const grpc::Status status = session.Finish();
  EXPECT_EQ(status.error_code(), grpc::FAILED_PRECONDITION);
  EXPECT_EQ(status.error_message(), "stale epoch 6, current is 7");
  EXPECT_EQ(Held(), before_);
}

TEST_F(SmallLimitsTest, AHeartbeatWithAStaleEpoch) {
  const v1::HeartbeatResponse response = Beat(5);
  ASSERT_EQ(response.errors_size(), 1);
  EXPECT_EQ(response.errors(0).index(), 0u);
  EXPECT_EQ(response.errors(0).code(), grpc::FAILED_PRECONDITION);
  EXPECT_EQ(response.errors(0).message(), "stale epoch 5, current is 7");
  EXPECT_EQ(Held(), before_);
  EXPECT_EQ(Beat(7).errors_size(), 0);
  EXPECT_EQ(Held(), before_);
}

TEST_F(SmallLimitsTest, AHeartbeatWithAStaleEpochKeepsNoSessionAlive) {
  v1::OpenSessionRequest open;
  open.set_epoch(7);
  open.set_ttl_ms(1000);
  token_ = Call(&Stub::OpenSession, open).token();
  Track("short");
  EXPECT_TRUE(WaitFor([this] {
    const v1::HeartbeatResponse response = Beat(6);
    EXPECT_EQ(response.errors_size(), 1);
    return CountOf(stub_.get(), "t") == 2;
  }));
}

}  // namespace
}  // namespace muster::service
