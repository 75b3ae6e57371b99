// Runs seeds of the simulator.
//
//   muster_sim_test                        the fixed set
//   muster_sim_test --seeds 1..500         these
//   muster_sim_test --seeds 2,36,53        or these
//   muster_sim_test --seeds 1.. --seconds 60   as many as fit
//   muster_sim_test --seed 7 --trace       one, to read
//   muster_sim_test --seed 7 --ops 31      its first 31 operations
//
// A failure prints the seed, its options, the broken rule and the shortest
// prefix of operations that still breaks one; exit code 1.
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "tests/sim/driver.h"

namespace muster::sim {
namespace {

constexpr int kAllOps = std::numeric_limits<int>::max();
constexpr uint64_t kFixedSeeds = 400;

struct Flags {
  uint64_t first = 1;
  uint64_t last = kFixedSeeds;
  std::vector<uint64_t> listed;  // If not empty: these instead.
  int64_t seconds = 0;           // 0: no limit.
  int ops = kAllOps;
  bool trace = false;
  bool keep_going = false;
  bool hashes = false;
};

// A crash must name its seed too.
char crash_note[4096];
void OnCrash(int signal) {
  [[maybe_unused]] ssize_t ignored =
      write(STDERR_FILENO, crash_note, std::strlen(crash_note));
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}
void NoteForCrash(const Plan& plan, int ops) {
  std::snprintf(crash_note, sizeof(crash_note),
                "\ncrashed in: %s\nreplay: muster_sim_test --seed %llu --ops "
                "%d --trace\n",
                plan.Text().c_str(), static_cast<unsigned long long>(plan.seed),
                ops);
}

RunResult RunSeed(uint64_t seed, int ops, bool trace) {
  NoteForCrash(Plan(seed), ops);
  Trace to(trace ? stdout : nullptr);
  return Run(seed, ops, to);
}

// The fewest operations that break a rule: halved, then one by one.
int Shrink(uint64_t seed, int failing) {
  int low = 0;
  int high = failing;
  while (low < high) {
    const int middle = low + (high - low) / 2;
    if (RunSeed(seed, middle, false).failure.empty()) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return high;
}

void Report(uint64_t seed, const RunResult& result) {
  std::printf("FAILED %s\n  after %d operations, %.3f s: %s\n",
              Plan(seed).Text().c_str(), result.ops,
              static_cast<double>(result.simulated) / kSecond,
              result.failure.c_str());
  std::fflush(stdout);
  const int ops = Shrink(seed, result.ops);
  const RunResult shortest = RunSeed(seed, ops, false);
  std::printf(
      "  shortest prefix: %d operations: %s\n"
      "  replay: muster_sim_test --seed %llu --ops %d --trace\n",
      ops,
      shortest.failure.empty() ? "(not by healing earlier)"
                               : shortest.failure.c_str(),
      static_cast<unsigned long long>(seed),
      shortest.failure.empty() ? result.ops : ops);
  std::fflush(stdout);
}

// The seed of a place in the order, from 0; false past the last.
bool SeedAt(const Flags& flags, size_t place, uint64_t& seed) {
  if (flags.listed.empty()) {
    seed = flags.first + place;
    return seed >= flags.first && seed <= flags.last;
  }
  if (place >= flags.listed.size()) return false;
  seed = flags.listed[place];
  return true;
}

int RunAll(const Flags& flags) {
  const auto begun = std::chrono::steady_clock::now();
  uint64_t seeds = 0, failed = 0, steps = 0, faults = 0, rebases = 0, ops = 0;
  SimTime simulated = 0, slowest = 0;
  uint64_t hash = 0;
  uint64_t seed = 0;
  for (size_t place = 0; SeedAt(flags, place, seed); ++place) {
    const auto spent = std::chrono::steady_clock::now() - begun;
    if (flags.seconds > 0 && spent > std::chrono::seconds(flags.seconds)) {
      break;
    }
    const RunResult result = RunSeed(seed, flags.ops, flags.trace);
    ++seeds;
    steps += result.steps;
    faults += result.faults;
    rebases += result.rebases;
    ops += static_cast<uint64_t>(result.ops);
    simulated += result.simulated;
    slowest = std::max(slowest, result.slowest_quiet);
    hash = hash * 31 + result.trace_hash;
    if (flags.hashes) {
      std::printf("%llu %016llx\n", static_cast<unsigned long long>(seed),
                  static_cast<unsigned long long>(result.trace_hash));
    }
    if (result.failure.empty()) continue;
    ++failed;
    Report(seed, result);
    if (!flags.keep_going) break;
  }
  std::printf(
      "%llu seeds, %llu failed; %llu operations, %llu faults, %llu rebases, "
      "%llu steps, %.0f s simulated; slowest to be equal %.1f s; trace "
      "%016llx\n",
      static_cast<unsigned long long>(seeds),
      static_cast<unsigned long long>(failed),
      static_cast<unsigned long long>(ops),
      static_cast<unsigned long long>(faults),
      static_cast<unsigned long long>(rebases),
      static_cast<unsigned long long>(steps),
      static_cast<double>(simulated) / kSecond,
      static_cast<double>(slowest) / kSecond,
      static_cast<unsigned long long>(hash));
  return failed == 0 ? 0 : 1;
}

bool ParseSeeds(const std::string& text, Flags& flags) {
  if (absl::StrContains(text, ",")) {
    for (absl::string_view seed : absl::StrSplit(text, ',')) {
      if (!absl::SimpleAtoi(seed, &flags.listed.emplace_back())) return false;
    }
    return true;
  }
  const std::vector<std::string> ends = absl::StrSplit(text, "..");
  if (!absl::SimpleAtoi(ends[0], &flags.first)) return false;
  flags.last = flags.first;
  if (ends.size() == 1) return true;
  flags.last = std::numeric_limits<uint64_t>::max();
  return ends[1].empty() || absl::SimpleAtoi(ends[1], &flags.last);
}

bool Parse(int argc, char** argv, Flags& flags) {
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--trace") {
      flags.trace = true;
    } else if (name == "--keep-going") {
      flags.keep_going = true;
    } else if (name == "--hashes") {
      flags.hashes = true;
    } else if (i + 1 == argc) {
      return false;
    } else if (name == "--seed" || name == "--seeds") {
      if (!ParseSeeds(argv[++i], flags)) return false;
    } else if (name == "--seconds") {
      if (!absl::SimpleAtoi(argv[++i], &flags.seconds)) return false;
    } else if (name == "--ops") {
      if (!absl::SimpleAtoi(argv[++i], &flags.ops)) return false;
    } else {
      return false;
    }
  }
  return true;
}

int Main(int argc, char** argv) {
  Flags flags;
  if (!Parse(argc, argv, flags)) {
    std::fprintf(
        stderr,
        "usage: muster_sim_test [--seed N | --seeds A..[B] | --seeds A,B,C] "
        "[--seconds S] [--ops N] [--trace] [--hashes] "
        "[--keep-going]\n");
    return 2;
  }
  std::signal(SIGABRT, OnCrash);
  std::signal(SIGSEGV, OnCrash);
  if (flags.first == flags.last) {
    std::printf("%s\n", Plan(flags.first).Text().c_str());
  } else if (!flags.listed.empty()) {
    std::printf("seeds %s\n", absl::StrJoin(flags.listed, " ").c_str());
  } else {
    std::printf("seeds %llu..%llu, at most %lld s\n",
                static_cast<unsigned long long>(flags.first),
                static_cast<unsigned long long>(flags.last),
                static_cast<long long>(flags.seconds));
  }
  std::fflush(stdout);
  return RunAll(flags);
}

}  // namespace
}  // namespace muster::sim

int main(int argc, char** argv) { return muster::sim::Main(argc, argv); }
