// Buckets as bytes: how state is carried to a node that lacks it.
//
//   source                                    receiver
//   BucketReader from(state);                 Keyspace collected;
//   while (from.Next(bucket, 64 KiB, bytes))  BucketWriter to(collected);
//     send(bytes)                             to.Add(bytes)
//                                             state.JoinBucket(collected, …)
//
// Elements go in the order (bucket, key, element), each with all its versions:
//   part     := lives life[16]* element*
//   element  := 0 db key element | 1 element     1: of the same key
// with elements as in element_codec.h, whose lives are those of the part.
// A part never ends between the births and deadlines of a key and its string.
// Cost: O(bytes); a bucket's keys are sorted when it is begun. Limits: a part
// has the bytes asked for, but at least one element.
#ifndef MUSTER_CRDT_KEYSPACE_EXCHANGE_H_
#define MUSTER_CRDT_KEYSPACE_EXCHANGE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "crdt/keyspace/keyspace.h"
#include "crdt/keyspace/types.h"

namespace muster::kv {

class BucketReader {
 public:
  explicit BucketReader(const Keyspace& state) : state_(state) {}
  // Sets `out` to the next part of the bucket; false: that was all of it. The
  // state may change between parts: what is behind the cursor is not sent
  // again.
  bool Next(uint32_t bucket, size_t max_bytes, std::string& out);

 private:
  const Keyspace& state_;
  bool begun_ = false;
  uint32_t bucket_ = 0;
  // The cursor: the last element sent.
  OwnedKey key_;
  ElementKind kind_ = ElementKind::kKey;
  std::string name_;
  Dot item_;
};

// Whether `bytes` are a part of the bucket, in its order: checked before they
// are added.
bool ValidatePart(absl::string_view bytes, uint32_t bucket);

// Visits the elements of a part in their order. REQUIRES: validated.
void ReadPart(
    absl::string_view part,
    absl::FunctionRef<void(const KeyName&, const ElementName&, const Versions&)>
        visit);

// All that a key holds, as parts of its bucket.
std::vector<std::string> ReadKey(const Keyspace& state, const KeyName& key,
                                 size_t max_bytes);

class BucketWriter {
 public:
  explicit BucketWriter(Keyspace& collected) : collected_(collected) {}
  // Puts the elements of a part into what is collected. REQUIRES: validated.
  void Add(absl::string_view part);

 private:
  Keyspace& collected_;
};

}  // namespace muster::kv

#endif  // MUSTER_CRDT_KEYSPACE_EXCHANGE_H_
