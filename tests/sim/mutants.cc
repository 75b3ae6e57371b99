// Tests the simulator itself: with each mutant of crdt/mutant.h in turn, seeds
// are run until a check fails. A mutant that no seed shows is a hole in the
// checks or in the faults, and fails the test.
//
//   muster_mutants_test                 all of them, and without any
//   muster_mutants_test skips-gap       one, and its failure in full
//
// Each is a child process, two at a time: a crash, too, is a way to be caught.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <map>
#include <string>

#include "crdt/mutant.h"
#include "tests/sim/driver.h"

namespace muster::sim {
namespace {

using crdt::Mutant;
using Clock = std::chrono::steady_clock;

struct Row {
  Mutant mutant;
  const char* name;
  const char* what;
};
constexpr auto kMutants = static_cast<size_t>(Mutant::kCount);
constexpr std::array<Row, kMutants> kRows = {{
    {Mutant::kNone, "none", "no mutant: nothing may be found"},
    {Mutant::kSweepsEarly, "sweeps-early",
     "a rebase sweeps before the deltas made meanwhile"},
    {Mutant::kMovesPositionInRebase, "moves-position",
     "the VV of the middle of a rebase is advertised"},
    {Mutant::kServesInRebase, "serves-in-rebase",
     "a stream is served in the middle of its rebase"},
    {Mutant::kAcceptsLowerIncarnation, "accepts-lower",
     "a lower incarnation is accepted"},
    {Mutant::kShowsPending, "shows-pending",
     "a copy is shown before its record"},
    {Mutant::kLogStartOffByOne, "log-start", "the log's start is off by one"},
    {Mutant::kRepeatedBeatIsEvidence, "repeated-beat",
     "a repeated beat number is evidence of life"},
    {Mutant::kAdoptionShowsBoth, "adoption-shows-both",
     "an adoption does not hide the old copy"},
    {Mutant::kGraceFromHealing, "grace-from-healing",
     "grace is counted from healing"},
    {Mutant::kForgottenKeepsSlot, "forgotten-keeps-slot",
     "what is forgotten keeps its VV slot"},
    {Mutant::kBlamesOthersAfterStall, "blames-others",
     "a node that stood still blames the others"},
    {Mutant::kDownIsRemoval, "down-is-removal",
     "down is told to others as a removal"},
    {Mutant::kRelayChanges, "relay-changes", "a relay changes what it relays"},
    {Mutant::kSkipsGap, "skips-gap", "a delta is applied after a gap"},
    {Mutant::kUpdateLeavesAndJoins, "update-leaves",
     "an update is shown as a leave and a join"},
    {Mutant::kRefusalAloneIsProof, "refusal-alone",
     "a refused connect is proof without asking others"},
    {Mutant::kAsksWithoutEnd, "asks-without-end",
     "a question is passed on however lately it was"},
    {Mutant::kMailTwice, "mail-twice", "mail that comes again is given again"},
    {Mutant::kMailOutOfOrder, "mail-out-of-order",
     "the last of three batches is given before the second"},
    {Mutant::kUnsubscribedStays, "unsubscribed-stays",
     "an unsubscribed pattern goes on matching"},
    {Mutant::kAnswersUnconfirmed, "answers-unconfirmed",
     "a subscribe is answered before the others have it"},
    {Mutant::kDownStillCounts, "down-still-counts",
     "the interest of a node that is down still counts"},
    {Mutant::kOldEpochMail, "old-epoch-mail",
     "mail of an outbox that is over is taken"},
    {Mutant::kRouterLoops, "router-loops",
     "a routed frame is passed on however far it came"},
    {Mutant::kGapUntold, "gap-untold", "nobody is told of lost messages"},
    {Mutant::kMailOvertakes, "mail-overtakes",
     "a message does not wait for its publisher's subscriptions"},
    {Mutant::kKvAcksAlone, "kv-acks-alone",
     "a write is acknowledged before another node has it"},
    {Mutant::kKvResendsForward, "kv-resends-forward",
     "a forward that was sent, and not refused, is sent again"},
    {Mutant::kKvOpensUnanswered, "kv-opens-unanswered",
     "a term is opened without a member that would have answered"},
    {Mutant::kKvFollowsLower, "kv-follows-lower",
     "a lower term is followed after a promise"},
    {Mutant::kKvContextEarly, "kv-context-early",
     "the context moves before the last bucket of an exchange"},
    {Mutant::kKvAppliesAhead, "kv-applies-ahead",
     "an op ahead of the cursor is applied, and what comes there is not"},
    {Mutant::kKvRemovesByPlace, "kv-removes-by-place",
     "a pop removes what is first, whatever it names"},
    {Mutant::kKvRemovesDueWhileSilent, "kv-removes-due",
     "a due key is removed while a member is silent"},
    {Mutant::kKvRemovesUnseen, "kv-removes-unseen",
     "what was never seen is removed, by an op and by a join"},
    {Mutant::kKvBeatsAreLeader, "kv-beats-are-leader",
     "beats are a sign that a leader lives"},
    {Mutant::kKvAnswersUnconfirmed, "kv-answers-unconfirmed",
     "an answer without ops waits for nobody"},
    {Mutant::kKvMessageBeforeWrite, "kv-message-first",
     "a message does not wait for what its publisher saw acknowledged"},
    {Mutant::kKvLosesWaiters, "kv-loses-waiters",
     "pops that wait are not registered with the next leader"},
}};

constexpr uint64_t kMostSeeds = 1000;
constexpr uint64_t kSeedsWithout = 20;
constexpr int kMostNodes = 7;
// Of processor time, so that a busy machine finds as much.
constexpr rlim_t kMostSeconds = 80;
constexpr size_t kAtOnce = 2;

// What a child says, through a pipe: each seed as it begins, and at last the
// rule that was broken.
struct Child {
  Row row;
  pid_t pid = 0;
  std::FILE* from = nullptr;
  Clock::time_point begun = Clock::now();
};

int PlanOf(Mutant mutant) {
  if (mutant >= Mutant::kKvAcksAlone) return kKeyspacePlan;
  return mutant >= Mutant::kMailTwice ? kPubSubPlan : kLatestPlan;
}

[[noreturn]] void RunSeeds(const Row& row, std::FILE* to) {
  crdt::active_mutant = row.mutant;
  const rlimit limit = {kMostSeconds, kMostSeconds + 1};
  setrlimit(RLIMIT_CPU, &limit);
  const uint64_t last =
      row.mutant == Mutant::kNone ? kSeedsWithout : kMostSeeds;
  for (uint64_t seed = 1; seed <= last; ++seed) {
    std::fprintf(to, "%llu\n", static_cast<unsigned long long>(seed));
    std::fflush(to);
    const Plan plan(seed, PlanOf(row.mutant));
    // Big ones take long and show little more.
    if (plan.nodes > kMostNodes || plan.crowd > 0) continue;
    Trace trace;
    const RunResult result = Run(plan, 1'000'000, trace);
    if (result.failure.empty()) continue;
    std::fprintf(to, "%s\n", result.failure.c_str());
    break;
  }
  std::fflush(to);
  _exit(0);
}

Child Start(const Row& row) {
  std::fflush(stdout);
  int ends[2];
  if (pipe(ends) != 0) std::abort();
  const pid_t pid = fork();
  if (pid == 0) {
    close(ends[0]);
    RunSeeds(row, fdopen(ends[1], "w"));
  }
  close(ends[1]);
  return {row, pid, fdopen(ends[0], "r")};
}

// Whether the mutant was treated as it must be.
bool Finish(const Child& child, int status, bool in_full) {
  uint64_t seed = 0;
  std::string rule;
  char line[4096];
  while (std::fgets(line, sizeof(line), child.from) != nullptr) {
    const bool is_seed = line[0] >= '1' && line[0] <= '9' && rule.empty();
    if (is_seed) {
      seed = std::strtoull(line, nullptr, 10);
    } else if (rule.empty() || in_full) {
      rule += line;
    }
  }
  std::fclose(child.from);
  if (WIFSIGNALED(status) && WTERMSIG(status) != SIGXCPU) {
    rule = std::string("crash: ") + strsignal(WTERMSIG(status)) + "\n";
  }
  const std::chrono::duration<double> took = Clock::now() - child.begun;
  const bool none = child.row.mutant == Mutant::kNone;
  if (rule.empty()) {
    std::printf("%-21s %s after %llu seeds (%.1f s)\n", child.row.name,
                none ? "nothing found" : "NOT CAUGHT",
                static_cast<unsigned long long>(seed), took.count());
    return none;
  }
  std::printf("%-21s caught by seed %llu (%.1f s): %s", child.row.name,
              static_cast<unsigned long long>(seed), took.count(),
              rule.c_str());
  return !none;
}

int RunAll(const std::string& only) {
  bool good = true;
  size_t next = 0;
  std::map<pid_t, Child> running;
  while (true) {
    for (; next < kRows.size() && running.size() < kAtOnce; ++next) {
      if (!only.empty() && only != kRows[next].name) continue;
      const Child child = Start(kRows[next]);
      running[child.pid] = child;
    }
    if (running.empty()) break;
    int status = 0;
    auto child = running.find(wait(&status));
    if (child == running.end()) continue;
    good &= Finish(child->second, status, !only.empty());
    running.erase(child);
  }
  return good ? 0 : 1;
}

int Main(int argc, char** argv) {
  const std::string only = argc > 1 ? argv[1] : "";
  bool known = only.empty();
  for (const Row& row : kRows) known |= only == row.name;
  if (known && argc <= 2) return RunAll(only);
  std::fprintf(stderr, "usage: muster_mutants_test [MUTANT]; one of\n");
  for (const Row& row : kRows) {
    std::fprintf(stderr, "  %-21s %s\n", row.name, row.what);
  }
  return 2;
}

}  // namespace
}  // namespace muster::sim

int main(int argc, char** argv) { return muster::sim::Main(argc, argv); }
