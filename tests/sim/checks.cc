#include "tests/sim/checks.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/sim/network.h"

namespace muster::sim {
namespace {

// The longest grace that is drawn, and what may be added to it.
constexpr SimTime kLapsed = 20 * kSecond;

// Carries what a mirror hears to the checks.
class AuditListener : public Mirror::Listener {
 public:
  AuditListener(Checks& checks, Process& at) : checks_(checks), at_(at) {}
  void OnJoin(const RefKey& ref, const Content& entry, bool state) override {
    checks_.Joined(at_, *mirror, ref, entry, seen_dead_);
    if (!state) checks_.Moved(at_, ref, true, moment_);
  }
  void OnUpdate(const RefKey& old, const RefKey& ref,
                const Content& entry) override {
    checks_.Updated(at_, old, ref, entry);
  }
  void OnLeave(const RefKey& ref, const Content&) override {
    checks_.Left(at_, ref, seen_dead_);
    checks_.Moved(at_, ref, false, moment_);
  }
  void OnReset() override {}

  const Mirror* mirror = nullptr;

 private:
  Checks& checks_;
  Process& at_;
  std::set<RefKey> seen_dead_;
  Checks::Moment moment_;
};

}  // namespace

Checks::Checks(World& world, Model& model, Clients& clients)
    : world_(world),
      model_(model),
      clients_(clients),
      subscribers_(world),
      keys_(world) {
  world.set_observer(this);
  subscribers_.on_published = [this](const Process& at,
                                     const PubSubModel::Message& message) {
    keys_.OnPublished(at, message);
  };
  subscribers_.on_given = [this](Process& at,
                                 const PubSubModel::Message& message) {
    keys_.OnGiven(at, message);
  };
  keys_.set_calm([this] { return subscribers_.AllUndisturbed(); });
}

Process& Checks::Start(Host& host, core::Options options) {
  Changed();
  Process& process = world_.Start(host, std::move(options));
  // A new life of a name ends what the older ones left behind.
  if (++lives_[process.name()] > 1) {
    superseded_[process.name()] = process.number;
  }
  // Of two that run at once their clocks decide which is to end.
  for (const Process* other : world_.Alive()) {
    if (other == &process || other->name() != process.name()) continue;
    Taint(process);
    subscribers_.TouchHost(other->host.index);
  }
  core::WatchRequest everything;
  everything.prefix = "t";
  auto listener = std::make_unique<AuditListener>(*this, process);
  AuditListener* raw = listener.get();
  Watcher& watcher =
      clients_.Watch(process, everything, true, std::move(listener));
  raw->mirror = &watcher.mirror;
  SpotCheck(process);
  subscribers_.TouchHost(host.index, false);
  return process;
}

void Checks::ClearTaint() {
  model_.AllHeard();
  tainted_.clear();
  superseded_.clear();
  // None is in the middle of a rebase now; and what was to lapse when a life
  // ended has done so.
  halves_.clear();
  unheard_.clear();
  const auto ended_long_ago = [this](int process) {
    const auto ended = ended_at_.find(process);
    return ended != ended_at_.end() && world_.now() - ended->second > kLapsed;
  };
  std::erase_if(moved_to_, [&](const auto& moved) {
    const int to = moved.first.first;
    return ended_long_ago(to) || !IsLost(to, moved.second);
  });
  std::erase_if(missed_, [&](const auto& missed) {
    return ended_long_ago(missed.second);
  });
}

// -------------------------------------------------------------------- faults

void Checks::TaintHost(int host) {
  Process* process = world_.hosts()[static_cast<size_t>(host)]->process;
  if (process != nullptr) Taint(*process);
}

void Checks::Cut(int a, int b, bool reset) {
  subscribers_.TouchPath(a, b);
  world_.network().Cut(a, b, reset);
  Slowed();
  TaintHost(a);
  TaintHost(b);
  Changed();
}

void Checks::CutOneWay(int from, int to) {
  subscribers_.TouchPath(from, to);
  world_.network().path(from, to).cut = true;
  world_.network().path(from, to).reset = false;
  Slowed();
  TaintHost(from);
  TaintHost(to);
  Changed();
}

void Checks::Mend(int a, int b) {
  subscribers_.TouchPath(a, b);
  world_.network().Mend(a, b);
  open_since_[std::minmax(a, b)] = world_.now();
  Changed();
}

void Checks::Freeze(Process& process) {
  if (process.frozen()) return;
  world_.trace().Print(world_.now(), process.name(), "frozen");
  process.Freeze();
  subscribers_.TouchHost(process.host.index);
  NoteOf(process).frozen_at = world_.now();
  NoteOf(process).at_freeze = NoteOf(process).living;
  Taint(process);
  Changed();
  ExpectDown(process, world_.now());
}

void Checks::Thaw(Process& process) {
  if (!process.frozen()) return;
  world_.trace().Print(world_.now(), process.name(), "thawed");
  NoteOf(process).thawed_at = world_.now();
  subscribers_.TouchHost(process.host.index);
  if (world_.now() - NoteOf(process).frozen_at > kStall) {
    NoteOf(process).stalled_at = world_.now();
  }
  clients_.OnThaw(process, NoteOf(process).frozen_at);
  Changed();
  process.Thaw();
}

void Checks::Kill(Process& process) {
  NoteOf(process).killed = true;
  process.Kill();
}

void Checks::PowerOff(Process& process) {
  process.host.powered = false;
  Kill(process);
}

void Checks::BreakLinks(int a, int b) {
  Disturbed();
  subscribers_.TouchPath(a, b);
  world_.network().BreakLinks(a, b);
}

void Checks::Slow(Process& process, SimTime step_cost) {
  Disturbed();
  if (process.step_cost > 0) NoteOf(process).slow_until = world_.now();
  process.step_cost = step_cost;
  subscribers_.TouchHost(process.host.index);
}

void Checks::Drain(Process& process) {
  if (NoteOf(process).draining) return;
  NoteOf(process).draining = true;
  process.Post([this, &process](core::Replica& replica, core::Now now) {
    Changed();
    subscribers_.TouchHost(process.host.index);
    NoteMissed(process);
    model_.ProcessGone(process.number, world_.now(), !Tainted(process.number));
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
  const bool heard = !Tainted(process.number);
  NoteMissed(process);
  Taint(process);
  Changed();
  ended_at_[process.number] = world_.now();
  for (Process* other : world_.Alive()) NoteHalves(*other);
  keys_.OnGone(process);
  clients_.OnGone(process, heard);
  subscribers_.OnGone(process);
  ExpectDown(process, world_.now());
}

// ---------------------------------------------------------------- every step

void Checks::OnWatch(Process& from, const core::WatchEvent& event) {
  clients_.OnWatch(from, event);
}
void Checks::OnSessionEnded(Process& from, const core::SessionEnded& ended) {
  clients_.OnSessionEnded(from, ended);
}
void Checks::OnReply(Process& from, core::AsyncReply& reply) {
  if (reply.resumed.ok()) NoteMove(from, reply.resumed->info.session);
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
  if (seen_dead.contains(ref) && !WentBack(at, ref)) {
    world_.Fail(absl::StrCat("C2: ", ToString(ref), " returns at ", at.name(),
                             "#", at.number));
  }
  const Model::Made* made = model_.Find(ref);
  if (made->successor.seq != 0 && mirror.entries().contains(made->successor)) {
    world_.Fail(absl::StrCat("C3: ", ToString(ref), " joins beside its update",
                             " at ", at.name()));
  }
}

void Checks::Updated(Process& at, const RefKey& old, const RefKey& ref,
                     const Content& entry) {
  const std::string error = Fresh(ref, entry);
  if (!error.empty()) return world_.Fail(error);
  // Some updates in between may have been skipped.
  if (model_.Updates(ref, old) || WentBack(at, ref)) return;
  if (model_.MayReturn(ref) || MoveUnheard(at, ref)) return;
  world_.Fail(absl::StrCat("C1: ", ToString(ref), " is shown as an update of ",
                           ToString(old), ", and was not made from it",
                           Explained(at, entry)));
}

void Checks::Left(Process& at, const RefKey& ref, std::set<RefKey>& seen_dead) {
  if (MayHide(at, ref)) return;
  if (model_.Dead(ref) && !MoveUnheard(at, ref)) seen_dead.insert(ref);
  if (model_.MustStay(ref)) {
    if (MovedTooSlowly(at, ref) || OutOfReach(at, ref)) return;
    return world_.Fail(absl::StrCat("C4: ", ToString(ref), " left at ",
                                    at.name(), "#", at.number,
                                    ", and the client of session ",
                                    model_.Find(ref)->session, " holds it"));
  }
  if (MissedEnd(at, ref)) return;
  const SimTime earliest = model_.EarliestLeave(ref);
  if (world_.now() + kEarly < earliest && !MovedTooSlowly(at, ref) &&
      !OutOfReach(at, ref) && !MoveLost(ref)) {
    world_.Fail(absl::StrCat("C5: ", ToString(ref), " left at ", at.name(), "#",
                             at.number, " ", earliest - world_.now(),
                             " us before its grace was over"));
  }
}

// C4, whatever the faults. Within one step: what was hidden for a time may come
// back in a later version.
void Checks::Moved(Process& at, const RefKey& ref, bool joined,
                   Moment& moment) {
  if (moment.step != at.steps()) moment = {at.steps(), {}, {}};
  (joined ? moment.joined : moment.left).insert(ref);
  const std::set<RefKey>& others = joined ? moment.left : moment.joined;
  if (others.empty()) return;
  for (const Model::Made* made = model_.Find(ref); made != nullptr;) {
    const RefKey& next = joined ? made->updates : made->successor;
    if (next.seq == 0) return;
    if (others.contains(next)) {
      return world_.Fail(absl::StrCat("C4: ", ToString(joined ? next : ref),
                                      " leaves and its update ",
                                      ToString(joined ? ref : next),
                                      " joins at ", at.name(), "#", at.number));
    }
    made = model_.Find(next);
  }
}

}  // namespace muster::sim
