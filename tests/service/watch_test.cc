// Watches against a node in this process.
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/service/test_node.h"

namespace muster::service {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// A watch that keeps the roll of what it has been told.
class Watcher {
 public:
  Watcher(v1::Presence::Stub* stub, const v1::WatchRequest& request)
      : stream_(stub->Watch(&context_, request)) {}
  ~Watcher() {
    context_.TryCancel();
    if (stream_) stream_->Finish();
  }
  bool Read() {
    v1::WatchResponse message;
    if (!stream_->Read(&message)) return false;
    ++messages;
    if (message.reset()) {
      ++resets;
      keys.clear();
    }
    if (!message.version().empty()) version = message.version();
    complete = complete || message.state_complete();
    for (const v1::TopicState& state : message.state()) {
      for (const v1::Entry& entry : state.entries()) {
        Join(state.topic(), entry);
      }
    }
    for (const v1::TopicDiff& diff : message.diffs()) {
      for (const v1::Entry& entry : diff.joins()) Join(diff.topic(), entry);
      for (const v1::Entry& entry : diff.leaves()) {
        EXPECT_EQ(keys.erase(diff.topic() + "/" + entry.key()), 1u);
      }
      updates += diff.updates_size();
    }
    for (const v1::TopicCount& count : message.counts()) {
      counts[count.topic()] = count.entries();
    }
    return true;
  }
  bool ReadUntil(const std::function<bool()>& condition) {
    while (!condition()) {
      if (!Read()) return false;
    }
    return true;
  }
  grpc::Status Finish() {
    const grpc::Status status = stream_->Finish();
    stream_.reset();
    return status;
  }

  std::set<std::string> keys;
  std::map<std::string, uint64_t> counts;
  std::string version;
  int messages = 0;
  int resets = 0;
  int updates = 0;
  bool complete = false;

 private:
  void Join(const std::string& topic, const v1::Entry& entry) {
    EXPECT_FALSE(entry.ref().empty());
    EXPECT_TRUE(keys.insert(topic + "/" + entry.key()).second)
        << topic << "/" << entry.key();
  }
  Context context_;
  std::unique_ptr<grpc::ClientReader<v1::WatchResponse>> stream_;
};

v1::WatchRequest WatchTopic(const std::string& topic) {
  v1::WatchRequest request;
  request.add_topics(topic);
  return request;
}

class WatchTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(node_.WaitReady());
    stub_ = node_.Presence();
  }
  TestNode node_{"a"};
  std::unique_ptr<v1::Presence::Stub> stub_;
};

TEST_F(WatchTest, StateThenEveryChange) {
  SessionClient session(stub_.get());
  session.Open();
  session.Track("t", "before");
  Watcher watcher(stub_.get(), WatchTopic("t"));
  ASSERT_TRUE(watcher.ReadUntil([&] { return watcher.complete; }));
  EXPECT_EQ(watcher.keys, std::set<std::string>{"t/before"});
  const std::string ref = session.Track("t", "after");
  session.Track("elsewhere", "x");
  ASSERT_TRUE(watcher.ReadUntil([&] { return watcher.keys.size() == 2; }));
  v1::SessionRequest request;
  request.add_update()->set_ref(ref);
  request.mutable_update(0)->set_meta("new");
  v1::SessionResponse response;
  ASSERT_TRUE(session.Ask(request, &response));
  ASSERT_TRUE(watcher.ReadUntil([&] { return watcher.updates == 1; }));
  request.Clear();
  request.add_untrack(response.updated_refs(0));
  ASSERT_TRUE(session.Ask(request, &response));
  ASSERT_TRUE(watcher.ReadUntil([&] { return watcher.keys.size() == 1; }));
  EXPECT_EQ(watcher.resets, 1);
}

TEST_F(WatchTest, AResumedWatchIsToldOnlyWhatItMissed) {
  SessionClient session(stub_.get());
  session.Open();
  session.Track("t", "one");
  v1::WatchRequest request = WatchTopic("t");
  {
    Watcher watcher(stub_.get(), request);
    ASSERT_TRUE(watcher.ReadUntil([&] { return watcher.complete; }));
    request.set_version(watcher.version);
  }
  session.Track("t", "two");
  Watcher watcher(stub_.get(), request);
  ASSERT_TRUE(watcher.ReadUntil([&] { return !watcher.keys.empty(); }));
  EXPECT_EQ(watcher.keys, std::set<std::string>{"t/two"});
  EXPECT_EQ(watcher.resets, 0);
}

TEST_F(WatchTest, KeysAndPrefixesAreWatchedInAnyTopic) {
  SessionClient session(stub_.get());
  session.Open();
  v1::WatchRequest friends;
  friends.add_keys("bob");
  friends.add_keys("eve");
  Watcher by_key(stub_.get(), friends);
  v1::WatchRequest rooms;
  rooms.set_prefix("room:");
  Watcher by_prefix(stub_.get(), rooms);
  ASSERT_TRUE(by_key.ReadUntil([&] { return by_key.complete; }));
  ASSERT_TRUE(by_prefix.ReadUntil([&] { return by_prefix.complete; }));
  session.Track("room:1", "bob");
  session.Track("lobby", "eve");
  session.Track("room:2", "joe");
  ASSERT_TRUE(by_key.ReadUntil([&] { return by_key.keys.size() == 2; }));
  EXPECT_EQ(by_key.keys, (std::set<std::string>{"room:1/bob", "lobby/eve"}));
  ASSERT_TRUE(by_prefix.ReadUntil([&] { return by_prefix.keys.size() == 2; }));
  EXPECT_EQ(by_prefix.keys,
            (std::set<std::string>{"room:1/bob", "room:2/joe"}));
}

// "ann=1 first", "ann=0 last", "ann=2".
std::string KeyText(const v1::KeyChange& key) {
  return key.key() + "=" + std::to_string(key.entries()) +
         (key.first_in() ? " first" : "") + (key.last_out() ? " last" : "");
}

// Reads messages up to the next one with a diff; its keys.
class KeyReader {
 public:
  KeyReader(v1::Presence::Stub* stub, v1::WatchRequest request,
            v1::WatchDetail detail) {
    request.set_detail(detail);
    stream_ = stub->Watch(&context_, request);
  }
  ~KeyReader() {
    context_.TryCancel();
    stream_->Finish();
  }
  std::vector<std::string> State() {
    std::vector<std::string> keys;
    do {
      if (!stream_->Read(&message)) return {"the watch has ended"};
      for (const v1::TopicState& state : message.state()) {
        for (const auto& key : state.keys()) keys.push_back(KeyText(key));
      }
    } while (!message.state_complete());
    return keys;
  }
  std::vector<std::string> Diff() {
    do {
      if (!stream_->Read(&message)) return {"the watch has ended"};
    } while (message.diffs().empty());
    std::vector<std::string> keys;
    for (const auto& key : message.diffs(0).keys()) {
      keys.push_back(KeyText(key));
    }
    return keys;
  }

  v1::WatchResponse message;

 private:
  Context context_;
  std::unique_ptr<grpc::ClientReader<v1::WatchResponse>> stream_;
};

// One request that untracks `ref` and tracks the key again; the new ref.
std::string TrackAgain(SessionClient* session, const std::string& ref) {
  v1::SessionRequest request;
  request.add_untrack(ref);
  v1::TrackOp* op = request.add_track();
  op->set_topic("t");
  op->set_key("ann");
  op->set_meta("2");
  v1::SessionResponse response;
  EXPECT_TRUE(session->Ask(request, &response));
  return response.tracked_refs(0);
}

TEST_F(WatchTest, AKeyThatIsTrackedAgainInOneRequestNeverLeaves) {
  SessionClient session(stub_.get());
  session.Open();
  const std::string ref = session.Track("t", "ann", "1");
  KeyReader both(stub_.get(), WatchTopic("t"),
                 v1::WATCH_DETAIL_ENTRIES_AND_KEYS);
  KeyReader keys(stub_.get(), WatchTopic("t"), v1::WATCH_DETAIL_KEYS);
  EXPECT_THAT(both.State(), IsEmpty());
  EXPECT_THAT(keys.State(), ElementsAre("ann=1"));
  TrackAgain(&session, ref);
  EXPECT_THAT(both.Diff(), IsEmpty());
  EXPECT_EQ(both.message.diffs(0).joins_size(), 1);
  EXPECT_EQ(both.message.diffs(0).leaves_size(), 1);
  session.Track("t", "bob");
  EXPECT_THAT(both.Diff(), ElementsAre("bob=1 first"));
  EXPECT_THAT(keys.Diff(), ElementsAre("bob=1 first"));
}

TEST_F(WatchTest, AKeyComesInWithItsFirstEntryAndLeavesWithItsLast) {
  SessionClient phone(stub_.get());
  SessionClient desk(stub_.get());
  phone.Open();
  desk.Open();
  KeyReader keys(stub_.get(), WatchTopic("t"), v1::WATCH_DETAIL_KEYS);
  EXPECT_THAT(keys.State(), IsEmpty());
  const std::string first = phone.Track("t", "ann");
  EXPECT_THAT(keys.Diff(), ElementsAre("ann=1 first"));
  const std::string second = desk.Track("t", "ann");
  EXPECT_THAT(keys.Diff(), ElementsAre("ann=2"));
  v1::WatchRequest resumed = WatchTopic("t");
  resumed.set_version(keys.message.version());
  v1::SessionResponse response;
  v1::SessionRequest request;
  request.add_untrack(first);
  ASSERT_TRUE(phone.Ask(request, &response));
  EXPECT_THAT(keys.Diff(), ElementsAre("ann=1"));
  request.set_untrack(0, second);
  ASSERT_TRUE(desk.Ask(request, &response));
  EXPECT_THAT(keys.Diff(), ElementsAre("ann=0 last"));
  // All that was missed is one diff: 2 to 0.
  KeyReader late(stub_.get(), resumed, v1::WATCH_DETAIL_KEYS);
  EXPECT_THAT(late.Diff(), ElementsAre("ann=0 last"));
  EXPECT_FALSE(late.message.reset());
}

TEST_F(WatchTest, CountsComeWithoutEntries) {
  SessionClient session(stub_.get());
  session.Open();
  v1::WatchRequest request = WatchTopic("t");
  request.set_counts_only(true);
  request.set_interval_ms(100);
  Watcher watcher(stub_.get(), request);
  for (int i = 0; i < 10; ++i) session.Track("t", std::to_string(i));
  ASSERT_TRUE(watcher.ReadUntil([&] { return watcher.counts["t"] == 10; }));
  EXPECT_TRUE(watcher.keys.empty());
}

TEST_F(WatchTest, ALargeStateArrivesWhole) {
  SessionClient session(stub_.get());
  session.Open();
  constexpr size_t kEntries = 5000;
  for (size_t at = 0; at < kEntries;) {
    v1::SessionRequest request;
    for (int i = 0; i < 500; ++i, ++at) {
      request.add_track()->set_topic("t");
      request.mutable_track(i)->set_key(std::to_string(at));
      request.mutable_track(i)->set_meta(std::string(200, 'm'));
    }
    v1::SessionResponse response;
    ASSERT_TRUE(session.Ask(request, &response));
  }
  Watcher watcher(stub_.get(), WatchTopic("t"));
  ASSERT_TRUE(watcher.ReadUntil([&] { return watcher.complete; }));
  EXPECT_EQ(watcher.keys.size(), kEntries);
  EXPECT_GT(watcher.messages, 2) << "in parts";
}

TEST_F(WatchTest, ManyWatchersOfOneTopicAllSeeEverything) {
  constexpr int kWatchers = 50;
  std::vector<std::unique_ptr<Watcher>> watchers;
  for (int i = 0; i < kWatchers; ++i) {
    watchers.push_back(std::make_unique<Watcher>(stub_.get(), WatchTopic("t")));
  }
  for (auto& watcher : watchers) {
    ASSERT_TRUE(watcher->ReadUntil([&] { return watcher->complete; }));
  }
  SessionClient session(stub_.get());
  session.Open();
  for (int i = 0; i < 100; ++i) session.Track("t", std::to_string(i));
  for (auto& watcher : watchers) {
    ASSERT_TRUE(
        watcher->ReadUntil([&] { return watcher->keys.size() == 100; }));
    EXPECT_EQ(watcher->resets, 1);
  }
}

TEST_F(WatchTest, AWatcherThatDoesNotReadIsGivenAFreshStateLater) {
  TestNode small("b", {}, {}, [](RuntimeOptions& options) {
    options.core.watch.max_queued = 4;
  });
  ASSERT_TRUE(small.WaitReady());
  const auto stub = small.Presence();
  Watcher idle(stub.get(), WatchTopic("t"));
  ASSERT_TRUE(idle.ReadUntil([&] { return idle.complete; }));
  SessionClient session(stub.get());
  session.Open();
  // More than gRPC and the kernel take on the way to a client that is idle.
  const std::string meta(30'000, 'm');
  constexpr int kEntries = 600;
  for (int i = 0; i < kEntries; ++i) {
    session.Track("t", std::to_string(i), meta);
  }
  ASSERT_TRUE(idle.ReadUntil([&] { return idle.keys.size() == kEntries; }));
  EXPECT_GE(idle.resets, 2);
}

TEST_F(WatchTest, ADrainEndsTheWatch) {
  Watcher watcher(stub_.get(), WatchTopic("t"));
  ASSERT_TRUE(watcher.ReadUntil([&] { return watcher.complete; }));
  node_.runtime().Drain();
  while (watcher.Read()) {
  }
  EXPECT_EQ(watcher.Finish().error_code(), grpc::UNAVAILABLE);
}

}  // namespace
}  // namespace muster::service
