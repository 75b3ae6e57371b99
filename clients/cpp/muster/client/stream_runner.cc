#include "muster/client/stream_runner.h"

#include "absl/strings/str_cat.h"

namespace muster::client {

StreamRunner::StreamRunner(Connection* connection, absl::Duration give_up)
    : connection_(connection), give_up_(give_up) {}

bool StreamRunner::stopped() const {
  absl::MutexLock lock(&mutex_);
  return stopped_;
}

void StreamRunner::Stop() {
  absl::MutexLock lock(&mutex_);
  stopped_ = true;
  if (context_ != nullptr) context_->TryCancel();
}

absl::Status StreamRunner::Run(
    const RunStream& stream,
    const std::function<void(const std::string&)>& on_note) {
  Failover failover(connection_, give_up_);
  while (!stopped()) {
    const size_t i = failover.current();
    Reach reach = Reach::kNothing;
    const absl::Status ended = RunOnce(i, stream, &reach);
    if (stopped()) break;
    if (reach == Reach::kServed) {
      on_note(absl::StrCat("lost ", connection_->address(i), ": ",
                           ReasonOf(ended)));
    }
    const absl::Status status = failover.Next(ended, reach);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status StreamRunner::RunOnce(size_t i, const RunStream& stream,
                                   Reach* reach) {
  const absl::Status connected = connection_->WaitConnected(i);
  if (absl::IsUnavailable(connected)) return connected;
  // Silent or connected: there is something, which may yet answer.
  *reach = Reach::kConnected;
  if (!connected.ok()) return connected;
  grpc::ClientContext context;
  connection_->Prepare(&context);
  {
    absl::MutexLock lock(&mutex_);
    if (stopped_) return absl::OkStatus();
    context_ = &context;
  }
  bool served = false;
  const absl::Status ended = stream(connection_->channel(i), &context, &served);
  if (served) {
    *reach = Reach::kServed;
    connection_->Prefer(i);
  }
  absl::MutexLock lock(&mutex_);
  context_ = nullptr;
  return ended;
}

}  // namespace muster::client
