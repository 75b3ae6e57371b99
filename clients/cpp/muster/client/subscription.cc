#include "muster/client/subscription.h"

namespace muster::client {
namespace {

SubscribedName NameOf(const v1::SubscribeRequest& request,
                      const v1::SubscribeError& error) {
  const auto index = static_cast<int>(error.index());
  switch (error.list()) {
    case v1::SubscribeError::LIST_SUBSCRIBE:
      return {request.subscribe(index), false};
    case v1::SubscribeError::LIST_PSUBSCRIBE:
      return {request.psubscribe(index), true};
    case v1::SubscribeError::LIST_UNSUBSCRIBE:
      return {request.unsubscribe(index), false};
    default:
      return {request.punsubscribe(index), true};
  }
}

bool IsRemoval(const v1::SubscribeError& error) {
  return error.list() == v1::SubscribeError::LIST_UNSUBSCRIBE ||
         error.list() == v1::SubscribeError::LIST_PUNSUBSCRIBE;
}

template <typename Function, typename... Arguments>
void Tell(const Function& function, Arguments&&... arguments) {
  if (function) function(std::forward<Arguments>(arguments)...);
}

}  // namespace

Subscription::Subscription(Connection* connection, Options options)
    : runner_(connection, options.give_up) {
  for (std::string& name : options.channels) {
    names_.insert({std::move(name), false});
  }
  for (std::string& name : options.patterns) {
    names_.insert({std::move(name), true});
  }
}

absl::Status Subscription::Run(const Observer& observer) {
  return runner_.Run(
      [&](const std::shared_ptr<grpc::Channel>& channel,
          grpc::ClientContext* context, const StreamRunner::Served& served) {
        return RunOnce(channel, context, observer, served);
      },
      [&](const std::string& note) { Tell(observer.on_note, note); });
}

absl::Status Subscription::RunOnce(
    const std::shared_ptr<grpc::Channel>& channel, grpc::ClientContext* context,
    const Observer& observer, const StreamRunner::Served& served) {
  const auto stream = v1::PubSub::NewStub(channel)->Subscribe(context);
  {
    absl::MutexLock lock(&mutex_);
    v1::SubscribeRequest all;
    all.set_report_gaps(true);
    for (const SubscribedName& name : names_) {
      *(name.pattern ? all.add_psubscribe() : all.add_subscribe()) = name.name;
    }
    stream_ = stream.get();
    asked_.clear();
    Ask(std::move(all));
  }
  v1::SubscribeResponse response;
  while (stream->Read(&response)) {
    served();
    Take(response, observer);
    if (response.moving()) break;
  }
  {
    absl::MutexLock lock(&mutex_);
    stream_ = nullptr;
  }
  if (was_held_) Tell(observer.on_missed, std::nullopt);
  was_held_ = false;
  context->TryCancel();
  const absl::Status status = FromGrpc(stream->Finish());
  return response.moving() ? absl::UnavailableError("the node is going away")
                           : status;
}

void Subscription::Ask(v1::SubscribeRequest request) {
  request.set_number(++last_request_);
  stream_->Write(request);
  asked_.emplace(last_request_, std::move(request));
}

void Subscription::Change(const SubscribedName& name, bool add) {
  if (stream_ == nullptr) return;
  v1::SubscribeRequest request;
  if (add) {
    *(name.pattern ? request.add_psubscribe() : request.add_subscribe()) =
        name.name;
  } else {
    *(name.pattern ? request.add_punsubscribe() : request.add_unsubscribe()) =
        name.name;
  }
  Ask(std::move(request));
}

void Subscription::Add(const SubscribedName& name) {
  absl::MutexLock lock(&mutex_);
  if (names_.insert(name).second) Change(name, /*add=*/true);
}

void Subscription::Remove(const SubscribedName& name) {
  absl::MutexLock lock(&mutex_);
  if (names_.erase(name) > 0) Change(name, /*add=*/false);
}

void Subscription::Take(const v1::SubscribeResponse& response,
                        const Observer& observer) {
  if (response.number() != 0) TakeAnswer(response, observer);
  if (response.missed() > 0) Tell(observer.on_missed, response.missed());
  for (const v1::PubSubMessage& message : response.messages()) {
    Tell(observer.on_message, message, ++last_number_);
  }
}

void Subscription::TakeAnswer(const v1::SubscribeResponse& response,
                              const Observer& observer) {
  std::vector<std::pair<SubscribedName, absl::Status>> refused;
  bool all = false;
  {
    absl::MutexLock lock(&mutex_);
    const auto asked = asked_.find(response.number());
    if (asked == asked_.end()) return;
    for (const v1::SubscribeError& error : response.errors()) {
      // The removed name was not there, since the node is another one.
      if (IsRemoval(error)) continue;
      SubscribedName name = NameOf(asked->second, error);
      names_.erase(name);
      refused.emplace_back(
          std::move(name),
          absl::Status(static_cast<absl::StatusCode>(error.code()),
                       error.message()));
    }
    asked_.erase(asked);
    all = asked_.empty();
  }
  for (const auto& [name, status] : refused) {
    Tell(observer.on_refused, name, status);
  }
  if (!all) return;
  was_held_ = true;
  Tell(observer.on_held);
}

}  // namespace muster::client
