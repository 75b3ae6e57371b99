// One Watch call. What it is told comes through a callback, on a thread of
// gRPC, one response at a time.
#ifndef MUSTER_BENCH_WATCHER_H_
#define MUSTER_BENCH_WATCHER_H_

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <functional>

#include "absl/synchronization/notification.h"
#include "muster/v1/presence.grpc.pb.h"

namespace muster::bench {

class Watcher : public grpc::ClientReadReactor<v1::WatchResponse> {
 public:
  using OnResponse = std::function<void(const v1::WatchResponse& response)>;

  Watcher(v1::Presence::Stub& stub, const v1::WatchRequest& request,
          OnResponse on_response);
  ~Watcher() override;

  // Until the first state is complete.
  void WaitForState();
  // Reads nothing from the next response on. The node is not told.
  void StopReading() { reading_ = false; }

  void OnReadDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;

 private:
  grpc::ClientContext context_;
  const v1::WatchRequest request_;
  const OnResponse on_response_;
  v1::WatchResponse response_;
  std::atomic<bool> reading_{true};
  absl::Notification complete_;
  absl::Notification done_;
};

}  // namespace muster::bench

#endif  // MUSTER_BENCH_WATCHER_H_
