// What must hold at every step and at quiet points, and the bookkeeping of
// faults that says which rules apply.
//
// At every change that any watcher sees:
//   C1 no entry appears that its owner did not make, with other content;
//   C2 what is gone from every copy, and was seen to leave for that, does not
//      return, nor is an update taken back; unless the node that made it has
//      ended, and an older copy remains, or it ended in the middle of its
//      rebase there, so that nobody has that state whole;
//   C3 an entry and its update are never listed together;
//   C4 what a connected client holds does not leave, nor does an update show
//      as leave and join, unless a fault since the last quiet point can hide
//      it: its node or the watcher's was cut off, frozen or ended; or what its
//      session's move has written took longer to come than its grace (or 3 s);
//      and never does the update in the step of the leave;
//   C5 nothing leaves before its grace is over (same exception), nor is shown
//      6 s after that by a node that runs, whatever else is broken: unless the
//      owner lives out of its reach, or beats or link frames are lost beyond
//      what the detector allows for. Where nothing has been wrong, and no
//      rebase was under way, since 5 s before the disconnect, windows are as by
//      default, the session was nowhere else, and its node hears all streams
//      from their origins, it is not shown half a second and six round trips
//      after its grace; three ticks more, where these are longer than a node's.
// At fixed times after a fault:
//   C6 a dead or frozen node is down for the others 3 s after it was last
//      heard; where nothing else is wrong, 2.7 s, or, if its address refuses,
//      650 ms;
//   C7 one that beats, and is reachable by some path within the 1.5 s that the
//      detector waits, never is; and a node that has just stood still does not
//      even suspect it; not where beats or link frames are lost beyond what the
//      detector allows for.
// At every frame:
//   C14 a stream in the middle of a rebase is served to nobody;
//   C15 a link has one rebase of a stream at a time, its frames are numbered
//      from 1 without a gap, and none has an id used before.
// At every datagram and control frame:
//   C17 no node sends more in a second than a hundred and, as each host may be
//       told of each, twenty for each pair; of frames, beside an ack and a pull
//       for each frame of deltas or of a rebase that it hears.
// Between steps, where no job is left:
//   C8 the mirror of each watcher that keeps up equals its node's list, and
//      they are as many as the node counts;
//   C16 the store's own invariants hold (Replica::Audit), but in a rebase.
// At quiet points (nothing broken, no work), within a bound:
//   C9 every node serves, sees all others alive, no earlier life of one
//      that runs, and lists the same;
//   C10 that is what the model says; counts and other views agree with it;
//   C11 positions and digests of the streams of live nodes are equal;
//   C12 every watcher's mirror equals the list;
//   C13 no stream or member is kept for longer than forgetting takes; after a
//       long silence, no record of a session but those that clients hold.
#ifndef MUSTER_TESTS_SIM_CHECKS_H_
#define MUSTER_TESTS_SIM_CHECKS_H_

#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "tests/sim/clients.h"
#include "tests/sim/key_checks.h"
#include "tests/sim/model.h"
#include "tests/sim/subscribers.h"
#include "tests/sim/world.h"

namespace muster::sim {

// All of a node's list, through its topics, page by page. Fails the world if
// a ref is listed twice.
Model::Entries ListAll(World& world, Process& process);
// What the process knows of an entry's (topic, key), to read beside a failure.
std::string Explained(Process& process, const Content& entry);
// Whether a watch request covers an entry.
bool Covers(const core::WatchRequest& request, const Content& entry);

// How often every process is looked at.
inline constexpr SimTime kSpotEvery = 50 * kMillisecond;
// Clock differences and a step's own granularity.
inline constexpr SimTime kEarly = 30 * kMillisecond;

class Checks : public Observer {
 public:
  Checks(World& world, Model& model, Clients& clients);

  // Starts a process with a watcher that sees everything.
  Process& Start(Host& host, core::Options options);

  // ---- faults, done and noted ----
  void Cut(int a, int b, bool reset);
  void CutOneWay(int from, int to);
  void Mend(int a, int b);
  void Freeze(Process& process);
  void Thaw(Process& process);
  void Kill(Process& process);
  void PowerOff(Process& process);
  void BreakLinks(int a, int b);
  // A path, or it was cut, and what was sent had to wait: links remember it,
  // those that are idle for ever.
  void Slowed() { slowed_ = true; }
  // For what is done to the network itself.
  void Disturbed() { disturbed_at_.insert(world_.now()); }
  // What each step costs; 0: not slow.
  void Slow(Process& process, SimTime step_cost);
  void Drain(Process& process);
  bool Draining(const Process& process) { return NoteOf(process).draining; }
  // Whoever subscribes and publishes; rules P1 to P10.
  Subscribers& subscribers() { return subscribers_; }
  // Whoever uses the keyspace; rules K1 to K11.
  KeyChecks& keys() { return keys_; }
  // Beats may be late or lost beyond what the detector allows for.
  void set_lossy(bool lossy) { lossy_ = lossy; }
  // Links lose frames and do not break: nobody can be sure who was asked.
  void set_hostile(bool hostile) { hostile_ = hostile; }

  // ---- quiet points ----
  // Why the cluster is not quiet and equal, or empty.
  std::string NotQuiet();
  // Fails the world if it does not get there within `limit`.
  bool BecomeQuiet(SimTime limit);
  // After a silence longer than records are kept, in which no client called:
  // fails the world if any is left.
  void CheckNothingKept();
  // C4 and C5 apply again to all that live.
  void ClearTaint();
  SimTime slowest_quiet = 0;  // Of all calls of BecomeQuiet.

  // ---- Observer ----
  void OnWatch(Process& from, const core::WatchEvent& event) override;
  void OnSessionEnded(Process& from, const core::SessionEnded& ended) override;
  void OnReply(Process& from, core::AsyncReply& reply) override;
  void OnEvicted(Process& from, const core::EntryEvicted& evicted) override {
    clients_.OnEvicted(from, evicted);
  }
  void OnOrder(Process& from, const core::OrderDone& order) override {
    clients_.OnOrder(from, order);
  }
  void OnHeld(Process& from, const core::SubscribeHeld& held) override {
    subscribers_.OnHeld(from, held);
  }
  void OnMessages(Process& from,
                  const core::MessageDelivery& delivery) override {
    subscribers_.OnMessages(from, delivery);
  }
  void OnStepped(Process& process) override { keys_.OnStepped(process); }
  void OnKvAnswer(Process& from, const core::KvAnswer& answer) override {
    keys_.OnAnswer(from, answer);
  }
  void OnLog(Process& from, const core::LogLine& line) override;
  void OnMembersChanged(Process& from) override;
  void OnFrame(Process& from, const core::SendFrame& send) override;
  void OnExit(Process& process, const absl::Status& status) override;

  // ---- for Mirror::Listener ----
  void Joined(Process& at, const Mirror& mirror, const RefKey& ref,
              const Content& entry, std::set<RefKey>& seen_dead);
  void Updated(Process& at, const RefKey& old, const RefKey& ref,
               const Content& entry);
  void Left(Process& at, const RefKey& ref, std::set<RefKey>& seen_dead);
  // What joined and left in one step.
  struct Moment {
    uint64_t step = 0;
    std::set<RefKey> joined;
    std::set<RefKey> left;
  };
  void Moved(Process& at, const RefKey& ref, bool joined, Moment& moment);

  // Whether two hosts' processes can hear each other by any path that has
  // stood for `since`, of others that have run as long, and that takes less
  // than a second.
  bool Reachable(int from, int to, SimTime since);
  // The state in which `from` sees the life of `of`; kDown if not at all.
  core::MemberState StateOf(Process& from, const Process& of);

 private:
  struct Note {
    SimTime frozen_at = 0;
    SimTime thawed_at = 0;
    SimTime stalled_at = 0;  // Thawed after a stall that it can notice.
    SimTime slow_until = 0;
    SimTime met_at = 0;                // Until then it saw nobody else alive.
    uint64_t spots = 0;                // Spot checks so far.
    std::set<crdt::LifeId> at_freeze;  // That it saw alive when it last froze.
    // The lives it knew (in any state; since when), saw alive and suspected
    // when its members last changed.
    std::map<crdt::LifeId, SimTime> known;
    std::set<crdt::LifeId> living;
    std::set<crdt::LifeId> suspect;
    bool draining = false;
    bool killed = false;
  };
  Note& NoteOf(const Process& process) { return notes_[process.number]; }
  void Changed() {
    changed_at_ = world_.now();
    Disturbed();
  }
  void Taint(const Process& process) { tainted_.insert(process.number); }
  void TaintHost(int host);
  bool Tainted(int number) const;
  void NoteMissed(const Process& ended);
  bool MissedEnd(const Process& at, const RefKey& ref) const;
  // The streams that the process has in half.
  void NoteHalves(Process& at);
  // What the node had of such a life was neither one state nor a later one, and
  // it has gone back to what others have whole.
  bool WentBack(const Process& at, const RefKey& ref) const;
  bool MayHide(const Process& at, const RefKey& ref) const;
  // A session moves on: who had not heard yet where it was.
  void NoteMove(Process& to, const crdt::SessionId& id);
  // In the stream of `owner`; none in a rebase of it.
  static crdt::Seq PositionOf(Process& at, const Process& owner);
  // It had half of the stream of `owner` when that was last looked at: a rebase
  // may have ended in the steps between what it hides and its saying so.
  bool WasInRebase(const Process& at, const Process& owner) const;
  bool MovedTooSlowly(Process& at, const RefKey& ref);
  // Of a copy of its session it has not heard, and hides it for an earlier one.
  bool MoveUnheard(Process& at, const RefKey& ref);
  // Its session moved to a node that has ended, and that is known to nobody.
  bool MoveLost(const RefKey& ref);
  // A life has ended, and nobody has heard this of it.
  bool IsLost(int process, crdt::Seq seq);
  // If it stays dead or frozen, and nothing of it is heard after `since`.
  void ExpectDown(Process& process, SimTime since);
  void ExpectDownBy(Process& process, SimTime since, SimTime bound);
  void CheckNotLiving(Process& at, Process& of, SimTime since, SimTime bound);
  // One thing at most was done to nodes and network in the last seconds, and
  // what may last of older ones is mended.
  bool IsUndisturbed();
  // Whoever lives, or a path, at any time: refusals wait for what links took.
  bool WasSlow();
  SimTime LongestRoundTrip();
  void CheckLater(Process& from, Process& of);
  void CheckDown(Process& from, Process& of, bool was_living);
  void CheckSuspect(Process& from, Process& of);
  // Of a process that has held the session of the entry, at any time lately.
  bool OutOfReach(Process& at, const RefKey& ref);
  // In whatever state, what runs on two hosts.
  bool KnowsBoth(Process& process, int a, int b);
  // Since when it has run without a pause.
  SimTime SteadySince(const Process& process);
  void SpotCheck(Process& process);
  void CheckWhole(Process& process, const Watcher& audit);
  void CheckNumber(const Process& from, core::LinkId link,
                   const core::RebaseFrame& frame);
  void CheckOverdue(Process& at, const Model::Entries& shown);
  bool MayBeLate(Process& at, int owner, SimTime since, SimTime late);
  // How long after its grace nobody may show the entry any more.
  bool HearsAllDirectly(Process& process);
  SimTime LatestAfterGrace(const Model::Session& session, SimTime since);
  // Nothing was done to nodes and network since so long ago, and both are well.
  bool IsCalmSince(SimTime since);
  std::string Fresh(const RefKey& ref, const Content& entry) const;
  std::string NotQuietOf(Process& process, const Model::Expected& expected,
                         const Model::Entries& list);
  std::string ViewsDiffer(Process& process, const Model::Entries& list);
  std::string MembersDiffer(Process& process);
  std::string StreamsDiffer();
  std::string KeptTooLong(Process& process);
  std::string CountsDiffer(const Watcher& watcher, const Model::Entries& list);
  std::string WatcherDiffers(const Watcher& watcher,
                             const Model::Entries& list);
  std::string WatchersDiffer(const std::map<int, Model::Entries>& lists);

  World& world_;
  Model& model_;
  Clients& clients_;
  Subscribers subscribers_;
  KeyChecks keys_;
  std::map<int, Note> notes_;
  std::map<int, SimTime> ended_at_;
  std::set<int> tainted_;
  // Of names that have had a later life since: tainted are all before it.
  std::map<std::string, int> superseded_;
  std::map<std::string, int> lives_;  // Of each name, ever.
  // Since when the way between two hosts, the lower first, is open both ways;
  // none: since the start.
  std::map<std::pair<int, int>, SimTime> open_since_;
  bool lossy_ = false;
  bool hostile_ = false;
  // (process, life): in the middle of its rebase when that life had ended or
  // was down for the process; since the last quiet point.
  std::set<std::pair<int, int>> halves_;
  // (process, life): when it was last seen in the middle of its rebase.
  std::map<std::pair<int, int>, SimTime> in_rebase_;
  // (process, life): cut off or standing still when that life ended, so that it
  // may have heard it last long before.
  std::set<std::pair<int, int>> missed_;
  // (process, session of the model): where the stream of the process stood when
  // the session had moved to it; since the last quiet point.
  std::map<std::pair<int, int>, crdt::Seq> moved_to_;
  // (process, session): since when it was at another one, which it left again
  // before that was heard here.
  std::map<std::pair<int, int>, SimTime> unheard_;
  // Of each (process, link, stream): the rebase id and number sent last.
  std::map<std::tuple<int, core::LinkId, crdt::StreamId>,
           std::pair<uint64_t, uint64_t>>
      rebases_;
  SimTime changed_at_ = 0;
  SimTime rebased_at_ = 0;               // The last frame of a rebase was sent.
  std::multiset<SimTime> disturbed_at_;  // In the last seconds.
  bool slowed_ = false;
};

}  // namespace muster::sim

#endif  // MUSTER_TESTS_SIM_CHECKS_H_
