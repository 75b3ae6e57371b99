#include "bench/probes.h"

#include <time.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "bench/workload.h"

namespace muster::bench {
namespace {

void SleepUntil(Nanos when) {
  timespec until{when / 1'000'000'000, when % 1'000'000'000};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
}

void ReadOne(NodeClient& node, const std::string& topic, std::string& key) {
  grpc::ClientContext context;
  v1::GetRequest request;
  v1::GetResponse response;
  request.set_topic(topic);
  request.set_key(key);
  const grpc::Status status = node.presence().Get(&context, request, &response);
  if (!status.ok() && status.error_code() != grpc::StatusCode::NOT_FOUND) {
    Die(absl::StrCat("Get failed: ", status.error_message()));
  }
}

}  // namespace

Probe::Probe(absl::Duration interval, std::function<void()> operation)
    : interval_(absl::ToInt64Nanoseconds(interval)),
      operation_(std::move(operation)),
      thread_([this] { Run(); }) {}

Probe::~Probe() {
  if (thread_.joinable()) Stop();
}

Samples Probe::Stop() {
  stop_ = true;
  thread_.join();
  return std::move(latency_);
}

void Probe::Run() {
  for (Nanos due = Clock(); !stop_; due += interval_) {
    SleepUntil(due);
    operation_();
    latency_.Add(Clock() - due);
  }
}

std::function<void()> MixedReads(NodeClient& node, std::string topic) {
  return [&node, topic = std::move(topic), turn = size_t{0}]() mutable {
    std::string key = UserKey(turn);
    switch (turn++ % 3) {
      case 0:
        node.ListPage(topic, 100, nullptr);
        break;
      case 1:
        node.CountTopic(topic);
        break;
      default:
        ReadOne(node, topic, key);
    }
  };
}

TrackFlow::TrackFlow(NodeClient& node, const FlowOptions& options)
    : options_(options),
      stream_(Connect(node.address()),
              [this](const Answer& answer) { OnAnswer(answer.number); }),
      sender_(
          std::make_unique<Probe>(options.interval, [this] { SendNext(); })) {}

void TrackFlow::SendNext() {
  size_t message;
  {
    absl::MutexLock lock(&mutex_);
    message = due_.size();
    due_.push_back(Clock());
  }
  v1::SessionsRequest request;
  request.set_number(message + 1);
  const uint32_t slot = message % options_.live_messages;
  if (message >= options_.live_messages) {
    v1::SessionPart& old = *request.add_parts();
    old.set_slot(slot);
    old.set_close(true);
  }
  v1::SessionPart& part = *request.add_parts();
  part.set_slot(slot);
  part.mutable_open();
  for (size_t i = 0; i < options_.tracks_per_message; ++i) {
    const size_t user =
        options_.first_user + message * options_.tracks_per_message + i;
    v1::TrackOp& op = *part.add_track();
    op.set_topic(options_.topic);
    op.set_key(UserKey(user));
    op.set_meta(UserMeta(user));
  }
  stream_.Send(Encode(request));
}

void TrackFlow::OnAnswer(uint64_t number) {
  const Nanos now = Clock();
  absl::MutexLock lock(&mutex_);
  if (number != ++answered_) Die("an answer came out of turn");
  latency_.Add(now - due_[number - 1]);
}

Samples TrackFlow::Take() {
  absl::MutexLock lock(&mutex_);
  return std::exchange(latency_, Samples());
}

Nanos TrackFlow::SentAt(size_t user) const {
  const size_t message =
      (user - options_.first_user) / options_.tracks_per_message;
  absl::MutexLock lock(&mutex_);
  return due_[message];
}

void TrackFlow::Stop() {
  sender_->Stop();
  const auto all_answered = [this] {
    mutex_.AssertReaderHeld();
    return answered_ == due_.size();
  };
  absl::MutexLock lock(&mutex_);
  if (!mutex_.AwaitWithTimeout(absl::Condition(&all_answered),
                               absl::Minutes(1))) {
    Die("a flow of tracks was not answered within a minute");
  }
}

RssProbe::RssProbe(const NodeProcess& node)
    : before_(node.RssBytes()),
      most_(before_),
      probe_(absl::Milliseconds(5), [this, &node] {
        most_ = std::max<uint64_t>(most_, node.RssBytes());
      }) {}

uint64_t RssProbe::Growth() {
  probe_.Stop();
  return most_ - before_;
}

}  // namespace muster::bench
