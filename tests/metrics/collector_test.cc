// What scrapes show of nodes at work, and of one that hangs.
#include <algorithm>
#include <chrono>
#include <future>
#include <string>
#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/metrics/metrics_node.h"

namespace muster::metrics {
namespace {

using service::SessionClient;
using service::WaitFor;
using std::chrono::steady_clock;

TEST(CollectorTest, ASessionItsEntriesAndItsWatcherAreCounted) {
  MetricsNode node("a");
  ASSERT_TRUE(node.WaitReady());
  EXPECT_EQ(node.Value("muster_entries"), 0);
  const auto stub = node.Presence();
  SessionClient session(stub.get());
  session.Open();
  session.Track("t", "k1");
  session.Track("t", "k2");
  EXPECT_EQ(node.Value("muster_entries"), 2);
  EXPECT_EQ(node.Value("muster_own_entries"), 2);
  EXPECT_EQ(node.Value("muster_keys"), 2);
  EXPECT_EQ(node.Value("muster_topics"), 1);
  EXPECT_EQ(node.Value("muster_sessions"), 1);
  EXPECT_EQ(node.Value("muster_ready"), 1);
  EXPECT_EQ(node.Value("muster_draining"), 0);
  EXPECT_EQ(node.Value("muster_build_info", {"test", "a", "muster"}), 1);
  EXPECT_EQ(node.Value("muster_scrape_fresh"), 1);
  EXPECT_GT(node.Value("muster_uptime_seconds"), 0);
  EXPECT_GT(node.Value("muster_store_part_bytes", {"entries"}), 0);
  EXPECT_GT(node.Value("muster_log_bytes"), 0);
  EXPECT_EQ(node.Value("muster_log_budget_bytes"), 12 << 20);
  EXPECT_GT(node.Value("process_resident_memory_bytes"), 1'000'000);
  EXPECT_GT(node.Value("process_open_fds"), 3);
  EXPECT_EQ(node.Value("muster_watchers"), 0);

  v1::WatchRequest request;
  request.add_topics("t");
  service::Context context;
  const auto watch = stub->Watch(&context, request);
  v1::WatchResponse response;
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(node.Value("muster_watchers"), 1);
  EXPECT_EQ(node.Value("muster_watch_states_total"), 1);
  context.TryCancel();
  watch->Finish();
}

TEST(CollectorTest, PartsOfTheStoreAreAllOfIt) {
  MetricsNode node("a");
  ASSERT_TRUE(node.WaitReady());
  const Snapshot snapshot = node.collector()->Take();
  ASSERT_NE(snapshot.loop, nullptr);
  const crdt::PresenceStore::Memory& parts = snapshot.loop->core.store;
  EXPECT_EQ(
      parts.rows + parts.sessions + parts.topics + parts.blobs + parts.indexes,
      snapshot.counters.at("store_bytes"));
}

TEST(CollectorTest, MembersLinksAndStreamsAreNamed) {
  MetricsNode a("a");
  ASSERT_TRUE(a.WaitReady());
  auto b =
      std::make_unique<MetricsNode>("b", std::vector<std::string>{a.address()});
  ASSERT_TRUE(b->WaitReady());
  const auto stub = b->Presence();
  SessionClient session(stub.get());
  session.Open();
  session.Track("t", "k");
  EXPECT_TRUE(WaitFor([&] { return a.Value("muster_entries") == 1; }));
  EXPECT_EQ(a.Value("muster_own_entries"), 0);
  EXPECT_EQ(a.Value("muster_members", {"alive"}), 2);
  EXPECT_EQ(a.Value("muster_members", {"down"}), 0);
  EXPECT_EQ(a.Value("muster_links"), 1);
  EXPECT_EQ(a.Value("muster_stream_entries", {"b", "presence"}), 1);
  EXPECT_EQ(a.Value("muster_stream_position", {"b", "presence"}),
            b->Value("muster_stream_position", {"b", "presence"}));
  // Two nodes, and of each presence and interest.
  EXPECT_EQ(a.Value("muster_streams", {"shown"}), 4);
  // a has acknowledged what b sent.
  EXPECT_TRUE(WaitFor([&] {
    return b->Value("muster_link_round_trip_seconds", {"a"}) > 0 &&
           b->Value("muster_link_unacked_bytes", {"a"}) == 0;
  }));
  b->runtime().Drain();
  EXPECT_TRUE(
      WaitFor([&] { return a.Value("muster_members", {"left"}) == 1; }));
  EXPECT_EQ(a.Value("muster_members", {"alive"}), 1);
}

TEST(CollectorTest, ACallThatFailsIsCountedByItsCode) {
  MetricsNode node("a");
  ASSERT_TRUE(node.WaitReady());
  const double before =
      node.Value("muster_calls_failed_total", {"invalid_argument"});
  v1::GetResponse response;
  service::Context context;
  const grpc::Status status =
      node.Presence()->Get(&context, v1::GetRequest(), &response);
  EXPECT_EQ(status.error_code(), grpc::INVALID_ARGUMENT);
  EXPECT_EQ(node.Value("muster_calls_failed_total", {"invalid_argument"}),
            before + 1);
}

TEST(CollectorTest, StepsAndLatenessOfTheLoopAreCounted) {
  MetricsNode node("a");
  ASSERT_TRUE(node.WaitReady());
  const auto count = [&node](const core::StepTimes& times) {
    uint64_t all = 0;
    for (uint64_t n : times.counts()) all += n;
    return all;
  };
  const Snapshot before = node.collector()->Take();
  EXPECT_GT(count(before.loop->steps), 0u);
  EXPECT_GT(count(before.loop->lag), 0u);
  std::promise<void> done;
  node.runtime().Post([&done](core::Replica&, core::Now) {
    std::this_thread::sleep_for(std::chrono::milliseconds(60));
    done.set_value();
  });
  done.get_future().wait();
  const auto above_50_ms = [](const core::StepTimes& times) {
    uint64_t all = 0;
    for (size_t i = 0; i < times.counts().size(); ++i) {
      if (i > 0 && times.bounds()[i - 1] >= 50'000) all += times.counts()[i];
    }
    return all;
  };
  // The tick was due 10 ms after the last one at most.
  EXPECT_TRUE(WaitFor([&] {
    const Snapshot after = node.collector()->Take();
    return above_50_ms(after.loop->steps) > above_50_ms(before.loop->steps) &&
           after.loop->lag.sum_us() >= before.loop->lag.sum_us() + 40'000;
  }));
}

// While the loop hangs a scrape is answered, with what was last known.
TEST(CollectorTest, ALoopThatHangsHoldsAScrapeUpForASecondAndNoLonger) {
  MetricsNode node("a");
  ASSERT_TRUE(node.WaitReady());
  ASSERT_EQ(node.Value("muster_scrape_fresh"), 1);
  std::promise<void> hangs;
  std::promise<void> free;
  node.runtime().Post([&](core::Replica&, core::Now) {
    hangs.set_value();
    free.get_future().wait();
  });
  hangs.get_future().wait();
  for (int i = 0; i < 2; ++i) {
    const auto began = steady_clock::now();
    const Snapshot snapshot = node.collector()->Take();
    EXPECT_LT(steady_clock::now() - began, 10 * Collector::kWait);
    EXPECT_FALSE(snapshot.fresh);
    ASSERT_NE(snapshot.loop, nullptr);
    EXPECT_TRUE(snapshot.loop->core.status.ready);
    EXPECT_GE(snapshot.age, absl::FromChrono(Collector::kWait));
    // One copy is asked for, however often.
    EXPECT_EQ(snapshot.runtime.queued_reads, 1u);
  }
  free.set_value();
  EXPECT_EQ(node.Value("muster_scrape_fresh"), 1);
  EXPECT_EQ(node.Value("muster_scrape_age_seconds"), 0);
}

}  // namespace
}  // namespace muster::metrics
