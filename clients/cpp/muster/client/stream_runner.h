// Runs a long-lived stream against one node of a connection. When the stream
// ends it runs against the next node, until it is stopped or gives up
// (Failover).
//
// Notes, for people, say when a node that has served the stream is lost, and
// when a node serves it again; nothing between:
//
//   lost 10.0.0.1:7400: Socket closed; looking for a node
//   connected again, to 10.0.0.2:7400
//
// Threads: Run blocks; Stop may be called from any other thread.
#ifndef MUSTER_CLIENT_STREAM_RUNNER_H_
#define MUSTER_CLIENT_STREAM_RUNNER_H_

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "muster/client/connection.h"
#include "muster/client/failover.h"

namespace muster::client {

class StreamRunner {
 public:
  // One stream, from its first to its last message. Calls `served` once the
  // node has made some progress with the request; further calls do nothing.
  // Returns how the stream ended.
  using Served = std::function<void()>;
  using RunStream =
      std::function<absl::Status(const std::shared_ptr<grpc::Channel>&,
                                 grpc::ClientContext*, const Served& served)>;
  using OnNote = std::function<void(const std::string&)>;

  // `connection` outlives the runner.
  StreamRunner(Connection* connection, absl::Duration give_up);

  // Returns OK after Stop. `on_note` may be empty.
  absl::Status Run(const RunStream& stream, const OnNote& on_note);
  // Cancels the stream that runs.
  void Stop();
  bool stopped() const;

 private:
  absl::Status RunOnce(size_t i, const RunStream& stream, const OnNote& on_note,
                       Reach* reach);

  Connection* const connection_;
  const absl::Duration give_up_;
  bool lost_ = false;  // Run's only: a node that served it, and none since.

  mutable absl::Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::ClientContext* context_ ABSL_GUARDED_BY(mutex_) = nullptr;
};

}  // namespace muster::client

#endif  // MUSTER_CLIENT_STREAM_RUNNER_H_
