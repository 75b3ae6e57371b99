#include "node/service/subscribe_stream.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "node/codec/pubsub_codec.h"
#include "node/service/sink.h"

namespace muster::service {
namespace {

// Runs that wait together are written as one message of about this size.
constexpr size_t kMessageBytes = 64 << 10;
// Memory of a queued item beside its bytes.
constexpr size_t kItemOverhead = 64;

}  // namespace

SharedRun::SharedRun(core::MessageRun run) : run_(std::move(run)) {
  const size_t pattern = run_.pattern == nullptr ? 0 : run_.pattern->size();
  for (size_t i = 0; i < run_.count; ++i) {
    const core::Message& message = run_.batch->messages[run_.first + i];
    bytes_ += message.channel.size() + message.payload.size() + pattern;
  }
}

std::shared_ptr<const std::string> SharedRun::Body() {
  std::call_once(once_, [this] {
    body_ = std::make_shared<const std::string>(codec::EncodeRunBody(run_));
  });
  return body_;
}

SubscribeStream::SubscribeStream(Context* context)
    : StreamWriter(&context->offload), context_(*context) {}

std::shared_ptr<SubscribeStream> SubscribeStream::Self() {
  return std::static_pointer_cast<SubscribeStream>(shared_from_this());
}

// ------------------------------------------------------------- gRPC threads

void SubscribeStream::OnRead(std::string bytes) {
  absl::StatusOr<SubscribeWish> wish = DecodeSubscribe(bytes, context_.limits);
  if (!wish.ok()) {
    End(wish.status());
    return;
  }
  bool read_on;
  {
    MutexLock lock(mutex());
    ++unanswered_;
    read_on = MayRead();
    paused_ = !read_on;
  }
  context_.core.Post([self = Self(), wish = *std::move(wish)](
                         core::Replica& replica, core::Now now) {
    self->Run(replica, now, wish);
  });
  if (read_on) Read();
}

// A client that has ended its requests still listens: the call ends when the
// client is gone.
void SubscribeStream::OnReadsDone() {}

bool SubscribeStream::HasNext() const { return !queue_.empty(); }

std::optional<Outgoing> SubscribeStream::TakeNext() {
  std::vector<std::shared_ptr<SharedRun>> runs;
  {
    MutexLock lock(mutex());
    size_t bytes = 0;
    while (!queue_.empty() && bytes < kMessageBytes) {
      if (std::string* whole = std::get_if<std::string>(&queue_.front())) {
        if (!runs.empty()) break;
        Outgoing message{std::move(*whole), nullptr};
        queued_bytes_ -= message.head.size() + kItemOverhead;
        queue_.pop_front();
        return message;
      }
      runs.push_back(std::get<0>(std::move(queue_.front())));
      queue_.pop_front();
      bytes += runs.back()->bytes();
      queued_bytes_ -= runs.back()->bytes() + kItemOverhead;
    }
  }
  if (runs.empty()) return std::nullopt;
  Outgoing message{codec::EncodeFirst(next_number_), nullptr};
  for (const std::shared_ptr<SharedRun>& run : runs) {
    next_number_ += run->count();
  }
  if (runs.size() == 1) {
    message.body = runs.front()->Body();
    return message;
  }
  for (const std::shared_ptr<SharedRun>& run : runs) {
    message.head.append(*run->Body());
  }
  return message;
}

void SubscribeStream::OnClosed() {
  context_.core.Post([self = Self()](core::Replica& replica, core::Now now) {
    self->Close(replica, now);
  });
}

// -------------------------------------------------------------- loop thread

void SubscribeStream::Run(core::Replica& replica, core::Now now,
                          const SubscribeWish& wish) {
  if (over_) return;
  absl::Status status = replica.Serving();
  if (status.ok() && id_ == 0) {
    const absl::StatusOr<core::SubscriberId> id =
        replica.OpenSubscriber(wish.report_gaps, now);
    status = id.status();
    if (id.ok()) {
      id_ = *id;
      context_.sink.AddSubscriber(id_, Self());
    }
  }
  if (!status.ok()) {
    End(status);
    return;
  }
  // The subscription holds, and is answered, at the end of this step at the
  // earliest.
  asked_.push_back({wish.number, {}});
  asked_.back().errors =
      AllErrors(wish, replica.Subscribe(id_, wish.number, wish.names, now));
}

void SubscribeStream::Queue(Item item, size_t bytes) {
  bool cut_off = false;
  {
    MutexLock lock(mutex());
    if (cut_off_) return;
    queued_bytes_ += bytes + kItemOverhead;
    queue_.push_back(std::move(item));
    cut_off = queued_bytes_ > context_.limits.max_subscriber_bytes;
    if (cut_off) {
      cut_off_ = true;
      queue_.clear();
      queued_bytes_ = 0;
    }
  }
  if (!cut_off) return;
  End(absl::ResourceExhaustedError(absl::StrCat(
      "this subscriber reads too slowly: more than ",
      context_.limits.max_subscriber_bytes,
      " bytes wait to be read (--max-subscriber-bytes); subscribe again")));
}

void SubscribeStream::Deliver(const std::shared_ptr<SharedRun>& run) {
  Queue(run, run->bytes());
}

void SubscribeStream::OnMissed(uint64_t missed) {
  std::string response = codec::EncodeMissed(missed);
  const size_t bytes = response.size();
  Queue(std::move(response), bytes);
}

void SubscribeStream::OnHeld(uint64_t request) {
  if (asked_.empty() || asked_.front().number != request) return;
  std::string response =
      codec::EncodeSubscribed(request, asked_.front().errors);
  asked_.pop_front();
  const size_t bytes = response.size();
  Queue(std::move(response), bytes);
  bool read_on;
  {
    MutexLock lock(mutex());
    --unanswered_;
    read_on = paused_ && MayRead();
    if (read_on) paused_ = false;
  }
  if (read_on) Read();
}

void SubscribeStream::OnDraining() {
  v1::SubscribeResponse moving;
  moving.set_moving(true);
  Queue(moving.SerializeAsString(), moving.ByteSizeLong());
  End(absl::UnavailableError(absl::StrCat(
      "node ", context_.node, " is draining; subscribe at another one")));
}

void SubscribeStream::Close(core::Replica& replica, core::Now now) {
  over_ = true;
  if (id_ == 0) return;
  context_.sink.RemoveSubscriber(id_);
  replica.CloseSubscriber(id_, now);
}

}  // namespace muster::service
