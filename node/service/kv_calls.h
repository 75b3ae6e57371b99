// Calls on keys that wait for the core's answer.
//
//   Ask(call) --> Replica::Execute ... Output::kv_answers --> Take -->
//   on_answer
//
// Each call is answered exactly once, unless it is withdrawn: by the core, or,
// when the node stops, here.
//
// Threads: the loop thread only, but for the counters.
#ifndef MUSTER_NODE_SERVICE_KV_CALLS_H_
#define MUSTER_NODE_SERVICE_KV_CALLS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "node/core/keyspace_calls.h"
#include "node/core/replica/replica.h"
#include "node/core/time.h"
#include "node/service/kv_requests.h"

namespace muster::service {

class KvCalls {
 public:
  using OnAnswer = absl::AnyInvocable<void(core::KvAnswer)>;

  // A connection of its own, never used again.
  core::KvConnection NewConnection() { return ++last_connection_; }
  // 0, and `on_answer` was called: the node does not serve. Else it is called
  // after the step, or later.
  core::KvCallId Ask(core::Replica& replica, core::Now now, KvPlan plan,
                     OnAnswer on_answer);
  // The client has gone: `on_answer` is destroyed without being called.
  void Withdraw(core::Replica& replica, core::Now now, core::KvCallId id);
  // Hands the answers on.
  void Take(std::vector<core::KvAnswer> answers);
  // The node stops: answers every call that waits, and refuses all others.
  void Stop();

  size_t waiting() const { return waiting_.size(); }
  // By name, as `status` and metrics show them. From any thread.
  std::vector<std::pair<std::string, uint64_t>> Counters() const;

 private:
  struct Waiting {
    bool only_reads = false;
    OnAnswer on_answer;
  };

  bool stopped_ = false;
  core::KvConnection last_connection_ = 0;
  absl::flat_hash_map<core::KvCallId, Waiting> waiting_;

  std::atomic<uint64_t> calls_ = 0;
  std::atomic<uint64_t> commands_ = 0;
  std::atomic<uint64_t> refused_ = 0;
  std::atomic<uint64_t> unknown_ = 0;
  std::atomic<uint64_t> withdrawn_ = 0;
};

}  // namespace muster::service

#endif  // MUSTER_NODE_SERVICE_KV_CALLS_H_
