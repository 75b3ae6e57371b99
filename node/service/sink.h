// The sink passes the loop's news on to the calls that wait for it: answers to
// resumes, evictions and the like, calls on keys, sessions that ended, entries
// that were evicted, watch events, messages, changes of members and health.
//
// Threads: the loop thread only, except WatchSent.
#ifndef MUSTER_NODE_SERVICE_SINK_H_
#define MUSTER_NODE_SERVICE_SINK_H_

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "node/mutex.h"
#include "node/runtime/core_port.h"
#include "node/service/kv_calls.h"
#include "node/service/offload.h"
#include "node/service/session_registry.h"
#include "node/service/stream_writer.h"

namespace muster::service {

class Health;
class KvStream;
class MemberWatches;
class SharedBatch;
class SubscribeStream;
class WatchStream;

class Sink final : public ServiceSink {
 public:
  Sink(CorePort* core, Offload* offload, Health* health,
       MemberWatches* members);

  // ---- for the services, on the loop thread ----
  SessionRegistry& sessions() { return sessions_; }
  using OnReply = absl::AnyInvocable<void(absl::StatusOr<core::ResumeReply>)>;
  // Registers for the answer to a Resume that is about to be asked for.
  core::RequestId ExpectReply(OnReply on_reply);
  using OnOrder = absl::AnyInvocable<void(absl::StatusOr<core::OrderReply>)>;
  // Registers for the answer to an Evict or a Forget that is about to be asked
  // for.
  core::RequestId ExpectOrder(OnOrder on_order);
  // A step that Replica::MayWrite has held back: posted when it may go on.
  void WhenMayWrite(CoreTask task);
  void AddWatch(core::WatchId id, std::shared_ptr<WatchStream> stream);
  void RemoveWatch(core::WatchId id);

  void AddSubscriber(core::SubscriberId id,
                     std::shared_ptr<SubscribeStream> stream);
  void RemoveSubscriber(core::SubscriberId id);

  KvCalls& kv() { return kv_; }
  void AddKvStream(core::KvConnection id, std::shared_ptr<KvStream> stream);
  void RemoveKvStream(core::KvConnection id);

  // ---- for the services, on any thread ----
  // `batches` more of a watch have been written, or dropped.
  void WatchSent(core::WatchId id, size_t batches);

  // ---- ServiceSink ----
  void OnStarted(grpc::Server&) override {}
  void OnReplies(std::vector<core::AsyncReply> replies) override;
  void OnSessionsEnded(std::vector<core::SessionEnded> ended) override;
  void OnEvicted(std::vector<core::EntryEvicted> evicted) override;
  void OnOrders(std::vector<core::OrderDone> orders) override;
  void OnWatchEvents(std::vector<core::WatchEvent> events) override;
  void OnSubscribed(std::vector<core::SubscribeHeld> held) override;
  void OnMessages(std::vector<core::MessageDelivery> deliveries) override;
  void OnKvAnswers(std::vector<core::KvAnswer> answers) override;
  void OnMayWrite() override;
  void OnMembersChanged(const core::Replica& replica, core::Now now) override;
  void OnReadyChanged(bool ready) override;
  void OnDraining() override;
  void OnStopping() override;

 private:
  using Streams = std::vector<std::shared_ptr<StreamWriter>>;
  void PumpInChunks(Streams streams);
  void ReportSent(core::Replica& replica, core::Now now);
  void FailOrders(const char* why);

  CorePort* const core_;
  Offload* const offload_;
  Health* const health_;
  MemberWatches* const members_;

  // Loop thread only.
  SessionRegistry sessions_;
  bool stopping_ = false;
  core::RequestId last_request_ = 0;
  std::vector<CoreTask> writers_;  // Held back.
  absl::flat_hash_map<core::RequestId, OnReply> replies_;
  absl::flat_hash_map<core::RequestId, OnOrder> orders_;
  absl::flat_hash_map<core::WatchId, std::shared_ptr<WatchStream>> watches_;
  absl::flat_hash_map<core::SubscriberId, std::shared_ptr<SubscribeStream>>
      subscribers_;
  KvCalls kv_;
  absl::flat_hash_map<core::KvConnection, std::shared_ptr<KvStream>>
      kv_streams_;

  // Reports of many watches reach the core as one step.
  Mutex mutex_;
  std::vector<std::pair<core::WatchId, size_t>> sent_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace muster::service

#endif  // MUSTER_NODE_SERVICE_SINK_H_
