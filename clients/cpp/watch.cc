#include "clients/cpp/watch.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "muster/v1/presence.grpc.pb.h"

namespace muster::client {
Watch::Watch(Connection* connection, v1::WatchRequest request,
             absl::Duration give_up)
    : connection_(connection),
      give_up_(give_up),
      request_(std::move(request)) {}

bool Watch::stopped() const {
  absl::MutexLock lock(&mutex_);
  return stopped_;
}

void Watch::Stop() {
  absl::MutexLock lock(&mutex_);
  stopped_ = true;
  if (context_ != nullptr) context_->TryCancel();
}

absl::Status Watch::Run(const Observer& observer) {
  Failover failover(connection_, give_up_);
  while (!stopped()) {
    const size_t i = failover.current();
    Reach reach = Reach::kNothing;
    const absl::Status ended = RunOnce(i, observer, &reach);
    if (stopped()) break;
    if (reach == Reach::kServed) {
      observer.on_note(absl::StrCat("lost ", connection_->address(i), ": ",
                                    ReasonOf(ended)));
    }
    const absl::Status status = failover.Next(ended, reach);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Watch::RunOnce(size_t i, const Observer& observer, Reach* reach) {
  if (!connection_->WaitConnected(i)) {
    return absl::UnavailableError("cannot connect");
  }
  *reach = Reach::kConnected;
  grpc::ClientContext context;
  {
    absl::MutexLock lock(&mutex_);
    if (stopped_) return absl::OkStatus();
    context_ = &context;
  }
  request_.set_version(roll_.version());
  const auto stub = v1::Presence::NewStub(connection_->channel(i));
  const auto stream = stub->Watch(&context, request_);
  v1::WatchResponse message;
  while (stream->Read(&message)) {
    if (*reach != Reach::kServed) connection_->Prefer(i);
    *reach = Reach::kServed;
    const std::vector<Change> changes = roll_.Apply(message);
    if (!changes.empty()) observer.on_changes(changes);
  }
  const grpc::Status status = stream->Finish();
  roll_.Disconnected();
  absl::MutexLock lock(&mutex_);
  context_ = nullptr;
  return FromGrpc(status);
}

}  // namespace muster::client
