#include <memory>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "bench/probes.h"
#include "bench/steady.h"
#include "bench/watcher.h"

namespace muster::bench {
namespace {

constexpr size_t kWatchers = 1'000;
constexpr size_t kConnections = 10;
constexpr size_t kTracksPerMessage = 50;
constexpr char kTopic[] = "watched";
const absl::Duration kInterval = absl::Milliseconds(250);

// Watchers of one topic, and how late each of their responses comes.
class Audience {
 public:
  Audience(NodeClient& node, const TrackFlow& flow) : flow_(flow) {
    v1::WatchRequest request;
    request.add_topics(kTopic);
    for (size_t i = 0; i < kConnections; ++i) {
      stubs_.push_back(v1::Presence::NewStub(Connect(node.address())));
    }
    for (size_t i = 0; i < kWatchers; ++i) {
      watchers_.push_back(std::make_unique<Watcher>(
          *stubs_[i % kConnections], request,
          [this](const v1::WatchResponse& r) { OnResponse(r); }));
    }
    for (const auto& watcher : watchers_) watcher->WaitForState();
  }

  Samples Take() {
    absl::MutexLock lock(&mutex_);
    return std::exchange(latency_, Samples());
  }

 private:
  void OnResponse(const v1::WatchResponse& response) {
    const Nanos now = Clock();
    for (const v1::TopicDiff& diff : response.diffs()) {
      if (diff.joins().empty()) continue;
      // Keys are `user:` and a number; the first join of a message is enough.
      const absl::string_view key = diff.joins(0).key();
      size_t user = 0;
      if (!absl::SimpleAtoi(key.substr(5), &user)) Die("a strange key");
      const Nanos sent = flow_.SentAt(user);
      absl::MutexLock lock(&mutex_);
      latency_.Add(now - sent);
    }
  }

  const TrackFlow& flow_;
  absl::Mutex mutex_;
  Samples latency_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<v1::Presence::Stub>> stubs_;
  std::vector<std::unique_ptr<Watcher>> watchers_;
};

void RunOnce(const Settings& settings, Report& report) {
  Pair pair(settings);
  Node& b = *pair.b;
  const uint64_t idle = b.process.RssBytes();
  TrackFlow flow(pair.a->client, {.topic = kTopic,
                                  .interval = kInterval,
                                  .tracks_per_message = kTracksPerMessage,
                                  .live_messages = 2});
  Audience audience(b.client, flow);
  const uint64_t watched = b.process.RssBytes();
  audience.Take();
  absl::SleepFor(settings.duration / 2);
  Samples before = audience.Take();
  v1::WatchRequest request;
  request.add_topics(kTopic);
  const auto stub = v1::Presence::NewStub(Connect(b.client.address()));
  Watcher deaf(*stub, request, [](const v1::WatchResponse&) {});
  deaf.StopReading();
  RssProbe rss(b.process);
  absl::SleepFor(settings.duration);
  Samples beside = audience.Take();
  const uint64_t growth = rss.Growth();
  flow.Stop();
  const auto mib = [](uint64_t bytes) {
    return static_cast<double>(bytes) / (1 << 20);
  };
  report.Add({"before_p99_ms", "1,000 watchers alone, p99", "ms"}, kWatchers,
             Millis(before.Percentile(99)), {});
  report.Add({"beside_p99_ms", "beside one that never reads, p99", "ms"},
             kWatchers, Millis(beside.Percentile(99)), {});
  report.Add({"watchers_mib", "memory of the 1,000 watchers", "MiB"}, kWatchers,
             mib(watched - idle), {});
  report.Add({"growth_mib", "memory the node grew by meanwhile", "MiB"},
             kWatchers, mib(growth), {});
  report.Add({"rss_mib", "memory of the node", "MiB"}, kWatchers,
             mib(b.process.RssBytes()), {});
  Progress(absl::StrCat("  before ", before.Summary(), "\n  beside ",
                        beside.Summary()));
}

}  // namespace

void MeasureWatchers(const Settings& settings, Report& report) {
  for (size_t run = 1; run <= settings.runs; ++run) {
    Progress(absl::StrCat("run ", run));
    RunOnce(settings, report);
  }
}

}  // namespace muster::bench
