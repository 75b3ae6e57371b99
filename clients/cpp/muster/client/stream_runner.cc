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

absl::Status StreamRunner::Run(const RunStream& stream, const OnNote& on_note) {
  Failover failover(connection_, give_up_);
  while (!stopped()) {
    const size_t i = failover.current();
    Reach reach = Reach::kNothing;
    const absl::Status ended = RunOnce(i, stream, on_note, &reach);
    if (stopped()) break;
    const absl::Status status = failover.Next(ended, reach);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status StreamRunner::RunOnce(size_t i, const RunStream& stream,
                                   const OnNote& on_note, Reach* reach) {
  const absl::Status connected = connection_->WaitConnected(i);
  if (absl::IsUnavailable(connected)) return connected;
  // The address is silent or connected: a node there may yet answer.
  *reach = Reach::kConnected;
  if (!connected.ok()) return connected;
  grpc::ClientContext context;
  connection_->Prepare(&context);
  {
    absl::MutexLock lock(&mutex_);
    if (stopped_) return absl::OkStatus();
    context_ = &context;
  }
  const auto note = [&on_note](const std::string& text) {
    if (on_note) on_note(text);
  };
  const absl::Status ended = stream(connection_->channel(i), &context, [&] {
    if (*reach == Reach::kServed) return;
    *reach = Reach::kServed;
    connection_->Prefer(i);
    if (lost_) {
      note(absl::StrCat("connected again, to ", connection_->address(i)));
    }
    lost_ = false;
  });
  {
    absl::MutexLock lock(&mutex_);
    context_ = nullptr;
    if (stopped_) return ended;
  }
  if (*reach == Reach::kServed) {
    lost_ = true;
    note(absl::StrCat("lost ", connection_->address(i), ": ", ReasonOf(ended),
                      "; looking for a node"));
  }
  return ended;
}

}  // namespace muster::client
