// Which calls of one node a leader has executed in its term.
//
// Calls may overtake each other on two ways to the leader, so the highest one
// does not tell all: the latest kKept are kept, and whatever is older counts as
// seen. Cost: O(1). Threads: the core's.
#ifndef MUSTER_NODE_CORE_KEYSPACE_KV_SEEN_CALLS_H_
#define MUSTER_NODE_CORE_KEYSPACE_KV_SEEN_CALLS_H_

#include <algorithm>
#include <cstddef>
#include <deque>

#include "absl/container/flat_hash_set.h"
#include "node/core/keyspace_calls.h"

namespace muster::core {

class KvSeenCalls {
 public:
  static constexpr size_t kKept = 4096;

  bool Has(KvCallId call) const {
    return call <= forgotten_ || seen_.contains(call);
  }
  // False: it was seen.
  bool Add(KvCallId call) {
    if (call <= forgotten_ || !seen_.insert(call).second) return false;
    order_.push_back(call);
    if (order_.size() <= kKept) return true;
    forgotten_ = std::max(forgotten_, order_.front());
    seen_.erase(order_.front());
    order_.pop_front();
    return true;
  }

 private:
  absl::flat_hash_set<KvCallId> seen_;
  std::deque<KvCallId> order_;
  KvCallId forgotten_ = 0;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_KEYSPACE_KV_SEEN_CALLS_H_
