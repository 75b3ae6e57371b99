// muster-sim: runs seeds of the simulator. See docs/simulator.md.
//
// A failure prints the seed, its options, the broken rule and the shortest
// prefix of operations that still breaks one; exit code 1. A fault of the core
// that ends the process prints how to replay it.
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <limits>
#include <string>
#include <system_error>
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
constexpr char kUsage[] =
    R"(Runs whole clusters in simulated time, one a seed, with every fault, and checks
them at every step.

  muster sim --seed N             one seed
  muster sim --seeds A..B         these; A.. has no end, A,B,C is a list

  --ops K        only the first K operations of a seed, then heal and compare
  --trace        what happens, line by line
  --plan P       how a seed is read (2); 1: as before that; 3: seven nodes,
                 1,000 operations; 4: as 2, with evictions; 5: with pub/sub;
                 6: with pub/sub and the keyspace
  --seconds S    begin no seed after this
  --keep-going   after a failure, too
  --hashes       each seed's trace as a hash
  --quiet        say nothing of what holds

Exit codes: 0 all hold, 1 a check failed, 2 bad usage.
)";

struct Flags {
  uint64_t first = 1;
  uint64_t last = 1;
  std::vector<uint64_t> listed;  // If not empty: these instead.
  int64_t seconds = 0;           // 0: no limit.
  int plan = kLatestPlan;
  int ops = kAllOps;
  bool trace = false;
  bool keep_going = false;
  bool hashes = false;
  bool quiet = false;
};

// Of all seeds so far.
struct Sum {
  uint64_t seeds = 0;
  uint64_t failed = 0;
  uint64_t ops = 0;
  uint64_t steps = 0;
  uint64_t rebases = 0;
  uint64_t messages = 0;
  uint64_t lost = 0;
  uint64_t calls = 0;
  uint64_t unknown = 0;
  uint64_t judged = 0;
  SimTime slowest_led = 0;
  std::array<uint64_t, kOps> done = {};
  SimTime simulated = 0;
  SimTime slowest = 0;
  uint64_t hash = 0;

  void Add(const RunResult& result) {
    ++seeds;
    ops += static_cast<uint64_t>(result.ops);
    steps += result.steps;
    rebases += result.rebases;
    messages += result.messages;
    lost += result.lost;
    calls += result.calls;
    unknown += result.unknown;
    judged += result.judged;
    slowest_led = std::max(slowest_led, result.slowest_led);
    for (size_t i = 0; i < kOps; ++i) done[i] += result.done[i];
    simulated += result.simulated;
    slowest = std::max(slowest, result.slowest_quiet);
    hash = hash * 31 + result.trace_hash;
  }
};

// How this program was started, for whoever starts it again.
std::string program;

// `argv0` if it is a path; a name found otherwise (`muster sim`, PATH) is not.
std::string ProgramPath(const std::string& argv0) {
  if (absl::StrContains(argv0, "/")) return argv0;
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? argv0 : self.string();
}

std::string Replay(const Plan& plan, int ops) {
  std::string command = absl::StrCat(program, " --seed ", plan.seed);
  if (plan.version != kLatestPlan) {
    absl::StrAppend(&command, " --plan ", plan.version);
  }
  if (ops != kAllOps) absl::StrAppend(&command, " --ops ", ops);
  return absl::StrCat(command, " --trace");
}

// A crash must name its seed too.
char crash_note[4096];
void OnCrash(int signal) {
  [[maybe_unused]] ssize_t ignored =
      write(STDERR_FILENO, crash_note, std::strlen(crash_note));
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

RunResult RunPlan(const Plan& plan, int ops, bool trace) {
  std::snprintf(crash_note, sizeof(crash_note),
                "\ncrashed in: %s\nreplay: %s\n", plan.Text().c_str(),
                Replay(plan, ops).c_str());
  Trace to(trace ? stdout : nullptr);
  return Run(plan, ops, to);
}

// The fewest operations that break a rule.
int Shrink(const Plan& plan, int failing) {
  int low = 0;
  int high = failing;
  while (low < high) {
    const int middle = low + (high - low) / 2;
    if (RunPlan(plan, middle, false).failure.empty()) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return high;
}

void Report(const Plan& plan, const RunResult& result) {
  std::printf("FAILED %s\n  after %d operations, %.3f s: %s\n",
              plan.Text().c_str(), result.ops,
              static_cast<double>(result.simulated) / kSecond,
              result.failure.c_str());
  std::fflush(stdout);
  const int ops = Shrink(plan, result.ops);
  const RunResult shortest = RunPlan(plan, ops, false);
  const bool healed = shortest.failure.empty();
  std::printf("  shortest prefix: %d operations: %s\n  replay: %s\n", ops,
              healed ? "(not by healing earlier)" : shortest.failure.c_str(),
              Replay(plan, healed ? kAllOps : ops).c_str());
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

void Print(const Sum& sum, std::chrono::duration<double> took) {
  uint64_t faults = 0;
  std::string kinds;
  for (size_t i = kFirstFault; i < kOps; ++i) {
    faults += sum.done[i];
    if (sum.done[i] == 0) continue;
    absl::StrAppend(&kinds, kinds.empty() ? "" : ", ", Name(static_cast<Op>(i)),
                    " ", sum.done[i]);
  }
  std::string text = absl::StrCat(
      sum.seeds, " seeds, ", sum.failed, " failed; ", sum.ops, " operations, ",
      faults, " faults, ", sum.rebases, " rebases, ", sum.steps, " steps");
  std::printf(
      "%s; %.0f s simulated in %.0f s; slowest to be equal %.1f s; trace "
      "%016llx\n",
      text.c_str(), static_cast<double>(sum.simulated) / kSecond, took.count(),
      static_cast<double>(sum.slowest) / kSecond,
      static_cast<unsigned long long>(sum.hash));
  if (sum.seeds > 1) std::printf("faults: %s\n", kinds.c_str());
  if (sum.messages > 0) {
    std::printf("messages: %llu given, %llu told to be lost\n",
                static_cast<unsigned long long>(sum.messages),
                static_cast<unsigned long long>(sum.lost));
  }
  if (sum.calls > 0) {
    std::printf(
        "keys: %llu calls done, %llu of unknown outcome, %llu operations "
        "judged; slowest to be led %.1f s\n",
        static_cast<unsigned long long>(sum.calls),
        static_cast<unsigned long long>(sum.unknown),
        static_cast<unsigned long long>(sum.judged),
        static_cast<double>(sum.slowest_led) / kSecond);
  }
  std::fflush(stdout);
}

int RunAll(const Flags& flags) {
  const auto begun = std::chrono::steady_clock::now();
  Sum sum;
  uint64_t seed = 0;
  for (size_t place = 0; SeedAt(flags, place, seed); ++place) {
    const auto spent = std::chrono::steady_clock::now() - begun;
    if (flags.seconds > 0 && spent > std::chrono::seconds(flags.seconds)) {
      break;
    }
    const Plan plan(seed, flags.plan);
    const RunResult result = RunPlan(plan, flags.ops, flags.trace);
    sum.Add(result);
    if (flags.hashes) {
      std::printf("%llu %016llx\n", static_cast<unsigned long long>(seed),
                  static_cast<unsigned long long>(result.trace_hash));
    }
    if (result.failure.empty()) continue;
    ++sum.failed;
    Report(plan, result);
    if (!flags.keep_going) break;
  }
  if (!flags.quiet) Print(sum, std::chrono::steady_clock::now() - begun);
  return sum.failed == 0 ? 0 : 1;
}

bool ParseSeeds(const std::string& text, Flags& flags) {
  if (absl::StrContains(text, ",")) {
    for (absl::string_view seed : absl::StrSplit(text, ',')) {
      if (!absl::SimpleAtoi(seed, &flags.listed.emplace_back())) return false;
    }
    return true;
  }
  const std::vector<std::string> ends = absl::StrSplit(text, "..");
  if (ends.size() > 2 || !absl::SimpleAtoi(ends[0], &flags.first)) return false;
  flags.last = flags.first;
  if (ends.size() == 1) return true;
  flags.last = std::numeric_limits<uint64_t>::max();
  if (ends[1].empty()) return true;
  return absl::SimpleAtoi(ends[1], &flags.last) && flags.last >= flags.first;
}

bool ParseValue(absl::string_view name, const std::string& value,
                Flags& flags) {
  if (name == "--seed" || name == "--seeds") return ParseSeeds(value, flags);
  if (name == "--seconds") {
    return absl::SimpleAtoi(value, &flags.seconds) && flags.seconds > 0;
  }
  if (name == "--ops") {
    return absl::SimpleAtoi(value, &flags.ops) && flags.ops >= 0;
  }
  return name == "--plan" && absl::SimpleAtoi(value, &flags.plan) &&
         flags.plan >= kFirstPlan && flags.plan <= kKeyspacePlan;
}

// What cannot be understood is named; empty: all is well.
std::string Parse(const std::vector<std::string>& args, Flags& flags) {
  bool seeds = false;
  for (size_t i = 0; i < args.size(); ++i) {
    const std::string& name = args[i];
    if (name == "--trace") {
      flags.trace = true;
    } else if (name == "--keep-going") {
      flags.keep_going = true;
    } else if (name == "--hashes") {
      flags.hashes = true;
    } else if (name == "--quiet") {
      flags.quiet = true;
    } else if (i + 1 == args.size()) {
      return absl::StrCat(name, ": not a flag, or its value is missing");
    } else if (!ParseValue(name, args[i + 1], flags)) {
      return absl::StrCat(name, " ", args[i + 1], ": not understood");
    } else {
      seeds = seeds || absl::StartsWith(name, "--seed");
      ++i;
    }
  }
  return seeds ? "" : "--seed or --seeds is missing";
}

int Main(const std::vector<std::string>& args) {
  for (const std::string& arg : args) {
    if (arg != "--help" && arg != "-h") continue;
    std::fputs(kUsage, stdout);
    return 0;
  }
  Flags flags;
  const std::string wrong = Parse(args, flags);
  if (!wrong.empty()) {
    std::fprintf(stderr, "muster sim: %s; see muster sim --help\n",
                 wrong.c_str());
    return 2;
  }
  std::signal(SIGABRT, OnCrash);
  std::signal(SIGSEGV, OnCrash);
  if (!flags.listed.empty()) {
    std::printf("seeds %s\n", absl::StrJoin(flags.listed, " ").c_str());
  } else if (flags.first == flags.last) {
    std::printf("%s\n", Plan(flags.first, flags.plan).Text().c_str());
  } else if (!flags.quiet) {
    std::printf("seeds %llu..%llu\n",
                static_cast<unsigned long long>(flags.first),
                static_cast<unsigned long long>(flags.last));
  }
  std::fflush(stdout);
  return RunAll(flags);
}

}  // namespace
}  // namespace muster::sim

int main(int argc, char** argv) {
  muster::sim::program = muster::sim::ProgramPath(argv[0]);
  return muster::sim::Main({argv + 1, argv + argc});
}
