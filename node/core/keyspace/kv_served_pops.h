// Pops that waited and were served lately: what was said to whom, so that a pop
// whose leader died is neither lost nor served twice. A leader also keeps those
// that ended with nothing (seq 0), and tells nobody; and, by themselves, other
// calls of other nodes that it has answered, whose answers may be lost.
//
// The leader tells its followers with the mutation; who promises another leader
// hands on what it knows. The latest kKept are kept, of kKeptBytes at most.
// Threads: the core's.
#ifndef MUSTER_NODE_CORE_KEYSPACE_KV_SERVED_POPS_H_
#define MUSTER_NODE_CORE_KEYSPACE_KV_SERVED_POPS_H_

#include <cstddef>
#include <deque>
#include <map>
#include <utility>
#include <vector>

#include "node/core/keyspace_frames.h"

namespace muster::core {

class KvServedPops {
 public:
  static constexpr size_t kKept = 1000;
  static constexpr size_t kKeptBytes = 256 << 10;

  void Add(KvServed served) {
    const KvRequest request = served.request;
    if (pops_.contains(request)) return;
    bytes_ += served.replies.bytes();
    pops_.emplace(request, std::move(served));
    order_.push_back(request);
    while (order_.size() > 1 &&
           (order_.size() > kKept || bytes_ > kKeptBytes)) {
      bytes_ -= pops_.at(order_.front()).replies.bytes();
      pops_.erase(order_.front());
      order_.pop_front();
    }
  }
  const KvServed* Find(const KvRequest& request) const {
    const auto at = pops_.find(request);
    return at == pops_.end() ? nullptr : &at->second;
  }
  std::vector<KvServed> All() const {
    std::vector<KvServed> all;
    for (const KvRequest& request : order_) {
      const KvServed& served = pops_.at(request);
      if (served.seq > crdt::Seq()) all.push_back(served);
    }
    return all;
  }

 private:
  std::map<KvRequest, KvServed> pops_;
  std::deque<KvRequest> order_;
  size_t bytes_ = 0;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_KEYSPACE_KV_SERVED_POPS_H_
