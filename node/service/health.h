// grpc.health.v1: SERVING while the node is ready and does not drain, for ""
// and for each service of clients.
//
// Threads: any.
#ifndef MUSTER_NODE_SERVICE_HEALTH_H_
#define MUSTER_NODE_SERVICE_HEALTH_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "node/mutex.h"
#include "node/service/limits.h"
#include "node/service/reactors.h"
#include "node/service/stream_writer.h"

namespace muster::service {

class HealthStream;

class Health {
 public:
  using Status = grpc::health::v1::HealthCheckResponse::ServingStatus;

  void SetReady(bool ready);
  // NOT_SERVING from now on.
  void SetDraining();

  static bool IsKnown(const std::string& service);
  Status status() const;
  // The stream is told the status now and at each change.
  void Add(std::shared_ptr<HealthStream> stream);
  void Remove(const std::shared_ptr<HealthStream>& stream);

 private:
  Status StatusLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TellLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable Mutex mutex_;
  bool ready_ ABSL_GUARDED_BY(mutex_) = false;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  absl::flat_hash_set<std::shared_ptr<HealthStream>> streams_
      ABSL_GUARDED_BY(mutex_);
};

// A call of Watch: the newest status, once it differs from the one last sent.
class HealthStream final : public StreamWriter {
 public:
  // `request`: a HealthCheckRequest.
  HealthStream(Health* health, Offload* offload, const Limits* limits,
               std::string request);
  void Tell(Health::Status status) ABSL_LOCKS_EXCLUDED(mutex());

 protected:
  void OnStarted() override;
  bool HasNext() const override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex());
  std::optional<Outgoing> TakeNext() override;
  void OnClosed() override;

 private:
  std::shared_ptr<HealthStream> Self();

  Health* const health_;
  const Limits& limits_;
  const std::string message_;
  std::optional<Health::Status> last_ ABSL_GUARDED_BY(mutex());
  std::optional<Health::Status> next_ ABSL_GUARDED_BY(mutex());
};

class HealthService final
    : public grpc::health::v1::Health::WithRawCallbackMethod_Check<
          grpc::health::v1::Health::WithRawCallbackMethod_Watch<
              grpc::health::v1::Health::Service>> {
 public:
  HealthService(Health* health, Offload* offload, const Limits* limits)
      : health_(health), offload_(offload), limits_(*limits) {}

  grpc::ServerUnaryReactor* Check(grpc::CallbackServerContext*,
                                  const grpc::ByteBuffer* request,
                                  grpc::ByteBuffer* response) override;
  RawWriteReactor* Watch(grpc::CallbackServerContext*,
                         const grpc::ByteBuffer* request) override;

 private:
  Health* const health_;
  Offload* const offload_;
  const Limits& limits_;
};

}  // namespace muster::service

#endif  // MUSTER_NODE_SERVICE_HEALTH_H_
