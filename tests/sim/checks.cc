#include "tests/sim/checks.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/sim/network.h"

namespace muster::sim {
namespace {

// Clock differences and the step's own granularity.
constexpr SimTime kEarly = 30 * kMillisecond;
// After death or freezing: silence, confirmation, and a tick each.
constexpr SimTime kDownBound = 3 * kSecond;
// How long a topology must have stood for C7 to apply.
constexpr SimTime kSettled = 5 * kSecond;
constexpr SimTime kSpotEvery = 50 * kMillisecond;

// Carries what a mirror hears to the checks.
class AuditListener : public Mirror::Listener {
 public:
  AuditListener(Checks& checks, Process& at) : checks_(checks), at_(at) {}
  void OnJoin(const RefKey& ref, const Content& entry, bool) override {
    checks_.Joined(at_, *mirror, ref, entry, seen_dead_);
  }
  void OnUpdate(const RefKey& old, const RefKey& ref,
                const Content& entry) override {
    checks_.Updated(old, ref, entry);
  }
  void OnLeave(const RefKey& ref, const Content&) override {
    checks_.Left(at_, ref, seen_dead_);
  }
  void OnReset() override {}

  const Mirror* mirror = nullptr;

 private:
  Checks& checks_;
  Process& at_;
  std::set<RefKey> seen_dead_;
};

}  // namespace

Checks::Checks(World& world, Model& model, Clients& clients)
    : world_(world), model_(model), clients_(clients) {
  world.set_observer(this);
}

Process& Checks::Start(Host& host, core::Options options) {
  Changed();
  Process& process = world_.Start(host, std::move(options));
  // A new life of a name ends what the older ones left behind.
  if (++lives_[process.name()] > 1) {
    superseded_[process.name()] = process.number;
  }
  core::WatchRequest everything;
  everything.prefix = "t";
  auto listener = std::make_unique<AuditListener>(*this, process);
  AuditListener* raw = listener.get();
  Watcher& watcher =
      clients_.Watch(process, everything, true, std::move(listener));
  raw->mirror = &watcher.mirror;
  SpotCheck(process);
  return process;
}

// -------------------------------------------------------------------- faults

void Checks::TaintHost(int host) {
  Process* process = world_.hosts()[static_cast<size_t>(host)]->process;
  if (process != nullptr) Taint(*process);
}

void Checks::Cut(int a, int b, bool reset) {
  world_.network().Cut(a, b, reset);
  TaintHost(a);
  TaintHost(b);
  Changed();
}

void Checks::CutOneWay(int from, int to) {
  world_.network().path(from, to).cut = true;
  world_.network().path(from, to).reset = false;
  TaintHost(from);
  TaintHost(to);
  Changed();
}

void Checks::Mend(int a, int b) {
  world_.network().Mend(a, b);
  Changed();
}

void Checks::Freeze(Process& process) {
  if (process.frozen()) return;
  world_.trace().Print(world_.now(), process.name(), "frozen");
  process.Freeze();
  Taint(process);
  Changed();
  ExpectDown(process, world_.now());
}

void Checks::Thaw(Process& process) {
  if (!process.frozen()) return;
  world_.trace().Print(world_.now(), process.name(), "thawed");
  NoteOf(process).thawed_at = world_.now();
  Changed();
  process.Thaw();
}

void Checks::Kill(Process& process) {
  NoteOf(process).killed = true;
  Changed();
  process.Kill();
}

void Checks::PowerOff(Process& process) {
  process.host.powered = false;
  Kill(process);
}

void Checks::Drain(Process& process) {
  if (NoteOf(process).draining) return;
  NoteOf(process).draining = true;
  process.Post([this, &process](core::Replica& replica, core::Now now) {
    Changed();
    model_.ProcessGone(process.number, world_.now());
    replica.Drain(now);
  });
}

void Checks::OnExit(Process& process, const absl::Status& status) {
  Note& note = NoteOf(process);
  const bool twin = lives_[process.name()] > 1;
  if (!note.killed && !note.draining && !twin) {
    world_.Fail(absl::StrCat(process.name(), "#", process.number,
                             " exits by itself: ", status.ToString()));
  }
  Taint(process);
  Changed();
  ended_at_[process.number] = world_.now();
  clients_.OnGone(process);
  ExpectDown(process, world_.now());
}

// ----------------------------------------------------------------- detection

core::MemberState Checks::StateOf(Process& from, const Process& of) {
  for (const core::MemberView& member : from.replica().Members(from.Now())) {
    if (member.origin.life == of.life) return member.state;
  }
  return core::MemberState::kDown;
}

// C6
void Checks::ExpectDown(Process& process, SimTime since) {
  world_.After(kDownBound, [this, &process, since] {
    // What ended after a thaw has its own bound.
    if (NoteOf(process).thawed_at > since) return;
    if (process.alive() && !process.frozen()) return;
    for (Process* other : world_.Alive()) {
      const bool stalled = other->frozen() ||
                           NoteOf(*other).thawed_at > since - kSettled ||
                           other->step_cost > 0;
      if (stalled || other->started > since || other == &process) continue;
      const core::MemberState state = StateOf(*other, process);
      if (state == core::MemberState::kDown ||
          state == core::MemberState::kLeft) {
        continue;
      }
      world_.Fail(absl::StrCat("C6: ", process.name(), "#", process.number,
                               " ended or froze 3 s ago, and is state ",
                               static_cast<int>(state), " for ", other->name(),
                               "#", other->number));
    }
  });
}

bool Checks::Reachable(int from, int to) {
  Network& network = world_.network();
  std::set<int> seen = {from};
  std::vector<int> next = {from};
  while (!next.empty()) {
    const int at = next.back();
    next.pop_back();
    if (at == to) return true;
    for (auto& host : world_.hosts()) {
      const int other = host->index;
      if (host->process == nullptr || host->process->frozen()) continue;
      if (!network.Open(at, other) || !network.Open(other, at)) continue;
      if (seen.insert(other).second) next.push_back(other);
    }
  }
  return false;
}

// C7
void Checks::OnMembersChanged(Process& from) {
  if (lossy_ || world_.now() - changed_at_ < kSettled) return;
  const auto members = from.replica().Members(from.Now());
  for (auto& host : world_.hosts()) {
    Process* process = host->process;
    if (process == nullptr || process->frozen() || process == &from) continue;
    if (NoteOf(*process).draining || process->step_cost > 0) continue;
    for (const core::MemberView& member : members) {
      if (member.origin.life != process->life) continue;
      const bool down = member.state == core::MemberState::kDown ||
                        member.state == core::MemberState::kLeft;
      if (down && Reachable(from.host.index, host->index)) {
        world_.Fail(absl::StrCat("C7: ", process->name(), " beats and can be ",
                                 "reached, and is down for ", from.name()));
      }
    }
  }
}

// ---------------------------------------------------------------- every step

void Checks::OnWatch(Process& from, const core::WatchEvent& event) {
  clients_.OnWatch(from, event);
}
void Checks::OnSessionEnded(Process& from, const core::SessionEnded& ended) {
  clients_.OnSessionEnded(from, ended);
}
void Checks::OnReply(Process& from, core::AsyncReply& reply) {
  clients_.OnReply(from, reply);
}

void Checks::OnLog(Process& from, const core::LogLine& line) {
  const bool digest = absl::StrContains(line.text, "digest");
  if (line.level != core::LogLine::Level::kError || !digest) return;
  world_.Fail(absl::StrCat(from.name(), " logs: ", line.text));
}

std::string Checks::Fresh(const RefKey& ref, const Content& entry) const {
  const Model::Made* made = model_.Find(ref);
  if (made == nullptr) {
    return absl::StrCat("C1: nobody made ", ToString(ref), " (", entry.topic,
                        "/", entry.key, ")");
  }
  if (made->content != entry) {
    return absl::StrCat("C1: other content than made: ", ToString(ref), " ",
                        entry.topic, "/", entry.key, " ", entry.meta);
  }
  return "";
}

void Checks::Joined(Process& at, const Mirror& mirror, const RefKey& ref,
                    const Content& entry, std::set<RefKey>& seen_dead) {
  const std::string error = Fresh(ref, entry);
  if (!error.empty()) return world_.Fail(error);
  if (seen_dead.contains(ref)) {
    world_.Fail(absl::StrCat("C2: ", ToString(ref), " returns at ", at.name(),
                             "#", at.number));
  }
  const Model::Made* made = model_.Find(ref);
  if (made->successor.seq != 0 && mirror.entries().contains(made->successor)) {
    world_.Fail(absl::StrCat("C3: ", ToString(ref), " joins beside its update",
                             " at ", at.name()));
  }
}

void Checks::Updated(const RefKey& old, const RefKey& ref,
                     const Content& entry) {
  const std::string error = Fresh(ref, entry);
  if (!error.empty()) return world_.Fail(error);
  // Some updates in between may have been skipped.
  if (model_.Updates(ref, old)) return;
  world_.Fail(absl::StrCat("C1: ", ToString(ref), " is shown as an update of ",
                           ToString(old), ", and was not made from it"));
}

bool Checks::Tainted(int number) const {
  if (tainted_.contains(number)) return true;
  const Process& process = *world_.processes()[static_cast<size_t>(number)];
  const auto later = superseded_.find(process.name());
  return later != superseded_.end() && number < later->second;
}

bool Checks::MayHide(const Process& at, const RefKey& ref) const {
  if (lossy_ || Tainted(at.number)) return true;
  const Model::Made* made = model_.Find(ref);
  if (made == nullptr) return true;
  for (int process : model_.session(made->session).processes) {
    if (Tainted(process)) return true;
  }
  return false;
}

void Checks::Left(Process& at, const RefKey& ref, std::set<RefKey>& seen_dead) {
  if (MayHide(at, ref)) return;
  if (model_.Dead(ref)) seen_dead.insert(ref);
  if (model_.MustStay(ref)) {
    return world_.Fail(absl::StrCat("C4: ", ToString(ref), " left at ",
                                    at.name(), "#", at.number,
                                    ", and its client holds it"));
  }
  const SimTime earliest = model_.EarliestLeave(ref);
  if (world_.now() + kEarly < earliest) {
    world_.Fail(absl::StrCat("C5: ", ToString(ref), " left at ", at.name(), "#",
                             at.number, " ", earliest - world_.now(),
                             " us before its grace was over"));
  }
}

// C8
void Checks::SpotCheck(Process& process) {
  world_.After(kSpotEvery, [this, &process] {
    if (!process.alive()) return;
    SpotCheck(process);
    if (process.frozen() || !process.idle()) return;
    const Watcher* audit = clients_.Audit(process);
    if (audit == nullptr || !audit->mirror.complete()) return;
    const size_t seen = audit->mirror.entries().size();
    const size_t counted = process.replica().Count().entries;
    if (seen == counted && (seen > 1000 || !world_.rng().OneIn(8))) return;
    if (seen == counted &&
        ListAll(world_, process) == audit->mirror.entries()) {
      return;
    }
    world_.Fail(absl::StrCat("C8: a watcher at ", process.name(), "#",
                             process.number, " sees ", seen,
                             " entries; the node counts ", counted));
  });
}

}  // namespace muster::sim
