// Kv.Stream: order, errors in their place, back-pressure, the end.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/service/kv_client.h"

namespace muster::service {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class KvStreamClient : public TestStream<v1::KvRequest, v1::KvResponse> {
 public:
  explicit KvStreamClient(v1::Kv::Stub* stub)
      : TestStream([stub](grpc::ClientContext* context) {
          return stub->Stream(context);
        }) {}

  bool Send(uint64_t number, const std::vector<Words>& commands) {
    v1::KvRequest request;
    request.set_number(number);
    *request.mutable_execute() = CallOf(commands);
    return Write(request);
  }
  // The next answer; number 0 at the end of the stream.
  v1::KvAnswer Next() {
    while (answers_.empty()) {
      v1::KvResponse response;
      if (!Read(&response)) return {};
      moving_ = moving_ || response.moving();
      answers_.insert(answers_.end(), response.answers().begin(),
                      response.answers().end());
    }
    v1::KvAnswer answer = answers_.front();
    answers_.pop_front();
    return answer;
  }
  bool moving() const { return moving_; }

 private:
  std::deque<v1::KvAnswer> answers_;
  bool moving_ = false;
};

class KvStreamTest : public testing::Test {
 protected:
  void Start(Limits limits = {}) {
    node_ = std::make_unique<TestNode>("a", std::vector<std::string>{}, limits);
    ASSERT_TRUE(node_->WaitReady());
    kv_ = std::make_unique<KvClient>(*node_);
  }
  bool WaitBlocked(uint64_t n) {
    return WaitFor(
        [this, n] { return node_->Status().keyspace().blocked() == n; });
  }
  std::unique_ptr<TestNode> node_;
  std::unique_ptr<KvClient> kv_;
};

TEST_F(KvStreamTest, AnswersComeInTheOrderOfTheRequests) {
  Start();
  KvStreamClient stream(kv_->stub());
  constexpr uint64_t kRequests = 500;
  // More than the node reads ahead, so another thread writes.
  std::thread writer([&stream] {
    for (uint64_t i = 1; i <= kRequests; ++i) {
      ASSERT_TRUE(stream.Send(
          i, i % 2 == 1 ? std::vector<Words>{{"INCR", "n"}}
                        : std::vector<Words>{{"GET", "n"}, {"PING"}}));
    }
  });
  for (uint64_t i = 1; i <= kRequests; ++i) {
    const v1::KvAnswer answer = stream.Next();
    ASSERT_EQ(answer.number(), i);
    const uint64_t count = (i + 1) / 2;
    if (i % 2 == 1) {
      ASSERT_THAT(TextsOf(answer.executed()),
                  ElementsAre(absl::StrCat("(integer) ", count)));
    } else {
      ASSERT_THAT(TextsOf(answer.executed()),
                  ElementsAre(absl::StrCat("\"", count, "\""), "PONG"))
          << "a read sees the writes before it";
    }
  }
  writer.join();
  stream.HalfClose();
  EXPECT_TRUE(stream.Finish().ok());
}

TEST_F(KvStreamTest, AWrongRequestIsAnsweredInItsPlace) {
  Start();
  KvStreamClient stream(kv_->stub());
  ASSERT_TRUE(stream.Send(1, {{"SET", "k", "v"}}));
  ASSERT_TRUE(stream.Send(2, {}));
  ASSERT_TRUE(stream.Send(3, {{"GET", "k"}}));
  EXPECT_EQ(stream.Next().code(), 0);
  const v1::KvAnswer wrong = stream.Next();
  EXPECT_EQ(wrong.number(), 2u);
  EXPECT_EQ(wrong.code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(wrong.message(), HasSubstr("commands is empty"));
  EXPECT_THAT(TextsOf(stream.Next().executed()), ElementsAre("\"v\""));
}

TEST_F(KvStreamTest, ATransactionMayStandAmongOthers) {
  Start();
  KvStreamClient stream(kv_->stub());
  v1::KvRequest request;
  request.set_number(1);
  *request.mutable_execute() = CallOf({{"INCR", "n"}, {"INCR", "n"}});
  request.mutable_execute()->set_atomic(true);
  ASSERT_TRUE(stream.Write(request));
  ASSERT_TRUE(stream.Send(2, {{"GET", "n"}}));
  EXPECT_THAT(TextsOf(stream.Next().executed()),
              ElementsAre("(integer) 1", "(integer) 2"));
  EXPECT_THAT(TextsOf(stream.Next().executed()), ElementsAre("\"2\""));
}

TEST_F(KvStreamTest, WhatFollowsAPopThatWaitsWaitsToo) {
  Start();
  KvStreamClient stream(kv_->stub());
  ASSERT_TRUE(stream.Send(1, {{"BLPOP", "l", "0"}}));
  ASSERT_TRUE(stream.Send(2, {{"PING"}}));
  ASSERT_TRUE(WaitBlocked(1));
  EXPECT_EQ(kv_->Do({"RPUSH", "l", "x"}), "(integer) 1");
  EXPECT_EQ(stream.Next().number(), 1u);
  EXPECT_EQ(stream.Next().number(), 2u);
}

TEST_F(KvStreamTest, TheCallsOfAStreamThatEndsAreWithdrawn) {
  Start();
  {
    KvStreamClient stream(kv_->stub());
    ASSERT_TRUE(stream.Send(1, {{"BLPOP", "l", "0"}}));
    ASSERT_TRUE(WaitBlocked(1));
    stream.Cancel();
    stream.Finish();
  }
  ASSERT_TRUE(WaitBlocked(0));
  EXPECT_EQ(kv_->Do({"RPUSH", "l", "x"}), "(integer) 1");
  EXPECT_EQ(kv_->Do({"LLEN", "l"}), "(integer) 1");
}

// A client that does not read its answers is not read from.
TEST_F(KvStreamTest, ANodeStopsReadingWhileAnswersWait) {
  Limits limits;
  limits.max_stream_requests = 4;
  Start(limits);
  ASSERT_EQ(kv_->Do({"SET", "big", std::string(256 << 10, 'x')}), "OK");
  KvStreamClient stream(kv_->stub());
  constexpr uint64_t kRequests = 64;
  std::thread writer([&stream] {
    for (uint64_t i = 1; i <= kRequests; ++i) {
      ASSERT_TRUE(stream.Send(i, {{"INCR", "asked"}, {"GET", "big"}}));
    }
  });
  // Of its answers the node writes as many as the connection takes: far fewer
  // than these 16 MiB. What it has asked for meanwhile is executed before this.
  ASSERT_TRUE(WaitFor([this] { return kv_->Do({"GET", "asked"}) != "(nil)"; }));
  const std::string asked = kv_->Do({"GET", "asked"});
  EXPECT_NE(asked, absl::StrCat("\"", kRequests, "\""))
      << "it has read all, though no answer was taken";
  for (uint64_t i = 1; i <= kRequests; ++i) {
    ASSERT_EQ(stream.Next().number(), i);
  }
  writer.join();
}

TEST_F(KvStreamTest, ADrainingNodeTellsTheClientToMove) {
  Start();
  KvStreamClient stream(kv_->stub());
  ASSERT_TRUE(stream.Send(1, {{"SET", "k", "v"}}));
  EXPECT_EQ(stream.Next().number(), 1u);
  node_->runtime().Drain();
  EXPECT_EQ(stream.Next().number(), 0u);
  EXPECT_TRUE(stream.moving());
  const grpc::Status status = stream.Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(status.error_message(), HasSubstr("draining"));
}

}  // namespace
}  // namespace muster::service
