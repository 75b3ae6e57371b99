// Simulated time, hosts and processes: the part of a simulation that stands
// where the runtime stands in a real node.
//
// A *host* is an address with a clock. A *process* is one life of one node on
// a host: it owns a core::Replica, gives it its inputs one at a time, and
// carries out its output. Nothing happens but by events, which run in the
// order of (time, number in which they were posted).
//
//   World ── events ──> Process::Run ──> Replica ──> Output ──> Network
//                                                          └──> Observer
//
// Units: microseconds since the start of the simulation (SimTime).
// Invariants: (1) time never goes back; (2) a frozen or dead process runs no
// step; a frozen one's inputs queue, in order; (3) no choice is made but by
// Rng; (4) everything a replica puts out is mixed into the trace.
// Single-threaded.
#ifndef MUSTER_TESTS_SIM_WORLD_H_
#define MUSTER_TESTS_SIM_WORLD_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "node/core/replica/replica.h"
#include "tests/sim/rng.h"
#include "tests/sim/trace.h"

namespace muster::sim {

using SimTime = int64_t;
inline constexpr SimTime kMillisecond = 1000;
inline constexpr SimTime kSecond = 1'000'000;
// A node that stood still for longer notices it, and moves its deadlines.
inline constexpr SimTime kStall = 200 * kMillisecond;

class Network;
class World;
class Process;

// One machine's clock: the monotonic one runs at its own rate from its own
// start, the wall clock may be set at any time.
struct Clock {
  SimTime start = 0;      // Monotonic reading at time 0.
  int64_t drift_ppm = 0;  // Of the monotonic clock.
  SimTime wall_offset = 1'700'000'000 * kSecond;
  core::Now At(SimTime t) const {
    const SimTime mono = start + t + t / 1000 * drift_ppm / 1000;
    return {core::Instant{mono}, mono + wall_offset};
  }
};

// Where a host listens.
std::string AddressOf(int host);

struct Host {
  int index = 0;
  std::string address;
  Clock clock;
  Process* process = nullptr;  // That listens on the address, or null.
  bool powered = true;         // Off: not even a refusal comes back.
};

// What carries and checks a run is told of everything that leaves a replica.
class Observer {
 public:
  virtual ~Observer() = default;
  // Before its output is carried out.
  virtual void OnStepped(Process&) = 0;
  virtual void OnWatch(Process&, const core::WatchEvent&) = 0;
  virtual void OnSessionEnded(Process&, const core::SessionEnded&) = 0;
  virtual void OnReply(Process&, core::AsyncReply&) = 0;
  virtual void OnEvicted(Process&, const core::EntryEvicted&) = 0;
  virtual void OnOrder(Process&, const core::OrderDone&) = 0;
  virtual void OnHeld(Process&, const core::SubscribeHeld&) = 0;
  virtual void OnMessages(Process&, const core::MessageDelivery&) = 0;
  virtual void OnKvAnswer(Process&, const core::KvAnswer&) = 0;
  virtual void OnLog(Process&, const core::LogLine&) = 0;
  virtual void OnMembersChanged(Process&) = 0;
  // Before it is sent.
  virtual void OnFrame(Process& from, const core::SendFrame&) = 0;
  // The process has ended: killed, or by its own decision (`status`).
  virtual void OnExit(Process&, const absl::Status& status) = 0;
};

class Process {
 public:
  using Input = std::function<void(core::Replica&, core::Now)>;

  Process(World& world, Host& host, int number, core::Options options,
          crdt::LifeId life, uint64_t seed);

  // Runs `input` now, or when the process next can; never if it dies first.
  void Post(Input input);
  void Freeze();
  void Thaw();
  // As SIGKILL.
  void Kill();

  // For looking at a replica's state outside of a step.
  core::Replica& replica() { return *replica_; }
  const core::Replica& replica() const { return *replica_; }
  core::Now Now() const;

  const int number;  // Of all processes ever started; from 0.
  Host& host;
  const core::Options options;
  const crdt::LifeId life;
  const SimTime started;
  const std::string& name() const { return options.node; }
  bool alive() const { return alive_; }
  bool frozen() const { return frozen_; }
  bool running() const { return alive_ && !frozen_; }
  // No input waits and no job is left.
  bool idle() const { return inbox_.empty() && !job_posted_; }
  size_t waiting() const { return inbox_.size(); }
  uint64_t steps() const { return steps_; }

  // How long a step holds the loop (slow nodes), the tick's period, and the
  // pause before a slice of jobs.
  SimTime step_cost = 0;
  SimTime tick_period = 10 * kMillisecond;
  SimTime slice_pause = 300;
  // Its version reads no orders of administrators, but an empty ack for each.
  bool reads_orders = true;
  // What its version can read, and says to others that can read it, too.
  uint32_t feature_level = core::kFeatureLevel;

  // Given out by the network.
  core::LinkId next_link = 1;

 private:
  friend class World;
  void Run(const Input& input);
  void Drain();
  void ScheduleDrain();
  Input Tick();
  void ScheduleTick(SimTime after);
  void ScheduleJob();
  void TakeOutput();
  void Carry(core::Output& output);
  void TraceOutput(const core::Output& output);
  void Exit(const absl::Status& status);

  World& world_;
  std::unique_ptr<core::Replica> replica_;
  std::deque<Input> inbox_;
  SimTime busy_until_ = 0;
  bool alive_ = true;
  bool frozen_ = false;
  bool drain_posted_ = false;
  bool job_posted_ = false;
  bool job_missed_ = false;  // While frozen; so the tick.
  bool tick_missed_ = false;
  bool tick_waits_ = false;  // In the inbox: one at most, as in the node.
  bool stepping_ = false;
  uint64_t steps_ = 0;
};

// Of all processes that ever ran: "b#4".
std::string Where(const Process& process);

class World {
 public:
  World(uint64_t seed, Trace& trace);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // ---- time ----
  SimTime now() const { return now_; }
  void At(SimTime time, std::function<void()> event);
  void After(SimTime delay, std::function<void()> event) {
    At(now_ + delay, std::move(event));
  }
  // Runs all events up to `time`, unless failed().
  void RunUntil(SimTime time);
  void RunFor(SimTime duration) { RunUntil(now_ + duration); }
  // Runs until `done`, looked at every `every`; false if `limit` passed first.
  bool RunUntilTrue(const std::function<bool()>& done, SimTime limit,
                    SimTime every = 10 * kMillisecond);

  // ---- hosts and processes ----
  Host& AddHost();
  // Starts a process on a host that runs none. The options' address is set
  // to the host's.
  Process& Start(Host& host, core::Options options);
  std::vector<std::unique_ptr<Host>>& hosts() { return hosts_; }
  std::vector<std::unique_ptr<Process>>& processes() { return processes_; }
  // Processes that are not dead, in order of their hosts.
  std::vector<Process*> Alive();
  Host* HostAt(const std::string& address);

  // ---- parts ----
  Network& network() { return *network_; }
  Rng& rng() { return rng_; }
  Trace& trace() { return trace_; }
  void set_observer(Observer* observer) { observer_ = observer; }
  Observer* observer() { return observer_; }

  // A broken rule ends the run; the first one is kept.
  void Fail(const std::string& rule);
  bool failed() const { return !failure_.empty(); }
  const std::string& failure() const { return failure_; }

  uint64_t steps = 0;  // Of all processes.

 private:
  struct Event {
    SimTime time;
    uint64_t number;
    std::function<void()> run;
    bool operator<(const Event& other) const {  // For a min-heap.
      return std::tie(time, number) > std::tie(other.time, other.number);
    }
  };

  Trace& trace_;
  Rng rng_;
  SimTime now_ = 0;
  uint64_t next_number_ = 0;
  std::vector<Event> events_;  // A heap.
  std::vector<std::unique_ptr<Host>> hosts_;
  std::map<std::string, Host*> by_address_;
  std::vector<std::unique_ptr<Process>> processes_;
  std::unique_ptr<Network> network_;
  Observer* observer_ = nullptr;
  std::string failure_;
};

}  // namespace muster::sim

#endif  // MUSTER_TESTS_SIM_WORLD_H_
