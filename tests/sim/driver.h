// One run of the simulator: the plan of a seed, carried out. Operations are
// numbered; a run may be told to stop working after some of them, heal, and
// look, which is how the shortest failing prefix is found.
#ifndef MUSTER_TESTS_SIM_DRIVER_H_
#define MUSTER_TESTS_SIM_DRIVER_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/sim/checks.h"
#include "tests/sim/clients.h"
#include "tests/sim/model.h"
#include "tests/sim/plan.h"
#include "tests/sim/world.h"

namespace muster::sim {

struct RunResult {
  std::string failure;  // Empty: nothing was found.
  int ops = 0;          // Operations done.
  uint64_t steps = 0;
  uint64_t trace_hash = 0;
  SimTime simulated = 0;
  SimTime slowest_quiet = 0;
  std::array<uint64_t, kOps> done = {};  // Operations of each kind.
  uint64_t rebases = 0;
  uint64_t messages = 0;  // That subscribers were given,
  uint64_t lost = 0;      // and those that some were told to have missed.
  uint64_t calls = 0;     // Of the keyspace that were OK,
  uint64_t unknown = 0;   // and whose outcome was unknown.
  uint64_t judged = 0;    // Operations in histories.
  SimTime slowest_led = 0;
};

// At most `max_ops` operations.
RunResult Run(const Plan& plan, int max_ops, Trace& trace);

class Driver {
 public:
  Driver(const Plan& plan, int max_ops, Trace& trace);
  RunResult Run();

 private:
  void StartAll();
  void Phase();
  void Heal();
  void EndHostility();
  void LongSilence();
  void Do(Op op);
  void DoWork(Op op);
  void DoSession(Op op);
  void DoWatch(Op op);
  void DoFault(Op op);
  void DoNetworkFault(Op op);
  void DoProcessFault(Op op);
  void DoSecondPlan(Op op);

  // Null (or −1) if there is none that fits.
  Process* SomeProcess();
  Process* SomeOther(const Process* than);
  Session* SomeSession(bool live);
  Watcher* SomeWatcher();
  std::string SomeTopic();
  std::string SomeKey();
  Batch SomeBatch(Op op, const Session& session);
  void SetPath(int from, int to, bool slow);
  void Restart();
  void StartTwin();
  void Partition();
  void OpenCrowd();
  void Burst();
  void Suspend();
  void Islands();
  void SplitOneWay();
  // The next rebase is hit as it is at a frame drawn now.
  void SetTrap();
  void OnRebase(Process& from, Process& to, const core::RebaseFrame& frame);
  void Spring(Process& sender, Process& receiver);
  // While the next rebase of a stream that is there in part is sent by its
  // origin, what it names last is written.
  void WriteInRebase();
  void Evict();
  // ---- driver_pubsub.cc ----
  void DoPubSub(Op op);
  void DoSubscriber(Op op);
  Process* SomeListener();
  std::string SomeChannel();
  PubSubModel::Name SomeName();
  Subscribers::Names SomeNames(int64_t most);
  std::vector<std::string> SomeChannels(int64_t most);
  void PublishMany();
  void Rest();
  void ForgetMember();
  bool HasPubSub() const { return plan_.version >= kPubSubPlan; }
  // ---- driver_keys.cc ----
  bool HasKeyspace() const { return plan_.version == kKeyspacePlan; }
  void DoKeyspace(Op op);
  Process* SomeMember();
  KeyClients::Words SomeCommand();
  KeyClients::Words SomeExpiring(std::string key);
  void MakeCall(Process& at);
  void MakeCalls(const std::vector<Process*>& at, int64_t count, SimTime every);
  void BlockingPop(Process& at);
  void WithdrawSome();
  void UseConnection(Process& at);
  void WriteAndPublish(Process& at);
  // Some stay whole, whatever is done to others: what is done there is judged.
  void StayWhole();
  void CutOff(const std::vector<Process*>& part);
  void JudgeWhole(const std::vector<Process*>& part);
  // One member is killed, and nothing else was wrong.
  void LoneKill();
  void OnExchange(Process& from, Process& to, const core::KvExchangePart& part);
  SimTime LedWithin() const;
  // On its own host, as the version that the node is of by now.
  void StartNode(Host& host, int node);
  void WriteLatest(Process& origin);
  void Say(Op op, const std::string& text);

  const Plan plan_;
  const int max_ops_;
  Rng rng_;
  World world_;
  Model model_;
  Clients clients_;
  Checks checks_;
  std::vector<int> name_of_host_;  // The node that belongs there.
  int done_ = 0;
  std::array<uint64_t, kOps> done_of_ = {};
  bool working_ = false;  // Else it heals.
  bool trap_set_ = false;
  int writes_set_ = 0;
  uint64_t trap_frame_ = 0;
  bool exchange_trap_set_ = false;
  core::KvConnection next_connection_ = 1;
};

}  // namespace muster::sim

#endif  // MUSTER_TESTS_SIM_DRIVER_H_
