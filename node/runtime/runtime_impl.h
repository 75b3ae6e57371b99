// The inside of Runtime. Internal to node/runtime/runtime*.cc.
//
// Every entry into the core is a `Run`: it reads the clocks once, makes the
// call, and carries its Output out. The core calls nothing here, and no event
// of the transport comes from inside a call into it, so Run is never entered
// twice.
#ifndef MUSTER_NODE_RUNTIME_RUNTIME_IMPL_H_
#define MUSTER_NODE_RUNTIME_RUNTIME_IMPL_H_

#include <asio/steady_timer.hpp>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "node/core/output.h"
#include "node/core/replica/replica.h"
#include "node/listener/fed_server.h"
#include "node/listener/listener.h"
#include "node/runtime/core_port.h"
#include "node/runtime/loop.h"
#include "node/runtime/runtime.h"
#include "node/runtime/signals.h"
#include "transport/peer/events.h"
#include "transport/peer/peer_transport.h"

namespace muster {

// A value that one thread sets once, and another waits for.
template <typename T>
class Once {
 public:
  // The first value counts.
  void Set(T value) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (!value_) value_ = std::move(value);
    }
    set_.notify_all();
  }
  T Wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    set_.wait(lock, [this] { return value_.has_value(); });
    return *value_;
  }
  bool WaitFor(std::chrono::milliseconds limit) {
    std::unique_lock<std::mutex> lock(mutex_);
    return set_.wait_for(lock, limit, [this] { return value_.has_value(); });
  }

 private:
  std::mutex mutex_;
  std::condition_variable set_;
  std::optional<T> value_;
};

// CLOCK_BOOTTIME and the wall clock.
core::Now ReadClocks();

class Runtime::Impl final : public peer::PeerEvents {
 public:
  explicit Impl(RuntimeOptions options);
  ~Impl() override;

  absl::Status Start(const std::vector<grpc::Service*>& services,
                     ServiceSink* sink,
                     const std::vector<grpc::Service*>& guest_services);
  void Drain();
  absl::Status Wait() { return exit_.Wait(); }
  void Post(CoreTask task);
  void PostRead(CoreTask task);
  RuntimeStats Stats() const;
  void Measure(absl::AnyInvocable<void(LoopMeasures)> done);
  const std::string& listen_address() const { return listen_address_; }
  const std::string& advertised_address() const {
    return options_.core.address;
  }

  // peer::PeerEvents
  crdt::Origin Self() override;
  void OnLinkUp(core::LinkId link, const core::PeerHello& hello) override;
  void OnLinkDown(core::LinkId link, const std::string& why) override;
  void OnFrame(core::LinkId link, core::Frame frame) override;
  void OnRefused(const std::string& address, const std::string& why) override;
  void OnDatagram(const core::BeatDatagram& beat) override;
  void OnInbound(const std::string& remote, bool up) override;
  void OnUdpUnavailable(const std::string& why) override;
  void OnProbe(uint64_t token, peer::ConnectOutcome outcome) override;
  void OnHelloProbe(uint64_t token, crdt::LifeId life) override;

 private:
  using Clock = std::chrono::steady_clock;

  absl::Status CheckOptions() const;
  void MakeTransport();
  // Starts the servers, before there is a listener.
  absl::Status StartServers(const std::vector<grpc::Service*>& services,
                            const std::vector<grpc::Service*>& guest_services);
  void MakeListener(asio::ip::tcp::acceptor acceptor);
  void StartLoop(Port port);
  void WarnOfInsecurity() const;

  // A step of the core: body(now), then its Output is carried out.
  template <typename Body>
  void Run(Body&& body);
  void CarryOut(core::Now now);
  void CarryOutToPeers(core::Output& out);
  void CarryOutToServices(core::Output& out, core::Now now);
  void NoticeDrain();
  void ScheduleTick(Clock::time_point when);
  void OnTick();
  void ScheduleJobs();

  void Stop();
  void StopTransport();

  RuntimeOptions options_;
  std::string listen_address_;
  const Clock::time_point started_ = Clock::now();
  Once<absl::Status> exit_;
  bool running_ = false;

  // The loop outlives everything that runs on it; see node/runtime/loop.h.
  const std::shared_ptr<Loop> loop_;
  ServiceSink* sink_ = nullptr;
  std::unique_ptr<peer::PeerTransport> transport_;
  std::unique_ptr<grpc::Service> peer_service_;
  std::unique_ptr<RefuseCalls> refuse_calls_;
  std::unique_ptr<FedServer> server_;
  std::unique_ptr<FedServer> guest_server_;
  std::unique_ptr<Listener> listener_;
  std::unique_ptr<Signals> signals_;

  // The loop thread's own.
  std::unique_ptr<core::Replica> replica_;
  std::optional<asio::steady_timer> tick_;
  std::optional<asio::steady_timer> drain_limit_;
  Clock::time_point tick_due_;
  core::StepTimes lag_{core::kStepBounds};  // How late ticks were.
  bool tick_postponed_ = false;
  bool jobs_scheduled_ = false;
  bool drain_noticed_ = false;
};

}  // namespace muster

#endif  // MUSTER_NODE_RUNTIME_RUNTIME_IMPL_H_
