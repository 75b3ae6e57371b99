// Where keys and their elements are held: rows, blobs, indexes and digests.
//
//   row {next, hash, blob}      12 bytes, in the index of its database
//   blob := head key [due[8]] size elements         a small key, packed
//         | head key [due[8]] LargeKey*             a large one
//
// A key is packed while it has at most kMaxPackedBytes of elements (or no
// collection in it); its elements are then read and written together
// (key_edit.h). The head holds what every look-up asks: the type shown and
// whether a deadline is in force, so that neither is worked out again.
//
// Invariants
//   1. A row has at least one element.
//   2. Type and deadline of a head are those of the elements.
//   3. digests() is the sum over all versions of all elements.
// Cost: look-up O(1). Memory: 14 bytes a key beside its blob. Threads: one.
#ifndef MUSTER_CRDT_KEYSPACE_KEY_STORE_H_
#define MUSTER_CRDT_KEYSPACE_KEY_STORE_H_

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/functional/function_ref.h"
#include "crdt/keyspace/buckets.h"
#include "crdt/keyspace/keyspace.h"
#include "crdt/keyspace/large_key.h"
#include "crdt/keyspace/life_table.h"
#include "crdt/keyspace/types.h"
#include "crdt/keyspace/view.h"
#include "crdt/linear_hash.h"
#include "crdt/paged_array.h"
#include "crdt/slab.h"

namespace muster::kv {

using crdt::kNone;
using RowIdx = uint32_t;

// What a blob says. Views into it.
struct KeyBlob {
  KeyName name;
  Type type = Type::kNone;
  Deadline deadline;
  absl::string_view elements;  // Of a packed key.
  LargeKey* large = nullptr;
};

// What an element was before a change; for Transaction::Abandon.
struct JournalEntry {
  OwnedKey key;
  ElementKind kind = ElementKind::kKey;
  std::string name;
  Dot item;
  std::string element;  // Empty: there was none.
};
using Journal = std::vector<JournalEntry>;

// While a key is collected: its elements behind `last` are not here yet, and
// are not set.
struct EditLimit {
  KeyName key;
  ElementName last;
};

class KeyStore {
 public:
  static constexpr size_t kMaxPackedBytes = 512;

  KeyStore();
  ~KeyStore();
  KeyStore(const KeyStore&) = delete;
  KeyStore& operator=(const KeyStore&) = delete;

  // kNone: there is none. `hash` is HashOf the name.
  RowIdx Find(const KeyName& name, uint64_t hash) const;
  KeyView ViewOf(RowIdx row, Time now) const;
  KeyBlob Read(RowIdx row) const;

  // Row kNone: adds one; REQUIRES: there is none of this name. Takes over
  // `blob.large`; the rest is copied, and may be views into what the row has.
  // A LargeKey that was there and is not `blob.large` is deleted.
  void Write(RowIdx row, uint64_t hash, const KeyBlob& blob);
  void Erase(RowIdx row);

  uint64_t shown(uint8_t db) const { return shown_[db]; }
  uint64_t rows(uint8_t db) const { return indexes_[db].size(); }
  // The rows of a bucket, in the order of their names.
  std::vector<RowIdx> Bucket(uint32_t bucket) const;
  // The rows of a database, in no order.
  std::vector<RowIdx> Database(uint8_t db) const;
  // Those of its rows whose hash is in the bucket.
  void ForBucket(uint8_t db, uint32_t bucket,
                 absl::FunctionRef<void(RowIdx)> visit) const;
  uint32_t HashAt(RowIdx row) const { return rows_[row].hash; }

  // (deadline, row) in the order of the deadlines.
  const absl::btree_set<std::pair<uint64_t, RowIdx>>& due() const {
    return due_;
  }

  LifeTable& lives() { return lives_; }
  const LifeTable& lives() const { return lives_; }
  crdt::Slab& slab() { return slab_; }
  BucketDigests& digests() { return digests_; }
  const BucketDigests& digests() const { return digests_; }
  absl::btree_set<OwnedKey>& unsettled() { return unsettled_; }

  // While one is set, every change of an element is noted in it.
  Journal* journal() const { return journal_; }
  void set_journal(Journal* journal) { journal_ = journal; }
  const EditLimit* limit() const { return limit_; }
  void set_limit(const EditLimit* limit) { limit_ = limit; }
  // The buffer that blobs are written in.
  std::string& scratch() { return scratch_; }

  // For LargeKey to count what it holds beside the slab.
  size_t& large_bytes() { return large_bytes_; }
  size_t bytes() const;

 private:
  struct Row {
    RowIdx next = kNone;
    uint32_t hash = 0;
    crdt::Slab::Handle blob = 0;
  };
  using Rows = crdt::PagedArray<Row>;
  struct Traits {
    Rows* rows;
    uint32_t& links(uint32_t i) const { return (*rows)[i].next; }
    uint64_t hash(uint32_t i) const { return (*rows)[i].hash; }
  };

  Rows rows_;
  std::vector<crdt::LinearHash<Traits>> indexes_;
  crdt::Slab slab_;
  LifeTable lives_;
  BucketDigests digests_;
  std::array<uint64_t, kDatabases> shown_{};
  absl::btree_set<std::pair<uint64_t, RowIdx>> due_;
  absl::btree_set<OwnedKey> unsettled_;
  Journal* journal_ = nullptr;
  const EditLimit* limit_ = nullptr;
  std::string scratch_;
  size_t large_bytes_ = 0;
};

}  // namespace muster::kv

#endif  // MUSTER_CRDT_KEYSPACE_KEY_STORE_H_
