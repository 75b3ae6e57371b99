#include "node/service/kv_stream.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "node/codec/kv_codec.h"
#include "node/codec/wire.h"
#include "node/service/sink.h"

namespace muster::service {
namespace {

// Answers that wait together are written as one message of about this size.
constexpr size_t kMessageBytes = 64 << 10;
// Memory of a queued answer beside its bytes.
constexpr size_t kAnswerOverhead = 128;

size_t SizeOf(const core::KvAnswer& answer) {
  return answer.replies.bytes() + answer.status.message().size() +
         kAnswerOverhead;
}

}  // namespace

KvStream::KvStream(Context* context)
    : StreamWriter(&context->offload), context_(*context) {}

std::shared_ptr<KvStream> KvStream::Self() {
  return std::static_pointer_cast<KvStream>(shared_from_this());
}

// ------------------------------------------------------------- gRPC threads

void KvStream::OnStarted() {
  context_.core.Post([self = Self()](core::Replica& replica, core::Now) {
    self->Open(replica);
  });
  Read();
}

bool KvStream::MayRead() const {
  const Limits& limits = context_.limits;
  return unanswered_ < limits.max_stream_requests &&
         unanswered_bytes_ < limits.max_stream_bytes &&
         answer_bytes_ < limits.max_stream_bytes;
}

void KvStream::OnRead(std::string bytes) {
  absl::StatusOr<KvStreamRequest> request =
      DecodeStreamRequest(bytes, context_.limits);
  if (!request.ok()) {
    context_.core.Post(
        [self = Self(), status = request.status()](core::Replica&, core::Now) {
          self->EndWhenAnswered(status);
        });
    return;
  }
  const size_t size = bytes.size();
  bool read_on;
  {
    MutexLock lock(mutex());
    ++unanswered_;
    unanswered_bytes_ += size;
    read_on = MayRead();
    paused_ = !read_on;
  }
  context_.core.Post([self = Self(), request = *std::move(request), size](
                         core::Replica& replica, core::Now now) mutable {
    self->Run(replica, now, std::move(request), size);
  });
  if (read_on) Read();
}

void KvStream::OnReadsDone() {
  context_.core.Post([self = Self()](core::Replica&, core::Now) {
    self->EndWhenAnswered(absl::OkStatus());
  });
}

void KvStream::ReadOn() {
  {
    MutexLock lock(mutex());
    if (!paused_ || !MayRead()) return;
    paused_ = false;
  }
  Read();
}

bool KvStream::HasNext() const { return moving_ || !queue_.empty(); }

std::optional<Outgoing> KvStream::TakeNext() {
  std::vector<Answer> answers;
  bool moving;
  {
    MutexLock lock(mutex());
    moving = std::exchange(moving_, false);
    while (!queue_.empty() && writing_answer_bytes_ < kMessageBytes) {
      answers.push_back(std::move(queue_.front()));
      queue_.pop_front();
      writing_answer_bytes_ += SizeOf(answers.back().answer);
      writing_request_bytes_ += answers.back().request_bytes;
    }
    writing_ = answers.size();
  }
  if (answers.empty() && !moving) return std::nullopt;
  Outgoing message;
  codec::WireWriter out(&message.head);
  for (Answer& answer : answers) {
    absl::Status status =
        StatusOfAnswer(answer.answer, answer.atomic, context_.limits);
    if (!status.ok()) answer.answer.status = std::move(status);
    codec::WriteAnswer(answer.number, answer.answer, answer.atomic, out);
  }
  out.VarintIfSet(v1::KvResponse::kMovingFieldNumber, moving ? 1 : 0);
  return message;
}

void KvStream::OnSent() {
  {
    MutexLock lock(mutex());
    unanswered_ -= std::exchange(writing_, 0);
    unanswered_bytes_ -= std::exchange(writing_request_bytes_, 0);
    answer_bytes_ -= std::exchange(writing_answer_bytes_, 0);
  }
  ReadOn();
}

void KvStream::OnClosed() {
  context_.core.Post([self = Self()](core::Replica& replica, core::Now now) {
    self->Close(replica, now);
  });
}

// -------------------------------------------------------------- loop thread

void KvStream::Open(core::Replica& replica) {
  if (over_) return;
  connection_ = context_.sink.kv().NewConnection();
  context_.sink.AddKvStream(connection_, Self());
  if (replica.draining()) OnDraining();
}

void KvStream::Run(core::Replica& replica, core::Now now,
                   KvStreamRequest request, size_t bytes) {
  if (over_) return;
  const uint64_t slot = first_slot_ + slots_.size();
  const bool atomic = request.plan.ok() && request.plan->call.atomic;
  slots_.push_back({{request.number, bytes, atomic, {}}});
  if (!request.plan.ok()) {
    OnAnswer(slot, {.status = request.plan.status()});
    return;
  }
  request.plan->call.connection = connection_;
  const core::KvCallId call =
      context_.sink.kv().Ask(replica, now, *std::move(request.plan),
                             [self = Self(), slot](core::KvAnswer answer) {
                               self->OnAnswer(slot, std::move(answer));
                             });
  if (call != 0) slots_.back().call = call;
}

void KvStream::OnAnswer(uint64_t slot, core::KvAnswer answer) {
  if (over_) return;
  Slot& at = slots_[slot - first_slot_];
  at.answer.answer = std::move(answer);
  at.done = true;
  if (slot == first_slot_) QueueDone();
}

void KvStream::QueueDone() {
  {
    MutexLock lock(mutex());
    while (!slots_.empty() && slots_.front().done) {
      answer_bytes_ += SizeOf(slots_.front().answer.answer);
      queue_.push_back(std::move(slots_.front().answer));
      slots_.pop_front();
      ++first_slot_;
    }
  }
  Wake();
  if (slots_.empty() && end_when_answered_.has_value()) {
    End(*end_when_answered_);
  }
}

void KvStream::EndWhenAnswered(const absl::Status& status) {
  if (!end_when_answered_.has_value()) end_when_answered_ = status;
  if (slots_.empty()) End(*end_when_answered_);
}

void KvStream::OnDraining() {
  {
    MutexLock lock(mutex());
    moving_ = true;
  }
  Wake();
  EndWhenAnswered(absl::UnavailableError(absl::StrCat(
      "node ", context_.node, " is draining; open a stream at another one")));
}

void KvStream::Close(core::Replica& replica, core::Now now) {
  over_ = true;
  for (const Slot& slot : std::exchange(slots_, {})) {
    if (!slot.done) context_.sink.kv().Withdraw(replica, now, slot.call);
  }
  if (connection_ != 0) context_.sink.RemoveKvStream(connection_);
}

}  // namespace muster::service
