#include "tests/sim/world.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/sim/frame_text.h"
#include "tests/sim/network.h"

namespace muster::sim {

std::string AddressOf(int host) {
  return absl::StrCat("10.0.", host / 250, ".", host % 250 + 1, ":7000");
}

Process::Process(World& world, Host& host, int number, core::Options options,
                 crdt::LifeId life, uint64_t seed)
    : number(number),
      host(host),
      options(std::move(options)),
      life(life),
      started(world.now()),
      world_(world),
      replica_(std::make_unique<core::Replica>(this->options, life, seed,
                                               host.clock.At(world.now()))) {}

core::Now Process::Now() const { return host.clock.At(world_.now()); }

void Process::Post(Input input) {
  if (!alive_) return;
  if (frozen_ || stepping_ || !inbox_.empty() || busy_until_ > world_.now()) {
    inbox_.push_back(std::move(input));
    ScheduleDrain();
    return;
  }
  Run(input);
}

void Process::Run(const Input& input) {
  ++steps_;
  ++world_.steps;
  stepping_ = true;
  input(*replica_, Now());
  TakeOutput();
  stepping_ = false;
  busy_until_ = world_.now() + step_cost;
}

void Process::ScheduleDrain() {
  if (drain_posted_ || frozen_ || !alive_ || inbox_.empty()) return;
  drain_posted_ = true;
  world_.At(std::max(busy_until_, world_.now()), [this] { Drain(); });
}

void Process::Drain() {
  drain_posted_ = false;
  while (running() && !inbox_.empty() && busy_until_ <= world_.now()) {
    const Input input = std::move(inbox_.front());
    inbox_.pop_front();
    Run(input);
  }
  ScheduleDrain();
}

Process::Input Process::Tick() {
  return [this](core::Replica& replica, core::Now now) {
    tick_waits_ = false;
    replica.Tick(now);
  };
}

void Process::ScheduleTick(SimTime after) {
  world_.After(after, [this] {
    if (!alive_) return;
    if (frozen_) {
      tick_missed_ = true;
      return;
    }
    if (!std::exchange(tick_waits_, true)) Post(Tick());
    ScheduleTick(tick_period);
  });
}

void Process::Freeze() {
  if (alive_) frozen_ = true;
}

void Process::Thaw() {
  if (!alive_ || !frozen_) return;
  frozen_ = false;
  // A real loop may find its timer or its sockets ready first.
  if (tick_missed_) {
    tick_missed_ = false;
    const bool first = world_.rng().OneIn(2);
    if (!std::exchange(tick_waits_, true)) {
      inbox_.insert(first ? inbox_.begin() : inbox_.end(), Tick());
    }
    ScheduleTick(tick_period);
  }
  if (job_missed_) {
    job_missed_ = false;
    ScheduleJob();
  }
  ScheduleDrain();
}

void Process::Kill() {
  if (!alive_) return;
  world_.trace().Mix(0xdead0000u + static_cast<uint64_t>(number));
  world_.trace().Print(world_.now(), name(), "killed");
  Exit(absl::AbortedError("killed"));
}

void Process::Exit(const absl::Status& status) {
  alive_ = false;
  inbox_.clear();
  if (host.process == this) host.process = nullptr;
  world_.network().ProcessDied(*this, !host.powered);
  if (world_.observer() != nullptr) world_.observer()->OnExit(*this, status);
  // A step of this replica may be on the stack.
  world_.After(0, [this] { replica_.reset(); });
}

void Process::ScheduleJob() {
  job_posted_ = true;
  world_.After(slice_pause, [this] {
    if (!alive_) return;
    job_posted_ = false;
    if (frozen_) {
      job_missed_ = true;
      return;
    }
    Post([](core::Replica& replica, core::Now now) { replica.RunJobs(now); });
  });
}

void Process::TakeOutput() {
  core::Output output = std::exchange(replica_->output(), {});
  TraceOutput(output);
  Carry(output);
}

// In the order of Output's members, as the runtime does.
void Process::Carry(core::Output& output) {
  Network& network = world_.network();
  Observer* observer = world_.observer();
  if (observer != nullptr) {
    observer->OnStepped(*this);
    for (const core::LogLine& line : output.log) observer->OnLog(*this, line);
  }
  for (core::SendFrame& send : output.frames) {
    if (observer != nullptr) observer->OnFrame(*this, send);
    network.Send(*this, send.link, std::move(send.frame));
  }
  for (const core::SendBeat& beat : output.beats) {
    network.SendBeat(*this, beat);
  }
  for (const core::CloseLink& close : output.closes) {
    network.Close(*this, close);
  }
  if (output.dial.has_value()) network.SetDial(*this, *output.dial);
  for (const core::ConnectProbe& probe : output.probes) {
    network.Probe(*this, probe);
  }
  for (const core::HelloProbe& probe : output.hello_probes) {
    network.ProbeHello(*this, probe);
  }
  if (observer != nullptr) {
    for (core::AsyncReply& reply : output.replies) {
      observer->OnReply(*this, reply);
    }
    for (const core::SessionEnded& ended : output.ended) {
      observer->OnSessionEnded(*this, ended);
    }
    for (const core::EntryEvicted& evicted : output.evicted) {
      observer->OnEvicted(*this, evicted);
    }
    for (const core::OrderDone& order : output.orders) {
      observer->OnOrder(*this, order);
    }
    for (const core::WatchEvent& event : output.watch) {
      observer->OnWatch(*this, event);
    }
    for (const core::SubscribeHeld& held : output.subscribed) {
      observer->OnHeld(*this, held);
    }
    for (const core::MessageDelivery& delivery : output.messages) {
      observer->OnMessages(*this, delivery);
    }
    for (const core::KvAnswer& answer : output.kv_answers) {
      observer->OnKvAnswer(*this, answer);
    }
    if (output.members_changed) observer->OnMembersChanged(*this);
  }
  if (output.exit.has_value()) {
    world_.trace().Print(world_.now(), name(),
                         absl::StrCat("exits: ", output.exit->ToString()));
    Exit(*output.exit);
  } else if (output.more_work && !job_posted_) {
    ScheduleJob();
  }
}

void Process::TraceOutput(const core::Output& output) {
  Trace& trace = world_.trace();
  trace.Mix(static_cast<uint64_t>(world_.now()));
  trace.Mix(static_cast<uint64_t>(number));
  MixOutput(output, trace);
  if (trace.printing()) {
    for (const std::string& line : OutputText(output)) {
      trace.Print(world_.now(), absl::StrCat(name(), "#", number), line);
    }
  }
}

// --------------------------------------------------------------------- world

World::World(uint64_t seed, Trace& trace)
    : trace_(trace), rng_(seed), network_(std::make_unique<Network>(*this)) {}
World::~World() = default;

void World::At(SimTime time, std::function<void()> event) {
  events_.push_back({std::max(time, now_), next_number_++, std::move(event)});
  std::push_heap(events_.begin(), events_.end());
}

void World::RunUntil(SimTime time) {
  while (!events_.empty() && events_.front().time <= time && !failed()) {
    std::pop_heap(events_.begin(), events_.end());
    Event event = std::move(events_.back());
    events_.pop_back();
    now_ = event.time;
    event.run();
  }
  if (!failed()) now_ = std::max(now_, time);
}

bool World::RunUntilTrue(const std::function<bool()>& done, SimTime limit,
                         SimTime every) {
  const SimTime end = now_ + limit;
  while (!failed()) {
    if (done()) return true;
    if (now_ >= end) return false;
    RunUntil(std::min(end, now_ + every));
  }
  return false;
}

Host& World::AddHost() {
  auto host = std::make_unique<Host>();
  host->index = static_cast<int>(hosts_.size());
  host->address = AddressOf(host->index);
  network_->path(host->index, host->index);
  by_address_[host->address] = host.get();
  hosts_.push_back(std::move(host));
  return *hosts_.back();
}

Process& World::Start(Host& host, core::Options options) {
  options.address = host.address;
  const crdt::LifeId life{rng_.Next(), rng_.Next()};
  const int number = static_cast<int>(processes_.size());
  trace_.Mix(options.node);
  trace_.Print(now_, options.node,
               absl::StrCat("starts at ", host.address, " as #", number));
  processes_.push_back(std::make_unique<Process>(
      *this, host, number, std::move(options), life, rng_.Next()));
  Process& process = *processes_.back();
  host.process = &process;
  process.Post(
      [](core::Replica& replica, core::Now now) { replica.Tick(now); });
  process.ScheduleTick(rng_.Range(0, process.tick_period));
  return process;
}

std::vector<Process*> World::Alive() {
  std::vector<Process*> alive;
  for (auto& host : hosts_) {
    if (host->process != nullptr) alive.push_back(host->process);
  }
  return alive;
}

Host* World::HostAt(const std::string& address) {
  auto it = by_address_.find(address);
  return it == by_address_.end() ? nullptr : it->second;
}

void World::Fail(const std::string& rule) {
  if (failed()) return;
  failure_ = rule;
  trace_.Print(now_, "FAIL", rule);
}

std::string Where(const Process& process) {
  return absl::StrCat(process.name(), "#", process.number);
}

}  // namespace muster::sim
