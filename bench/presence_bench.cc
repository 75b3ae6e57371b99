// The benchmarks that run real nodes, as one program; see docs/benchmarks.md.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "bench/cluster.h"
#include "bench/presence_rows.h"
#include "bench/report.h"
#include "bench/steady.h"

namespace muster::bench {
namespace {

using Benchmark = void (*)(const Settings&, Report&);

struct Command {
  const char* name;
  const char* help;
  Benchmark run;
  std::vector<size_t> entries;
  const char* things = "entries";
};

const Command kCommands[] = {
    {"presence",
     "The main table: tracking, memory, catching up, dying",
     MeasurePresence,
     {100'000, 1'000'000}},
    {"load",
     "Its first rows alone: tracking and memory",
     MeasureLoad,
     {100'000, 1'000'000}},
    {"catchup",
     "Tracks and reads on two full nodes while a third catches up",
     MeasureCatchup,
     {1'000'000}},
    {"room",
     "One topic of 100,000 entries at 10,000 tracks a second",
     MeasureRoom,
     {100'000}},
    {"watchers",
     "A watcher that never reads beside 1,000 that do",
     MeasureWatchers,
     {},
     "watchers"},
    {"hostile",
     "Tracks and reads beside clients and peers that mean no good",
     MeasureHostile,
     {},
     "node"},
};

int Main(int argc, char** argv) {
  CLI::App app("Benchmarks of muster nodes on this machine");
  app.require_subcommand(1);
  Settings settings;
  std::string commit = "unknown";
  bool json = false;
  int seconds = 10;
  app.add_option("--binary", settings.binary, "Path of `muster`")->required();
  app.add_option("--commit", commit, "Shown in the report");
  app.add_option("--runs", settings.runs, "Of which the median is shown")
      ->check(CLI::Range(1, 100));
  app.add_option("--entries", settings.entries, "Sizes to measure")
      ->allow_extra_args(false);
  app.add_option("--connections", settings.connections,
                 "Connections of the client that loads")
      ->check(CLI::Range(1, 8));
  app.add_option("--per-session", settings.per_session,
                 "Entries of each session of the load")
      ->check(CLI::Range(1, 500));
  app.add_option("--window", settings.window,
                 "Messages in flight on each of its streams")
      ->check(CLI::Range(1, 64));
  app.add_option("--seconds", seconds, "How long a steady phase lasts")
      ->check(CLI::Range(1, 3600));
  app.add_option("--attack", settings.attacks, "Of hostile: this one alone")
      ->allow_extra_args(false);
  app.add_option("--serve-flag", settings.flags,
                 "A further flag of `muster serve`")
      ->allow_extra_args(false);
  app.add_flag("--json", json, "JSON as the last line");
  for (const Command& command : kCommands) {
    app.add_subcommand(command.name, command.help)->fallthrough();
  }
  CLI11_PARSE(app, argc, argv);
  settings.duration = absl::Seconds(seconds);
  for (const Command& command : kCommands) {
    if (!app.got_subcommand(command.name)) continue;
    if (settings.entries.empty()) settings.entries = command.entries;
    Report report(command.name, commit, command.things);
    command.run(settings, report);
    std::fputs(report.Table().c_str(), stdout);
    if (json) std::puts(report.Json().c_str());
  }
  return 0;
}

}  // namespace
}  // namespace muster::bench

int main(int argc, char** argv) { return muster::bench::Main(argc, argv); }
