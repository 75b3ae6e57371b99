// Session streams on a real core, without gRPC: the order of answers, what is
// read ahead, and streams that end at any moment. Runs under the thread
// sanitizer, which gRPC itself does not.
#include <algorithm>
#include <atomic>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "muster/v1/presence.pb.h"
#include "node/mutex.h"
#include "node/service/context.h"
#include "node/service/health.h"
#include "node/service/member_watch.h"
#include "node/service/offload.h"
#include "node/service/session_stream.h"
#include "node/service/sink.h"
#include "node/service/watch_stream.h"
#include "tests/service/fake_core.h"

namespace muster::service {
namespace {

template <class Condition>
bool Await(Condition condition) {
  const auto deadline =
      std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  return true;
}

// A client at the other end of a call: what it has sent is read when the
// handler asks, what it is sent is completed on a thread of "gRPC".
class Client final : public ByteStream {
 public:
  Client(Offload* grpc, std::shared_ptr<StreamHandler> handler)
      : grpc_(grpc), handler_(std::move(handler)) {}
  void Start() { handler_->Start(this); }

  void Send(std::string bytes) {
    MutexLock lock(mutex_);
    inbox_.push_back(std::move(bytes));
    Feed();
  }
  void Cancel() {
    cancelled_ = true;
    handler_->OnCancelled();
  }
  // Until then no write completes.
  void HoldWrites(bool hold) {
    MutexLock lock(mutex_);
    hold_writes_ = hold;
    if (!hold && write_pending_) Complete();
  }

  void Read() override {
    MutexLock lock(mutex_);
    EXPECT_FALSE(reading_) << "two reads at once";
    reading_ = true;
    Feed();
  }
  void Write(Outgoing message) override {
    MutexLock lock(mutex_);
    EXPECT_FALSE(write_pending_) << "two writes at once";
    if (message.body != nullptr) message.head += *message.body;
    received_.push_back(std::move(message.head));
    write_pending_ = true;
    if (!hold_writes_) Complete();
  }
  void Finish(const absl::Status& status) override {
    MutexLock lock(mutex_);
    EXPECT_FALSE(finished_) << "finished twice";
    finished_ = true;
    status_ = status;
  }

  size_t taken() {
    MutexLock lock(mutex_);
    return taken_;
  }
  bool finished() {
    MutexLock lock(mutex_);
    return finished_;
  }
  absl::Status status() {
    MutexLock lock(mutex_);
    return status_;
  }
  std::vector<std::string> received() {
    MutexLock lock(mutex_);
    return received_;
  }
  bool quiet() {
    MutexLock lock(mutex_);
    return outstanding_ == 0;
  }

 private:
  void Feed() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (!reading_ || inbox_.empty() || finished_) return;
    reading_ = false;
    ++taken_;
    ++outstanding_;
    grpc_->Urgent([this, bytes = std::move(inbox_.front())]() mutable {
      handler_->OnRead(std::move(bytes));
      Done();
    });
    inbox_.pop_front();
  }
  void Complete() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    ++outstanding_;
    write_pending_ = false;
    grpc_->Urgent([this] {
      handler_->OnWritten(!cancelled_);
      Done();
    });
  }
  void Done() {
    MutexLock lock(mutex_);
    --outstanding_;
  }

  Offload* const grpc_;
  const std::shared_ptr<StreamHandler> handler_;
  std::atomic<bool> cancelled_{false};
  Mutex mutex_;
  std::deque<std::string> inbox_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> received_ ABSL_GUARDED_BY(mutex_);
  bool reading_ ABSL_GUARDED_BY(mutex_) = false;
  bool write_pending_ ABSL_GUARDED_BY(mutex_) = false;
  bool hold_writes_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  size_t taken_ ABSL_GUARDED_BY(mutex_) = 0;
  int outstanding_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
};

class SessionFlowTest : public ::testing::Test {
 protected:
  void SetUp() override {
    core_.Start(&sink_);
    ASSERT_TRUE(Await([&] { return core_.ready(); }));
  }
  void TearDown() override {
    // As in a node: calls end, then the loop, then the threads.
    for (auto& client : clients_) {
      if (!client->finished()) client->Cancel();
    }
    EXPECT_TRUE(Await([&] {
      return core_.idle() &&
             std::all_of(clients_.begin(), clients_.end(),
                         [](auto& client) { return client->quiet(); });
    }));
    core_.Stop();
    offload_.reset();
    grpc_.reset();
  }
  Client* NewClient(SessionStream::Kind kind) {
    clients_.push_back(std::make_unique<Client>(
        grpc_.get(), std::make_shared<SessionStream>(kind, &context_)));
    clients_.back()->Start();
    return clients_.back().get();
  }
  Client* NewWatch(const v1::WatchRequest& request) {
    clients_.push_back(std::make_unique<Client>(
        grpc_.get(),
        std::make_shared<WatchStream>(&context_, request.SerializeAsString())));
    clients_.back()->Start();
    return clients_.back().get();
  }
  uint64_t Entries() {
    std::atomic<int64_t> entries{-1};
    core_.Post([&entries](core::Replica& replica, core::Now) {
      entries = static_cast<int64_t>(replica.Count().entries);
    });
    EXPECT_TRUE(Await([&] { return entries >= 0; }));
    return static_cast<uint64_t>(entries);
  }

  std::unique_ptr<Offload> grpc_ = std::make_unique<Offload>(2);
  std::unique_ptr<Offload> offload_ = std::make_unique<Offload>(2);
  FakeCore core_;
  Health health_;
  MemberWatches members_;
  Sink sink_{&core_, offload_.get(), &health_, &members_};
  Context context_{"a", "muster", "test", Limits(), core_, *offload_, sink_};
  std::vector<std::unique_ptr<Client>> clients_;
};

std::string Request(uint64_t number, int slots, int tracks) {
  v1::SessionsRequest request;
  request.set_number(number);
  for (int slot = 0; slot < slots; ++slot) {
    v1::SessionPart* part = request.add_parts();
    part->set_slot(static_cast<uint32_t>(slot));
    if (number == 1) part->mutable_open();
    for (int i = 0; i < tracks; ++i) {
      part->add_track()->set_topic("t");
      part->mutable_track(i)->set_key(absl::StrCat(number, ":", i));
    }
  }
  return request.SerializeAsString();
}

TEST_F(SessionFlowTest, AnswersComeInOrderFromManyStreamsAtOnce) {
  constexpr int kStreams = 4;
  constexpr uint64_t kRequests = 50;
  std::vector<Client*> streams;
  for (int i = 0; i < kStreams; ++i) {
    streams.push_back(NewClient(SessionStream::Kind::kSessions));
  }
  for (uint64_t number = 1; number <= kRequests; ++number) {
    for (Client* stream : streams) stream->Send(Request(number, 10, 5));
  }
  for (Client* stream : streams) {
    ASSERT_TRUE(Await([&] { return stream->received().size() == kRequests; }));
    uint64_t number = 0;
    for (const std::string& bytes : stream->received()) {
      v1::SessionsResponse response;
      ASSERT_TRUE(response.ParseFromString(bytes));
      EXPECT_EQ(response.number(), ++number);
      for (const auto& result : response.results()) {
        EXPECT_EQ(result.tracked_refs_size(), 5);
        EXPECT_EQ(result.track_errors_size(), 0);
      }
    }
  }
  EXPECT_EQ(Entries(), kStreams * kRequests * 50);
}

TEST_F(SessionFlowTest, AClientThatDoesNotReadIsNotReadEither) {
  Client* stream = NewClient(SessionStream::Kind::kSessions);
  stream->HoldWrites(true);
  for (uint64_t number = 1; number <= 500; ++number) {
    stream->Send(Request(number, 1, 1));
  }
  const size_t limit = context_.limits.max_stream_requests;
  ASSERT_TRUE(Await([&] { return stream->taken() >= limit; }));
  ASSERT_TRUE(Await([&] { return Entries() == limit; }));
  EXPECT_EQ(stream->taken(), limit);
  stream->HoldWrites(false);
  EXPECT_TRUE(Await([&] { return stream->received().size() == 500; }));
}

TEST_F(SessionFlowTest, BytesReadAheadAreBoundedToo) {
  Client* stream = NewClient(SessionStream::Kind::kSessions);
  stream->HoldWrites(true);
  v1::SessionsRequest request;
  v1::SessionPart* part = request.add_parts();
  for (int i = 0; i < 16; ++i) {
    part->add_track()->set_topic("t");
    part->mutable_track(i)->set_meta(std::string(60'000, 'm'));
  }
  for (uint64_t number = 1; number <= 20; ++number) {
    request.set_number(number);
    stream->Send(request.SerializeAsString());
  }
  // Of about 960 kB each.
  ASSERT_TRUE(Await([&] { return stream->taken() >= 5; }));
  Entries();
  EXPECT_EQ(stream->taken(), 5u);
  stream->HoldWrites(false);
  EXPECT_TRUE(Await([&] { return stream->received().size() == 20; }));
}

TEST_F(SessionFlowTest, StreamsThatVanishAtAnyMomentLeaveNoEntry) {
  std::mt19937 random(4);
  v1::WatchRequest watch;
  watch.add_topics("t");
  for (int round = 0; round < 100; ++round) {
    Client* stream = NewClient(SessionStream::Kind::kSessions);
    Client* watcher = NewWatch(watch);
    std::thread canceller([&, yields = random() % 20] {
      for (unsigned i = 0; i < yields; ++i) std::this_thread::yield();
      watcher->Cancel();
      stream->Cancel();
    });
    for (uint64_t number = 1; number <= 10; ++number) {
      stream->Send(Request(number, 5, 3));
    }
    canceller.join();
    EXPECT_EQ(stream->status().code(), absl::StatusCode::kCancelled);
  }
  EXPECT_TRUE(Await([&] { return Entries() == 0; }));
}

TEST_F(SessionFlowTest, WatchersShareWhatIsEncoded) {
  v1::WatchRequest request;
  request.add_topics("t");
  std::vector<Client*> watchers;
  for (int i = 0; i < 20; ++i) watchers.push_back(NewWatch(request));
  Client* stream = NewClient(SessionStream::Kind::kSessions);
  for (uint64_t number = 1; number <= 20; ++number) {
    stream->Send(Request(number, 2, 2));
  }
  for (Client* watcher : watchers) {
    EXPECT_TRUE(Await([&] {
      int joins = 0;
      for (const std::string& bytes : watcher->received()) {
        v1::WatchResponse response;
        if (!response.ParseFromString(bytes)) return false;
        for (const auto& state : response.state()) {
          joins += state.entries_size();
        }
        for (const auto& diff : response.diffs()) joins += diff.joins_size();
      }
      return joins == 80;
    }));
  }
}

}  // namespace
}  // namespace muster::service
