// A running node: steps of the core, and the outputs that they ask for.
#include <spdlog/spdlog.h>
#include <time.h>

#include <algorithm>
#include <asio/post.hpp>
#include <system_error>
#include <utility>

#include "node/runtime/runtime_impl.h"

namespace muster {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kTick{10};
// A tick this late first reads the beats that have arrived meanwhile.
constexpr milliseconds kLate{20};
// After a stall this long, one tick waits for gRPC's threads to hand over the
// input of their sockets: the node hears every peer before it judges one.
constexpr milliseconds kStall{200};
constexpr milliseconds kAfterStall{20};
constexpr int kPollRounds = 16;

int64_t Microseconds(clockid_t clock) {
  timespec t;
  clock_gettime(clock, &t);
  return static_cast<int64_t>(t.tv_sec) * 1'000'000 + t.tv_nsec / 1000;
}

void Write(const core::LogLine& line) {
  switch (line.level) {
    case core::LogLine::Level::kDebug:
      return spdlog::debug("{}", line.text);
    case core::LogLine::Level::kInfo:
      return spdlog::info("{}", line.text);
    case core::LogLine::Level::kWarning:
      return spdlog::warn("{}", line.text);
    case core::LogLine::Level::kError:
      return spdlog::error("{}", line.text);
  }
}

core::Replica::ProbeOutcome ToCore(peer::ConnectOutcome outcome) {
  switch (outcome) {
    case peer::ConnectOutcome::kConnected:
      return core::Replica::ProbeOutcome::kConnected;
    case peer::ConnectOutcome::kRefused:
      return core::Replica::ProbeOutcome::kRefused;
    case peer::ConnectOutcome::kNoAnswer:
      break;
  }
  return core::Replica::ProbeOutcome::kNoAnswer;
}

}  // namespace

core::Now ReadClocks() {
  return {{Microseconds(CLOCK_BOOTTIME)}, Microseconds(CLOCK_REALTIME)};
}

template <typename Body>
void Runtime::Impl::Run(Body&& body) {
  core::Now now = ReadClocks();
  body(now);
  CarryOut(now);
}

// -------------------------------------------------------------------- input

void Runtime::Impl::Post(CoreTask task) {
  loop_->Post([this, task = std::move(task)]() mutable {
    Run([&](core::Now now) { task(*replica_, now); });
  });
}

void Runtime::Impl::PostRead(CoreTask task) {
  loop_->PostRead([this, task = std::move(task)]() mutable {
    Run([&](core::Now now) { task(*replica_, now); });
  });
}

void Runtime::Impl::Drain() {
  Post([](core::Replica& replica, core::Now now) { replica.Drain(now); });
}

crdt::Origin Runtime::Impl::Self() { return replica_->origin(); }

void Runtime::Impl::OnLinkUp(core::LinkId link, const core::PeerHello& hello) {
  Run([&](core::Now now) { replica_->OnLinkUp(link, hello, now); });
}

void Runtime::Impl::OnLinkDown(core::LinkId link, const std::string& why) {
  Run([&](core::Now now) { replica_->OnLinkDown(link, why, now); });
}

void Runtime::Impl::OnFrame(core::LinkId link, core::Frame frame) {
  Run([&](core::Now now) { replica_->OnFrame(link, std::move(frame), now); });
}

void Runtime::Impl::OnRefused(const std::string& address,
                              const std::string& why) {
  Run([&](core::Now now) { replica_->OnRefused(address, why, now); });
}

void Runtime::Impl::OnDatagram(const core::BeatDatagram& beat) {
  Run([&](core::Now now) { replica_->OnDatagram(beat, now); });
}

void Runtime::Impl::OnInbound(const std::string& remote, bool up) {
  listener_->SetPeer(remote, up);
}

void Runtime::Impl::OnUdpUnavailable(const std::string& why) {
  Run([&](core::Now) { replica_->OnUdpUnavailable(why); });
}

void Runtime::Impl::OnProbe(uint64_t token, peer::ConnectOutcome outcome) {
  Run([&](core::Now now) { replica_->OnProbe(token, ToCore(outcome), now); });
}

void Runtime::Impl::OnHelloProbe(uint64_t token, crdt::LifeId life) {
  Run([&](core::Now now) { replica_->OnHelloProbe(token, life, now); });
}

// --------------------------------------------------------------------- time

void Runtime::Impl::ScheduleTick(Clock::time_point when) {
  tick_due_ = when;
  tick_->expires_at(when);
  tick_->async_wait([this](const std::error_code& error) {
    if (!error) loop_->Step([this] { OnTick(); });
  });
}

void Runtime::Impl::OnTick() {
  Clock::time_point now = Clock::now();
  Clock::duration late = now - tick_due_;
  lag_.Observe(absl::FromChrono(late));
  if (late > kLate) {
    for (int i = 0; i < kPollRounds; ++i) transport_->PollBeats();
  }
  tick_postponed_ = late > kStall && !tick_postponed_;
  if (tick_postponed_) return ScheduleTick(now + kAfterStall);
  Run([&](core::Now core_now) { replica_->Tick(core_now); });
  ScheduleTick(std::max(tick_due_ + kTick, now));
}

void Runtime::Impl::ScheduleJobs() {
  if (std::exchange(jobs_scheduled_, true)) return;
  // Posted behind the waiting tasks: input, timers and jobs take turns.
  asio::post(loop_->io(), [this] {
    jobs_scheduled_ = false;
    loop_->Step(
        [this] { Run([&](core::Now now) { replica_->RunJobs(now); }); });
  });
}

// ------------------------------------------------------------------- output

void Runtime::Impl::CarryOut(core::Now now) {
  core::Output out = std::exchange(replica_->output(), {});
  for (const core::LogLine& line : out.log) Write(line);
  CarryOutToPeers(out);
  CarryOutToServices(out, now);
  if (!drain_noticed_ && replica_->draining()) NoticeDrain();
  if (out.exit) exit_.Set(*out.exit);
  if (out.more_work) ScheduleJobs();
}

void Runtime::Impl::CarryOutToPeers(core::Output& out) {
  for (const core::SendFrame& send : out.frames) {
    transport_->Send(send.link, send.frame);
  }
  for (const core::SendBeat& send : out.beats) {
    transport_->SendBeat(send.address, send.beat);
  }
  for (const core::CloseLink& close : out.closes) {
    transport_->CloseLink(close.link, close.reason, close.permanent);
  }
  if (out.dial) transport_->Dial(*out.dial);
  for (const core::ConnectProbe& probe : out.probes) {
    transport_->StartProbe(probe.token, probe.address);
  }
  for (const core::HelloProbe& probe : out.hello_probes) {
    transport_->StartHelloProbe(probe.token, probe.address);
  }
}

void Runtime::Impl::CarryOutToServices(core::Output& out, core::Now now) {
  if (!out.replies.empty()) sink_->OnReplies(std::move(out.replies));
  if (!out.ended.empty()) sink_->OnSessionsEnded(std::move(out.ended));
  if (!out.evicted.empty()) sink_->OnEvicted(std::move(out.evicted));
  if (!out.orders.empty()) sink_->OnOrders(std::move(out.orders));
  if (!out.watch.empty()) sink_->OnWatchEvents(std::move(out.watch));
  if (!out.subscribed.empty()) sink_->OnSubscribed(std::move(out.subscribed));
  if (!out.messages.empty()) sink_->OnMessages(std::move(out.messages));
  if (!out.kv_answers.empty()) sink_->OnKvAnswers(std::move(out.kv_answers));
  if (out.may_write) sink_->OnMayWrite();
  if (out.members_changed) sink_->OnMembersChanged(*replica_, now);
  if (out.ready_changed) sink_->OnReadyChanged(replica_->ready());
}

void Runtime::Impl::NoticeDrain() {
  drain_noticed_ = true;
  sink_->OnDraining();
  milliseconds limit(absl::ToInt64Milliseconds(options_.drain_timeout));
  drain_limit_.emplace(loop_->io(), limit);
  drain_limit_->async_wait([this](const std::error_code& error) {
    if (error) return;
    spdlog::warn("the drain is not over in time: exiting all the same");
    exit_.Set(absl::OkStatus());
  });
}

RuntimeStats Runtime::Impl::Stats() const {
  RuntimeStats stats;
  stats.uptime = absl::FromChrono(Clock::now() - started_);
  stats.loop_lag = loop_->lag();
  stats.loop_lag_max = loop_->lag_max();
  const Loop::Queued queued = loop_->queued();
  stats.queued_frames = queued.first;
  stats.queued_reads = queued.reads;
  stats.queued_tasks = queued.others;
  stats.counters = listener_->counters().All();
  auto peers = transport_->counters().All();
  stats.counters.insert(stats.counters.end(), peers.begin(), peers.end());
  return stats;
}

void Runtime::Impl::Measure(absl::AnyInvocable<void(LoopMeasures)> done) {
  loop_->PostRead([this, done = std::move(done)]() mutable {
    done(
        {replica_->Measure(), replica_->KvStatus(), loop_->step_times(), lag_});
  });
}

}  // namespace muster
