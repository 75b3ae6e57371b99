// One of the 16 databases of a KeyStore: the rows of its keys, by hash and by
// bucket, and what is kept of all of them. FLUSHDB takes it away as a whole.
#ifndef MUSTER_CRDT_KEYSPACE_DATABASE_H_
#define MUSTER_CRDT_KEYSPACE_DATABASE_H_

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/container/btree_set.h"
#include "crdt/keyspace/buckets.h"
#include "crdt/keyspace/seq_bounds.h"
#include "crdt/keyspace/types.h"
#include "crdt/linear_hash.h"
#include "crdt/paged_array.h"
#include "crdt/slab.h"

namespace muster::kv {

using crdt::kNone;
using RowIdx = uint32_t;

struct Row {
  RowIdx next = kNone;  // In the index.
  uint32_t hash = 0;    // Seeded: of this store alone.
  crdt::Slab::Handle blob = 0;
  // In its bucket.
  RowIdx after = kNone;
  RowIdx before = kNone;
};
using Rows = crdt::PagedArray<Row>;

struct RowTraits {
  Rows* rows;
  uint32_t& links(uint32_t i) const { return (*rows)[i].next; }
  uint64_t hash(uint32_t i) const { return (*rows)[i].hash; }
};

struct Database {
  explicit Database(Rows& rows)
      : index(RowTraits{&rows}), buckets(new RowIdx[kBuckets]) {
    std::fill_n(buckets.get(), kBuckets, kNone);
  }

  crdt::LinearHash<RowTraits> index;
  // The first row of each.
  std::unique_ptr<RowIdx[]> buckets;
  // (deadline, row) in the order of the deadlines.
  absl::btree_set<std::pair<uint64_t, RowIdx>> due;
  absl::btree_set<std::string> unsettled;
  std::array<TypeUsage, kTypes> usage{};
  // Covers every version in it.
  SeqBounds bounds;
  // Null while they are those of the store, which has no other keys.
  std::unique_ptr<BucketDigests> digests;
};

}  // namespace muster::kv

#endif  // MUSTER_CRDT_KEYSPACE_DATABASE_H_
