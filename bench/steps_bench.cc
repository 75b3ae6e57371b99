// How long a step holds the loop where there is much to do: two replicas in
// one process, and every call that enters one of them timed. All is done
// several times over. A step's work is the same in every run, and what the
// machine adds is not: a step counts with the least of its times.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bench/base.h"
#include "bench/replica_pair.h"
#include "bench/workload.h"

namespace muster::bench {
namespace {

constexpr size_t kTopics = 1'000;
constexpr size_t kPerSession = 10;
constexpr size_t kBatch = 500;
constexpr size_t kOpsPerStep = 128;
constexpr size_t kNames = 10'000;
constexpr size_t kWatchers = 1'000;
constexpr size_t kCrowdTopics = 10'000;
constexpr size_t kLarge = 100'000;  // Entries of a crowd, a session, a pair.
constexpr size_t kLogBytes = 64 << 10;
constexpr size_t kNoise = 5'000;  // More than the log holds.
constexpr Nanos kGoal = 1'000'000;

// Of entry i.
struct Name {
  std::string topic;
  std::string key;
};
using NameOf = std::function<Name(size_t)>;

Name Ordinary(size_t i) { return {TopicName(i % kTopics), UserKey(i)}; }

// The steps of a node in one part of a run.
struct Part {
  std::string name;
  std::vector<Nanos> steps;
};

class Steps {
 public:
  explicit Steps(size_t entries)
      : entries_(entries), pair_({.log_bytes = kLogBytes}) {}

  std::vector<Part> Run() {
    pair_.RunUntil("a serves", [this] { return pair_.a().Serving().ok(); });
    Case("entries tracked, ten a call", {0}, [this] { Fill(); });
    Case("an empty node is brought up", {0, 1}, [this] { LinkUp(); });
    Names();
    Watchers();
    Crowds();
    LargeSession();
    Down();
    Rebases();
    return std::move(parts_);
  }

 private:
  template <typename Run>
  void Case(const std::string& name, const std::vector<int>& sides, Run run) {
    for (int side : {0, 1}) pair_.TakeSteps(side);
    run();
    for (int side : sides) {
      parts_.push_back({absl::StrCat(name, side == 0 ? " (a)" : " (b)"),
                        pair_.TakeSteps(side)});
    }
  }

  // One call, then what it leaves to be done.
  template <typename Call>
  void Settled(int side, Call call) {
    pair_.Step(side, call);
    pair_.Settle();
  }
  void RunFor(absl::Duration duration) {
    const core::Instant until = pair_.now().mono + duration;
    pair_.RunUntil("some time", [&] { return pair_.now().mono >= until; });
  }
  void LinkUp() {
    pair_.Link();
    pair_.RunUntil("equal", [this] { return Equal(pair_); });
  }

  crdt::SessionId Open(absl::Duration grace);
  core::ApplyReply Apply(const core::ApplyRequest& request);
  // In calls of `batch`, from entry `first` on.
  std::vector<crdt::Ref> Track(crdt::SessionId session, size_t first,
                               size_t count, size_t batch, const NameOf& name);
  // One entry that its session may not have already; and it has not.
  void TrackOnce(crdt::SessionId session, const std::string& topic,
                 const std::string& key);
  void Untrack(crdt::SessionId session, const std::vector<crdt::Ref>& refs);
  void Close(int side, crdt::SessionId session);
  // Goes through the log and leaves nothing.
  void Noise();
  void Resume(int side, crdt::SessionId session,
              const std::vector<crdt::Ref>& refs, const NameOf& name);
  core::WatchId Watch(const core::WatchRequest& request);

  void Fill();
  void Names();
  void Watchers();
  void ChangesOf(const std::string& topic);
  void Crowds();
  void LargeSession();
  void Down();
  void Rebases();

  const size_t entries_;
  ReplicaPair pair_;
  uint64_t next_session_ = 1;
  uint64_t next_request_ = 1;
  std::vector<crdt::SessionId> sessions_;  // The ordinary ones.
  std::vector<Part> parts_;
};

// --------------------------------------------------------------- operations

crdt::SessionId Steps::Open(absl::Duration grace) {
  core::OpenSessionRequest open;
  open.session = {next_session_, next_session_};
  ++next_session_;
  open.stream = true;
  open.grace = grace;
  Settled(0, [&](core::Replica& a) {
    const auto opened = a.OpenSession(open, pair_.now());
    if (!opened.ok()) Die(opened.status().ToString());
  });
  return open.session;
}

// Some operations a step, as the service does.
core::ApplyReply Steps::Apply(const core::ApplyRequest& request) {
  core::ApplyReply reply;
  for (bool done = false; !done;) {
    Settled(0, [&](core::Replica& a) {
      size_t budget = kOpsPerStep;
      const absl::StatusOr<bool> applied =
          a.ApplySome(request, pair_.now(), reply, budget);
      if (!applied.ok()) Die(applied.status().ToString());
      done = *applied;
    });
  }
  return reply;
}

std::vector<crdt::Ref> Steps::Track(crdt::SessionId session, size_t first,
                                    size_t count, size_t batch,
                                    const NameOf& name) {
  std::vector<crdt::Ref> refs;
  while (refs.size() < count) {
    core::ApplyRequest request;
    request.session = session;
    const size_t size = std::min(batch, count - refs.size());
    std::vector<Name> names;
    std::vector<std::string> metas;
    for (size_t i = first + refs.size(); names.size() < size; ++i) {
      names.push_back(name(i));
      metas.push_back(UserMeta(i));
    }
    for (size_t i = 0; i < size; ++i) {
      request.track.push_back({names[i].topic, names[i].key, metas[i], true});
    }
    const core::ApplyReply reply = Apply(request);
    if (!reply.track_errors.empty()) Die("a track was refused");
    refs.insert(refs.end(), reply.tracked.begin(), reply.tracked.end());
  }
  return refs;
}

void Steps::TrackOnce(crdt::SessionId session, const std::string& topic,
                      const std::string& key) {
  core::ApplyRequest request;
  request.session = session;
  request.track.push_back({topic, key, "m", false});
  if (!Apply(request).track_errors.empty()) Die("a track was refused");
}

void Steps::Untrack(crdt::SessionId session,
                    const std::vector<crdt::Ref>& refs) {
  for (size_t i = 0; i < refs.size(); i += kBatch) {
    core::ApplyRequest request;
    request.session = session;
    const auto from = refs.begin() + static_cast<ptrdiff_t>(i);
    request.untrack.assign(
        from, from + static_cast<ptrdiff_t>(std::min(kBatch, refs.size() - i)));
    if (!Apply(request).untrack_errors.empty()) Die("an untrack was refused");
  }
}

void Steps::Close(int side, crdt::SessionId session) {
  Settled(side, [&](core::Replica& replica) {
    const absl::Status closed = replica.CloseSession(session, pair_.now());
    if (!closed.ok()) Die(closed.ToString());
  });
}

void Steps::Noise() {
  const crdt::SessionId session = Open({});
  Untrack(session, Track(session, 0, kNoise, kBatch, [](size_t i) {
            return Name{"noise", UserKey(i)};
          }));
  Close(0, session);
}

void Steps::Resume(int side, crdt::SessionId session,
                   const std::vector<crdt::Ref>& refs, const NameOf& name) {
  core::ResumeRequest request;
  request.open.session = session;
  request.open.stream = true;
  for (size_t i = 0; i < refs.size(); ++i) {
    const Name names = name(i);
    request.entries.push_back({request.arena.Copy(names.topic),
                               request.arena.Copy(names.key),
                               {},
                               refs[i],
                               {}});
  }
  Settled(side, [&](core::Replica& replica) {
    replica.Resume(next_request_++, std::move(request), pair_.now());
  });
  RunFor(absl::Milliseconds(200));
}

// On node a.
core::WatchId Steps::Watch(const core::WatchRequest& request) {
  core::WatchId id = 0;
  pair_.Step(0, [&](core::Replica& a) {
    const auto watch = a.Watch(request, pair_.now());
    if (!watch.ok()) Die(watch.status().ToString());
    id = *watch;
  });
  return id;
}

// -------------------------------------------------------------------- cases

void Steps::Fill() {
  for (size_t i = 0; i < entries_; i += kPerSession) {
    const bool grace = sessions_.size() % 2 == 1;
    sessions_.push_back(Open(grace ? absl::Seconds(1) : absl::ZeroDuration()));
    Track(sessions_.back(), i, std::min(kPerSession, entries_ - i), kPerSession,
          Ordinary);
  }
}

void Steps::Names() {
  core::WatchRequest keys;
  core::WatchRequest topics;
  for (size_t i = 0; i < kNames; ++i) {
    keys.keys.push_back(UserKey(i));
    topics.topics.push_back(TopicName(i));
  }
  for (const auto& [what, request] :
       {std::pair("keys", &keys), std::pair("topics", &topics)}) {
    core::WatchId watch = 0;
    const std::string names = absl::StrCat("a watch of ", kNames, " ", what);
    Case(absl::StrCat(names, " begun"), {0}, [&, request = request] {
      watch = Watch(*request);
      pair_.Settle();
    });
    Case(absl::StrCat(names, " ended"), {0}, [&] {
      Settled(0, [&](core::Replica& a) { a.EndWatch(watch); });
      RunFor(absl::Milliseconds(100));
    });
  }
}

// Joins and leaves of one topic: ten a call, then as they come.
void Steps::ChangesOf(const std::string& topic) {
  const NameOf name = [&](size_t i) { return Name{topic, UserKey(i)}; };
  const crdt::SessionId session = Open({});
  Track(session, entries_, 1'000, 10, name);
  Close(0, session);
}

void Steps::Watchers() {
  const std::string topic = TopicName(0);
  std::vector<core::WatchId> watches;
  const auto end = [&] {
    for (core::WatchId watch : watches) {
      Settled(0, [&](core::Replica& a) { a.EndWatch(watch); });
    }
    watches.clear();
  };
  Case(absl::StrCat(kWatchers, " watchers of a topic come"), {0}, [&] {
    core::WatchRequest request;
    request.topics = {topic};
    for (size_t i = 0; i < kWatchers; ++i) watches.push_back(Watch(request));
    pair_.Settle();
  });
  Case("... changes of the topic", {0}, [&] { ChangesOf(topic); });
  Case("... they go", {0}, end);
  Case(absl::StrCat(kWatchers, " watchers of a topic and another"), {0}, [&] {
    for (size_t i = 0; i < kWatchers; ++i) {
      core::WatchRequest request;
      request.topics = {topic, absl::StrCat("own:", i)};
      watches.push_back(Watch(request));
    }
    pair_.Settle();
  });
  Case("... changes of the topic", {0}, [&] { ChangesOf(topic); });
  Case("... they go", {0}, end);
}

void Steps::Crowds() {
  const NameOf wide = [](size_t i) {
    return Name{absl::StrFormat("crowd:%05d", i % kCrowdTopics), "crowd"};
  };
  const NameOf deep = [](size_t) { return Name{"square", "everyone"}; };
  const crdt::SessionId of_key = Open({});
  Track(of_key, 0, kLarge, kBatch, wide);
  Case("count of a key with 100,000 entries", {0}, [&] {
    pair_.Step(0, [](core::Replica& a) {
      if (a.CountKey("crowd").entries != kLarge) Die("a wrong count");
    });
  });
  Case("its 10,000 topics, 1,000 a page", {0}, [&] {
    std::string after;
    size_t topics = 0;
    for (bool more = true; more;) {
      pair_.Step(0, [&](core::Replica& a) {
        const core::TopicsOfReply page = a.TopicsOf("crowd", after, 1'000);
        topics += page.topics.size();
        after = std::string(page.next);
        more = !after.empty();
      });
    }
    if (topics != kCrowdTopics) Die("wrong topics");
  });
  core::WatchRequest watch;
  watch.keys = {"crowd"};
  Case("a watch of it begun", {0}, [&] {
    Watch(watch);
    pair_.Settle();
  });
  watch.counts_only = true;
  Case("a watch of its count, and a change", {0}, [&] {
    Watch(watch);
    pair_.Settle();
    Track(Open({}), 0, 1, 1, wide);
    RunFor(absl::Seconds(2));
  });
  Close(0, of_key);
  const crdt::SessionId of_pair = Open({});
  Track(of_pair, 0, kLarge, kBatch, deep);
  Case("tracks of that pair, no duplicates", {0},
       [&] { TrackOnce(Open({}), "square", "everyone"); });
  Case("get of 100,000 entries of one pair", {0}, [&] {
    pair_.Step(0, [](core::Replica& a) { a.Get("square", "everyone"); });
  });
  Case("explain of them", {0}, [&] {
    pair_.Step(0, [&](core::Replica& a) {
      a.Explain("square", "everyone", pair_.now());
    });
  });
  Close(0, of_pair);
}

void Steps::LargeSession() {
  const NameOf name = [](size_t i) {
    return Name{TopicName(i % kTopics), absl::StrCat("large:", i)};
  };
  const std::string session_of = absl::StrCat("a session of ", kLarge);
  crdt::SessionId session;
  std::vector<crdt::Ref> refs;
  Case(absl::StrCat(session_of, " tracked, 500 a call"), {0, 1}, [&] {
    session = Open(absl::Seconds(30));
    refs = Track(session, 0, kLarge, kBatch, name);
    RunFor(absl::Milliseconds(500));
  });
  Case(absl::StrCat(session_of, " resumed where it is"), {0, 1},
       [&] { Resume(0, session, refs, name); });
  Case(absl::StrCat(session_of, " resumed elsewhere"), {0, 1},
       [&] { Resume(1, session, refs, name); });
  Case(absl::StrCat(session_of, " closed"), {0, 1}, [&] {
    Close(1, session);
    RunFor(absl::Milliseconds(200));
  });
}

void Steps::Down() {
  const auto shown = [this] { return pair_.b().Count().entries; };
  const uint64_t all = shown();
  Case("a is down, its graces run out", {1}, [&] {
    pair_.Cut();
    pair_.RunUntil("nothing shown", [&] { return shown() == 0; });
  });
  Case("a returns", {1}, [&] {
    pair_.Link();
    pair_.RunUntil("all shown", [&] { return shown() == all; });
  });
}

void Steps::Rebases() {
  Case("a rebase of entries that are equal", {0, 1}, [this] {
    pair_.Cut();
    Noise();
    LinkUp();
  });
  Case("all sessions but one closed", {0}, [this] {
    pair_.Cut();
    for (size_t i = 0; i + 1 < sessions_.size(); ++i) Close(0, sessions_[i]);
  });
  Case("... and the rebase that says so", {0, 1}, [this] { LinkUp(); });
}

// ------------------------------------------------------------------- report

void Print(const std::vector<std::vector<Part>>& runs) {
  std::printf("%-44s %9s %10s %10s %7s %10s\n", "case (node)", "steps",
              "longest us", "p99.9 us", ">1 ms", "in any run");
  for (size_t i = 0; i < runs[0].size(); ++i) {
    const Part& first = runs[0][i];
    Samples least;
    size_t in_any = 0;
    for (size_t step = 0; step < first.steps.size(); ++step) {
      Nanos low = first.steps[step];
      Nanos high = low;
      for (const std::vector<Part>& run : runs) {
        if (run[i].steps.size() != first.steps.size()) {
          Die(absl::StrCat(first.name, ": the runs differ in their steps"));
        }
        low = std::min(low, run[i].steps[step]);
        high = std::max(high, run[i].steps[step]);
      }
      least.Add(low);
      if (high > kGoal) ++in_any;
    }
    std::printf("%-44s %9zu %10.0f %10.0f %7zu %10zu\n", first.name.c_str(),
                least.size(), Micros(least.Percentile(100)),
                Micros(least.Percentile(99.9)), least.Above(kGoal), in_any);
  }
}

int Main(int argc, char** argv) {
  CLI::App app("Times every step of two replicas in one process");
  size_t entries = 1'000'000;
  app.add_option("--entries", entries, "Entries held")
      ->check(CLI::Range(10'000, 9'000'000));
  int runs = 3;
  app.add_option("--runs", runs, "A step counts with the least of its times")
      ->check(CLI::Range(1, 100));
  CLI11_PARSE(app, argc, argv);
  std::vector<std::vector<Part>> all;
  for (int run = 1; run <= runs; ++run) {
    std::fprintf(stderr, "run %d of %d\n", run, runs);
    all.push_back(Steps(entries).Run());
  }
  Print(all);
  return 0;
}

}  // namespace
}  // namespace muster::bench

int main(int argc, char** argv) { return muster::bench::Main(argc, argv); }
