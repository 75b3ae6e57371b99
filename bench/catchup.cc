#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "bench/probes.h"
#include "bench/steady.h"

namespace muster::bench {
namespace {

const absl::Duration kInterval = absl::Milliseconds(5);
const absl::Duration kBefore = absl::Seconds(2);

// Tracks and reads on one node, and its memory.
struct Load1 {
  explicit Load1(Node& node, size_t first_user)
      : tracks(node.client, {.topic = TopicName(1),
                             .first_user = first_user,
                             .interval = kInterval}),
        reads(kInterval, MixedReads(node.client, TopicName(0))) {}
  TrackFlow tracks;
  Probe reads;
};

// Whether `node` has applied what `other` held when it was asked.
bool HasAll(NodeClient& node, const Holding& other) {
  const Holding mine = node.Holds();
  return std::all_of(other.begin(), other.end(), [&mine](const auto& stream) {
    const auto found = mine.find(stream.first);
    return found != mine.end() && found->second.first >= stream.second.first;
  });
}

void RunOnce(const Settings& settings, const Load& load, size_t entries,
             Report& report) {
  Pair pair(settings);
  Node& a = *pair.a;
  Node& b = *pair.b;
  Loader loader(a.process.address(), load, settings.connections);
  loader.Run(settings.window);
  WaitEqual(a.client, b.client, entries);
  Load1 on_a(a, 2'000'000);
  Load1 on_b(b, 3'000'000);
  absl::SleepFor(kBefore);
  Samples tracks_before = on_a.tracks.Take();
  tracks_before.Add(on_b.tracks.Take());
  RssProbe rss_a(a.process);
  RssProbe rss_b(b.process);
  const Holding held = a.client.Holds();
  const auto c = StartNode(settings, "c", {&a, &b});
  const Nanos done = WaitUntil(
      "the empty node to catch up", absl::Minutes(2),
      [&] { return HasAll(c->client, held); }, absl::Milliseconds(5));
  Samples tracks = on_a.tracks.Take();
  tracks.Add(on_b.tracks.Take());
  Samples reads = on_a.reads.Stop();
  reads.Add(on_b.reads.Stop());
  const uint64_t growth = std::max(rss_a.Growth(), rss_b.Growth());
  on_a.tracks.Stop();
  on_b.tracks.Stop();
  WaitEqual(a.client, c->client, entries);
  report.Add({"before_tracks_p99_ms", "tracks on the others before, p99", "ms"},
             entries, Millis(tracks_before.Percentile(99)), {});
  report.Add({"tracks_p99_ms", "tracks on the others meanwhile, p99", "ms"},
             entries, Millis(tracks.Percentile(99)), Goal::AtMost(10));
  report.Add({"reads_p99_ms", "reads on the others, p99", "ms"}, entries,
             Millis(reads.Percentile(99)), Goal::AtMost(10));
  report.Add({"growth_mib", "memory that the others grow by", "MiB"}, entries,
             static_cast<double>(growth) / (1 << 20), Goal::AtMost(64));
  report.Add({"catchup_ms", "the empty node has everything", "ms"}, entries,
             Millis(done - c->process.started()), {});
  Progress(absl::StrCat("  tracks ", tracks.Summary(), "\n  reads  ",
                        reads.Summary()));
}

}  // namespace

void MeasureCatchup(const Settings& settings, Report& report) {
  for (size_t entries : settings.entries) {
    LoadOptions options;
    options.entries = entries;
    const Load load = BuildLoad(options);
    for (size_t run = 1; run <= settings.runs; ++run) {
      Progress(absl::StrCat(entries, " entries, run ", run));
      RunOnce(settings, load, entries, report);
    }
  }
}

}  // namespace muster::bench
