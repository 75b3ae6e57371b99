// The Kv class of the client library against nodes whose answers the test
// writes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "muster/client/kv.h"

namespace muster::client {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// What a node says of a call that it has not executed.
grpc::Status NotExecuted() {
  return {grpc::StatusCode::UNAVAILABLE, "no leader", "retry info"};
}
// What gRPC says of a connection that broke.
grpc::Status Broken() {
  return {grpc::StatusCode::UNAVAILABLE, "Socket closed"};
}

class FakeKv final : public v1::Kv::Service {
 public:
  FakeKv() {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                             &port);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
    address_ = "127.0.0.1:" + std::to_string(port);
  }
  ~FakeKv() override { server_->Shutdown(std::chrono::system_clock::now()); }
  const std::string& address() const { return address_; }

  // The next calls fail so; those after them are answered.
  void Fail(std::vector<grpc::Status> statuses) {
    absl::MutexLock lock(&mutex_);
    failures_.assign(statuses.begin(), statuses.end());
  }
  std::vector<v1::KvOptions> seen() const {
    absl::MutexLock lock(&mutex_);
    return seen_;
  }

  grpc::Status Get(grpc::ServerContext*, const v1::KvKeyRequest* request,
                   v1::KvValueResponse* response) override {
    response->set_value("v");
    return Answer(request->options(), response->mutable_position());
  }
  grpc::Status Incr(grpc::ServerContext*, const v1::KvKeyRequest* request,
                    v1::KvNumberResponse* response) override {
    response->set_value(1);
    return Answer(request->options(), response->mutable_position());
  }
  grpc::Status Execute(grpc::ServerContext*,
                       const v1::KvExecuteRequest* request,
                       v1::KvExecuteResponse* response) override {
    for (int i = 0; i < request->commands_size(); ++i) {
      response->add_values()->set_simple("OK");
    }
    return Answer(request->options(), response->mutable_position());
  }
  // Waits until its client has gone.
  grpc::Status BRPop(grpc::ServerContext* context, const v1::KvBRPopRequest*,
                     v1::KvPopResponse*) override {
    waits_.Notify();
    while (!context->IsCancelled()) absl::SleepFor(absl::Milliseconds(1));
    return grpc::Status::CANCELLED;
  }
  void WaitForPop() { waits_.WaitForNotification(); }

 private:
  grpc::Status Answer(const v1::KvOptions& options, v1::KvPosition* position) {
    absl::MutexLock lock(&mutex_);
    seen_.push_back(options);
    if (!failures_.empty()) {
      const grpc::Status status = failures_.front();
      failures_.pop_front();
      return status;
    }
    position->set_term(3);
    position->set_leader(std::string(16, 'l'));
    position->set_seq(seen_.size());
    return grpc::Status::OK;
  }

  std::unique_ptr<grpc::Server> server_;
  std::string address_;
  absl::Notification waits_;
  mutable absl::Mutex mutex_;
  std::deque<grpc::Status> failures_ ABSL_GUARDED_BY(mutex_);
  std::vector<v1::KvOptions> seen_ ABSL_GUARDED_BY(mutex_);
};

class KvClientTest : public testing::Test {
 protected:
  static ConnectionOptions Options(const FakeKv& a, const FakeKv& b) {
    ConnectionOptions options;
    options.addresses = {a.address(), b.address()};
    return options;
  }
  FakeKv a_;
  FakeKv b_;
  Connection connection_{Options(a_, b_)};
  Kv kv_{&connection_};
};

TEST_F(KvClientTest, WhatANodeHasNotExecutedIsSentToTheNext) {
  a_.Fail({NotExecuted()});
  const absl::StatusOr<int64_t> number = kv_.Incr("n");
  ASSERT_TRUE(number.ok()) << number.status();
  EXPECT_EQ(a_.seen().size(), 1u);
  EXPECT_EQ(b_.seen().size(), 1u);
}

TEST_F(KvClientTest, AWriteWhoseConnectionBreaksIsNotSentAgain) {
  a_.Fail({Broken()});
  const absl::Status status = kv_.Incr("n").status();
  EXPECT_TRUE(absl::IsAborted(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("the outcome is unknown"));
  EXPECT_TRUE(b_.seen().empty());
}

TEST_F(KvClientTest, AReadWhoseConnectionBreaksIsSentAgain) {
  a_.Fail({Broken()});
  const auto value = kv_.Get("k");
  ASSERT_TRUE(value.ok()) << value.status();
  EXPECT_EQ(**value, "v");
  EXPECT_EQ(b_.seen().size(), 1u);
}

TEST_F(KvClientTest, AnUnknownOutcomeIsTold) {
  a_.Fail({{grpc::StatusCode::ABORTED, "the leader was lost"}});
  const absl::Status status = kv_.Write({"SET", "k", "v"}).status();
  EXPECT_TRUE(absl::IsAborted(status)) << status;
  EXPECT_TRUE(b_.seen().empty());
}

TEST_F(KvClientTest, EachCallNamesThePositionThatWasSeenBefore) {
  ASSERT_TRUE(kv_.Write({"SET", "k", "v"}).ok());
  a_.Fail({NotExecuted()});
  ASSERT_TRUE(kv_.Get("k").ok());
  EXPECT_FALSE(a_.seen()[0].has_min_position());
  ASSERT_EQ(b_.seen().size(), 1u);
  EXPECT_EQ(b_.seen()[0].min_position().term(), 3u);
  EXPECT_EQ(b_.seen()[0].min_position().seq(), 1u);
}

TEST_F(KvClientTest, OptionsHoldForEachCall) {
  Kv kv(&connection_, {.db = 4, .at_leader = true});
  ASSERT_TRUE(kv.Get("k").ok());
  EXPECT_EQ(a_.seen()[0].db(), 4u);
  EXPECT_TRUE(a_.seen()[0].at_leader());
}

TEST_F(KvClientTest, CancelEndsACallThatWaitsAndAllLaterOnes) {
  auto popped = std::async(std::launch::async, [this] {
    return kv_.BRPop({"l"}, absl::InfiniteDuration()).status();
  });
  a_.WaitForPop();
  kv_.Cancel();
  EXPECT_TRUE(absl::IsCancelled(popped.get()));
  EXPECT_TRUE(absl::IsCancelled(kv_.Get("k").status()));
}

}  // namespace
}  // namespace muster::client
