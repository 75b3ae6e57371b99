// The sending half of a streaming call, for handlers whose messages are made on
// the loop thread, and encoded and written on other threads.
//
// A subclass queues messages under `mutex()` and calls Wake (or puts PumpTask
// where it likes). One thread at a time then takes them in order with
// TakeNext, which encodes outside the lock, and writes them one after another.
// After End, the call is finished once the queue is empty; a client that
// vanishes ends it at once. Either way OnClosed is called exactly once, on any
// thread, without locks.
//
// Threads: any. Lifetime: a task or callback holds a shared pointer, and the
// stream is touched under the mutex only while it is not finished, so a client
// may vanish at any moment.
#ifndef MUSTER_NODE_SERVICE_STREAM_WRITER_H_
#define MUSTER_NODE_SERVICE_STREAM_WRITER_H_

#include <memory>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "node/mutex.h"
#include "node/service/byte_stream.h"
#include "node/service/offload.h"

namespace muster::service {

class StreamWriter : public StreamHandler,
                     public std::enable_shared_from_this<StreamWriter> {
 public:
  explicit StreamWriter(Offload* offload) : offload_(offload) {}

  // ---- StreamHandler ----
  void Start(ByteStream* stream) override;
  void OnRead(std::string) override {}
  void OnReadsDone() override {}
  void OnWritten(bool ok) override;
  void OnCancelled() override;

  // Finishes the call with `status` after the queue. The first status counts.
  void End(const absl::Status& status);

  // For a caller that wakes many streams with one task: true if it must see to
  // it that Pump is run.
  bool NeedsPump();
  void Pump();

 protected:
  // Called when the stream is there; may Read.
  virtual void OnStarted() {}
  // A message is queued.
  virtual bool HasNext() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex()) = 0;
  // Takes and encodes the next message; none if the queue is empty. One call at
  // a time, without locks.
  virtual std::optional<Outgoing> TakeNext() ABSL_LOCKS_EXCLUDED(mutex()) = 0;
  // The message last taken has been sent.
  virtual void OnSent() {}
  virtual void OnClosed() = 0;

  // Has messages taken and written, on another thread.
  void Wake();
  // Asks the client for a message, unless the call is over.
  void Read();

  Mutex& mutex() const ABSL_LOCK_RETURNED(mutex_) { return mutex_; }
  Offload& offload() { return *offload_; }

 private:
  // Finishes now; false if it was finished before.
  bool Finish(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  enum class AfterWrite { kAgain, kDone, kClosed };
  AfterWrite WriteOrEnd(std::optional<Outgoing> next)
      ABSL_LOCKS_EXCLUDED(mutex_);

  Offload* const offload_;
  mutable Mutex mutex_;
  // Null before the start and after Finish.
  ByteStream* stream_ ABSL_GUARDED_BY(mutex_) = nullptr;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool pumping_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace muster::service

#endif  // MUSTER_NODE_SERVICE_STREAM_WRITER_H_
