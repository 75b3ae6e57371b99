// The keyspace under every fault: what its nodes hold after each step, when all
// is quiet, and in a part of the cluster that stays whole.
//
// Beside the rules of KeyspaceModel and KeyClients:
//   K7 a message does not overtake a write that was acknowledged at its
//      publisher's node, but after 2 s, or at a node that catches up;
//   K8 a leader is there, one, and all follow it, within a bound after the last
//      fault, and in a part that is whole though others are cut off, one way
//      too; then no call fails there; when all is quiet positions, contexts and
//      digests are equal, and nothing is left to settle;
//   K9 a key that is due is removed only while every member answers; where
//      nothing is wrong it is there until it is due, and no longer;
//   K10 in a part that stays whole, writes, answers without ops and reads at
//   the
//      leader are linearizable key by key; other reads do not go back on a
//      node, and see what was acknowledged there;
//   K11 in the end no call waits, and no version is left of keys that are gone.
#ifndef MUSTER_TESTS_SIM_KEY_CHECKS_H_
#define MUSTER_TESTS_SIM_KEY_CHECKS_H_

#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "crdt/keyspace/op.h"
#include "tests/sim/key_clients.h"
#include "tests/sim/key_deadlines.h"
#include "tests/sim/keyspace_model.h"
#include "tests/sim/pubsub_model.h"
#include "tests/sim/world.h"

namespace muster::sim {

class KeyChecks {
 public:
  explicit KeyChecks(World& world);

  KeyClients& clients() { return clients_; }
  const KeyspaceModel& model() const { return model_; }

  // Nothing is looked at unless it is on: plans without a keyspace.
  void set_on(bool on);
  bool on() const { return on_; }
  // Frames are lost on links that do not break, or beats are late: when a
  // leader is there is not promised.
  void set_lossy(bool lossy) { lossy_ = lossy; }
  // Whether nothing has been wrong anywhere for long enough.
  void set_calm(std::function<bool()> calm) { calm_ = std::move(calm); }
  // One way of the slowest path.
  void set_slowest(SimTime slowest);

  // ---- what processes do and say ----
  void OnStepped(Process& process);
  // What a leader sends tells what it has executed.
  void OnFrame(const Process& from, const core::Frame& frame);
  void OnAnswer(Process& from, const core::KvAnswer& answer) {
    if (on_) clients_.OnAnswer(from, answer);
  }
  void OnGone(Process& process);
  void OnPublished(const Process& at, const PubSubModel::Message& message);
  void OnGiven(Process& at, const PubSubModel::Message& message);

  // ---- quiet points ----
  std::string NotQuiet();
  // When all is quiet: K1 to K4 and K6 in full.
  void Settled();
  // Serves whoever waits, removes every key, and looks at what is left.
  void CheckNothingKept();

  // ---- a part that is whole ----
  // Those that take part in the keyspace.
  std::vector<Process*> Members();
  // Why they do not all follow one leader among them, or "".
  std::string NotLed(const std::vector<Process*>& part);
  // K8: fails the world unless they do within `limit`.
  bool AwaitLeader(const std::vector<Process*>& part, SimTime limit);
  // From now on what is done at them is judged, until EndWhole. False: they are
  // not led.
  bool BeginWhole(const std::vector<Process*>& part);
  void EndWhole();
  // A call on a key with a deadline, one at a time a key; null: one is open.
  void MakeExpiring(Process& at, KeyClients::Words words);
  SimTime slowest_led = 0;  // Of all calls of AwaitLeader.

 private:
  // What was seen of a process last.
  struct Seen {
    uint64_t context = 0;
    uint64_t digest = 0;
    bool whole = false;
    bool exchanging = false;
    std::map<std::string, int64_t> own_sums;  // Of counters.
    std::set<std::string> expiring;           // Keys of kind e that it holds.
  };
  struct Written {
    KeyspaceModel::Context acknowledged;
    SimTime at = 0;
  };

  int NumberOf(const crdt::LifeId& life) const;
  KeyspaceModel::Context ContextOf(const Process& process) const;
  void Scan(Process& process, Seen& seen, KeyspaceModel::State& state,
            std::map<std::string, int64_t>& sums,
            std::vector<std::pair<std::string, KeyspaceModel::Version>>& made);
  void NoteOp(const kv::Op& op, int life, uint64_t seq);
  void NoteCounts(Process& process, Seen& seen,
                  const std::map<std::string, int64_t>& sums, uint64_t had);
  void CheckRemovals(Process& process, const std::set<std::string>& before,
                     const std::set<std::string>& now);
  std::string Silent(Process& process);
  // Keeps contacts_ up to date: who can reach whom now, and time and again.
  void NoteContacts();
  void SeeContacts();
  std::set<int> ReachedFrom(int host, const std::vector<Process*>& members);
  History HistoryOf(Process& leader);
  void CheckReads();
  void CheckElements();
  void PopAll();
  void RemoveAll();
  std::string Left(Process& process);
  Process* LeaderOf(const std::vector<Process*>& part);
  void Check(const std::string& broken) {
    if (!broken.empty()) world_.Fail(broken);
  }

  World& world_;
  KeyspaceModel model_;
  KeyClients clients_;
  bool on_ = false;
  bool lossy_ = false;
  SimTime slowest_ = 0;
  std::function<bool()> calm_;
  std::map<int, Seen> seen_;
  mutable std::map<crdt::LifeId, int> numbers_;
  // When two of them, the lower first, could last hear each other.
  std::map<std::pair<int, int>, SimTime> contacts_;
  std::map<PubSubModel::Message, Written> written_;
  std::vector<Process*> part_;  // Whose calls are judged,
  int whole_leader_ = 0;        // and who leads it.
  KeyDeadlines deadlines_{0};
  std::set<std::string> expiring_open_;
  uint64_t changes_ = 0;
};

}  // namespace muster::sim

#endif  // MUSTER_TESTS_SIM_KEY_CHECKS_H_
