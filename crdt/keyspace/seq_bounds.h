// The highest seq of each life that wrote something: whether all of it was
// seen, without a look at all of it. It is never lowered.
//
//   bounds.Cover((a, 7, 0)); bounds.Cover((a, 5, 1));
//   bounds.IsSeen(seen)         if (a, 7, 0) was
//
// Cost: O(log lives); O(1) for the life before. Threads: one.
#ifndef MUSTER_CRDT_KEYSPACE_SEQ_BOUNDS_H_
#define MUSTER_CRDT_KEYSPACE_SEQ_BOUNDS_H_

#include <algorithm>
#include <vector>

#include "crdt/keyspace/context.h"
#include "crdt/keyspace/types.h"

namespace muster::kv {

class SeqBounds {
 public:
  void Cover(const Dot& dot) {
    if (!bounds_.empty() && bounds_[last_].life == dot.life) {
      bounds_[last_].seq = std::max(bounds_[last_].seq, dot.seq);
      return;
    }
    const auto at = std::lower_bound(
        bounds_.begin(), bounds_.end(), dot.life,
        [](const Bound& b, const LifeId& life) { return b.life < life; });
    last_ = static_cast<size_t>(at - bounds_.begin());
    if (at == bounds_.end() || at->life != dot.life) {
      bounds_.insert(at, {dot.life, dot.seq});
    } else {
      at->seq = std::max(at->seq, dot.seq);
    }
  }
  bool IsSeen(const Seen& seen) const {
    return std::all_of(bounds_.begin(), bounds_.end(), [&](const Bound& b) {
      return seen.Covers({b.life, b.seq, 0});
    });
  }

 private:
  struct Bound {
    LifeId life;
    Seq seq;
  };
  std::vector<Bound> bounds_;  // In the order of the lives.
  size_t last_ = 0;
};

}  // namespace muster::kv

#endif  // MUSTER_CRDT_KEYSPACE_SEQ_BOUNDS_H_
