#include "bench/watcher.h"

#include <utility>

#include "bench/base.h"

namespace muster::bench {

Watcher::Watcher(v1::Presence::Stub& stub, const v1::WatchRequest& request,
                 OnResponse on_response)
    : request_(request), on_response_(std::move(on_response)) {
  stub.async()->Watch(&context_, &request_, this);
  AddHold();
  StartRead(&response_);
  StartCall();
}

Watcher::~Watcher() {
  context_.TryCancel();
  RemoveHold();
  done_.WaitForNotification();
}

void Watcher::WaitForState() {
  if (!complete_.WaitForNotificationWithTimeout(absl::Seconds(30))) {
    Die("a watch was not given its state within 30 s");
  }
}

void Watcher::OnReadDone(bool ok) {
  if (!ok) return;
  on_response_(response_);
  const bool complete =
      response_.state_complete() || !response_.counts().empty();
  if (complete && !complete_.HasBeenNotified()) complete_.Notify();
  if (reading_) StartRead(&response_);
}

void Watcher::OnDone(const grpc::Status&) { done_.Notify(); }

}  // namespace muster::bench
