// What a command costs the processor, as the core runs it: Check, Execute and
// Transaction::Commit, with the mutation appended to a log; what following
// costs; the bytes of a key; and the longest step where much is removed.
// Nothing of the network is in it.
//
// A column is the number of elements of the one key that the commands hit, or
// of keys where the key is a string. Pairs (LPUSH and RPOP) keep it as it is.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "bench/base.h"
#include "bench/report.h"
#include "crdt/keyspace/keyspace.h"
#include "crdt/keyspace/transaction.h"
#include "node/commands/execute.h"

namespace muster::bench {
namespace {

using commands::Argv;
using commands::Command;
using commands::Environment;
using commands::Random;
using commands::Reply;
using kv::Keyspace;
using kv::LifeId;
using kv::Seq;

constexpr LifeId kLeader{0, 7};
constexpr uint64_t kNow = 1'700'000'000'000;
constexpr size_t kSlice = 1000;
constexpr Nanos kLeastTime = 30'000'000;
constexpr size_t kBatch = 100;

using Words = std::vector<std::string>;

// A leader and its log.
class Node {
 public:
  void Run(Argv argv) {
    reply_.Clear();
    const Command* command = commands::Check(argv, environment_, reply_);
    if (command == nullptr) Die("a command was refused");
    if (!command->Has(commands::kWrite)) {
      commands::Execute(*command, argv, session_, environment_, state_, nullptr,
                        reply_);
      return;
    }
    kv::Transaction tx(state_, {base_, kLeader, seq_.Next()}, stamp_,
                       environment_.now);
    commands::Execute(*command, argv, session_, environment_, state_, &tx,
                      reply_);
    if (reply_.IsError()) Die("a command failed");
    if (tx.Commit(log_)) seq_ = seq_.Next();
  }
  void Run(const Words& words) {
    argv_.assign(words.begin(), words.end());
    Run(argv_);
  }

  // The work of the core on a key that is due.
  void Remove(const kv::KeyName& key) {
    kv::Transaction tx(state_, {base_, kLeader, seq_.Next()}, stamp_,
                       environment_.now);
    tx.RemoveKey(key);
    log_.clear();
    if (tx.Commit(log_)) seq_ = seq_.Next();
  }
  // From here on the log has the mutations behind seq().
  void ClearLog() { log_.clear(); }
  absl::string_view log() const { return log_; }

  Keyspace& state() { return state_; }
  const kv::Context& base() const { return base_; }
  Seq seq() const { return seq_; }
  void set_now(uint64_t ms) { environment_.now = kv::Time(ms); }

 private:
  Keyspace state_;
  kv::Context base_;
  Seq seq_;
  kv::Stamp stamp_ = kv::StampAt(kNow, 0);
  std::string log_;
  Random random_{1};
  Environment environment_{.now = kv::Time(kNow), .random = random_};
  commands::Session session_;
  Reply reply_;
  std::vector<absl::string_view> argv_;
};

// One row: how the state is made, and the commands that are timed, made from
// the number of elements and a random one.
struct Row {
  std::string id;
  std::string text;
  std::function<void(Node&, size_t)> fill;
  std::function<void(size_t, uint64_t, std::vector<Words>&)> make;
};

std::string Name(absl::string_view prefix, uint64_t i) {
  return absl::StrFormat("%s:%08d", prefix, i);
}

// Fills by calls of a hundred elements each.
void FillBy(Node& node, size_t count, const Words& head,
            const std::function<void(size_t, Words&)>& add) {
  Words words = head;
  for (size_t i = 0; i < count; ++i) {
    add(i, words);
    if ((i + 1) % 100 != 0 && i + 1 < count) continue;
    node.Run(words);
    words = head;
  }
}

void FillStrings(Node& node, size_t count) {
  FillBy(node, count, {"MSET"}, [](size_t i, Words& words) {
    words.push_back(Name("k", i));
    words.push_back("a value of thirty-two bytes, so.");
  });
}
void FillHash(Node& node, size_t count) {
  FillBy(node, count, {"HSET", "h"}, [](size_t i, Words& words) {
    words.push_back(Name("f", i));
    words.push_back("12345678");
  });
}
void FillList(Node& node, size_t count) {
  FillBy(node, count, {"RPUSH", "l"},
         [](size_t, Words& words) { words.push_back("12345678"); });
}
void FillSet(Node& node, size_t count) {
  FillBy(node, count, {"SADD", "s"},
         [](size_t i, Words& words) { words.push_back(Name("m", i)); });
}
void FillSorted(Node& node, size_t count) {
  FillBy(node, count, {"ZADD", "z"}, [](size_t i, Words& words) {
    words.push_back(absl::StrCat(i * 7919 % 1'000'003));
    words.push_back(Name("m", i));
  });
}

std::vector<Row> Rows() {
  using Calls = std::vector<Words>;
  return {
      {"set", "SET", FillStrings,
       [](size_t n, uint64_t r, Calls& calls) {
         calls.push_back(
             {"SET", Name("k", r % n), "another of thirty-two bytes too."});
       }},
      {"get", "GET", FillStrings,
       [](size_t n, uint64_t r, Calls& calls) {
         calls.push_back({"GET", Name("k", r % n)});
       }},
      {"incr", "INCR", [](Node&, size_t) {},
       [](size_t n, uint64_t r, Calls& calls) {
         calls.push_back({"INCR", Name("n", r % n)});
       }},
      {"hset", "HSET of a field", FillHash,
       [](size_t n, uint64_t r, Calls& calls) {
         calls.push_back({"HSET", "h", Name("f", r % n), "87654321"});
       }},
      {"hset5", "HSET of five fields", FillHash,
       [](size_t n, uint64_t r, Calls& calls) {
         Words words = {"HSET", "h"};
         for (uint64_t i = 0; i < 5; ++i) {
           words.push_back(Name("f", (r + i * 7919) % std::max<size_t>(n, 5)));
           words.push_back("87654321");
         }
         calls.push_back(words);
       }},
      {"lpush_rpop", "LPUSH, RPOP", FillList,
       [](size_t, uint64_t, Calls& calls) {
         calls.push_back({"LPUSH", "l", "87654321"});
         calls.push_back({"RPOP", "l"});
       }},
      {"rpush_lpop", "RPUSH, LPOP", FillList,
       [](size_t, uint64_t, Calls& calls) {
         calls.push_back({"RPUSH", "l", "87654321"});
         calls.push_back({"LPOP", "l"});
       }},
      {"sadd_srem", "SADD, SREM", FillSet,
       [](size_t n, uint64_t r, Calls& calls) {
         calls.push_back({"SADD", "s", Name("new", r % n)});
         calls.push_back({"SREM", "s", Name("new", r % n)});
       }},
      {"zadd", "ZADD", FillSorted,
       [](size_t n, uint64_t r, Calls& calls) {
         calls.push_back({"ZADD", "z", absl::StrCat(r % 1'000'003),
                          Name("m", (r >> 20) % n)});
       }},
      {"zadd_zpopmin", "ZADD, ZPOPMIN", FillSorted,
       [](size_t n, uint64_t r, Calls& calls) {
         calls.push_back({"ZADD", "z", absl::StrCat(r % 1'000'003),
                          Name("n", r % (n * 16))});
         calls.push_back({"ZPOPMIN", "z"});
       }},
  };
}

// Nanoseconds of a command at the leader and of its mutation at a follower.
struct Cost {
  double leader = 0;
  double follower = 0;
};

// Runs them, and returns how long it took.
Nanos RunAll(Node& node, const std::vector<Words>& calls) {
  std::vector<absl::string_view> args;
  for (const Words& call : calls) {
    args.insert(args.end(), call.begin(), call.end());
  }
  std::vector<Argv> argvs;
  size_t at = 0;
  for (const Words& call : calls) {
    argvs.push_back(Argv(args).subspan(at, call.size()));
    at += call.size();
  }
  const Nanos begin = ThreadClock();
  for (const Argv argv : argvs) node.Run(argv);
  return ThreadClock() - begin;
}

// Applies the log behind `seq`, and returns how long it took.
Nanos Follow(const Node& node, Seq seq, Keyspace& follower) {
  absl::string_view rest = node.log();
  const Nanos begin = ThreadClock();
  while (!rest.empty()) {
    const absl::string_view from = rest;
    kv::SkipMutation(rest);
    seq = seq.Next();
    follower.Apply(from.substr(0, from.size() - rest.size()),
                   {node.base(), kLeader, seq});
  }
  return ThreadClock() - begin;
}

Cost Time(const Row& row, size_t count) {
  Node node;
  row.fill(node, count);
  Keyspace follower;
  follower.Join(node.state());
  Random random(count);
  Nanos leading = 0;
  Nanos following = 0;
  size_t commands = 0;
  std::vector<Words> calls;
  while (leading < kLeastTime) {
    calls.clear();
    for (size_t i = 0; i < kBatch; ++i) row.make(count, random.Next(), calls);
    commands += calls.size();
    node.ClearLog();
    const Seq seq = node.seq();
    leading += RunAll(node, calls);
    following += Follow(node, seq, follower);
  }
  if (follower.digests().all() != node.state().digests().all()) {
    Die("the follower differs");
  }
  return {static_cast<double>(leading) / static_cast<double>(commands),
          static_cast<double>(following) / static_cast<double>(commands)};
}

// Bytes of a 10-byte key with a value of 32 bytes.
double StringBytes(size_t count) {
  Node node;
  FillStrings(node, count);
  return static_cast<double>(node.state().bytes()) / static_cast<double>(count);
}

// Of a hash of f0 to f4 with values of 8 bytes.
double HashBytes(size_t count) {
  Node node;
  for (size_t i = 0; i < count; ++i) {
    Words words = {"HSET", Name("k", i)};
    for (int field = 0; field < 5; ++field) {
      words.push_back(absl::StrCat("f", field));
      words.push_back("12345678");
    }
    node.Run(words);
    node.ClearLog();
  }
  return static_cast<double>(node.state().bytes()) / static_cast<double>(count);
}

Nanos Timed(const std::function<void()>& step) {
  const Nanos begin = ThreadClock();
  step();
  return ThreadClock() - begin;
}

// The longest of a removal and of the slices that free what it removed.
Nanos LongestRemoval(Node& node, const Words& words) {
  Nanos longest = Timed([&] { node.Run(words); });
  bool more = true;
  while (more) {
    longest =
        std::max(longest, Timed([&] { more = node.state().RunJob(kSlice); }));
  }
  return longest;
}

// Keys that are all due at once, removed as the leader does it.
Nanos LongestDue(size_t count) {
  Node node;
  for (size_t i = 0; i < count; ++i) {
    node.Run(Words{"SET", Name("k", i), "v", "PXAT", absl::StrCat(kNow + 10)});
    node.ClearLog();
  }
  node.set_now(kNow + 20);
  Nanos longest = 0;
  while (const auto due = node.state().FirstDue(kv::Time(kNow + 20))) {
    longest = std::max(longest, Timed([&] { node.Remove(due->name()); }));
  }
  return longest;
}

void AddSteps(size_t count, Report& report) {
  const auto add = [&](const std::string& id, const std::string& text,
                       Nanos longest) {
    report.Add({id, text, "us"}, count, Micros(longest), Goal::AtMost(1000));
  };
  for (const char* command : {"DEL", "SET"}) {
    Node node;
    FillSet(node, count);
    Words words = {command, "s"};
    if (words[0] == "SET") words.push_back("v");
    add(absl::StrCat(command, "_step"),
        absl::StrCat(command, " over a set, longest step"),
        LongestRemoval(node, words));
  }
  Node node;
  FillStrings(node, count);
  add("flush_step", "FLUSHALL of keys, longest step",
      LongestRemoval(node, {"FLUSHALL"}));
  add("due_step", "keys due at once, longest step", LongestDue(count));
}

}  // namespace
}  // namespace muster::bench

int main(int argc, char** argv) {
  using namespace muster::bench;
  CLI::App app{"What commands of the keyspace cost the processor."};
  std::vector<size_t> counts = {1, 100, 10'000, 1'000'000};
  std::string commit = "unknown";
  std::string only;
  int runs = 3;
  bool json = false;
  app.add_option("--elements", counts, "elements of a key")->delimiter(',');
  app.add_option("--runs", runs, "times all is done; the median counts");
  app.add_option("--only", only, "the one row to run, by its id");
  app.add_option("--commit", commit, "what is measured, for the report");
  app.add_flag("--json", json, "print one JSON object, too");
  CLI11_PARSE(app, argc, argv);
  Report report("keyspace_bench", commit, "elements");
  for (int run = 0; run < runs; ++run) {
    for (const Row& row : Rows()) {
      if (!only.empty() && row.id != only) continue;
      for (const size_t count : counts) {
        const Cost cost = Time(row, count);
        report.Add({row.id + "_ns", row.text, "ns"}, count, cost.leader,
                   Goal::AtMost(500));
        report.Add({row.id + "_follow_ns", row.text + ", followed", "ns"},
                   count, cost.follower, Goal::AtMost(500));
      }
    }
    if (!only.empty()) continue;
    for (const size_t count : counts) {
      if (count < 10'000) continue;
      report.Add({"string_bytes", "a key with 32 bytes", "B"}, count,
                 StringBytes(count), Goal());
      report.Add({"hash_bytes", "a hash of five fields", "B"}, count,
                 HashBytes(count), Goal());
      AddSteps(count, report);
    }
  }
  std::fputs(report.Table().c_str(), stdout);
  if (json) std::printf("%s\n", report.Json().c_str());
  return 0;
}
