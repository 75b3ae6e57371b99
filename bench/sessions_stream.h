// A Sessions stream of the outside client, on raw bytes: what is sent was
// encoded before, and what is answered is looked through, not built.
//
// Send may be called from any thread, `on_answer` too; answers come one at a
// time, on a thread of gRPC.
#ifndef MUSTER_BENCH_SESSIONS_STREAM_H_
#define MUSTER_BENCH_SESSIONS_STREAM_H_

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "bench/base.h"
#include "bench/workload.h"

namespace muster::bench {

// A channel of its own connection, already connected.
std::shared_ptr<grpc::Channel> Connect(const std::string& address);

class SessionsStream
    : public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  using OnAnswer = std::function<void(const Answer& answer)>;

  // Dies if an answer holds an error, unless the stream was told to stop or
  // to `ForgiveErrors`.
  SessionsStream(const std::shared_ptr<grpc::Channel>& channel,
                 OnAnswer on_answer);
  // Ends the stream, and so its sessions.
  ~SessionsStream() override;

  void Send(const grpc::ByteBuffer& message);
  // From now on a broken stream is what is expected: its node is killed.
  void ForgiveErrors();

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;

 private:
  grpc::ClientContext context_;
  grpc::GenericStub stub_;
  const OnAnswer on_answer_;
  grpc::ByteBuffer read_;
  absl::Notification done_;

  absl::Mutex mutex_;
  std::deque<grpc::ByteBuffer> queue_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool forgiving_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace muster::bench

#endif  // MUSTER_BENCH_SESSIONS_STREAM_H_
