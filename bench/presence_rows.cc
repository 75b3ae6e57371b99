#include "bench/presence_rows.h"

#include <google/protobuf/arena.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "bench/watcher.h"

namespace muster::bench {
namespace {

constexpr size_t kListed = 1'000;  // Entries of the topic that is listed.
constexpr size_t kListCalls = 300;
constexpr size_t kSeenTracks = 1'000;
constexpr char kListedTopic[] = "listed";
constexpr char kSeenTopic[] = "seen";
const absl::Duration kSeenPause = absl::Milliseconds(2);
const absl::Duration kGoneLimit = absl::Seconds(40);

// One run over one number of entries.
class Run {
 public:
  Run(const Settings& settings, const Load& load, size_t entries,
      Report& report)
      : settings_(settings),
        load_(load),
        entries_(entries),
        report_(report),
        pair_(settings),
        a_(*pair_.a),
        b_(*pair_.b) {}

  void MeasureAll() {
    MeasureLoad();
    MeasureSeen();
    MeasureList();
    MeasureThird();
    MeasureFrozen();
    MeasureKilled();
  }
  void MeasureLoad();

 private:
  void Add(const Measure& measure, double value, Goal goal = {}) {
    Progress(absl::StrFormat("  %-46s %12.3f %s", measure.text, value,
                             measure.unit));
    report_.Add(measure, entries_, value, goal);
  }
  bool Million() const { return entries_ >= 1'000'000; }

  void MeasureMemory(const uint64_t idle_a, const uint64_t idle_b);
  void MeasureSeen();
  void MeasureList();
  void MeasureThird();
  void MeasureFrozen();
  void MeasureKilled();
  // Until b and c show `entries` and no more; when that was seen.
  Nanos WaitShown(absl::string_view what, uint64_t entries);

  const Settings& settings_;
  const Load& load_;
  const size_t entries_;
  Report& report_;
  Pair pair_;
  Node& a_;
  Node& b_;
  std::unique_ptr<Node> c_;
  std::unique_ptr<Loader> loader_;
  std::unique_ptr<SessionsStream> lister_;
};

void Run::MeasureLoad() {
  const uint64_t idle_a = a_.process.RssBytes();
  const uint64_t idle_b = b_.process.RssBytes();
  loader_ = std::make_unique<Loader>(a_.process.address(), load_,
                                     settings_.connections);
  const Nanos cpu_client = OwnCpuTime();
  const Nanos cpu_a = a_.process.CpuTime();
  const Nanos cpu_b = b_.process.CpuTime();
  const LoadTimes times = loader_->Run(settings_.window);
  const Nanos equal = WaitEqual(a_.client, b_.client, entries_);
  const double n = static_cast<double>(entries_);
  Add({"tracked_per_second", "entries tracked a second", "/s"},
      n * 1e9 / static_cast<double>(times.last_answer - times.first_send),
      Goal::AtLeast(1'000'000));
  Add({"equal_after_ms", "after the last track: both nodes equal", "ms"},
      Millis(equal - times.last_answer), Goal::AtMost(50));
  Add({"cpu_client_us", "processor time a track, client", "us"},
      Micros(OwnCpuTime() - cpu_client) / n);
  Add({"cpu_a_us", "processor time a track, node that is told", "us"},
      Micros(a_.process.CpuTime() - cpu_a) / n);
  Add({"cpu_b_us", "processor time a track, other node", "us"},
      Micros(b_.process.CpuTime() - cpu_b) / n);
  MeasureMemory(idle_a, idle_b);
}

void Run::MeasureMemory(const uint64_t idle_a, const uint64_t idle_b) {
  const double n = static_cast<double>(entries_);
  Goal goal;
  if (Million()) goal = Goal::AtMost(settings_.per_session == 1 ? 260 : 200);
  Add({"memory_a_bytes", "memory for one entry, node that was told", "B"},
      static_cast<double>(a_.process.RssBytes() - idle_a) / n, goal);
  Add({"memory_b_bytes", "memory for one entry, other node", "B"},
      static_cast<double>(b_.process.RssBytes() - idle_b) / n, goal);
}

void Run::MeasureSeen() {
  // The time of each track, by its number, which is its key.
  std::vector<Nanos> sent(kSeenTracks);
  absl::Mutex mutex;
  size_t seen = 0;
  Samples latency;
  v1::WatchRequest request;
  request.add_topics(kSeenTopic);
  Watcher watcher(b_.client.presence(), request,
                  [&](const v1::WatchResponse& response) {
                    const Nanos now = Clock();
                    absl::MutexLock lock(&mutex);
                    for (const v1::TopicDiff& diff : response.diffs()) {
                      for (const v1::Entry& entry : diff.joins()) {
                        latency.Add(now - sent[std::stoul(entry.key())]);
                        ++seen;
                      }
                    }
                  });
  watcher.WaitForState();
  SessionsStream stream(a_.client.channel(), [](const Answer&) {});
  v1::SessionsRequest message;
  for (size_t i = 0; i < kSeenTracks; ++i) {
    message.Clear();
    message.set_number(i + 1);
    v1::SessionPart& part = *message.add_parts();
    if (i == 0) part.mutable_open();
    v1::TrackOp& op = *part.add_track();
    op.set_topic(kSeenTopic);
    op.set_key(absl::StrCat(i));
    op.set_meta(UserMeta(i));
    const grpc::ByteBuffer bytes = Encode(message);
    absl::SleepFor(kSeenPause);
    absl::MutexLock lock(&mutex);
    sent[i] = Clock();
    stream.Send(bytes);
    const auto arrived = [&] { return seen == i + 1; };
    if (!mutex.AwaitWithTimeout(absl::Condition(&arrived), absl::Seconds(10))) {
      Die(absl::StrCat("track ", i, " was not seen on the other node"));
    }
  }
  absl::MutexLock lock(&mutex);
  Add({"seen_median_ms", "one track seen on the other node, median", "ms"},
      Millis(latency.Percentile(50)), Goal::AtMost(2));
  Add({"seen_p99_ms", "one track seen on the other node, p99", "ms"},
      Millis(latency.Percentile(99)), Goal::AtMost(10));
}

void Run::MeasureList() {
  lister_ = std::make_unique<SessionsStream>(a_.client.channel(),
                                             [](const Answer&) {});
  v1::SessionsRequest message;
  for (size_t i = 0; i < kListed; i += 500) {
    message.Clear();
    message.set_number(i / 500 + 1);
    v1::SessionPart& part = *message.add_parts();
    if (i == 0) part.mutable_open();
    for (size_t k = i; k < i + 500; ++k) {
      v1::TrackOp& op = *part.add_track();
      op.set_topic(kListedTopic);
      op.set_key(UserKey(k));
      op.set_meta(UserMeta(k));
    }
    lister_->Send(Encode(message));
  }
  WaitUntil("the topic that is listed", absl::Seconds(10),
            [this] { return b_.client.CountTopic(kListedTopic) == kListed; });
  Samples latency;
  v1::ListRequest request;
  request.set_topic(kListedTopic);
  request.set_page_size(kListed);
  for (size_t i = 0; i < kListCalls; ++i) {
    // Freed after the clock has stopped.
    google::protobuf::Arena arena;
    auto* response =
        google::protobuf::Arena::CreateMessage<v1::ListResponse>(&arena);
    const Nanos start = Clock();
    b_.client.List(request, response);
    latency.Add(Clock() - start);
    const size_t size = response->entries_size();
    if (size != kListed) Die(absl::StrCat("listed ", size, " of ", kListed));
  }
  Add({"list_ms", "list one topic of 1,000", "ms"},
      Millis(latency.Percentile(50)), Goal::AtMost(1));
}

void Run::MeasureThird() {
  c_ = StartNode(settings_, "c", {&a_, &b_});
  const Nanos equal = WaitEqual(a_.client, c_->client, entries_ + kListed);
  Add({"third_has_all_ms", "an empty third node has everything", "ms"},
      Millis(equal - c_->process.started()),
      Goal::AtMost(Million() ? 3'000 : 300));
  WaitLinked({&a_.client, &b_.client, &c_->client});
}

Nanos Run::WaitShown(absl::string_view what, uint64_t entries) {
  return WaitUntil(what, kGoneLimit, [this, entries] {
    return b_.client.CountAll() == entries && c_->client.CountAll() == entries;
  });
}

void Run::MeasureFrozen() {
  const uint64_t all = entries_ + kListed;
  WaitShown("everything shown", all);
  const Nanos frozen = a_.process.Freeze();
  const Nanos gone = WaitShown("the frozen node's entries to go", 0);
  Add({"frozen_gone_ms", "node frozen (SIGSTOP): gone elsewhere", "ms"},
      Millis(gone - frozen), Goal::AtMost(3'000));
  const Nanos thawed = a_.process.Thaw();
  const Nanos back = WaitShown("the thawed node's entries to return", all);
  Add({"thawed_back_ms", "node thawed: entries back", "ms"},
      Millis(back - thawed), Goal::AtMost(500));
  WaitLinked({&a_.client, &b_.client, &c_->client});
}

void Run::MeasureKilled() {
  loader_->ForgiveErrors();
  lister_->ForgiveErrors();
  const Nanos killed = a_.process.Kill();
  const Nanos gone = WaitShown("the dead node's entries to go", 0);
  Add({"killed_gone_ms", "node killed (-9): its entries gone elsewhere", "ms"},
      Millis(gone - killed), Goal::AtMost(500));
}

void ForEachRun(const Settings& settings, Report& report,
                void (Run::*measure)()) {
  for (size_t entries : settings.entries) {
    LoadOptions options;
    options.entries = entries;
    options.per_session = settings.per_session;
    const Load load = BuildLoad(options);
    for (size_t run = 1; run <= settings.runs; ++run) {
      Progress(absl::StrFormat("%d entries, run %d of %d", entries, run,
                               settings.runs));
      (Run(settings, load, entries, report).*measure)();
    }
  }
}

}  // namespace

void MeasurePresence(const Settings& settings, Report& report) {
  ForEachRun(settings, report, &Run::MeasureAll);
}

void MeasureLoad(const Settings& settings, Report& report) {
  ForEachRun(settings, report, &Run::MeasureLoad);
}

}  // namespace muster::bench
