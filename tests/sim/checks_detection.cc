// Who must be down and who must not: C6 and C7.
#include <algorithm>
#include <deque>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/sim/checks.h"
#include "tests/sim/network.h"

namespace muster::sim {
namespace {

// After death or freezing: silence, confirmation, and a tick each.
constexpr SimTime kDownBound = 3 * kSecond;
// The same where nothing else is wrong; and where the address of the dead
// refuses: 350 ms for others to object, 300 for what asks them, and two round
// trips: that of the ask, and that of the slowest link of who is asked.
constexpr SimTime kUndisturbedBound = 2700 * kMillisecond;
constexpr SimTime kRefusedBound = 650 * kMillisecond;
// So long a link remembers how late its peer has answered, and a little more.
constexpr SimTime kLinkMemory = 20 * kSecond;
// How long a topology must have stood for C7 to apply.
constexpr SimTime kSettled = 5 * kSecond;
constexpr SimTime kFirstBeats = kSecond;
// A way that takes longer than the shortest silence that is suspected is none.
constexpr SimTime kLongestWay = kSecond;
// So long a node that stood still is new to what it sees.
constexpr SimTime kAfterThaw = 300 * kMillisecond;

}  // namespace

core::MemberState Checks::StateOf(Process& from, const Process& of) {
  for (const core::MemberView& member : from.replica().Members(from.Now())) {
    if (member.origin.life == of.life) return member.state;
  }
  return core::MemberState::kDown;
}

SimTime Checks::LongestRoundTrip() {
  SimTime longest = 0;
  for (const auto& a : world_.hosts()) {
    for (const auto& b : world_.hosts()) {
      const Path& path = world_.network().path(a->index, b->index);
      longest = std::max(longest, 2 * (path.latency + path.jitter));
    }
  }
  return longest;
}

// C6
void Checks::ExpectDown(Process& process, SimTime since) {
  const bool refuses = !process.alive() && process.host.powered;
  ExpectDownBy(
      process, since,
      refuses ? kRefusedBound + 2 * LongestRoundTrip() : kUndisturbedBound);
  ExpectDownBy(process, since, kDownBound);
}

void Checks::ExpectDownBy(Process& process, SimTime since, SimTime bound) {
  world_.At(since + bound, [this, &process, since, bound] {
    // What ended after a thaw has its own bound.
    if (NoteOf(process).thawed_at >= since) return;
    if (process.alive() && !process.frozen()) return;
    const SimTime heard = world_.network().LastHeard(process);
    if (heard > since) return ExpectDownBy(process, heard, bound);
    if (bound < kDownBound && !IsUndisturbed()) return;
    if (bound < kUndisturbedBound && WasSlow()) return;
    for (Process* other : world_.Alive()) {
      if (other != &process) CheckNotLiving(*other, process, since, bound);
    }
  });
}

bool Checks::IsUndisturbed() {
  if (lossy_ || hostile_) return false;
  std::erase_if(disturbed_at_, [this](SimTime at) {
    return at < world_.now() - kSettled - kUndisturbedBound;
  });
  if (disturbed_at_.size() > 1) return false;
  for (const Process* process : world_.Alive()) {
    const Note& note = NoteOf(*process);
    const SimTime slow = std::max(note.thawed_at, note.slow_until);
    if (process->step_cost > 0) return false;
    if (slow > 0 && world_.now() - slow < kLinkMemory) return false;
  }
  const auto& hosts = world_.hosts();
  return std::all_of(hosts.begin(), hosts.end(), [&](const auto& a) {
    return std::all_of(hosts.begin(), hosts.end(), [&](const auto& b) {
      const Path& path = world_.network().path(a->index, b->index);
      return a == b || (!path.cut && path.bytes_per_second == 0 &&
                        path.segment_loss_ppm == 0);
    });
  });
}

bool Checks::WasSlow() {
  const auto alive = world_.Alive();
  return slowed_ || std::any_of(alive.begin(), alive.end(), [&](Process* p) {
           const Note& note = NoteOf(*p);
           return p->frozen() || std::max(note.thawed_at, note.slow_until) > 0;
         });
}

void Checks::CheckNotLiving(Process& at, Process& of, SimTime since,
                            SimTime bound) {
  const Note& note = NoteOf(at);
  const bool stalled =
      at.frozen() || at.step_cost > 0 ||
      std::max(note.thawed_at, note.slow_until) > since - kSettled;
  if (stalled || at.started > since) return;
  const core::MemberState state = StateOf(at, of);
  if (state == core::MemberState::kDown || state == core::MemberState::kLeft) {
    return;
  }
  world_.Fail(absl::StrCat("C6: ", of.name(), "#", of.number,
                           " was last heard ", bound / kMillisecond,
                           " ms ago, and is state ", static_cast<int>(state),
                           " for ", at.name(), "#", at.number));
}

SimTime Checks::SteadySince(const Process& process) {
  if (process.frozen() || process.step_cost > 0) return world_.now();
  const Note& note = NoteOf(process);
  return std::max({process.started, note.thawed_at, note.slow_until});
}

bool Checks::KnowsBoth(Process& process, int a, int b) {
  const auto members = process.replica().Members(process.Now());
  const auto knows = [&](int host) {
    const Process* other = world_.hosts()[static_cast<size_t>(host)]->process;
    return other == nullptr ||
           std::any_of(members.begin(), members.end(),
                       [&](const core::MemberView& member) {
                         return member.origin.life == other->life;
                       });
  };
  return knows(a) && knows(b);
}

bool Checks::Reachable(int from, int to, SimTime since) {
  Network& network = world_.network();
  const SimTime by = world_.now() - since;
  std::map<int, SimTime> way = {{from, 0}};  // What the network takes at most.
  std::deque<int> next = {from};
  while (!next.empty()) {
    const int at = next.front();
    next.pop_front();
    for (auto& host : world_.hosts()) {
      const int other = host->index;
      if (other == from || host->process == nullptr) continue;
      if (SteadySince(*host->process) > by) continue;
      if (!network.Open(at, other) || !network.Open(other, at)) continue;
      // One that serves alone, as nobody has answered it, is no way.
      if (other != to && !KnowsBoth(*host->process, from, to)) continue;
      auto open = open_since_.find(std::minmax(at, other));
      if (open != open_since_.end() && open->second > by) continue;
      const Path& path = network.path(other, at);
      const SimTime takes = way[at] + path.latency + path.jitter;
      if (takes > kLongestWay) continue;
      auto [known, first] = way.try_emplace(other, takes);
      if (!first && known->second <= takes) continue;
      known->second = takes;
      next.push_back(other);
    }
  }
  return way.contains(to);
}

bool Checks::OutOfReach(Process& at, const RefKey& ref) {
  const std::set<int>& owners =
      model_.session(model_.Find(ref)->session).processes;
  return std::any_of(owners.begin(), owners.end(), [&](int owner) {
    Process& of = *world_.processes()[static_cast<size_t>(owner)];
    return of.alive() && &of != &at &&
           !Reachable(at.host.index, of.host.index, kSettled);
  });
}

// C7
void Checks::OnMembersChanged(Process& from) {
  std::set<crdt::LifeId> living;
  std::set<crdt::LifeId> suspect;
  std::set<crdt::LifeId> down;
  for (const core::MemberView& member : from.replica().Members(from.Now())) {
    const bool is_down = member.state == core::MemberState::kDown ||
                         member.state == core::MemberState::kLeft;
    const bool is_suspect = member.state == core::MemberState::kSuspect;
    (is_down ? down : is_suspect ? suspect : living).insert(member.origin.life);
  }
  Note& note = NoteOf(from);
  std::map<crdt::LifeId, SimTime> known;
  for (const auto* lives : {&down, &living, &suspect}) {
    for (const crdt::LifeId life : *lives) {
      const auto since = note.known.find(life);
      known[life] = since == note.known.end() ? world_.now() : since->second;
    }
  }
  const auto knew = std::exchange(note.known, std::move(known));
  const std::set<crdt::LifeId> alive =
      std::exchange(note.living, std::move(living));
  const std::set<crdt::LifeId> suspected =
      std::exchange(note.suspect, std::move(suspect));
  const auto alone = [&from](const std::set<crdt::LifeId>& lives) {
    return lives.size() <= (lives.contains(from.life) ? 1 : 0);
  };
  if (alone(alive) && !alone(note.living)) note.met_at = world_.now();
  if (!down.empty()) NoteHalves(from);
  for (auto& host : world_.hosts()) {
    Process* process = host->process;
    if (process == nullptr || process == &from) continue;
    const crdt::LifeId life = process->life;
    const bool was_alive = alive.contains(life);
    if (was_alive && note.suspect.contains(life)) CheckSuspect(from, *process);
    if (!down.contains(life)) continue;
    const bool was_living = was_alive || suspected.contains(life);
    const auto since = knew.find(life);
    if (since == knew.end()) {
      CheckLater(from, *process);
    } else if (was_living || world_.now() - since->second >= kFirstBeats) {
      CheckDown(from, *process, was_living);
    }
  }
}

// One that it has just learnt of is down until its first beat is there.
void Checks::CheckLater(Process& from, Process& of) {
  world_.After(kFirstBeats, [this, &from, &of] {
    if (!from.running() || !of.alive()) return;
    const Note& note = NoteOf(from);
    const bool is_down = note.known.contains(of.life) &&
                         !note.living.contains(of.life) &&
                         !note.suspect.contains(of.life);
    if (is_down) CheckDown(from, of, false);
  });
}

void Checks::CheckSuspect(Process& from, Process& of) {
  // Of one that it learns of now, what it is told may be old.
  if (!NoteOf(from).at_freeze.contains(of.life)) return;
  const SimTime thawed = NoteOf(from).stalled_at;
  if (lossy_ || hostile_ || thawed == 0 || world_.now() - thawed > kAfterThaw)
    return;
  if (NoteOf(of).draining || from.step_cost > 0) return;
  if (!Reachable(from.host.index, of.host.index, kSettled)) return;
  world_.Fail(absl::StrCat("C7: ", of.name(), "#", of.number,
                           " beats and can be reached, and is suspect for ",
                           from.name(), "#", from.number,
                           ", which has just stood still itself"));
}

// It has to be wrong at once only if it is news, and the way has stood long.
void Checks::CheckDown(Process& from, Process& of, bool was_living) {
  const bool settled = world_.now() - changed_at_ >= kSettled;
  if (lossy_ || hostile_ || (!settled && !was_living)) return;
  if (NoteOf(of).draining || from.step_cost > 0) return;
  if (world_.now() - from.started < kSettled) return;
  if (!Reachable(from.host.index, of.host.index, kSettled)) return;
  world_.Fail(absl::StrCat("C7: ", of.name(), "#", of.number,
                           " beats and can be reached, and is down for ",
                           from.name(), "#", from.number));
}

}  // namespace muster::sim
