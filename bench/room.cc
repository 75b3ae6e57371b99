#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "bench/probes.h"
#include "bench/steady.h"
#include "bench/watcher.h"

namespace muster::bench {
namespace {

constexpr size_t kTracksPerMessage = 10;
constexpr size_t kPage = 1'000;
const absl::Duration kMessageInterval = absl::Milliseconds(1);
const absl::Duration kReadInterval = absl::Milliseconds(10);

// Pages through the topic, a page a call, and starts again.
std::function<void()> Pages(NodeClient& node, const std::string& topic) {
  return [&node, topic, token = std::string()]() mutable {
    node.ListPage(topic, kPage, &token);
  };
}

// A watcher that counts what it is told of.
struct RoomWatch {
  RoomWatch(NodeClient& node, const std::string& topic, bool counts_only)
      : watcher(node.presence(), Request(topic, counts_only),
                [this](const v1::WatchResponse& response) {
                  resets += response.reset();
                  counts += response.counts_size();
                  for (const v1::TopicDiff& diff : response.diffs()) {
                    changes += diff.joins_size() + diff.leaves_size();
                  }
                }) {
    watcher.WaitForState();
  }
  static v1::WatchRequest Request(const std::string& topic, bool counts_only) {
    v1::WatchRequest request;
    request.add_topics(topic);
    request.set_counts_only(counts_only);
    return request;
  }
  std::atomic<size_t> resets{0};
  std::atomic<size_t> counts{0};
  std::atomic<size_t> changes{0};
  Watcher watcher;  // Last: ended first.
};

// Reads of all three sorts on one node.
struct RoomReads {
  RoomReads(NodeClient& node, const std::string& topic)
      : pages(kReadInterval, Pages(node, topic)),
        mixed(kReadInterval, MixedReads(node, topic)) {}
  Samples Stop() {
    Samples all = pages.Stop();
    all.Add(mixed.Stop());
    return all;
  }
  Probe pages;
  Probe mixed;
};

void RunOnce(const Settings& settings, const Load& load, size_t entries,
             Report& report) {
  const std::string topic = TopicName(0);
  Pair pair(settings);
  NodeClient& a = pair.a->client;
  NodeClient& b = pair.b->client;
  Loader loader(a.address(), load, settings.connections);
  loader.Run(settings.window);
  WaitEqual(a, b, entries);
  RoomWatch whole(b, topic, false);
  RoomWatch counted(b, topic, true);
  TrackFlow flow(a, {.topic = topic,
                     .first_user = entries,
                     .interval = kMessageInterval,
                     .tracks_per_message = kTracksPerMessage});
  RoomReads reads_a(a, topic);
  RoomReads reads_b(b, topic);
  absl::SleepFor(settings.duration);
  Samples on_a = reads_a.Stop();
  Samples on_b = reads_b.Stop();
  flow.Stop();
  Samples tracks = flow.Take();
  const double seconds = absl::ToDoubleSeconds(settings.duration);
  report.Add({"tracks_per_second", "tracks a second", "/s"}, entries,
             tracks.size() * kTracksPerMessage / seconds, Goal::AtLeast(9'900));
  report.Add({"tracks_p99_ms", "tracks, p99", "ms"}, entries,
             Millis(tracks.Percentile(99)), {});
  report.Add({"reads_a_p99_ms", "reads where they are tracked, p99", "ms"},
             entries, Millis(on_a.Percentile(99)), Goal::AtMost(10));
  report.Add({"reads_b_p99_ms", "reads on the other node, p99", "ms"}, entries,
             Millis(on_b.Percentile(99)), Goal::AtMost(10));
  report.Add(
      {"watched_per_second", "changes a watcher is told, a second", "/s"},
      entries, static_cast<double>(whole.changes) / seconds, {});
  report.Add(
      {"watch_resets", "times the watcher was moved to a fresh state", ""},
      entries, static_cast<double>(whole.resets) - 1, {});
  report.Add(
      {"counts_seen", "counts a counting watcher is told, a second", "/s"},
      entries, static_cast<double>(counted.counts) / seconds, {});
  Progress(absl::StrCat("  tracks ", tracks.Summary(), "\n  reads a ",
                        on_a.Summary(), "\n  reads b ", on_b.Summary()));
}

}  // namespace

void MeasureRoom(const Settings& settings, Report& report) {
  for (size_t entries : settings.entries) {
    LoadOptions options;
    options.entries = entries;
    options.topics = 1;
    const Load load = BuildLoad(options);
    for (size_t run = 1; run <= settings.runs; ++run) {
      Progress(absl::StrCat(entries, " entries, run ", run));
      RunOnce(settings, load, entries, report);
    }
  }
}

}  // namespace muster::bench
