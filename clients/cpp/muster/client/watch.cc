#include "muster/client/watch.h"

#include <utility>

#include "muster/v1/presence.grpc.pb.h"

namespace muster::client {

Watch::Watch(Connection* connection, v1::WatchRequest request,
             absl::Duration give_up)
    : runner_(connection, give_up),
      request_(std::move(request)),
      keys_(request_.detail()) {}

absl::Status Watch::Run(const Observer& observer) {
  return runner_.Run(
      [&](const std::shared_ptr<grpc::Channel>& channel,
          grpc::ClientContext* context, const StreamRunner::Served& served) {
        return RunOnce(channel, context, observer, served);
      },
      observer.on_note);
}

absl::Status Watch::RunOnce(const std::shared_ptr<grpc::Channel>& channel,
                            grpc::ClientContext* context,
                            const Observer& observer,
                            const StreamRunner::Served& served) {
  request_.set_version(roll_.version());
  const auto stream = v1::Presence::NewStub(channel)->Watch(context, request_);
  v1::WatchResponse message;
  while (stream->Read(&message)) {
    served();
    Report(message, observer);
  }
  roll_.Disconnected();
  keys_.Disconnected();
  return FromGrpc(stream->Finish());
}

void Watch::Report(const v1::WatchResponse& message, const Observer& observer) {
  const std::vector<Change> changes = roll_.Apply(message);
  if (!changes.empty() && observer.on_changes) observer.on_changes(changes);
  if (!observer.on_keys) return;
  std::vector<KeyChange> keys;
  if (keys_.Apply(message, changes, &keys)) observer.on_keys(keys);
}

}  // namespace muster::client
