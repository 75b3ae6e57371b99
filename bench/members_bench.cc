// One replica in a cluster of many members, and what it costs: processor time,
// the longest step, bytes sent, memory, while nothing happens and at 1,000
// tracks a second; and how many tracks it takes a second.
//
// The other members are stubs without state (bench/crowd.h). Time is
// simulated, so that every run makes the same steps: a step counts with the
// least of its times.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bench/base.h"
#include "bench/crowd.h"
#include "bench/workload.h"

namespace muster::bench {
namespace {

constexpr Nanos kGoal = 1'000'000;
constexpr size_t kTopics = 1'000;
constexpr size_t kTracksPerSession = 1'000;
// As the service cuts a message of a client.
constexpr size_t kOpsPerStep = 128;

struct Part {
  std::string name;
  double seconds = 0;  // Of simulated time.
  Spent spent;
  std::vector<Nanos> steps;
  uint64_t bytes = 0;
  size_t memory = 0;
};

class Run {
 public:
  Run(size_t members, absl::Duration duration, size_t tracks)
      : crowd_(std::make_unique<Crowd>(members - 1)),
        duration_(duration),
        tracks_(tracks) {}

  void Measure() {
    Case("joining", [this] { crowd_->Join(); });
    Case("idle", [this] { crowd_->RunFor(duration_, [] {}); });
    Case("1,000 tracks/s",
         [this] { crowd_->RunFor(duration_, [this] { Track(1); }); });
    Throughput();
    crowd_.reset();
  }
  const std::vector<Part>& parts() const { return parts_; }
  double tracks_per_second() const { return tracks_per_second_; }

 private:
  template <typename Body>
  void Case(const std::string& name, Body body) {
    crowd_->TakeSteps();
    const Spent before = crowd_->spent();
    const uint64_t bytes = crowd_->bytes_sent();
    const core::Instant start = crowd_->now().mono;
    body();
    Part part;
    part.name = name;
    part.seconds = absl::ToDoubleSeconds(crowd_->now().mono - start);
    part.spent = crowd_->spent() - before;
    part.steps = crowd_->TakeSteps();
    part.bytes = crowd_->bytes_sent() - bytes;
    part.memory = crowd_->MemoryOfReplica();
    parts_.push_back(std::move(part));
  }

  void Track(size_t count) {
    if (tracked_ % kTracksPerSession == 0) {
      session_ = {tracked_ + 1, 1};
      core::OpenSessionRequest open;
      open.session = session_;
      open.stream = true;
      crowd_->Step([&](core::Replica& replica) {
        const auto opened = replica.OpenSession(open, crowd_->now());
        if (!opened.ok()) Die(opened.status().ToString());
      });
    }
    std::vector<std::string> names;
    names.reserve(3 * count);
    core::ApplyRequest request;
    request.session = session_;
    for (size_t i = 0; i < count; ++i, ++tracked_) {
      names.push_back(TopicName(tracked_ % kTopics));
      names.push_back(UserKey(tracked_));
      names.push_back(UserMeta(tracked_));
      request.track.push_back(
          {names[3 * i], names[3 * i + 1], names[3 * i + 2]});
    }
    crowd_->Step([&](core::Replica& replica) {
      const auto reply = replica.Apply(request, crowd_->now());
      if (!reply.ok() || !reply->track_errors.empty()) Die("a track failed");
    });
  }

  // As fast as the replica can: time passes as its processor time does.
  void Throughput() {
    const size_t count = tracks_ / kOpsPerStep * kOpsPerStep;
    tracked_ = (tracked_ / kTracksPerSession + 1) * kTracksPerSession;
    const Spent before = crowd_->spent();
    for (size_t done = 0; done < count; done += kOpsPerStep) {
      const Nanos spent = crowd_->spent().total();
      const size_t room = kTracksPerSession - tracked_ % kTracksPerSession;
      Track(std::min(kOpsPerStep, room));
      if (room < kOpsPerStep) Track(kOpsPerStep - room);
      crowd_->Advance(absl::Nanoseconds(crowd_->spent().total() - spent));
    }
    crowd_->RunFor(absl::Milliseconds(100), [] {});
    const Nanos took = (crowd_->spent() - before).total();
    tracks_per_second_ = static_cast<double>(count) / (Millis(took) / 1e3);
  }

  std::unique_ptr<Crowd> crowd_;  // Gone once it is measured.
  const absl::Duration duration_;
  const size_t tracks_;
  crdt::SessionId session_;
  size_t tracked_ = 0;
  std::vector<Part> parts_;
  double tracks_per_second_ = 0;
};

// Of each step the least time of all runs.
Samples LeastOf(const std::vector<Run>& runs, size_t part) {
  Samples least;
  const std::vector<Nanos>& first = runs[0].parts()[part].steps;
  for (size_t step = 0; step < first.size(); ++step) {
    Nanos low = first[step];
    for (const Run& run : runs) {
      const std::vector<Nanos>& steps = run.parts()[part].steps;
      if (steps.size() != first.size()) Die("the runs differ in their steps");
      low = std::min(low, steps[step]);
    }
    least.Add(low);
  }
  return least;
}

void Print(size_t members, const std::vector<Run>& runs) {
  for (size_t i = 0; i < runs[0].parts().size(); ++i) {
    const Part& part = runs[0].parts()[i];
    Spent spent = part.spent;
    for (const Run& run : runs) {
      const Spent& other = run.parts()[i].spent;
      if (other.total() < spent.total()) spent = other;
    }
    Samples steps = LeastOf(runs, i);
    const double per_second = 1 / part.seconds;
    std::printf(
        "%7zu %-15s %9.1f %7.1f %7.1f %7.1f %9.0f %6zu %9.0f %7.1f\n", members,
        part.name.c_str(), Millis(spent.total()) * per_second,
        Millis(spent.core) * per_second, Millis(spent.encode) * per_second,
        Millis(spent.decode) * per_second, Micros(steps.Percentile(100)),
        steps.Above(kGoal), static_cast<double>(part.bytes) * per_second / 1e3,
        static_cast<double>(part.memory) / (1 << 20));
  }
  std::vector<double> tracks;
  tracks.reserve(runs.size());
  for (const Run& run : runs) tracks.push_back(run.tracks_per_second());
  std::printf("%7zu %-15s %9.0f a second\n", members, "tracks",
              *std::max_element(tracks.begin(), tracks.end()));
  std::fflush(stdout);
}

int Main(int argc, char** argv) {
  CLI::App app("One replica among many members: what it costs");
  std::vector<size_t> members = {3, 50, 200, 1'000};
  app.add_option("--members", members, "Members of the cluster")
      ->check(CLI::Range(2, 1'024));
  int runs = 3;
  app.add_option("--runs", runs, "A step counts with the least of its times")
      ->check(CLI::Range(1, 100));
  int seconds = 11;
  app.add_option("--seconds", seconds, "Simulated time of each part")
      ->check(CLI::Range(1, 1'000));
  size_t tracks = 200'000;
  app.add_option("--tracks", tracks, "Tracks as fast as it can")
      ->check(CLI::Range(1'000, 1'000'000));
  CLI11_PARSE(app, argc, argv);
  std::printf("%7s %-15s %9s %7s %7s %7s %9s %6s %9s %7s\n", "", "", "ms of",
              "of it", "encode,", "decode,", "longest", "steps", "kB sent",
              "heap");
  std::printf("%7s %-15s %9s %7s %7s %7s %9s %6s %9s %7s\n", "members", "",
              "cpu a s", "core", "sign", "verify", "step us", ">1 ms", "a s",
              "MiB");
  for (const size_t count : members) {
    std::vector<Run> all;
    all.reserve(static_cast<size_t>(runs));
    for (int run = 1; run <= runs; ++run) {
      std::fprintf(stderr, "%zu members, run %d of %d\n", count, run, runs);
      all.emplace_back(count, absl::Seconds(seconds), tracks).Measure();
    }
    Print(count, all);
  }
  return 0;
}

}  // namespace
}  // namespace muster::bench

int main(int argc, char** argv) { return muster::bench::Main(argc, argv); }
