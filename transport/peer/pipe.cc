#include "transport/peer/pipe.h"

#include <chrono>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"

namespace muster::peer {
namespace {

constexpr std::chrono::microseconds kDeliverBudget{500};

}  // namespace

Pipe::Pipe(std::shared_ptr<Loop> loop, std::shared_ptr<FrameStream> stream)
    : loop_(std::move(loop)), stream_(std::move(stream)) {}

Pipe::~Pipe() = default;

void Pipe::Start() {
  stream_->Start(shared_from_this());
  Next next;
  {
    MutexLock lock(mutex_);
    started_ = true;
    next = TakeNext();
  }
  Do(std::move(next));
}

void Pipe::SetReceiver(Receiver* receiver) {
  receiver_ = receiver;
  bool first = !std::exchange(receiver_known_, true);
  Next next;
  bool post = false;
  {
    MutexLock lock(mutex_);
    if (receiver == nullptr) {
      discarding_ = true;
      next = TakeNext();
    }
    post = first && ScheduleDelivery();
  }
  if (post) PostDelivery();
  Do(std::move(next));
}

void Pipe::SetStreaming(size_t max_frame_bytes) {
  MutexLock lock(mutex_);
  streaming_ = true;
  max_message_bytes_ = max_frame_bytes;
}

bool Pipe::Send(FrameClass frame_class, codec::EncodedFrame frame) {
  Next next;
  {
    MutexLock lock(mutex_);
    if (closing_ || writes_broken_ || reads_over_) return true;
    if (!queue_.Push(frame_class, std::move(frame))) {
      // Messages are numbered: the receiver counts what is dropped.
      return frame_class == FrameClass::kMessage;
    }
    next = TakeNext();
  }
  Do(std::move(next));
  return true;
}

void Pipe::Close(std::optional<codec::EncodedFrame> last, bool drop_bulk) {
  Next next;
  {
    MutexLock lock(mutex_);
    if (closing_) return;
    closing_ = true;
    if (drop_bulk) queue_.DropBulk();
    if (last && !writes_broken_) {
      queue_.Push(FrameClass::kControl, *std::move(last));
    }
    next = TakeNext();
  }
  Do(std::move(next));
}

void Pipe::Cancel() {
  stream_->Cancel();
  {
    MutexLock lock(mutex_);
    discarding_ = true;
  }
  OnBroken();
}

absl::StatusOr<codec::PeerMessage> Pipe::Decode(
    google::protobuf::io::ZeroCopyInputStream& message, size_t size) {
  bool streaming;
  size_t limit;
  {
    MutexLock lock(mutex_);
    streaming = streaming_;
    limit = max_message_bytes_;
  }
  if (size > limit) {
    return absl::InvalidArgumentError(absl::StrCat(
        streaming ? "frame" : "handshake", ": a message of ", size,
        " bytes; at most ", limit, streaming ? " (--max-frame-bytes)" : ""));
  }
  return codec::DecodeMessage(message, size);
}

void Pipe::OnRead(google::protobuf::io::ZeroCopyInputStream* message,
                  size_t size) {
  std::optional<absl::StatusOr<codec::PeerMessage>> decoded;
  if (message != nullptr) decoded = Decode(*message, size);
  Next next;
  bool post = false;
  {
    MutexLock lock(mutex_);
    read_pending_ = false;
    if (!decoded) {
      reads_over_ = true;
    } else if (!discarding_) {
      if (!decoded->ok()) discarding_ = true;
      inbox_.push_back({*std::move(decoded), size});
      inbox_bytes_ += size;
      post = ScheduleDelivery();
    }
    next = TakeNext();
  }
  if (post) PostDelivery();
  Do(std::move(next));
}

void Pipe::OnWritten(bool ok) {
  Next next;
  {
    MutexLock lock(mutex_);
    write_pending_ = false;
    if (!ok) {
      writes_broken_ = true;
      queue_.Clear();
    }
    next = TakeNext();
  }
  Do(std::move(next));
}

void Pipe::OnBroken() {
  Next next;
  {
    MutexLock lock(mutex_);
    broken_ = true;
    writes_broken_ = true;
    queue_.Clear();
    next = TakeNext();
  }
  Do(std::move(next));
}

void Pipe::OnClosed(const std::string& why) {
  bool post;
  {
    MutexLock lock(mutex_);
    reads_over_ = true;
    released_ = true;
    queue_.Clear();
    closed_why_ = why;
    post = ScheduleDelivery();
  }
  if (post) PostDelivery();
}

bool Pipe::WantsRead() const {
  if (read_pending_ || reads_over_ || released_) return false;
  if (discarding_ || broken_) return true;
  return streaming_ ? inbox_bytes_ < kMaxInboxBytes : inbox_bytes_ == 0;
}

Pipe::Next Pipe::TakeNext() {
  Next next;
  if (released_ || !started_) return next;
  if (WantsRead()) next.read = read_pending_ = true;
  if (write_pending_) return next;
  if (reads_over_) {
    next.release = released_ = true;
  } else if (!queue_.empty()) {
    write_pending_ = true;
    next.write = queue_.Pop();
    next.more = !queue_.empty();
  } else if (closing_ && !end_sent_ && !writes_broken_) {
    next.end = end_sent_ = write_pending_ = true;
  }
  return next;
}

void Pipe::Do(Next next) {
  if (next.read) stream_->Read();
  if (next.write) stream_->Write(*std::move(next.write), next.more);
  if (next.end) stream_->End();
  if (next.release) stream_->Release();
}

bool Pipe::ScheduleDelivery() {
  return !std::exchange(delivery_scheduled_, true);
}

void Pipe::PostDelivery() {
  loop_->PostFirst([self = shared_from_this()] { self->Deliver(); });
}

void Pipe::Deliver() {
  if (!receiver_known_) {
    MutexLock lock(mutex_);
    delivery_scheduled_ = false;
    return;
  }
  {
    MutexLock lock(mutex_);
    batch_.insert(batch_.end(), std::make_move_iterator(inbox_.begin()),
                  std::make_move_iterator(inbox_.end()));
    inbox_.clear();
  }
  size_t handled = DeliverBatch();
  Next next;
  bool again = false;
  std::optional<std::string> closed_why;
  {
    MutexLock lock(mutex_);
    inbox_bytes_ -= handled;
    again = !batch_.empty() || !inbox_.empty();
    if (!again) closed_why.swap(closed_why_);
    delivery_scheduled_ = again;
    next = TakeNext();
  }
  if (again) PostDelivery();
  Do(std::move(next));
  if (!closed_why) return;
  closed_ = true;
  if (receiver_ != nullptr) receiver_->OnPipeClosed(*closed_why);
}

size_t Pipe::DeliverBatch() {
  auto until = std::chrono::steady_clock::now() + kDeliverBudget;
  size_t handled = 0;
  while (!batch_.empty()) {
    Inbound inbound = std::move(batch_.front());
    batch_.pop_front();
    handled += inbound.bytes;
    // The receiver may leave at any message.
    if (receiver_ == nullptr) continue;
    receiver_->OnPipeMessage(std::move(inbound.message), inbound.bytes);
    if (std::chrono::steady_clock::now() >= until) break;
  }
  return handled;
}

}  // namespace muster::peer
