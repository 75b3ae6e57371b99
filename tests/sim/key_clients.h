// The clients of the keyspace in a simulation: they make calls, and every
// answer goes through the KeyspaceModel, and into a history that is judged.
//
//   Make --> Replica::Execute --> OnAnswer --> KeyspaceModel::Acknowledged
//                                         \--> history --> Judge
//
// Keys are named by their kind: what is done with them and what is known of
// them follows from the first letter.
//   c  counters: each increment adds another power of 4
//   s  strings   m  sets   h  hashes   q  queues
//   e  strings with deadlines: never deleted, so they go when they are due
//   p  written by publishers: each node's has one of its own
//   n  each of one connection, which alone writes to it
// Values are unique: "v17" is written by one command of one call.
//
// Beside the rules of KeyspaceModel:
//   K5 calls are answered once, those of a connection in their order, and a
//      node's answers tell of positions that do not go back; a connection reads
//      what it wrote;
//   K6 of the pops that wait for a key the first is served first; what is
//      popped is popped once where nothing was cut, and by somebody.
#ifndef MUSTER_TESTS_SIM_KEY_CLIENTS_H_
#define MUSTER_TESTS_SIM_KEY_CLIENTS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/sim/keyspace_model.h"
#include "tests/sim/linearizability.h"
#include "tests/sim/world.h"

namespace muster::sim {

struct KeyCall {
  struct Command {
    std::vector<std::string> words;
    std::string effect;  // Its unique argument; "": it has none.
    std::string result;  // As in a history.
    int operation = -1;  // In the history; −1: it is not there.
  };
  // What its client knows.
  enum class State : uint8_t {
    kPosted,     // Its node has not taken it yet,
    kMade,       // or has, and has not answered.
    kDone,       // OK.
    kRefused,    // It was not executed.
    kUnknown,    // It may have been; its node may have ended.
    kWithdrawn,  // Nobody waits for it any more.
  };
  int number = 0;
  Process* at = nullptr;
  State state = State::kPosted;
  core::KvConnection connection = 0;
  bool atomic = false;
  bool leader_reads = false;
  bool blocking = false;
  std::vector<Command> commands;
  core::KvCallId id = 0;
  SimTime called = 0;
  SimTime answered = 0;
  std::string status;  // If it is not OK.
  // Done as soon as it is.
  std::function<void(const KeyCall&)> then;
  // It is not open any more, whatever came of it.
  std::function<void(const KeyCall&)> over;

  bool is_open() const {
    return state == State::kPosted || state == State::kMade;
  }
};

class KeyClients {
 public:
  KeyClients(World& world, KeyspaceModel& model)
      : world_(world), model_(model) {}

  using Words = std::vector<std::string>;
  // One command of a call; the effect is found from the words.
  KeyCall& Make(Process& at, std::vector<Words> commands,
                const std::function<void(KeyCall&)>& edit = nullptr);
  void Withdraw(KeyCall& call);
  // A value that no other command writes.
  std::string NewValue();
  // An increment of a counter of this family, "c0": the key that is in use, and
  // the amount.
  Words NewIncrement(const std::string& family);
  std::string CounterInUse(const std::string& family) const;

  // ---- what processes say ----
  void OnAnswer(Process& from, const core::KvAnswer& answer);
  void OnGone(Process& process);

  // ---- histories ----
  // From now on operations at these processes are recorded, of keys that can be
  // judged. `begin`: what the keys hold now, as operations that made it so.
  void Record(const std::set<int>& processes, History begin);
  // Ends it. Operations that were refused are not in it.
  History Recorded();
  // Of those recorded, the first call that was not OK, or null.
  const KeyCall* FirstNotDone() const;
  const std::vector<KeyCall*>& recorded() const { return recorded_; }
  static bool IsJudged(const std::string& key);

  // ---- for checks ----
  // Calls that are open, without pops that wait, or those alone.
  size_t Open(bool blocking) const;
  size_t OpenAt(const std::set<int>& processes) const;
  std::vector<KeyCall*> Waiting();
  const std::set<std::string>& keys() const { return keys_; }
  // Of a counter, the effects of its powers.
  const std::map<std::string, std::vector<std::string>>& counters() const {
    return counters_;
  }
  // K6: values of a queue that nobody holds any more were popped by as many.
  std::string Unaccounted(const std::set<std::string>& held) const;
  // Whether an answer needs two nodes: nothing is wrong, and another follows.
  std::function<bool(const Process& at)> needs_two;
  // How much later a call may reach its leader than another that was made
  // after it.
  SimTime slack = 0;

  uint64_t made = 0;
  uint64_t done = 0;
  uint64_t refused = 0;
  uint64_t unknown = 0;
  uint64_t judged = 0;

 private:
  void MakeNow(KeyCall& call, core::Replica& replica, core::Now now);
  void AddOperations(KeyCall& call);
  void Took(KeyCall& call, const core::KvAnswer& answer);
  void TookResult(KeyCall& call, KeyCall::Command& command);
  void NotDone(KeyCall& call, KeyCall::State state);
  void Close(KeyCall& call);
  // K5
  void CheckOrder(const KeyCall& call, const core::KvAnswer& answer);
  void CheckReadsOwn(const KeyCall& call, const KeyCall::Command& command);
  // K6
  void CheckServedFirst(const KeyCall& call, const std::string& key);
  void Check(const std::string& broken) {
    if (!broken.empty()) world_.Fail(broken);
  }

  World& world_;
  KeyspaceModel& model_;
  std::vector<std::unique_ptr<KeyCall>> calls_;
  std::map<int, KeyCall*> open_;  // By their numbers.
  std::map<std::pair<int, core::KvCallId>, KeyCall*> by_id_;
  // Of each (process, connection), its calls that are not answered, in order.
  std::map<std::pair<int, core::KvConnection>, std::vector<int>> order_;
  std::map<int, core::KvPosition> positions_;
  std::set<std::string> keys_;
  uint64_t next_value_ = 1;
  std::map<std::string, std::vector<std::string>> counters_;
  // Of a queue: pops that may have taken an element, and told nobody.
  std::map<std::string, uint64_t> unknown_pops_;
  // Of each value that was pushed, its queue.
  std::map<std::string, std::string> pushed_;
  // Of a connection's key: the value it wrote last; "" once one is unknown.
  struct Own {
    std::string value = "_";
    uint64_t excused = 0;  // How much was lost for good reasons by then.
  };
  std::map<std::string, Own> own_;

  std::set<int> recorded_at_;
  bool recording_ = false;
  SimTime recorded_since_ = 0;
  History history_;
  std::vector<KeyCall*> recorded_;
};

// "#3 of n1: SET s0 v17"
std::string ToString(const KeyCall& call);

}  // namespace muster::sim

#endif  // MUSTER_TESTS_SIM_KEY_CLIENTS_H_
