// The keyspace: 16 databases of keys, replicated as a delta-state CRDT.
//
//   State = versions x context. A follower applies the leader's mutations:
//
//     Keyspace state;
//     MUSTER_CHECK(ValidateMutations(bytes, seq, 1));       // at the gateway
//     state.Apply(bytes, {base, leader, seq});
//
//   Anyone reads what is shown at a time:
//
//     KeyView key = state.Find({0, "greeting"}, now);
//     std::string scratch;
//     if (key.type() == Type::kString) Reply(key.String(scratch));
//
//   The leader makes mutations in a Transaction (crdt/keyspace/transaction.h),
//   which shows what it made so far:
//
//     Transaction tx(state, {base, me, seq}, stamp, now);
//     tx.PutString({0, "greeting"}, "hello", Deadline{});
//     tx.Find({0, "greeting"}).String(scratch);             // "hello"
//     log.Append(tx.Commit());                              // or Abandon()
//
//   Two sides of a cut are joined bucket by bucket:
//
//     Keyspace theirs = what was collected of them, under their context;
//     for (bucket : those that differ) mine.JoinBucket(theirs, bucket);
//     mine.Cover(theirs.context());                         // last
//
// Join is type-blind and per dot: of each element a version stays if both
// sides have it, or if the other side's context does not cover its dot.
//
// Invariants
//   1. Equal positions, equal states: after the same mutations, however they
//      were applied, joined or exchanged, versions are equal, and so digests.
//   2. Join is associative, commutative and idempotent.
//   3. A version that was removed where it was seen never returns.
//   4. Every version's dot is covered by context(), but while an exchange is
//      collected or joined.
// Each has a property test against a model that knows no header of crdt/.
//
// Cost: an op O(log n) of its key, and O(bytes) of a small key, which is one
// blob; remove key and flush O(1), and RunJob after them; move, copy and settle
// O(elements), and so are remove key and flush where there is what their leader
// had not seen. Memory: about 90 bytes for a 10-byte key with a 32-byte value;
// tables grow by increments.
// Limits: 2^32 keys and large elements, kMaxLives lives; the rest is bounded
// by mutations. Threads: one.
// Source: Almeida, Shoker, Baquero, delta-state CRDTs (2018).
#ifndef MUSTER_CRDT_KEYSPACE_KEYSPACE_H_
#define MUSTER_CRDT_KEYSPACE_KEYSPACE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "crdt/keyspace/buckets.h"
#include "crdt/keyspace/context.h"
#include "crdt/keyspace/op.h"
#include "crdt/keyspace/types.h"
#include "crdt/keyspace/view.h"

namespace muster::kv {

class KeyStore;

// The name of a key, held.
struct OwnedKey {
  uint8_t db = 0;
  std::string key;
  KeyName name() const { return {db, key}; }
  auto operator<=>(const OwnedKey&) const = default;
};

class Keyspace {
 public:
  // The seed is of the local index, and changes nothing that can be seen: a
  // node takes one at random, so that nobody can choose keys that make its
  // look-ups slow.
  explicit Keyspace(uint64_t hash_seed = 0);
  ~Keyspace();
  Keyspace(Keyspace&&) noexcept;
  Keyspace& operator=(Keyspace&&) noexcept;

  // -- Reading.
  KeyView Find(const KeyName& key, Time now) const;
  // Keys of a database that show something, due ones included.
  uint64_t Keys(uint8_t db) const;
  // What the keys of a type hold in a database, O(1). The sum over all is less
  // than bytes(), which counts free slots and tables, too.
  TypeUsage Usage(uint8_t db, Type type) const;
  // SCAN: from `cursor` (0: the beginning) on, about `count` keys that exist
  // at `now`; returns the next cursor, 0 at the end. A key that is there all
  // the while is visited, and once.
  uint32_t ScanKeys(uint8_t db, uint32_t cursor, uint32_t count, Time now,
                    absl::FunctionRef<void(absl::string_view)> visit) const;
  // All that a key or a bucket holds, shown or not, in the order of exchanges.
  using VisitElement = absl::FunctionRef<void(
      const KeyName&, const ElementName&, const Versions&)>;
  void ScanKey(const KeyName& key, VisitElement visit) const;
  void ScanBucket(uint32_t bucket, VisitElement visit) const;
  // The key that is due first, if it is due at `now`; and when the first is.
  std::optional<OwnedKey> FirstDue(Time now) const;
  Deadline NextDeadline() const;

  // -- Following.
  // Applies one mutation that its leader made having seen `seen`, and covers
  // it. REQUIRES: it was validated.
  void Apply(absl::string_view mutation, const Seen& seen);

  // -- Joining.
  // Joins a bucket of `other`, which holds the whole of it under its context.
  // The contexts are as they were: Cover is for when all buckets are in.
  void JoinBucket(const Keyspace& other, uint32_t bucket);
  void Cover(const Context& context);
  // All buckets and the context.
  void Join(const Keyspace& other);
  // A key that holds more than it shows, after a join; the leader ends it
  // with an op kSettle. Nothing: all are settled.
  std::optional<OwnedKey> FirstUnsettled() const;
  size_t unsettled() const;
  // Takes a life out of the context, as its leader says.
  void DropLife(const LifeId& life) { context_.Drop(life); }

  // -- What is removed is not freed at once: a set of a million that was
  // deleted, a database that was flushed. The node calls RunJob until it
  // returns false, in slices, where it runs what it put off; a slice of 1,000
  // takes some 100 us.
  bool HasJob() const;
  // Frees about `budget` elements and keys. False: there is no more.
  bool RunJob(size_t budget);

  // The seq of the last mutation of `leader`, or before it led, that removed a
  // key of the bucket of `key`; 0: none is known. What WATCH needs of an
  // absent key.
  Seq LastRemoval(const KeyName& key, const LifeId& leader) const;

  // Whose mutation was applied last; nil: none was.
  const LifeId& last_leader() const;

  const Context& context() const { return context_; }
  const BucketDigests& digests() const;
  // Memory held for keys and elements, free slots included.
  size_t bytes() const;

  // What is wrong, or "". O(n): for tests.
  std::string Audit() const;

 private:
  friend class Transaction;
  friend class BucketReader;
  friend class Collector;
  friend class BucketWriter;

  std::unique_ptr<KeyStore> store_;
  Context context_;
};

}  // namespace muster::kv

#endif  // MUSTER_CRDT_KEYSPACE_KEYSPACE_H_
