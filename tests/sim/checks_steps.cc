// What must hold at every frame, and between steps: C5's upper bound, C8, C14,
// C15 and C16.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "tests/sim/checks.h"
#include "tests/sim/network.h"

namespace muster::sim {
namespace {

constexpr uint64_t kOverdueEvery = 4;  // Of the spot checks,
constexpr size_t kFew = 1000;          // where so many are shown at most.
// Where nothing is wrong: after a grace, beside six round trips. Where streams
// are written to, a beat of each node is waited for.
constexpr SimTime kSoon = 500 * kMillisecond;
constexpr SimTime kNodesTick = 10 * kMillisecond;
// So long links need after a fault, to be there and in use again.
constexpr SimTime kCalmBefore = 5 * kSecond;

}  // namespace

// C15
void Checks::CheckNumber(const Process& from, core::LinkId link,
                         const core::RebaseFrame& frame) {
  auto [last, first] = rebases_.try_emplace({from.number, link, frame.stream});
  auto& [id, number] = last->second;
  const bool next = frame.rebase_id == id && frame.number == number + 1;
  // A pull that arrives twice is answered twice.
  const bool begun = frame.number == 1 && (frame.rebase_id > id || hostile_);
  if (!next && !begun) {
    world_.Fail(absl::StrCat("C15: ", from.name(), "#", from.number,
                             " sends frame ", frame.number, " of rebase ",
                             frame.rebase_id, " after ", number, " of ", id));
  }
  last->second = {frame.rebase_id, frame.number};
}

// C14
void Checks::OnFrame(Process& from, const core::SendFrame& send) {
  subscribers_.OnFrame(from, send.frame);
  keys_.OnFrame(from, send.frame);
  const auto* delta = std::get_if<core::DeltaFrame>(&send.frame.body);
  const auto* rebase = std::get_if<core::RebaseFrame>(&send.frame.body);
  if (delta == nullptr && rebase == nullptr) return;
  if (rebase != nullptr) {
    rebased_at_ = world_.now();
    CheckNumber(from, send.link, *rebase);
  }
  const crdt::StreamId& id = delta != nullptr ? delta->stream : rebase->stream;
  if (id.life == from.life) return;
  for (const core::StreamView& s : from.replica().Status(from.Now()).streams) {
    if (s.origin.life != id.life || s.kind != id.kind || !s.rebasing) continue;
    world_.Fail(absl::StrCat("C14: ", from.name(), "#", from.number,
                             " serves the stream of ", s.origin.node,
                             " in the middle of its rebase"));
  }
}

// Deadlines of one that stood still have moved; and of one that lives, but out
// of reach, the node may have heard late, and may still hear beats. What the
// dead had sent into a cut may come so long after they were gone.
bool Checks::MayBeLate(Process& at, int owner, SimTime since, SimTime late) {
  Process& of = *world_.processes()[static_cast<size_t>(owner)];
  if (!of.alive() && late <= world_.network().LastHeard(of) - since)
    return true;
  if (SteadySince(of) > since) return true;
  return of.alive() &&
         !Reachable(at.host.index, of.host.index, world_.now() - since);
}

bool Checks::IsCalmSince(SimTime since) {
  // In the middle of a rebase a stream is not here as far as it goes: in a
  // burst that is longer than the log, one follows the other (seed 46 of plan
  // 1).
  if (changed_at_ >= since || rebased_at_ >= since) return false;
  if (!disturbed_at_.empty() && *disturbed_at_.rbegin() >= since) return false;
  for (const Process* process : world_.Alive()) {
    if (SteadySince(*process) >= since) return false;
    // In a burst, streams are behind for as long as a small window makes it.
    if (process->options.replication.window_bytes <
        core::ReplicationOptions().window_bytes) {
      return false;
    }
  }
  const auto& hosts = world_.hosts();
  return std::all_of(hosts.begin(), hosts.end(), [&](const auto& a) {
    return std::all_of(hosts.begin(), hosts.end(), [&](const auto& b) {
      const Path& path = world_.network().path(a->index, b->index);
      return a == b || (!path.cut && path.bytes_per_second == 0 &&
                        path.segment_loss_ppm == 0 &&
                        path.datagram_loss_ppm == 0 && path.tail_ppm == 0);
    });
  });
}

// Whether all that is shown there comes from its origins. A relay does not say
// what it has yet to hear, so the delay has its ceiling (seed 479 of plan 1).
bool Checks::HearsAllDirectly(Process& process) {
  if (!process.alive()) return false;
  for (const core::StreamView& s :
       process.replica().Status(process.Now()).streams) {
    if (s.kind != crdt::StreamKind::kPresence) continue;
    const bool own = s.origin.life == process.life;
    if (!own && !s.hidden && s.source != s.origin.node) return false;
  }
  return true;
}

SimTime Checks::LatestAfterGrace(const Model::Session& session, SimTime since) {
  if (session.processes.size() != 1 || !IsCalmSince(since - kCalmBefore)) {
    return Model::kLate;
  }
  const auto owner = static_cast<size_t>(*session.processes.begin());
  if (!HearsAllDirectly(*world_.processes()[owner])) return Model::kLate;
  // A node asks, beats and looks at its answers at its ticks, which in long
  // seeds are ten times as far apart (seed 479 of plan 1).
  SimTime ticks = 0;
  for (const Process* process : world_.Alive()) {
    ticks = std::max(ticks, process->tick_period - kNodesTick);
  }
  return std::min<SimTime>(Model::kLate,
                           kSoon + 6 * LongestRoundTrip() + 3 * ticks);
}

// C5
void Checks::CheckOverdue(Process& at, const Model::Entries& shown) {
  if (lossy_ || hostile_) return;
  for (const auto& [ref, content] : shown) {
    Model::Latest latest = model_.LatestLeave(ref);
    if (world_.now() <= latest.leave - Model::kLate) continue;
    const Model::Made* made = model_.Find(ref);
    const Model::Session& session = model_.session(made->session);
    latest.leave +=
        LatestAfterGrace(session, latest.disconnected) - Model::kLate;
    if (world_.now() <= latest.leave) continue;
    const std::set<int>& owners = session.processes;
    if (std::max(SteadySince(at), NoteOf(at).met_at) > latest.disconnected ||
        std::any_of(owners.begin(), owners.end(), [&](int owner) {
          return MayBeLate(at, owner, latest.disconnected,
                           world_.now() - latest.leave);
        })) {
      continue;
    }
    return world_.Fail(
        absl::StrCat("C5: ", ToString(ref), " is shown by ", at.name(), "#",
                     at.number, " ", world_.now() - latest.leave,
                     " us after the last moment", Explained(at, content)));
  }
}

// C8
void Checks::SpotCheck(Process& process) {
  world_.After(kSpotEvery, [this, &process] {
    if (!process.alive()) return;
    SpotCheck(process);
    // What an ended life has sent may still begin one.
    NoteHalves(process);
    if (process.frozen() || !process.idle()) return;
    const Watcher* audit = clients_.Audit(process);
    if (audit == nullptr || !audit->mirror.complete()) return;
    // It may lag: a fresh state comes once all is written.
    if (audit->may_lag) return;
    const size_t seen = audit->mirror.entries().size();
    if (++NoteOf(process).spots % kOverdueEvery == 0 && seen <= kFew) {
      CheckOverdue(process, audit->mirror.entries());
    }
    const size_t counted = process.replica().Count().entries;
    if (seen != counted) {
      return world_.Fail(absl::StrCat("C8: a watcher at ", process.name(), "#",
                                      process.number, " sees ", seen,
                                      " entries; the node counts ", counted));
    }
    if (seen <= kFew && world_.rng().OneIn(8)) CheckWhole(process, *audit);
  });
}

// C8, C16
void Checks::CheckWhole(Process& process, const Watcher& audit) {
  const Model::Entries list = ListAll(world_, process);
  if (list != audit.mirror.entries()) {
    world_.Fail(absl::StrCat("C8: a watcher at ", process.name(), "#",
                             process.number,
                             " sees other entries than it lists"));
  }
  for (const auto& watcher : clients_.watchers()) {
    if (watcher->at != &process || watcher->request.counts_only ||
        watcher->lagging || !watcher->begun || !watcher->mirror.complete() ||
        watcher->unwritten > 0) {
      continue;
    }
    const std::string wrong = WatcherDiffers(*watcher, list);
    if (!wrong.empty()) world_.Fail(wrong);
  }
  // In the middle of a rebase the seqs of a stream need not ascend.
  const core::StatusView status = process.replica().Status(process.Now());
  if (std::any_of(status.streams.begin(), status.streams.end(),
                  [](const core::StreamView& s) { return s.rebasing; })) {
    return;
  }
  const std::string fault = process.replica().Audit();
  if (!fault.empty()) {
    world_.Fail(absl::StrCat("C16: ", process.name(), "#", process.number, ": ",
                             fault));
  }
}

}  // namespace muster::sim
