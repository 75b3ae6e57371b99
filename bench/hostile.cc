#include <algorithm>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "bench/attacks.h"
#include "bench/probes.h"
#include "bench/steady.h"
#include "bench/watcher.h"

namespace muster::bench {
namespace {

constexpr char kTopic[] = "honest";
constexpr size_t kTracksPerMessage = 10;
const absl::Duration kTrackInterval = absl::Milliseconds(5);
// A reader waits for its answer before it asks again: enough of them that only
// what takes 40 ms makes one late for the next.
constexpr size_t kReaders = 8;
const absl::Duration kReadInterval = absl::Milliseconds(5);
const absl::Duration kWarmUp = absl::Seconds(1);
// What honest clients must not notice, in ms.
constexpr double kLatencyGoal = 20;

constexpr size_t kSlow = 200;
// Within the run.
constexpr const char* kHandshakeLimit = "--handshake-timeout-ms=4000";
constexpr size_t kIdle = 11'000;  // More than --max-connections.
constexpr size_t kSessions = 100'000;
constexpr size_t kLinkThreads = 4;
constexpr size_t kDatagrams = 50'000;

// 100,000 sessions of an entry each, which live as long as this.
class ManySessions final : public Attack {
 public:
  explicit ManySessions(const std::string& address)
      : load_(BuildLoad({.entries = kSessions, .per_session = 1})),
        loader_(address, load_, 1),
        thread_([this] { tracked_ = loader_.Run(4).tracked; }) {}
  ~ManySessions() override { thread_.join(); }
  std::string Done() const override {
    return absl::StrCat(tracked_.load(), " sessions opened");
  }

 private:
  const Load load_;
  Loader loader_;
  std::atomic<size_t> tracked_{0};
  std::thread thread_;
};

// Ten watchers of the busy topic that take its state and read no more.
class DeafWatchers final : public Attack {
 public:
  explicit DeafWatchers(const std::string& address) {
    v1::WatchRequest request;
    request.add_topics(kTopic);
    for (int i = 0; i < 10; ++i) {
      stubs_.push_back(v1::Presence::NewStub(Connect(address)));
      watchers_.push_back(std::make_unique<Watcher>(
          *stubs_.back(), request, [](const v1::WatchResponse&) {}));
      watchers_.back()->StopReading();
    }
  }
  std::string Done() const override {
    return absl::StrCat(watchers_.size(), " watchers");
  }

 private:
  std::vector<std::unique_ptr<v1::Presence::Stub>> stubs_;
  std::vector<std::unique_ptr<Watcher>> watchers_;
};

struct Case {
  const char* id;
  const char* text;
  // How much the node may grow by, in MiB.
  double bound;
  std::function<std::unique_ptr<Attack>(const std::string& address)> begin;
};

template <class Kind, class... Args>
auto Begin(Args... args) {
  return [args...](const std::string& address) {
    return std::make_unique<Kind>(address, args...);
  };
}

const std::vector<Case>& Cases() {
  static const std::vector<Case> kCases = {
      {"nobody", "nobody hostile", 8, nullptr},
      {"slow", "200 clients of a byte a second", 16, Begin<SlowBytes>(kSlow)},
      {"idle", "11,000 idle connections", 256, Begin<IdleConnections>(kIdle)},
      {"sessions", "100,000 sessions", 96, Begin<ManySessions>()},
      {"deaf", "10 watchers that never read", 32, Begin<DeafWatchers>()},
      {"links", "peers that open links in a loop", 64,
       Begin<LinkLoop>(kLinkThreads)},
      {"datagrams", "50,000 datagrams a second", 16,
       Begin<DatagramFlood>(kDatagrams)},
  };
  return kCases;
}

// Clients that mean well: 2,000 tracks a second and as many leaves, in a topic
// that keeps its size, and 200 reads a second of it.
class Honest {
 public:
  explicit Honest(NodeClient& node)
      : flow_(node, {.topic = kTopic,
                     .interval = kTrackInterval,
                     .tracks_per_message = kTracksPerMessage,
                     .live_messages = 200}) {
    absl::SleepFor(kWarmUp);
    flow_.Take();
    for (size_t i = 0; i < kReaders; ++i) {
      reads_.push_back(std::make_unique<Probe>(kReaders * kReadInterval,
                                               MixedReads(node, kTopic)));
      absl::SleepFor(kReadInterval);
    }
  }
  Samples TakeTracks() { return flow_.Take(); }
  Samples StopReads() {
    Samples all;
    for (const auto& reader : reads_) all.Add(reader->Stop());
    return all;
  }

 private:
  TrackFlow flow_;
  std::vector<std::unique_ptr<Probe>> reads_;
};

// What it counted of what it would not take.
std::string Refused(const v1::StatusResponse& before,
                    const v1::StatusResponse& after) {
  static constexpr absl::string_view kNames[] = {
      "connections_guests", "connections_refused",     "datagrams_unknown",
      "members_forgotten",  "members_refused",         "peer_bad_datagrams",
      "peer_bad_frames",    "peer_foreign_datagrams",  "peer_links_refused",
      "peer_links_up",      "peer_unproved_datagrams", "watch_lagged"};
  std::string text;
  for (const auto& [name, value] : std::map<std::string, uint64_t>(
           after.counters().begin(), after.counters().end())) {
    const auto was = before.counters().find(name);
    const uint64_t old = was == before.counters().end() ? 0 : was->second;
    const bool told = std::find(std::begin(kNames), std::end(kNames), name) !=
                      std::end(kNames);
    if (told && value > old)
      absl::StrAppend(&text, " ", name, "=", value - old);
  }
  return text;
}

// The warnings of its log: each kind is said once.
void ShowWarnings(const NodeProcess& node) {
  std::ifstream log(node.log_path());
  std::string line;
  for (int shown = 0; shown < 5 && std::getline(log, line);) {
    if (!absl::StrContains(line, "warn") && !absl::StrContains(line, "error")) {
      continue;
    }
    Progress(absl::StrCat("    log: ", line.substr(0, 160)));
    ++shown;
  }
}

void RunOnce(const Settings& settings, const Case& hostile, Report& report) {
  Settings limited = settings;
  limited.flags.push_back(kHandshakeLimit);
  const auto node = StartNode(limited, "a", {});
  WaitLinked({&node->client});
  Honest honest(node->client);
  const v1::StatusResponse before = node->client.Status();
  RssProbe rss(node->process);
  std::unique_ptr<Attack> attack;
  if (hostile.begin) attack = hostile.begin(node->client.address());
  absl::SleepFor(settings.duration);
  Samples tracks = honest.TakeTracks();
  Samples reads = honest.StopReads();
  const double growth = static_cast<double>(rss.Growth()) / (1 << 20);
  const v1::StatusResponse after = node->client.Status();
  Progress(absl::StrCat("  ", hostile.text, ": ", attack ? attack->Done() : "",
                        "\n    tracks ", tracks.Summary(), "\n    reads  ",
                        reads.Summary(), "\n    loop lag at most ",
                        after.loop_lag_max_us() / 1000,
                        " ms; refused:", Refused(before, after)));
  ShowWarnings(node->process);
  const auto add = [&](const char* what, const char* text, const char* unit,
                       double value, double at_most) {
    report.Add({absl::StrCat(hostile.id, "_", what),
                absl::StrCat(hostile.text, ": ", text), unit},
               1, value, Goal::AtMost(at_most));
  };
  add("tracks_p99_ms", "tracks, p99", "ms", Millis(tracks.Percentile(99)),
      kLatencyGoal);
  add("reads_p99_ms", "reads, p99", "ms", Millis(reads.Percentile(99)),
      kLatencyGoal);
  add("growth_mib", "memory it grew by", "MiB", growth, hostile.bound);
}

}  // namespace

void MeasureHostile(const Settings& settings, Report& report) {
  RaiseFileLimit();
  for (size_t run = 1; run <= settings.runs; ++run) {
    Progress(absl::StrCat("run ", run));
    for (const Case& hostile : Cases()) {
      const bool wanted =
          settings.attacks.empty() ||
          std::find(settings.attacks.begin(), settings.attacks.end(),
                    hostile.id) != settings.attacks.end();
      if (wanted) RunOnce(settings, hostile, report);
    }
  }
}

}  // namespace muster::bench
