// A call of Watch. The core makes batches and bounds how many of them are on
// their way to one watcher; the stream passes them on, in order.
//
// Many watchers may share a batch. The first that writes it encodes it; only
// the version is each watcher's own. A fresh state makes the queued batches
// void: they are dropped.
//
// Threads: as marked.
#ifndef MUSTER_NODE_SERVICE_WATCH_STREAM_H_
#define MUSTER_NODE_SERVICE_WATCH_STREAM_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "node/service/context.h"
#include "node/service/read_requests.h"
#include "node/service/stream_writer.h"

namespace muster::service {

// Threads: any.
class SharedBatch {
 public:
  explicit SharedBatch(std::shared_ptr<const core::WatchBatch> batch)
      : batch_(std::move(batch)) {}
  const core::WatchBatch& batch() const { return *batch_; }
  std::shared_ptr<const std::string> Body();

 private:
  const std::shared_ptr<const core::WatchBatch> batch_;
  std::once_flag once_;
  std::shared_ptr<const std::string> body_;
};

class WatchStream final : public StreamWriter {
 public:
  // `request`: a v1.WatchRequest.
  WatchStream(Context* context, std::string request);

  // ---- loop thread ----
  // The caller sees to it that the stream is pumped.
  void Deliver(const std::shared_ptr<SharedBatch>& batch);
  void OnDraining();

 protected:
  void OnStarted() override;
  bool HasNext() const override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex());
  std::optional<Outgoing> TakeNext() override;
  void OnSent() override;
  void OnClosed() override;

 private:
  std::shared_ptr<WatchStream> Self();
  // ---- loop thread ----
  void Open(core::Replica& replica, core::Now now);
  void Close(core::Replica& replica);

  Context& context_;
  const std::string message_;
  WatchWish wish_;        // Set by OnStarted.
  core::WatchId id_ = 0;  // Set by Open, before any batch.
  std::deque<std::shared_ptr<SharedBatch>> queue_ ABSL_GUARDED_BY(mutex());
};

}  // namespace muster::service

#endif  // MUSTER_NODE_SERVICE_WATCH_STREAM_H_
