// Two replicas with a million equal entries and ten that differ, beyond the
// log: what goes over the wire to make them equal, and what a watcher is told.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bench/base.h"
#include "bench/replica_pair.h"
#include "bench/report.h"
#include "bench/workload.h"

namespace muster::bench {
namespace {

constexpr size_t kPerSession = 10;
constexpr size_t kTopics = 1'000;
constexpr size_t kLogBytes = 64 << 10;
// More than the log holds: tracked and untracked again, so nothing differs.
constexpr size_t kNoise = 5'000;
constexpr size_t kJoins = 3;
constexpr size_t kUpdates = 4;
constexpr size_t kLeaves = 3;
constexpr char kWatched[] = "topic:";

struct Told {
  size_t joins = 0;
  size_t updates = 0;
  size_t leaves = 0;
  bool complete = false;
  size_t resets = 0;
};

class Repair {
 public:
  explicit Repair(size_t entries)
      : entries_(entries), pair_({.log_bytes = kLogBytes}) {}

  void Measure(Report& report) {
    pair_.RunUntil("a serves", [this] { return pair_.a().Serving().ok(); });
    Fill();
    pair_.Link();
    pair_.RunUntil("equal", [this] { return Equal(pair_); });
    Watch();
    pair_.Cut();
    Differ();
    const uint64_t before = pair_.bytes_sent();
    const Nanos start = Clock();
    told_ = Told();
    pair_.Link();
    pair_.RunUntil("equal again", [this] { return Equal(pair_); });
    const Nanos took = Clock() - start;
    Check();
    report.Add({"wire_bytes", "bytes over the wire", "B"}, entries_,
               static_cast<double>(pair_.bytes_sent() - before),
               Goal::AtMost(1.2e6));
    report.Add({"diffs", "diffs emitted for ten that differ", ""}, entries_,
               static_cast<double>(told_.joins + told_.updates + told_.leaves),
               Goal::AtMost(10));
    report.Add({"processor_ms", "processor time, both sides", "ms"}, entries_,
               Millis(took), {});
  }

 private:
  std::vector<crdt::Ref> Apply(const core::ApplyRequest& request) {
    auto reply = pair_.a().Apply(request, pair_.now());
    if (!reply.ok()) Die(reply.status().ToString());
    if (!reply->track_errors.empty() || !reply->update_errors.empty() ||
        !reply->untrack_errors.empty()) {
      Die("an operation was refused");
    }
    return reply->tracked;
  }
  std::vector<crdt::Ref> Track(crdt::SessionId session,
                               const std::string& topic, size_t first,
                               size_t count);
  void Fill();
  void Watch();
  void Differ();
  void Check() const;

  const size_t entries_;
  ReplicaPair pair_;
  crdt::SessionId first_session_{1, 1};
  std::vector<crdt::Ref> first_refs_;
  Told told_;
};

// Users from `first` on; an empty `topic` means that of each user.
std::vector<crdt::Ref> Repair::Track(crdt::SessionId session,
                                     const std::string& topic, size_t first,
                                     size_t count) {
  std::vector<std::string> text;
  text.reserve(3 * count);
  core::ApplyRequest request;
  request.session = session;
  for (size_t i = first; i < first + count; ++i) {
    text.push_back(topic.empty() ? TopicName(i % kTopics) : topic);
    text.push_back(UserKey(i));
    text.push_back(UserMeta(i));
    const auto op = text.end() - 3;
    request.track.push_back({op[0], op[1], op[2], false});
  }
  return Apply(request);
}

void Repair::Fill() {
  for (size_t i = 0; i < entries_; i += kPerSession) {
    core::OpenSessionRequest open;
    open.session = {i + 1, i + 1};
    open.stream = true;
    const auto opened = pair_.a().OpenSession(open, pair_.now());
    if (!opened.ok()) Die(opened.status().ToString());
    const size_t count = std::min(kPerSession, entries_ - i);
    const auto refs = Track(open.session, "", i, count);
    if (i == 0) first_refs_ = refs;
    pair_.Settle();
  }
}

void Repair::Watch() {
  pair_.SetOnWatch([this](const core::WatchBatch& batch) {
    told_.resets += batch.reset;
    told_.complete |= batch.state_complete;
    for (const core::TopicDiff& diff : batch.diffs) {
      told_.joins += diff.joins.size();
      told_.updates += diff.updates.size();
      told_.leaves += diff.leaves.size();
    }
  });
  core::WatchRequest request;
  request.prefix = kWatched;
  const auto watch = pair_.b().Watch(request, pair_.now());
  if (!watch.ok()) Die(watch.status().ToString());
  pair_.RunUntil("a complete state", [this] { return told_.complete; });
}

void Repair::Differ() {
  core::ApplyRequest request;
  request.session = first_session_;
  for (size_t i = 0; i < kUpdates; ++i) {
    request.update.push_back({first_refs_[i], "{\"status\":\"away\"}"});
  }
  for (size_t i = kUpdates; i < kUpdates + kLeaves; ++i) {
    request.untrack.push_back(first_refs_[i]);
  }
  Apply(request);
  Track(first_session_, "", entries_, kJoins);
  for (size_t i = 0; i < kNoise; i += 100) {
    core::ApplyRequest undo;
    undo.session = first_session_;
    undo.untrack = Track(first_session_, "noise", i, 100);
    Apply(undo);
  }
  pair_.Settle();
}

void Repair::Check() const {
  if (told_.resets > 0) Die("the watch was started anew");
  if (told_.joins != kJoins || told_.updates != kUpdates ||
      told_.leaves != kLeaves) {
    Die(absl::StrCat("the watcher was told of ", told_.joins, " joins, ",
                     told_.updates, " updates and ", told_.leaves,
                     " leaves; not of ", kJoins, ", ", kUpdates, " and ",
                     kLeaves));
  }
}

int Main(int argc, char** argv) {
  CLI::App app("Repairs ten differences among equal entries, in one process");
  std::string commit = "unknown";
  size_t entries = 1'000'000;
  size_t runs = 1;
  bool json = false;
  app.add_option("--commit", commit, "Shown in the report");
  app.add_option("--entries", entries, "Equal entries")
      ->check(CLI::Range(1'000, 9'000'000));
  app.add_option("--runs", runs, "Of which the median is shown")
      ->check(CLI::Range(1, 100));
  app.add_flag("--json", json, "JSON as the last line");
  CLI11_PARSE(app, argc, argv);
  Report report("repair", commit);
  for (size_t run = 0; run < runs; ++run) Repair(entries).Measure(report);
  std::fputs(report.Table().c_str(), stdout);
  if (json) std::puts(report.Json().c_str());
  return 0;
}

}  // namespace
}  // namespace muster::bench

int main(int argc, char** argv) { return muster::bench::Main(argc, argv); }
