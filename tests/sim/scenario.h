// A small cluster in simulated time, for scenarios written by hand: every
// check of a simulation runs along.
#ifndef MUSTER_TESTS_SIM_SCENARIO_H_
#define MUSTER_TESTS_SIM_SCENARIO_H_

#include <functional>
#include <string>
#include <vector>

#include "tests/sim/checks.h"
#include "tests/sim/clients.h"
#include "tests/sim/model.h"
#include "tests/sim/network.h"
#include "tests/sim/world.h"

namespace muster::sim {

class Cluster {
 public:
  using Edit = std::function<void(core::Options&)>;
  // `nodes` hosts, named "a", "b", …, with a node each, all equal; and one
  // host more that runs nothing.
  explicit Cluster(int nodes, Edit edit = nullptr, uint64_t seed = 1,
                   SimTime latency = Path().latency);
  // Reports what the checks found.
  ~Cluster();

  Process& node(int index) { return *host(index).process; }
  Host& host(int index) { return *world.hosts()[static_cast<size_t>(index)]; }
  // Starts the node of this index on its host, or on another.
  Process& Start(int index, int on_host = -1);

  // A session with a stream at a node, open; with `entries` of topic "t",
  // keys "<prefix>0", "<prefix>1", …
  Session& Open(int index, SimTime grace, int entries = 0,
                const std::string& prefix = "k");
  // Tracks entries with further keys in batches.
  void TrackMany(Session& session, int entries, const std::string& prefix);
  bool Shows(int index, const std::string& key);
  uint64_t Count(int index);
  // The members whose state at a node is alive or suspect, itself included.
  size_t Living(int index);

  // How long until `done`, in steps of a millisecond; −1 if not within
  // `limit`.
  SimTime TimeUntil(const std::function<bool()>& done, SimTime limit);
  // Fails the world if the cluster does not become quiet in time.
  void Settle(SimTime limit = 10 * kSecond) { checks.BecomeQuiet(limit); }
  void Run(SimTime duration) { world.RunFor(duration); }
  Watcher& audit(int index) { return *clients.Audit(node(index)); }

  Trace trace;
  World world;
  Model model;
  Clients clients;
  Checks checks;

 private:
  core::Options OptionsOf(int index) const;
  const int nodes_;
  const Edit edit_;
};

// One of the counters of `muster status`; UINT64_MAX if there is none such.
uint64_t CounterOf(Process& process, const std::string& counter);

}  // namespace muster::sim

#endif  // MUSTER_TESTS_SIM_SCENARIO_H_
