#include "node/service/health.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "node/service/validate.h"

namespace muster::service {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

std::string Encode(Health::Status status) {
  HealthCheckResponse response;
  response.set_status(status);
  return response.SerializeAsString();
}

}  // namespace

void Health::SetReady(bool ready) {
  MutexLock lock(mutex_);
  ready_ = ready;
  TellLocked();
}

void Health::SetDraining() {
  MutexLock lock(mutex_);
  draining_ = true;
  TellLocked();
}

bool Health::IsKnown(const std::string& service) {
  return service.empty() || service == "muster.v1.Presence" ||
         service == "muster.v1.Cluster" || service == "muster.v1.PubSub";
}

Health::Status Health::status() const {
  MutexLock lock(mutex_);
  return StatusLocked();
}

Health::Status Health::StatusLocked() const {
  return ready_ && !draining_ ? HealthCheckResponse::SERVING
                              : HealthCheckResponse::NOT_SERVING;
}

void Health::TellLocked() {
  for (const std::shared_ptr<HealthStream>& stream : streams_) {
    stream->Tell(StatusLocked());
  }
}

void Health::Add(std::shared_ptr<HealthStream> stream) {
  MutexLock lock(mutex_);
  stream->Tell(StatusLocked());
  streams_.insert(std::move(stream));
}

void Health::Remove(const std::shared_ptr<HealthStream>& stream) {
  MutexLock lock(mutex_);
  streams_.erase(stream);
}

HealthStream::HealthStream(Health* health, Offload* offload,
                           const Limits* limits, std::string request)
    : StreamWriter(offload),
      health_(health),
      limits_(*limits),
      message_(std::move(request)) {}

std::shared_ptr<HealthStream> HealthStream::Self() {
  return std::static_pointer_cast<HealthStream>(shared_from_this());
}

void HealthStream::OnStarted() {
  HealthCheckRequest request;
  const absl::Status status = ParseRequest(message_, limits_, &request);
  if (!status.ok()) {
    End(status);
  } else if (Health::IsKnown(request.service())) {
    health_->Add(Self());
  } else {
    // The protocol says: tell, and stay open.
    Tell(HealthCheckResponse::SERVICE_UNKNOWN);
  }
}

void HealthStream::Tell(Health::Status status) {
  {
    MutexLock lock(mutex());
    next_ = status;
  }
  Wake();
}

bool HealthStream::HasNext() const {
  return next_.has_value() && next_ != last_;
}

std::optional<Outgoing> HealthStream::TakeNext() {
  MutexLock lock(mutex());
  if (!HasNext()) return std::nullopt;
  last_ = std::exchange(next_, std::nullopt);
  return Outgoing{Encode(*last_), nullptr};
}

void HealthStream::OnClosed() { health_->Remove(Self()); }

grpc::ServerUnaryReactor* HealthService::Check(grpc::CallbackServerContext*,
                                               const grpc::ByteBuffer* request,
                                               grpc::ByteBuffer* response) {
  UnaryCall call = ServeUnary(response);
  HealthCheckRequest message;
  const absl::Status status =
      ParseRequest(ToString(*request), limits_, &message);
  if (!status.ok()) {
    Fail(std::move(call.reply), status);
  } else if (!Health::IsKnown(message.service())) {
    Fail(std::move(call.reply), absl::NotFoundError(absl::StrCat(
                                    "service is ", Quoted(message.service()),
                                    "; this node serves muster.v1.Presence, "
                                    "muster.v1.PubSub and muster.v1.Cluster")));
  } else {
    Send(std::move(call.reply), Encode(health_->status()));
  }
  return call.reactor;
}

RawWriteReactor* HealthService::Watch(grpc::CallbackServerContext*,
                                      const grpc::ByteBuffer* request) {
  return ServeWrites(std::make_shared<HealthStream>(health_, offload_, &limits_,
                                                    ToString(*request)));
}

}  // namespace muster::service
