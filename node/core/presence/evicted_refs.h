// The refs of the latest evicted entries, with the reason of each. So a client
// that names such a ref later is told that the entry was evicted, and does not
// take the entry for lost.
//
// Limit: kMax refs; the oldest goes. Cost: O(log kMax). Threads: one.
#ifndef MUSTER_NODE_CORE_PRESENCE_EVICTED_REFS_H_
#define MUSTER_NODE_CORE_PRESENCE_EVICTED_REFS_H_

#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <utility>

#include "absl/container/btree_map.h"
#include "crdt/types.h"

namespace muster::core {

class EvictedRefs {
 public:
  static constexpr size_t kMax = 4096;
  using Reason = std::shared_ptr<const std::string>;

  void Add(const crdt::Ref& ref, const Reason& reason) {
    if (!reasons_.try_emplace(ref, reason).second) return;
    order_.push_back(ref);
    if (order_.size() <= kMax) return;
    reasons_.erase(order_.front());
    order_.pop_front();
  }
  // Null if it is none of them.
  Reason Find(const crdt::Ref& ref) const {
    const auto at = reasons_.find(ref);
    return at == reasons_.end() ? nullptr : at->second;
  }

 private:
  absl::btree_map<crdt::Ref, Reason> reasons_;
  std::deque<crdt::Ref> order_;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_PRESENCE_EVICTED_REFS_H_
