// A call of Kv.Stream.
//
//   gRPC thread   OnRead: decode, check ──┐
//   loop thread   Run: to the core; OnAnswer: into its slot, and the finished
//                 front of the slots into the queue
//   any thread    TakeNext: encode, write; answers that wait leave together
//
// Invariants
//   1. Requests are run, and answered, in the order in which they came. One
//      that the door refuses has its place among them.
//   2. Requests that were read and whose answers are not written are bounded in
//      number and in bytes, and so are the answers that wait to be written
//      (max_stream_requests and max_stream_bytes of Limits). Past that the
//      stream is not read: back-pressure. One answer may be as large as
//      kv_max_answer_bytes.
//   3. Once the client is gone, its calls are withdrawn.
// Threads: as marked.
#ifndef MUSTER_NODE_SERVICE_KV_STREAM_H_
#define MUSTER_NODE_SERVICE_KV_STREAM_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "node/core/keyspace_calls.h"
#include "node/service/context.h"
#include "node/service/kv_requests.h"
#include "node/service/stream_writer.h"

namespace muster::service {

class KvStream final : public StreamWriter {
 public:
  explicit KvStream(Context* context);

  // ---- StreamHandler ----
  void OnRead(std::string bytes) override;
  void OnReadsDone() override;

  // ---- loop thread ----
  void OnDraining();

 protected:
  void OnStarted() override;
  bool HasNext() const override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex());
  std::optional<Outgoing> TakeNext() override;
  void OnSent() override;
  void OnClosed() override;

 private:
  struct Answer {
    uint64_t number = 0;
    size_t request_bytes = 0;
    bool atomic = false;
    core::KvAnswer answer;
  };
  // A request that is not answered yet, or waits for one before it.
  struct Slot {
    Answer answer;
    core::KvCallId call = 0;
    bool done = false;
  };

  std::shared_ptr<KvStream> Self();
  bool MayRead() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex());
  // Asks for a message, if it was put off and may be.
  void ReadOn() ABSL_LOCKS_EXCLUDED(mutex());

  // ---- loop thread ----
  void Open(core::Replica& replica);
  void Run(core::Replica& replica, core::Now now, KvStreamRequest request,
           size_t bytes);
  void OnAnswer(uint64_t slot, core::KvAnswer answer);
  // Queues what is done at the front.
  void QueueDone();
  // No more requests come: ends the call once all are answered.
  void EndWhenAnswered(const absl::Status& status);
  void Close(core::Replica& replica, core::Now now);

  Context& context_;

  // Loop thread only.
  core::KvConnection connection_ = 0;
  bool over_ = false;
  std::deque<Slot> slots_;
  uint64_t first_slot_ = 0;  // The number of slots_.front().
  std::optional<absl::Status> end_when_answered_;

  std::deque<Answer> queue_ ABSL_GUARDED_BY(mutex());
  bool moving_ ABSL_GUARDED_BY(mutex()) = false;
  // Read, and the answer not written.
  size_t unanswered_ ABSL_GUARDED_BY(mutex()) = 0;
  size_t unanswered_bytes_ ABSL_GUARDED_BY(mutex()) = 0;
  // Of answers in the queue, or being written.
  size_t answer_bytes_ ABSL_GUARDED_BY(mutex()) = 0;
  bool paused_ ABSL_GUARDED_BY(mutex()) = false;

  // What is being written: of TakeNext and OnSent, which one thread runs at a
  // time.
  size_t writing_ = 0;
  size_t writing_request_bytes_ = 0;
  size_t writing_answer_bytes_ = 0;
};

}  // namespace muster::service

#endif  // MUSTER_NODE_SERVICE_KV_STREAM_H_
