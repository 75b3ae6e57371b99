// Where keys and their elements are held: rows, blobs, indexes and digests.
//
//   row {next, hash, blob, …}                          20 bytes
//   blob := head key [due[8]] [shown[2]] size elements  a small key, packed
//         | head key [due[8]] LargeKey*                 a large one
//
// A key is packed while it has at most kMaxPackedBytes of elements (or no
// collection in it); an element of it is changed in place (key_edit.h). The
// head holds what every look-up asks: the type shown, whether a deadline is in
// force and how many elements a collection shows, so that none of it is worked
// out again.
//
// The index of a database hashes with a seed of the node: who chooses keys
// cannot fill one list of it. Buckets are equal on all nodes, and so can be
// filled by who chooses keys; rows of a bucket are in a list of their own, and
// no look-up walks it.
//
// Large keys are never freed at once: DEL and FLUSHDB detach them; RunJob
// frees them in slices.
//
// Invariants
//   1. A row has at least one element.
//   2. Type, deadline and shown of a head are those of the elements.
//   3. digests() is the sum over all versions of all elements.
//   4. usage() is the sum of what the rows of a database hold.
// Cost: look-up O(1). Memory: 26 bytes a key beside its blob. Threads: one.
#ifndef MUSTER_CRDT_KEYSPACE_KEY_STORE_H_
#define MUSTER_CRDT_KEYSPACE_KEY_STORE_H_

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "crdt/keyspace/buckets.h"
#include "crdt/keyspace/database.h"
#include "crdt/keyspace/journal.h"
#include "crdt/keyspace/keyspace.h"
#include "crdt/keyspace/large_key.h"
#include "crdt/keyspace/life_table.h"
#include "crdt/keyspace/packed.h"
#include "crdt/keyspace/types.h"
#include "crdt/keyspace/view.h"
#include "crdt/paged_array.h"
#include "crdt/slab.h"

namespace muster::kv {

// What a blob says. Views into it.
struct KeyBlob {
  KeyName name;
  Type type = Type::kNone;
  // It holds elements of two types.
  bool mixed = false;
  // Elements of the type that are shown, of a packed collection.
  uint16_t shown = 0;
  Deadline deadline;
  absl::string_view elements;  // Of a packed key.
  LargeKey* large = nullptr;
};

class KeyStore {
 public:
  static constexpr size_t kMaxPackedBytes = 512;

  explicit KeyStore(uint64_t hash_seed);
  ~KeyStore();
  KeyStore(const KeyStore&) = delete;
  KeyStore& operator=(const KeyStore&) = delete;

  // -- Keys.
  // kNone: there is none.
  RowIdx Find(const KeyName& name) const;
  KeyView ViewOf(RowIdx row, Time now) const;
  KeyBlob Read(RowIdx row) const;

  // Row kNone: adds one; REQUIRES: there is none of this name. Takes over
  // `blob.large`; the rest is copied, and may be views into what the row has.
  RowIdx Write(RowIdx row, const KeyBlob& blob);
  // The same of a packed key, read as `before`, whose elements are changed and
  // whose head is that of `blob` then. REQUIRES: of the same type.
  void Splice(RowIdx row, const KeyBlob& before, const KeyBlob& blob,
              const PackedChange& change, absl::string_view bytes);
  void Erase(RowIdx row);
  // Notes what a large key that was changed holds now.
  void CountLarge(RowIdx row);

  // -- As a whole, whatever it holds.
  // Takes the large key of a row away, and its row with it.
  void Detach(RowIdx row);
  // REQUIRES: there is no key of its name.
  void Attach(DetachedKey key);
  void DetachDatabase(uint8_t db);
  // REQUIRES: the database is empty.
  void Attach(uint8_t db, std::unique_ptr<Database> database);
  // Covers every version of a database.
  const SeqBounds& bounds(uint8_t db) const;
  void Cover(uint8_t db, const Dot& dot) { DatabaseOf(db).bounds.Cover(dot); }

  // -- What is to be freed.
  void Bury(std::unique_ptr<LargeKey> large);
  void Bury(std::unique_ptr<Database> database);
  bool HasJob() const { return !dead_keys_.empty() || !dead_.empty(); }
  // Frees about so many elements; false: there is no more.
  bool RunJob(size_t budget);

  // -- Of a database.
  uint64_t rows(uint8_t db) const;
  TypeUsage usage(uint8_t db, Type type) const;
  // The rows of a bucket, in the order of their names.
  std::vector<RowIdx> Bucket(uint32_t bucket) const;
  // The rows of a database, in no order.
  std::vector<RowIdx> AllOf(uint8_t db) const;
  // Those of its rows that are in the bucket.
  void ForBucket(uint8_t db, uint32_t bucket,
                 absl::FunctionRef<void(RowIdx)> visit) const;
  // The row that is due first.
  std::optional<std::pair<uint64_t, RowIdx>> FirstDue() const;
  size_t due(uint8_t db) const;
  bool IsDueKept(uint8_t db, uint64_t at_ms, RowIdx row) const;

  // -- Keys that hold more than they show.
  void SetUnsettled(const KeyName& key, bool unsettled);
  std::optional<OwnedKey> FirstUnsettled() const;
  size_t unsettled() const;

  // -- Of all.
  LifeTable& lives() { return lives_; }
  const LifeTable& lives() const { return lives_; }
  crdt::Slab& slab() { return slab_; }
  const BucketDigests& digests() const { return digests_; }
  void AddDigest(uint8_t db, uint32_t bucket, uint64_t change);

  // While one is open, every change of an element is noted in the journal.
  Journal* journal() { return journaling_ ? &journal_ : nullptr; }
  void OpenJournal() { journaling_ = true; }
  void CommitJournal();
  void UndoJournal();

  // The mutation whose ops change the keys now; `seq` 0: none.
  void BeginMutation(const LifeId& life, Seq seq) { writer_ = {life, seq}; }
  void EndMutation() { writer_.seq = Seq(); }
  const LifeId& last_writer() const { return writer_.life; }
  // The seq of the last mutation of `life` that removed a key of the bucket.
  Seq LastRemoval(const LifeId& life, uint32_t bucket) const;

  size_t& large_bytes() { return large_bytes_; }
  // Buffers of encoders, which are kept.
  std::string& scratch() { return scratch_; }
  std::string& mutation_buffer() { return mutation_buffer_; }
  size_t bytes() const;

 private:
  struct Writer {
    LifeId life;
    Seq seq;
  };
  // The finding of the last look-up.
  struct Found {
    bool valid = false;
    KeyName name;
    std::string key;
    RowIdx row = kNone;
  };
  static constexpr size_t kMaxFoundBytes = 256;
  static constexpr size_t kFreedAtOnce = 128;

  uint32_t SeededHash(const KeyName& name) const;
  Database& DatabaseOf(uint8_t db);
  RowIdx AddRow(const KeyName& name, crdt::Slab::Handle handle);
  void DropRow(RowIdx row, const KeyBlob& blob);
  // Takes what a row holds out of the usage, or puts it in.
  void Uncount(RowIdx row, const KeyBlob& blob);
  void Count(RowIdx row, const KeyBlob& blob);
  void MoveDue(RowIdx row, const KeyBlob& from, const KeyBlob& to);
  void NoteRemoval(uint32_t bucket);
  size_t FreeRows(Database& database, size_t budget);

  const uint64_t hash_seed_;
  Rows rows_;
  std::array<std::unique_ptr<Database>, kDatabases> databases_;
  // There are, or were, keys in more than one database.
  bool split_ = false;
  crdt::Slab slab_;
  LifeTable lives_;
  BucketDigests digests_;
  mutable Found found_;

  bool journaling_ = false;
  // A key can be without elements in between, and stays unsettled.
  bool undoing_ = false;
  Journal journal_;
  std::string scratch_;
  std::string mutation_buffer_;

  std::vector<std::unique_ptr<LargeKey>> dead_keys_;
  std::vector<std::unique_ptr<Database>> dead_;
  uint32_t next_list_ = 0;  // Of the last of them, to be freed next.
  size_t large_bytes_ = 0;  // Of lists of large keys.

  Writer writer_;
  LifeId removals_of_;
  Seq all_removed_;  // No bucket says less.
  std::vector<Seq> removals_;
};

}  // namespace muster::kv

#endif  // MUSTER_CRDT_KEYSPACE_KEY_STORE_H_
