// What makes a node right that shows what it otherwise must not: ends, moves
// and lives that it cannot have heard of.
#include <algorithm>
#include <set>

#include "tests/sim/checks.h"
#include "tests/sim/network.h"

namespace muster::sim {
namespace {

constexpr SimTime kKeptAtLeast = 3 * kSecond;

}  // namespace

void Checks::NoteMove(Process& to, const crdt::SessionId& id) {
  const int session = clients_.NumberOf(id);
  if (session < 0) return;
  for (const auto& [process, copy] : model_.session(session).copies) {
    const auto moved = moved_to_.find({process, session});
    if (moved == moved_to_.end()) continue;
    const Process& owner = *world_.processes()[static_cast<size_t>(process)];
    for (Process* at : world_.Alive()) {
      if (moved->second <= PositionOf(*at, owner)) continue;
      auto [known, fresh] =
          unheard_.try_emplace({at->number, session}, copy.since);
      known->second = std::min(known->second, copy.since);
    }
  }
  moved_to_[{to.number, session}] = PositionOf(to, to);
}

crdt::Seq Checks::PositionOf(Process& at, const Process& owner) {
  for (const core::StreamView& s : at.replica().Status(at.Now()).streams) {
    if (s.kind != crdt::StreamKind::kPresence) continue;
    if (s.origin.life == owner.life && !s.rebasing) return s.seq;
  }
  return {};
}

bool Checks::Tainted(int number) const {
  if (tainted_.contains(number)) return true;
  const Process& process = *world_.processes()[static_cast<size_t>(number)];
  const auto later = superseded_.find(process.name());
  return later != superseded_.end() && number < later->second;
}

void Checks::NoteMissed(const Process& ended) {
  for (Process* process : world_.Alive()) {
    if (Tainted(process->number)) {
      missed_.insert({process->number, ended.number});
    }
  }
}

bool Checks::MissedEnd(const Process& at, const RefKey& ref) const {
  const Model::Made* made = model_.Find(ref);
  const std::set<int>& owners = model_.session(made->session).processes;
  return std::any_of(owners.begin(), owners.end(), [&](int owner) {
    if (missed_.contains({at.number, owner})) return true;
    // One that has begun since has it from others, with their ages.
    const auto ended = ended_at_.find(owner);
    return ended != ended_at_.end() && at.started > ended->second &&
           std::any_of(missed_.begin(), missed_.end(), [&](const auto& missed) {
             return missed.second == owner;
           });
  });
}

void Checks::NoteHalves(Process& at) {
  for (const core::StreamView& s : at.replica().Status(at.Now()).streams) {
    if (!s.rebasing || s.kind != crdt::StreamKind::kPresence) continue;
    for (const auto& of : world_.processes()) {
      if (of->life != s.origin.life) continue;
      in_rebase_[{at.number, of->number}] = world_.now();
      if (ended_at_.contains(of->number) ||
          StateOf(at, *of) == core::MemberState::kDown) {
        halves_.insert({at.number, of->number});
      }
    }
  }
}

bool Checks::WentBack(const Process& at, const RefKey& ref) const {
  const Model::Made* made = model_.Find(ref);
  if (made == nullptr) return false;
  const std::set<int>& owners = model_.session(made->session).processes;
  return std::any_of(owners.begin(), owners.end(), [&](int owner) {
    return halves_.contains({at.number, owner});
  });
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

bool Checks::WasInRebase(const Process& at, const Process& owner) const {
  const auto last = in_rebase_.find({at.number, owner.number});
  return last != in_rebase_.end() && last->second + kSpotEvery >= world_.now();
}

// What a session held elsewhere is kept until the copy that takes over is
// there, and no longer than its grace, or 3 s; also if it moves on meanwhile.
// Where it was held by heartbeats, it is until these are missed.
bool Checks::MovedTooSlowly(Process& at, const RefKey& ref) {
  const Model::Session& session = model_.session(model_.Find(ref)->session);
  SimTime kept = std::max<SimTime>(session.grace, kKeptAtLeast);
  const SimTime ttl = clients_.TimeToLive(model_.Find(ref)->session);
  if (ttl > 0) kept = std::min(kept, ttl - ttl / 3 + session.grace);
  SimTime opened = world_.now();
  for (const auto& [process, copy] : session.copies) {
    opened = std::min(opened, copy.since);
  }
  const auto unheard = unheard_.find({at.number, model_.Find(ref)->session});
  const auto slow = [&](const Model::Copy& copy) {
    Process& owner = *world_.processes()[static_cast<size_t>(copy.process)];
    const SimTime since = unheard == unheard_.end()
                              ? copy.since
                              : std::min(copy.since, unheard->second);
    return copy.since != opened && since + kept <= world_.now() + kEarly &&
           owner.alive() &&
           (WasInRebase(at, owner) ||
            PositionOf(at, owner) < PositionOf(owner, owner));
  };
  return std::any_of(session.copies.begin(), session.copies.end(),
                     [&](const auto& copy) { return slow(copy.second); });
}

bool Checks::MoveUnheard(Process& at, const RefKey& ref) {
  const int session = model_.Find(ref)->session;
  const auto& copies = model_.session(session).copies;
  return std::any_of(copies.begin(), copies.end(), [&](const auto& copy) {
    const auto moved = moved_to_.find({copy.first, session});
    const Process& to = *world_.processes()[static_cast<size_t>(copy.first)];
    return moved != moved_to_.end() && moved->second > PositionOf(at, to);
  });
}

bool Checks::MoveLost(const RefKey& ref) {
  const int session = model_.Find(ref)->session;
  const auto& copies = model_.session(session).copies;
  return std::any_of(copies.begin(), copies.end(), [&](const auto& copy) {
    const auto moved = moved_to_.find({copy.first, session});
    return moved != moved_to_.end() && IsLost(copy.first, moved->second);
  });
}

bool Checks::IsLost(int process, crdt::Seq seq) {
  if (!ended_at_.contains(process)) return false;
  const Process& owner = *world_.processes()[static_cast<size_t>(process)];
  const auto alive = world_.Alive();
  return std::none_of(alive.begin(), alive.end(), [&](Process* other) {
    return PositionOf(*other, owner) >= seq;
  });
}

}  // namespace muster::sim
