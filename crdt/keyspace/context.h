// A causal context: for each life, the highest seq seen of its keyspace stream.
//
//   {a: 7, b: 3}  covers (a, 5, 0) and (b, 3, 2), and not (b, 4, 0) or (c, 1,
//   0)
//
// A version that a context covers and its state does not have was seen there
// and is gone; one that it does not cover is new there.
//
// Invariants
//   1. No life has seq 0.
//   2. digest() is the sum of a hash of each (life, seq): equal contexts have
//      equal digests, on every node.
// Cost: O(log lives) a look-up. Limits: kMaxLives, kept by the caller.
// Source: Preguiça et al., dotted version vectors (2012).
#ifndef MUSTER_CRDT_KEYSPACE_CONTEXT_H_
#define MUSTER_CRDT_KEYSPACE_CONTEXT_H_

#include <cstddef>
#include <cstdint>

#include "absl/container/btree_map.h"
#include "crdt/keyspace/types.h"

namespace muster::kv {

class Context {
 public:
  using Seqs = absl::btree_map<LifeId, Seq>;

  // Seq 0 where nothing was seen of it.
  Seq Of(const LifeId& life) const;
  bool Covers(const Dot& dot) const { return Of(dot.life) >= dot.seq; }
  // Whether it covers all that `other` covers.
  bool Contains(const Context& other) const;

  // Nothing where it covers that already.
  void Cover(const LifeId& life, Seq seq);
  void Join(const Context& other);
  // The life's mutations count as unseen from now on.
  void Drop(const LifeId& life);

  const Seqs& seqs() const { return seqs_; }
  bool empty() const { return seqs_.empty(); }
  size_t size() const { return seqs_.size(); }
  uint64_t digest() const { return digest_; }
  bool operator==(const Context& other) const { return seqs_ == other.seqs_; }

 private:
  Seqs seqs_;
  uint64_t digest_ = 0;
};

// What the leader had seen when it made a mutation: the base of its term, and
// its own stream up to that mutation, whose earlier ops it includes.
struct Seen {
  const Context& base;
  LifeId leader;
  Seq seq;
  bool Covers(const Dot& dot) const {
    return (dot.life == leader && dot.seq <= seq) || base.Covers(dot);
  }
};

}  // namespace muster::kv

#endif  // MUSTER_CRDT_KEYSPACE_CONTEXT_H_
