#include "node/service/stream_writer.h"

#include <utility>

namespace muster::service {

void StreamWriter::Start(ByteStream* stream) {
  {
    MutexLock lock(mutex_);
    stream_ = stream;
  }
  OnStarted();
}

void StreamWriter::Read() {
  MutexLock lock(mutex_);
  if (stream_ != nullptr) stream_->Read();
}

bool StreamWriter::Finish(const absl::Status& status) {
  if (stream_ == nullptr) return false;
  std::exchange(stream_, nullptr)->Finish(status);
  return true;
}

void StreamWriter::End(const absl::Status& status) {
  {
    MutexLock lock(mutex_);
    if (!end_.has_value()) end_ = status;
  }
  Wake();
}

void StreamWriter::OnCancelled() {
  bool closed;
  {
    MutexLock lock(mutex_);
    closed = Finish(absl::CancelledError("the client is gone"));
  }
  if (closed) OnClosed();
}

void StreamWriter::OnWritten(bool ok) {
  if (!ok) {
    OnCancelled();
    return;
  }
  {
    MutexLock lock(mutex_);
    writing_ = false;
    pumping_ = true;
  }
  OnSent();
  Pump();
}

bool StreamWriter::NeedsPump() {
  MutexLock lock(mutex_);
  if (stream_ == nullptr || writing_ || pumping_) return false;
  pumping_ = true;
  return true;
}

void StreamWriter::Wake() {
  if (!NeedsPump()) return;
  offload_->Urgent([self = shared_from_this()] { self->Pump(); });
}

void StreamWriter::Pump() {
  AfterWrite after;
  do {
    after = WriteOrEnd(TakeNext());
  } while (after == AfterWrite::kAgain);
  if (after == AfterWrite::kClosed) OnClosed();
}

StreamWriter::AfterWrite StreamWriter::WriteOrEnd(
    std::optional<Outgoing> next) {
  MutexLock lock(mutex_);
  if (stream_ != nullptr && next.has_value()) {
    writing_ = true;
    pumping_ = false;
    stream_->Write(*std::move(next));
    return AfterWrite::kDone;
  }
  // Something may have been queued since the queue was found empty.
  if (stream_ != nullptr && HasNext()) return AfterWrite::kAgain;
  pumping_ = false;
  if (end_.has_value() && Finish(*end_)) return AfterWrite::kClosed;
  return AfterWrite::kDone;
}

}  // namespace muster::service
