// The sending half of a stream, without gRPC: messages in order, one at a
// time, an end exactly once, and clients that vanish at any moment.
#include "node/service/stream_writer.h"

#include <atomic>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "node/service/offload.h"

namespace muster::service {
namespace {

// What gRPC does: completes writes on a thread of its own, and is gone once
// the call is finished and nothing is pending.
class FakeStream final : public ByteStream {
 public:
  explicit FakeStream(std::shared_ptr<StreamHandler> handler, Offload* grpc)
      : handler_(std::move(handler)), grpc_(grpc) {}
  ~FakeStream() override { EXPECT_EQ(finishes_, 1); }

  void Read() override { FAIL() << "nothing to read here"; }
  void Write(Outgoing message) override {
    EXPECT_EQ(finishes_, 0) << "a write after the end";
    EXPECT_FALSE(writing_.exchange(true)) << "two writes at once";
    written_.push_back(std::move(message.head));
    if (!hold_) CompleteWrite();
  }
  void Finish(const absl::Status& status) override {
    EXPECT_EQ(finishes_++, 0) << "finished twice";
    status_ = status;
  }

  void CompleteWrite() {
    grpc_->Urgent([this] {
      writing_ = false;
      handler_->OnWritten(!cancelled_);
      ++completed_;
    });
  }
  void Cancel() {
    cancelled_ = true;
    handler_->OnCancelled();
  }

  std::vector<std::string> written_;
  std::atomic<int> completed_{0};
  std::atomic<int> finishes_{0};
  absl::Status status_;
  bool hold_ = false;

 private:
  std::shared_ptr<StreamHandler> handler_;
  Offload* const grpc_;
  std::atomic<bool> writing_{false};
  std::atomic<bool> cancelled_{false};
};

class Numbers final : public StreamWriter {
 public:
  using StreamWriter::StreamWriter;
  void Say(int number) {
    {
      MutexLock lock(mutex());
      queue_.push_back(number);
    }
    Wake();
  }
  std::atomic<int> closed{0};

 protected:
  bool HasNext() const override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex()) {
    return !queue_.empty();
  }
  std::optional<Outgoing> TakeNext() override {
    MutexLock lock(mutex());
    if (queue_.empty()) return std::nullopt;
    const int number = queue_.front();
    queue_.pop_front();
    return Outgoing{std::to_string(number), nullptr};
  }
  void OnClosed() override { ++closed; }

 private:
  std::deque<int> queue_ ABSL_GUARDED_BY(mutex());
};

template <class Condition>
void Await(Condition condition) {
  const auto deadline =
      std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    std::this_thread::yield();
  }
}

TEST(StreamWriterTest, MessagesLeaveInOrderAndTheEndFollowsThem) {
  auto grpc = std::make_unique<Offload>(2);
  auto offload = std::make_unique<Offload>(2);
  auto handler = std::make_shared<Numbers>(offload.get());
  FakeStream stream(handler, grpc.get());
  handler->Start(&stream);
  constexpr int kMessages = 2000;
  for (int i = 0; i < kMessages; ++i) handler->Say(i);
  handler->End(absl::AbortedError("enough"));
  Await([&] { return handler->closed == 1; });
  offload.reset();
  grpc.reset();
  ASSERT_EQ(stream.written_.size(), static_cast<size_t>(kMessages));
  for (int i = 0; i < kMessages; ++i) {
    ASSERT_EQ(stream.written_[i], std::to_string(i));
  }
  EXPECT_EQ(stream.status_, absl::AbortedError("enough"));
}

TEST(StreamWriterTest, ACallThatEndsBeforeItsFirstMessageIsFinished) {
  Offload grpc(1);
  auto offload = std::make_unique<Offload>(1);
  auto handler = std::make_shared<Numbers>(offload.get());
  FakeStream stream(handler, &grpc);
  handler->Start(&stream);
  handler->End(absl::InvalidArgumentError("no"));
  Await([&] { return handler->closed == 1; });
  EXPECT_EQ(stream.status_, absl::InvalidArgumentError("no"));
}

TEST(StreamWriterTest, AClientThatDoesNotReadHoldsUpOneMessageOnly) {
  Offload grpc(1);
  auto offload = std::make_unique<Offload>(1);
  auto handler = std::make_shared<Numbers>(offload.get());
  FakeStream stream(handler, &grpc);
  stream.hold_ = true;
  handler->Start(&stream);
  for (int i = 0; i < 10; ++i) handler->Say(i);
  handler->End(absl::OkStatus());
  offload.reset();  // All that is to run has run.
  EXPECT_EQ(stream.written_.size(), 1u);
  EXPECT_EQ(handler->closed, 0);
  stream.Cancel();
  EXPECT_EQ(handler->closed, 1);
}

TEST(StreamWriterTest, AClientMayVanishAtAnyMoment) {
  std::mt19937 random(1);
  Offload grpc(2);
  auto offload = std::make_unique<Offload>(2);
  struct Call {
    std::shared_ptr<Numbers> handler;
    std::unique_ptr<FakeStream> stream;
  };
  std::vector<Call> calls;
  for (int round = 0; round < 300; ++round) {
    Call call;
    call.handler = std::make_shared<Numbers>(offload.get());
    call.stream = std::make_unique<FakeStream>(call.handler, &grpc);
    call.handler->Start(call.stream.get());
    std::thread canceller([&call, yields = random() % 30] {
      for (unsigned i = 0; i < yields; ++i) std::this_thread::yield();
      call.stream->Cancel();
    });
    for (int i = static_cast<int>(random() % 50); i > 0; --i) {
      call.handler->Say(i);
    }
    if (random() % 2 == 0) call.handler->End(absl::OkStatus());
    canceller.join();
    EXPECT_EQ(call.handler->closed, 1);
    calls.push_back(std::move(call));
  }
  offload.reset();
  for (const Call& call : calls) {
    Await([&] {
      return call.stream->completed_ ==
             static_cast<int>(call.stream->written_.size());
    });
    EXPECT_EQ(call.handler->closed, 1);
  }
}

TEST(OffloadTest, UrgentTasksGoBeforeBulkOnes) {
  std::vector<int> order;
  {
    Offload offload(1);
    Mutex gate;
    gate.Lock();
    // Holds the only thread while the others are queued.
    offload.Urgent([&gate] { MutexLock lock(gate); });
    offload.Bulk([&order] { order.push_back(3); });
    offload.Bulk([&order] { order.push_back(4); });
    offload.Urgent([&order] { order.push_back(1); });
    offload.Urgent([&order] { order.push_back(2); });
    gate.Unlock();
  }
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3, 4}));
}

}  // namespace
}  // namespace muster::service
