// A call of PubSub.Subscribe.
//
//   gRPC thread   OnRead: decode, check ──┐
//   loop thread   Run: to the core; OnHeld: queue the answer;
//                 Deliver, OnMissed: queue messages
//   any thread    TakeNext: encode, write; runs that wait together leave as one
//
// Invariants
//   1. Answers leave in the order of their requests, and messages in the order
//      in which the loop delivered them; an answer has its place among them.
//   2. The queue is bounded by Limits::max_subscriber_bytes: a subscriber that
//      reads too slowly is cut off, with RESOURCE_EXHAUSTED, and delays no
//      other.
//   3. Requests read and not answered are bounded (max_stream_requests of
//      Limits). Past that the stream is not read: back-pressure.
// Threads: as marked.
#ifndef MUSTER_NODE_SERVICE_SUBSCRIBE_STREAM_H_
#define MUSTER_NODE_SERVICE_SUBSCRIBE_STREAM_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "node/core/message.h"
#include "node/service/context.h"
#include "node/service/pubsub_requests.h"
#include "node/service/stream_writer.h"

namespace muster::service {

// A run that many streams share. The first stream that writes it encodes it.
// Threads: any.
class SharedRun {
 public:
  explicit SharedRun(core::MessageRun run);
  std::shared_ptr<const std::string> Body();
  size_t count() const { return run_.count; }
  // Its memory, about.
  size_t bytes() const { return bytes_; }

 private:
  const core::MessageRun run_;
  size_t bytes_ = 0;
  std::once_flag once_;
  std::shared_ptr<const std::string> body_;
};

class SubscribeStream final : public StreamWriter {
 public:
  explicit SubscribeStream(Context* context);

  // ---- StreamHandler ----
  void OnRead(std::string bytes) override;
  void OnReadsDone() override;

  // ---- loop thread ----
  // The caller sees to it that the stream is pumped.
  void Deliver(const std::shared_ptr<SharedRun>& run);
  void OnMissed(uint64_t missed);
  void OnHeld(uint64_t request);
  void OnDraining();

 protected:
  void OnStarted() override { Read(); }
  bool HasNext() const override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex());
  std::optional<Outgoing> TakeNext() override;
  void OnClosed() override;

 private:
  // A queued item: a run, or a whole response.
  using Item = std::variant<std::shared_ptr<SharedRun>, std::string>;

  std::shared_ptr<SubscribeStream> Self();
  bool MayRead() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex()) {
    return unanswered_ < context_.limits.max_stream_requests;
  }
  // Queues the item, or cuts the stream off.
  void Queue(Item item, size_t bytes) ABSL_LOCKS_EXCLUDED(mutex());

  // ---- loop thread ----
  void Run(core::Replica& replica, core::Now now, const SubscribeWish& wish);
  void Close(core::Replica& replica, core::Now now);

  Context& context_;

  // Loop thread only.
  core::SubscriberId id_ = 0;  // 0: not opened yet.
  bool over_ = false;
  struct Unanswered {
    uint64_t number = 0;
    std::vector<core::SubscribeError> errors;
  };
  std::deque<Unanswered> asked_;

  std::deque<Item> queue_ ABSL_GUARDED_BY(mutex());
  size_t queued_bytes_ ABSL_GUARDED_BY(mutex()) = 0;
  bool cut_off_ ABSL_GUARDED_BY(mutex()) = false;
  size_t unanswered_ ABSL_GUARDED_BY(mutex()) = 0;
  bool paused_ ABSL_GUARDED_BY(mutex()) = false;
  // Number of the next message: of TakeNext, which one thread runs at a time.
  uint64_t next_number_ = 1;
};

}  // namespace muster::service

#endif  // MUSTER_NODE_SERVICE_SUBSCRIBE_STREAM_H_
