#include "muster/client/watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/cli/fake_node.h"

namespace muster::client {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A whole state of room with `keys`, then silence until the client goes.
FakeNode::WatchScript State(std::vector<std::string> keys,
                            std::string version) {
  return [keys, version](const v1::WatchRequest&, grpc::ServerContext* context,
                         grpc::ServerWriter<v1::WatchResponse>* writer) {
    v1::WatchResponse message;
    message.set_reset(true);
    message.set_state_complete(true);
    message.set_version(version);
    v1::TopicState* state = message.add_state();
    state->set_topic("room");
    for (const std::string& key : keys) {
      v1::Entry* entry = state->add_entries();
      entry->set_key(key);
      entry->set_ref("ref of " + key);
    }
    writer->Write(message);
    while (!context->IsCancelled()) absl::SleepFor(absl::Milliseconds(1));
    return grpc::Status::OK;
  };
}

FakeNode::WatchScript Fail(grpc::StatusCode code, std::string text) {
  return [code, text](const v1::WatchRequest&, grpc::ServerContext*,
                      grpc::ServerWriter<v1::WatchResponse>*) {
    return grpc::Status(code, text);
  };
}

// A watch that runs on a thread, and what it reports.
class Running {
 public:
  explicit Running(std::vector<std::string> addresses)
      : connection_({std::move(addresses)}), watch_(&connection_, Request()) {
    thread_ = std::thread([this] {
      Watch::Observer observer;
      observer.on_changes = [this](const std::vector<Change>& changes) {
        absl::MutexLock lock(&mutex_);
        for (const Change& change : changes) {
          seen_.push_back(absl::StrCat(static_cast<int>(change.kind), " ",
                                       change.entry.key()));
        }
      };
      observer.on_keys = [this](const std::vector<KeyChange>& keys) {
        absl::MutexLock lock(&mutex_);
        for (const KeyChange& key : keys) {
          keys_.push_back(
              absl::StrCat(key.entry.key(), " ", key.before, ">", key.entries));
        }
      };
      observer.on_note = [](const std::string&) {};
      const absl::Status status = watch_.Run(observer);
      absl::MutexLock lock(&mutex_);
      result_ = status;
      done_ = true;
    });
  }
  ~Running() {
    watch_.Stop();
    if (thread_.joinable()) thread_.join();
  }

  std::vector<std::string> WaitSeen(size_t n) {
    absl::MutexLock lock(&mutex_);
    const auto enough = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return seen_.size() >= n || done_;
    };
    EXPECT_TRUE(mutex_.AwaitWithTimeout(absl::Condition(&enough), kDeadline));
    return seen_;
  }
  std::vector<std::string> WaitKeys(size_t n) {
    absl::MutexLock lock(&mutex_);
    const auto enough = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return keys_.size() >= n || done_;
    };
    EXPECT_TRUE(mutex_.AwaitWithTimeout(absl::Condition(&enough), kDeadline));
    return keys_;
  }
  absl::Status Stop() {
    watch_.Stop();
    return Join();
  }
  absl::Status Join() {
    thread_.join();
    absl::MutexLock lock(&mutex_);
    return result_;
  }

 private:
  static v1::WatchRequest Request() {
    v1::WatchRequest request;
    request.add_topics("room");
    return request;
  }

  Connection connection_;
  Watch watch_;
  std::thread thread_;
  absl::Mutex mutex_;
  std::vector<std::string> seen_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> keys_ ABSL_GUARDED_BY(mutex_);
  bool done_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status result_ ABSL_GUARDED_BY(mutex_);
};

std::string Seen(Change::Kind kind, const std::string& key) {
  return absl::StrCat(static_cast<int>(kind), " ", key);
}

TEST(WatchTest, MovesToTheNextAddressAndReportsOnlyTheDifference) {
  FakeWorld world;
  FakeNode a("a", &world);
  FakeNode b("b", &world);
  a.SetWatch(State({"u1", "u2"}, "version of a"));
  std::string version;
  b.SetWatch([&, state = State({"u2", "u3"}, "version of b")](
                 const v1::WatchRequest& request, grpc::ServerContext* context,
                 grpc::ServerWriter<v1::WatchResponse>* writer) {
    version = request.version();
    return state(request, context, writer);
  });
  Running watch({a.address(), b.address()});
  EXPECT_THAT(watch.WaitSeen(3), ElementsAre(Seen(Change::Kind::kPresent, "u1"),
                                             Seen(Change::Kind::kPresent, "u2"),
                                             Seen(Change::Kind::kSynced, "")));
  a.Kill();
  const std::vector<std::string> seen = watch.WaitSeen(5);
  EXPECT_EQ(version, "version of a");
  EXPECT_THAT(std::vector<std::string>(seen.begin() + 3, seen.end()),
              ElementsAre(Seen(Change::Kind::kLeave, "u1"),
                          Seen(Change::Kind::kJoin, "u3")));
  EXPECT_TRUE(watch.Stop().ok());
}

TEST(WatchTest, AMoveIsReportedAsADifferenceOfKeysToo) {
  FakeWorld world;
  FakeNode a("a", &world);
  FakeNode b("b", &world);
  a.SetWatch(State({"u1", "u2"}, "version of a"));
  b.SetWatch(State({"u2", "u3"}, "version of b"));
  Running watch({a.address(), b.address()});
  EXPECT_THAT(watch.WaitKeys(2), ElementsAre("u1 0>1", "u2 0>1"));
  a.Kill();
  EXPECT_THAT(watch.WaitKeys(4),
              ElementsAre("u1 0>1", "u2 0>1", "u1 1>0", "u3 0>1"));
  EXPECT_TRUE(watch.Stop().ok());
}

TEST(WatchTest, ARefusalThatNoOtherNodeCanMendEndsIt) {
  FakeWorld world;
  FakeNode a("a", &world);
  FakeNode b("b", &world);
  a.SetWatch(Fail(grpc::StatusCode::INVALID_ARGUMENT, "topics: too many"));
  b.SetWatch(State({"u1"}, "v"));
  Running watch({a.address(), b.address()});
  EXPECT_THAT(watch.WaitSeen(1), IsEmpty());
  const absl::Status status = watch.Join();
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_EQ(status.message(), "topics: too many");
}

TEST(WatchTest, ANodeThatIsNotReadyYetIsAskedAgain) {
  FakeWorld world;
  FakeNode node("a", &world);
  std::atomic<int> asked = 0;
  node.SetWatch([&, state = State({"u1"}, "v")](
                    const v1::WatchRequest& request,
                    grpc::ServerContext* context,
                    grpc::ServerWriter<v1::WatchResponse>* writer) {
    if (++asked < 3) {
      return grpc::Status(grpc::StatusCode::UNAVAILABLE, "not caught up");
    }
    return state(request, context, writer);
  });
  Running watch({node.address()});
  EXPECT_THAT(watch.WaitSeen(2), ElementsAre(Seen(Change::Kind::kPresent, "u1"),
                                             Seen(Change::Kind::kSynced, "")));
  EXPECT_EQ(asked, 3);
}

TEST(WatchTest, WithNoNodeToReachItGivesUpAtOnce) {
  FakeWorld world;
  std::string address;
  {
    FakeNode gone("a", &world);
    address = gone.address();
  }
  Running watch({address});
  EXPECT_THAT(watch.WaitSeen(1), IsEmpty());
  EXPECT_TRUE(absl::IsUnavailable(watch.Join()));
}

absl::StatusOr<uint64_t> Count(Connection* connection) {
  v1::CountResponse response;
  const absl::Status status = connection->Call(&v1::Presence::Stub::Count,
                                               v1::CountRequest(), &response);
  if (!status.ok()) return status;
  return response.entries();
}

TEST(ConnectionTest, ACallGoesOnToTheNodeThatAnswersAndStaysThere) {
  FakeWorld world;
  FakeNode b("b", &world);
  std::string gone;
  {
    FakeNode a("a", &world);
    gone = a.address();
  }
  Connection connection({{gone, b.address()}});
  EXPECT_EQ(*Count(&connection), 0u);
  EXPECT_EQ(connection.preferred(), 1u);
}

TEST(ConnectionTest, AnAnswerThatIsNoGoesNowhereElse) {
  FakeWorld world;
  FakeNode a("a", &world);
  FakeNode b("b", &world);
  a.SetCount({grpc::StatusCode::NOT_FOUND, "no such topic"});
  Connection connection({{a.address(), b.address()}});
  const absl::Status status = Count(&connection).status();
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_EQ(status.message(), "no such topic");
}

TEST(ConnectionTest, ANodeThatIsNotReadyIsWaitedForWithPatience) {
  FakeWorld world;
  FakeNode node("a", &world);
  node.SetCount({grpc::StatusCode::UNAVAILABLE, "not caught up"});
  ConnectionOptions options;
  options.addresses = {node.address()};
  options.patience = absl::Milliseconds(50);
  Connection impatient(options);
  const absl::Status status = Count(&impatient).status();
  EXPECT_TRUE(absl::IsUnavailable(status));
  EXPECT_THAT(std::string(status.message()),
              HasSubstr(node.address() + ": not caught up"));

  std::thread ready([&node] { node.SetCount(grpc::Status::OK); });
  Connection patient({{node.address()}});
  EXPECT_TRUE(Count(&patient).ok());
  ready.join();
}

// ------------------------------------------------------------- full nodes

grpc::Status Full() {
  return {grpc::StatusCode::RESOURCE_EXHAUSTED,
          "too many connections: --max-connections is 1"};
}

TEST(ConnectionTest, ACallPassesOverAFullNode) {
  FakeWorld world;
  FakeNode a("a", &world);
  FakeNode b("b", &world);
  a.SetCount(Full());
  Connection connection({{a.address(), b.address()}});
  EXPECT_TRUE(Count(&connection).ok());
  EXPECT_EQ(connection.preferred(), 1u);
}

TEST(ConnectionTest, ThatEveryNodeIsFullIsSaidAtOnceWithTheReason) {
  FakeWorld world;
  FakeNode node("a", &world);
  node.SetCount(Full());
  const absl::Time began = absl::Now();
  Connection connection({{node.address()}});
  const absl::Status status = Count(&connection).status();
  EXPECT_LT(absl::Now() - began, ConnectionOptions().patience);
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              HasSubstr(node.address() +
                        ": too many connections: --max-connections is 1"));
}

TEST(ConnectionTest, AnotherQuotaIsAnAnswer) {
  FakeWorld world;
  FakeNode node("a", &world);
  node.SetCount({grpc::StatusCode::RESOURCE_EXHAUSTED, "--max-watchers is 1"});
  Connection connection({{node.address()}});
  EXPECT_TRUE(absl::IsResourceExhausted(Count(&connection).status()));
}

TEST(WatchTest, PassesOverAFullNode) {
  FakeWorld world;
  FakeNode a("a", &world);
  FakeNode b("b", &world);
  a.SetWatch(Fail(Full().error_code(), Full().error_message()));
  b.SetWatch(State({"u1"}, "version"));
  Running watch({a.address(), b.address()});
  EXPECT_THAT(watch.WaitSeen(1), Contains(Seen(Change::Kind::kPresent, "u1")));
}

TEST(WatchTest, EndsAtOnceWithTheReasonIfEveryNodeIsFull) {
  FakeWorld world;
  FakeNode node("a", &world);
  node.SetWatch(Fail(Full().error_code(), Full().error_message()));
  const absl::Time began = absl::Now();
  Running watch({node.address()});
  const absl::Status status = watch.Join();
  EXPECT_LT(absl::Now() - began, ConnectionOptions().patience);
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("--max-connections is 1"));
}

}  // namespace
}  // namespace muster::client
