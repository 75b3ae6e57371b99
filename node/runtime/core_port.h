// The two sides of the event loop, as interfaces: CorePort is what the services
// may ask of the loop that owns the core, ServiceSink is what the loop tells
// the services. The runtime implements the first, node/service the second;
// tests put something simpler on either side.
//
//   gRPC thread --CorePort::Post--> loop thread: task(replica, now)
//   loop thread --ServiceSink::On...--> services (copy, queue, return at once)
//
// Threads. CorePort may be used from any thread. Every call of ServiceSink but
// OnStarted comes on the loop thread, one at a time, after the step that made
// the events; it must not block, must not call a changing method of the
// replica, and may Post.
#ifndef MUSTER_NODE_RUNTIME_CORE_PORT_H_
#define MUSTER_NODE_RUNTIME_CORE_PORT_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "node/core/output.h"
#include "node/core/replica/replica.h"
#include "node/core/time.h"

namespace grpc {
class Server;
}

namespace muster {

// A step of the core. It runs once, on the loop thread, and must take less than
// 1 ms. The runtime carries the replica's Output out right after it.
using CoreTask = absl::AnyInvocable<void(core::Replica&, core::Now)>;

// Measures of the runtime itself.
struct RuntimeStats {
  absl::Duration uptime;
  // Longest time that one step held the loop: of the last ten seconds, and of
  // all time.
  absl::Duration loop_lag;
  absl::Duration loop_lag_max;
  // Tasks that wait for the loop: peers' frames, clients' reads, all others.
  size_t queued_frames = 0;
  size_t queued_reads = 0;
  size_t queued_tasks = 0;
  // Counters of the runtime and the peer transport, by name, in byte order.
  std::vector<std::pair<std::string, uint64_t>> counters;
};

class CorePort {
 public:
  virtual ~CorePort() = default;
  // Tasks of one thread run in the order posted. After the loop has stopped a
  // task is destroyed without being run: no caller may wait for a task for
  // ever.
  virtual void Post(CoreTask task) = 0;
  // For a short step that changes nothing: it waits for the running step and
  // for other reads, not for all tasks posted before.
  virtual void PostRead(CoreTask task) = 0;
  virtual RuntimeStats Stats() const = 0;
};

class ServiceSink {
 public:
  virtual ~ServiceSink() = default;
  // Once, on the thread that starts the runtime: the server is built and no
  // other call has been made yet.
  virtual void OnStarted(grpc::Server& server) = 0;
  virtual void OnReplies(std::vector<core::AsyncReply> replies) = 0;
  virtual void OnSessionsEnded(std::vector<core::SessionEnded> ended) = 0;
  virtual void OnEvicted(std::vector<core::EntryEvicted> evicted) = 0;
  virtual void OnOrders(std::vector<core::OrderDone> orders) = 0;
  virtual void OnWatchEvents(std::vector<core::WatchEvent> events) = 0;
  virtual void OnSubscribed(std::vector<core::SubscribeHeld> held) = 0;
  virtual void OnMessages(std::vector<core::MessageDelivery> deliveries) = 0;
  virtual void OnKvAnswers(std::vector<core::KvAnswer> answers) = 0;
  // Whom Replica::MayWrite has held back may ask again.
  virtual void OnMayWrite() {}
  // Replica::Members() has news.
  virtual void OnMembersChanged(const core::Replica& replica,
                                core::Now now) = 0;
  // `ready` is Replica::ready(): for health.
  virtual void OnReadyChanged(bool ready) = 0;
  // Once: the node has begun to drain. Clients are to be told to move.
  virtual void OnDraining() = 0;
  // Once: the server is about to stop, which waits for all calls, and then the
  // loop. The services end every call that still waits for the core.
  virtual void OnStopping() {}
};

}  // namespace muster

#endif  // MUSTER_NODE_RUNTIME_CORE_PORT_H_
