// One exchange, on the side that receives: what came of a source so far, and
// the mutations that the source applied meanwhile.
//
//   Collector from(own, differing, their_context);
//   from.Add(part); …               parts of the differing buckets, ascending
//   from.Apply(mutation, seen);     each between the parts it was applied
//   from.Add(part); from.End(bucket); …
//   while (auto key = from.FirstAgain()) from.AddAgain(*key, parts asked for);
//   if (from.IsWhole()) for (bucket : from.buckets()) own.JoinBucket(…);
//
// Parts and mutations are taken in the order in which the source sent and
// applied them. So a mutation concerns what is behind the cursor, which has
// not seen it, and not what is ahead, which will come with it:
//
//   bucket 3      bucket 9                       bucket 40
//   |  whole  |   k: a b c (cursor) d e   l  |   | ahead  |
//       apply          apply        drop  drop      drop
//
// - A bucket that did not differ is copied from `own` once it is concerned.
// - What cannot be told from the part of a key that is here (a move from ahead
//   to behind, a deadline or a settling of the key at the cursor) makes that
//   key one to be asked for *again*, as a whole and at one moment.
// - A flush starts the exchange over.
// `own` must not change meanwhile: a node goes on reading from it.
// Cost: as the ops; memory: that of what is collected. Threads: one.
#ifndef MUSTER_CRDT_KEYSPACE_COLLECTOR_H_
#define MUSTER_CRDT_KEYSPACE_COLLECTOR_H_

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "crdt/keyspace/context.h"
#include "crdt/keyspace/keyspace.h"
#include "crdt/keyspace/op.h"
#include "crdt/keyspace/types.h"

namespace muster::kv {

class Collector {
 public:
  enum class Outcome : uint8_t { kApplied, kStartOver };

  // `context` is the source's when the first part was made.
  Collector(const Keyspace& own, const std::vector<uint32_t>& differing,
            const Context& context);

  // The next part of the first differing bucket that is not at its end.
  // REQUIRES: validated as one of that bucket.
  void Add(absl::string_view part);
  // That bucket is at its end.
  void End();
  // The bucket whose parts come now; nothing: all are here.
  std::optional<uint32_t> bucket() const;

  // A mutation that the source applied between the parts. REQUIRES: validated.
  Outcome Apply(absl::string_view mutation, const Seen& seen);

  // A key that is to be asked for again, or nothing.
  std::optional<OwnedKey> FirstAgain() const;
  // All its parts, as ReadKey made them at one moment.
  void AddAgain(const OwnedKey& key, absl::Span<const std::string> parts);

  bool IsWhole() const { return !bucket().has_value() && again_.empty(); }
  // What is to be joined, once it is whole, with its context.
  const Keyspace& state() const { return state_; }
  // The buckets that `state` holds.
  const std::set<uint32_t>& buckets() const { return collected_; }

 private:
  enum class Place : uint8_t { kBehind, kAtCursor, kAhead };

  Place PlaceOf(const KeyName& key);
  void ApplyHere(const Op& op, const Seen& seen, Stamp stamp);
  void Transfer(const Op& op, const Seen& seen, Stamp stamp);
  void AskAgain(const KeyName& key);
  // Everything of the bucket that `own_` has.
  void Adopt(uint32_t bucket);

  const Keyspace& own_;
  std::set<uint32_t> ahead_;  // The first one comes now.
  Keyspace state_;
  std::set<uint32_t> collected_;  // Whole ones.
  std::set<OwnedKey> again_;
  // Whole, whatever the cursor says; what still comes of them is older.
  std::set<OwnedKey> had_again_;
  // The cursor: the last element of the bucket that comes now.
  bool begun_ = false;
  OwnedKey key_;
  ElementKind kind_ = ElementKind::kKey;
  std::string name_;
  Dot item_;
};

}  // namespace muster::kv

#endif  // MUSTER_CRDT_KEYSPACE_COLLECTOR_H_
