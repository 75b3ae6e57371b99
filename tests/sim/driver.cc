#include "tests/sim/driver.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "tests/sim/network.h"

namespace muster::sim {
namespace {

// How long a healed cluster may take to be equal. Back-off is 2 s, a link that
// stands still is redialled after 1 s, a name is checked for 1.5 s.
constexpr SimTime kQuietWithin = 15 * kSecond;
// What a node may hold, and goes through a window a round trip.
constexpr SimTime kHeldBytes = 256 << 10;
constexpr SimTime kDrainWithin = 5 * kSecond;
constexpr SimTime kHostileStart = 3 * kSecond;
// In a long silence, where nothing is to be found in between.
constexpr SimTime kSlowTick = 100 * kMillisecond;
constexpr SimTime kLongSilence = 22 * 60 * kSecond;
constexpr uint64_t kDriverSalt = 0x5eed;
constexpr size_t kBulkQueue = 8 << 20;

SimTime QuietWithin(const Plan& plan) {
  const auto windows = kHeldBytes / static_cast<SimTime>(plan.window_bytes);
  return kQuietWithin + windows * 2 * (plan.latency + plan.jitter);
}

}  // namespace

RunResult Run(const Plan& plan, int max_ops, Trace& trace) {
  return Driver(plan, max_ops, trace).Run();
}

Driver::Driver(const Plan& plan, int max_ops, Trace& trace)
    : plan_(plan),
      max_ops_(max_ops),
      rng_(plan.seed ^ kDriverSalt),
      world_(plan.seed, trace),
      clients_(world_, model_),
      checks_(world_, model_, clients_) {
  world_.network().on_rebase = [this](Process& from, Process& to,
                                      const core::RebaseFrame& frame) {
    OnRebase(from, to, frame);
  };
  world_.network().on_exchange = [this](Process& from, Process& to,
                                        const core::KvExchangePart& part) {
    OnExchange(from, to, part);
  };
}

RunResult Driver::Run() {
  StartAll();
  if (plan_.crowd > 0) OpenCrowd();
  for (int phase = 0; phase < plan_.phases && !world_.failed(); ++phase) {
    working_ = true;
    Phase();
    working_ = false;
    Heal();
    checks_.keys().AwaitLeader(checks_.keys().Members(), LedWithin());
    if (!checks_.BecomeQuiet(QuietWithin(plan_))) break;
    checks_.keys().Settled();
    if (HasKeyspace()) JudgeWhole(checks_.keys().Members());
    if (HasPubSub()) checks_.subscribers().Round();
    checks_.ClearTaint();
    if (done_ >= max_ops_) break;
  }
  checks_.keys().CheckNothingKept();
  if (plan_.long_silence && !world_.failed()) LongSilence();
  RunResult result;
  result.failure = world_.failure();
  result.ops = done_;
  result.steps = world_.steps;
  result.trace_hash = world_.trace().hash();
  result.simulated = world_.now();
  result.slowest_quiet = checks_.slowest_quiet;
  result.done = done_of_;
  result.rebases = world_.network().rebases_begun;
  result.messages = checks_.subscribers().model().given();
  result.lost = checks_.subscribers().model().known_lost();
  result.calls = checks_.keys().clients().done;
  result.unknown = checks_.keys().clients().unknown;
  result.judged = checks_.keys().clients().judged;
  result.slowest_led = checks_.keys().slowest_led;
  return result;
}

void Driver::StartAll() {
  Network& network = world_.network();
  network.options.bulk_queue_bytes = plan_.bulk_queue_bytes;
  network.options.hostile_ppm = plan_.hostile_ppm;
  checks_.set_lossy(plan_.tail_ppm > 0);
  checks_.set_hostile(plan_.hostile_ppm > 0);
  Subscribers& subscribers = checks_.subscribers();
  subscribers.set_askers(HasPubSub());
  subscribers.set_hostile(plan_.hostile_ppm > 0);
  subscribers.set_lossy(plan_.tail_ppm > 0);
  subscribers.set_tight(plan_.tight || plan_.bulk_queue_bytes < kBulkQueue);
  subscribers.set_narrow(plan_.bytes_per_second > 0);
  if (HasPubSub()) subscribers.Watch();
  network.options.echo_ppm = plan_.echo_ppm;
  checks_.keys().set_lossy(plan_.tail_ppm > 0 || plan_.hostile_ppm > 0);
  checks_.keys().set_slowest(5 * plan_.latency + plan_.jitter);
  checks_.keys().set_on(HasKeyspace());
  // Hosts beyond the nodes are for twins.
  for (int i = 0; i <= plan_.nodes; ++i) {
    Host& host = world_.AddHost();
    host.clock.start = rng_.Range(kSecond, 1000 * kSecond);
    host.clock.drift_ppm = rng_.Range(-plan_.drift_ppm, plan_.drift_ppm);
    name_of_host_.push_back(i);
  }
  for (int a = 0; a <= plan_.nodes; ++a) {
    for (int b = 0; b <= plan_.nodes; ++b) {
      if (a != b) SetPath(a, b, false);
    }
  }
  for (int i = 0; i < plan_.nodes; ++i) {
    StartNode(*world_.hosts()[static_cast<size_t>(i)], i);
    if (rng_.OneIn(3)) world_.RunFor(rng_.Range(0, kSecond));
  }
  if (plan_.hostile_ppm > 0) {
    // To be quiet is not promised before hostility is over.
    world_.RunFor(kHostileStart);
    EndHostility();
  }
  checks_.BecomeQuiet(QuietWithin(plan_));
  checks_.ClearTaint();
  network.options.hostile_ppm = plan_.hostile_ppm;
  subscribers.set_hostile(plan_.hostile_ppm > 0);
}

// What hostility has lost is noticed when links begin anew.
void Driver::EndHostility() {
  Network& network = world_.network();
  if (network.options.hostile_ppm == 0) return;
  network.options.hostile_ppm = 0;
  checks_.subscribers().set_hostile(false);
  const int hosts = static_cast<int>(world_.hosts().size());
  for (int a = 0; a < hosts; ++a) {
    for (int b = a + 1; b < hosts; ++b) checks_.BreakLinks(a, b);
  }
}

void Driver::SetPath(int from, int to, bool slow) {
  checks_.Disturbed();
  if (slow) checks_.Slowed();
  checks_.subscribers().TouchPath(from, to, slow);
  Path& path = world_.network().path(from, to);
  path.latency = plan_.latency * (slow ? 5 : 1);
  path.jitter = plan_.jitter;
  path.segment_loss_ppm = plan_.segment_loss_ppm;
  path.datagram_loss_ppm = plan_.datagram_loss_ppm;
  path.datagram_twice_ppm = 10'000;
  path.tail_ppm = plan_.tail_ppm;
  path.tail = 50 * kMillisecond;
  path.bytes_per_second = slow ? 10'000 : plan_.bytes_per_second;
  world_.network().Widened(from, to);
}

void Driver::Phase() {
  for (int i = 0; i < plan_.ops && done_ < max_ops_; ++i) {
    world_.RunFor(rng_.Range(0, 2 * plan_.gap));
    if (world_.failed()) return;
    ++done_;
    Do(static_cast<Op>(rng_.Weighted(plan_.weights)));
  }
}

void Driver::Heal() {
  if (world_.failed()) return;
  world_.trace().Print(world_.now(), "heal", "");
  const int hosts = static_cast<int>(world_.hosts().size());
  Network& network = world_.network();
  trap_set_ = false;
  exchange_trap_set_ = false;
  writes_set_ = 0;
  for (int a = 0; a < hosts; ++a) {
    for (int b = 0; b < hosts; ++b) {
      if (a == b) continue;
      if (!network.Open(a, b)) checks_.Mend(a, b);
      SetPath(a, b, false);
    }
  }
  EndHostility();
  for (auto& host : world_.hosts()) host->powered = true;
  for (Process* process : world_.Alive()) {
    checks_.Slow(*process, 0);
    checks_.Thaw(*process);
  }
  for (auto& watcher : clients_.watchers()) {
    if (watcher->at != nullptr) clients_.SetLagging(*watcher, false);
  }
  // What drains is nobody to join.
  world_.RunUntilTrue(
      [this] {
        const std::vector<Process*> alive = world_.Alive();
        return std::none_of(alive.begin(), alive.end(), [this](Process* p) {
          return checks_.Draining(*p);
        });
      },
      kDrainWithin);
  // Through whom those that know nobody find the others.
  // Of two with one name one will end.
  const Process* twin = world_.hosts().back()->process;
  auto stays = [this, twin](size_t host) {
    const Process* process = world_.hosts()[host]->process;
    return process != nullptr &&
           (twin == nullptr || twin->name() != process->name());
  };
  const bool somebody = plan_.join_all || stays(0) || stays(1);
  if (world_.Alive().empty() || !somebody || rng_.OneIn(2)) {
    for (int i = 0; i < plan_.nodes; ++i) Restart();
  }
}

// Long enough for all that is dead to be forgotten.
void Driver::LongSilence() {
  for (Process* process : world_.Alive()) process->tick_period = kSlowTick;
  world_.RunFor(kLongSilence);
  for (Process* process : world_.Alive()) {
    process->tick_period = 10 * kMillisecond;
  }
  if (checks_.BecomeQuiet(QuietWithin(plan_))) checks_.CheckNothingKept();
}

// ------------------------------------------------------------------- drawing

Process* Driver::SomeProcess() {
  const std::vector<Process*> alive = world_.Alive();
  return alive.empty() ? nullptr : alive[rng_.Below(alive.size())];
}

Process* Driver::SomeOther(const Process* than) {
  std::vector<Process*> alive = world_.Alive();
  std::erase(alive, than);
  return alive.empty() ? nullptr : alive[rng_.Below(alive.size())];
}

Session* Driver::SomeSession(bool live) {
  std::vector<Session*> fit;
  for (auto& session : clients_.sessions()) {
    if (session->over || session->number < 0 || session->busy) continue;
    if (!live || session->at != nullptr) fit.push_back(session.get());
  }
  return fit.empty() ? nullptr : fit[rng_.Below(fit.size())];
}

Watcher* Driver::SomeWatcher() {
  std::vector<Watcher*> fit;
  for (auto& watcher : clients_.watchers()) {
    if (!watcher->audit) fit.push_back(watcher.get());
  }
  return fit.empty() ? nullptr : fit[rng_.Below(fit.size())];
}

std::string Driver::SomeTopic() {
  return absl::StrCat("t", rng_.Below(static_cast<uint64_t>(plan_.topics)));
}
std::string Driver::SomeKey() {
  return absl::StrCat("k", rng_.Below(static_cast<uint64_t>(plan_.keys)));
}

Batch Driver::SomeBatch(Op op, const Session& session) {
  Batch batch;
  const int64_t size = rng_.Range(1, plan_.batch);
  for (int64_t i = 0; i < size; ++i) {
    if (op == Op::kTrack) {
      batch.track.push_back(
          {SomeTopic(), SomeKey(), absl::StrCat("m", rng_.Below(1000))});
      continue;
    }
    if (session.held.empty()) break;
    auto it = session.held.begin();
    std::advance(it, rng_.Below(session.held.size()));
    if (op == Op::kUntrack) {
      batch.untrack.push_back(it->first);
    } else {
      batch.update.emplace_back(it->first, absl::StrCat("u", rng_.Below(1000)));
    }
  }
  auto drop_twice = [](auto& list, auto key) {
    std::sort(list.begin(), list.end());
    list.erase(std::unique(list.begin(), list.end(),
                           [&key](const auto& a, const auto& b) {
                             return key(a) == key(b);
                           }),
               list.end());
  };
  drop_twice(batch.untrack, [](const RefKey& ref) { return ref; });
  drop_twice(batch.update, [](const auto& update) { return update.first; });
  batch.allow_duplicate = rng_.OneIn(2);
  return batch;
}

void Driver::Say(Op op, const std::string& text) {
  world_.trace().Mix(static_cast<uint64_t>(op));
  if (!world_.trace().printing()) return;
  world_.trace().Print(world_.now(), "op",
                       absl::StrCat(done_, " ", Name(op), " ", text));
}

void Driver::Do(Op op) {
  ++done_of_[static_cast<size_t>(op)];
  if (static_cast<size_t>(op) < kFirstFault) {
    DoWork(op);
  } else if (op >= Op::kCall) {
    DoKeyspace(op);
  } else if (op >= Op::kSubscriber) {
    DoPubSub(op);
  } else {
    DoFault(op);
  }
}

}  // namespace muster::sim
