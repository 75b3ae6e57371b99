// Ops: what a leader decided to change, and how mutations are encoded.
//
//   HSET h f0 red f1 blue        put field "f0" "red"    (opens the key)
//                                put field "f1" "blue"
//   RENAME h g                   move "h" to "g"
//
// An op replaces, removes or moves only versions that its leader had seen;
// apart from that it is deterministic on equal states, and carries what cannot
// be told from the state. A mutation is the ops of one command, transaction or
// script; its seq is not encoded, as in crdt/mutation.h:
//
//   mutation := size stamp[8] op+
//   op       := tag [db key] body     db and key: unless kSameKey
//   tag      := kind | kOpens | kSameKey | kFront
//
// Integers are LEB128 varints in their shortest form, signed ones zigzag, byte
// strings a varint length and bytes, fixed-size numbers little-endian.
// docs/wire_format.md has the table of the bodies.
//
// An op takes `width` indexes of the mutation: a push one a value, a move or a
// copy as many as it says, any other one.
// Cost: O(bytes), no allocation; what is decoded are views into the input.
// Limits: kMaxMutationBytes, kMaxKeyBytes.
#ifndef MUSTER_CRDT_KEYSPACE_OP_H_
#define MUSTER_CRDT_KEYSPACE_OP_H_

#include <cstdint>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "crdt/grammar.h"
#include "crdt/keyspace/types.h"

namespace muster::kv {

struct Op {
  // The values are on the wire.
  enum class Kind : uint8_t {
    kPutString = 1,    // value, deadline: replaces the whole key
    kIncrement = 2,    // name (a string or a field), amount
    kPutField = 3,     // name, value
    kAddMember = 4,    // name
    kPutScore = 5,     // name, score
    kPush = 6,         // front, place (of the first), values
    kSetItem = 7,      // name (an item), value
    kRemove = 8,       // name
    kSetDeadline = 9,  // deadline (none, too), on what the key now shows
    kRemoveKey = 10,
    kMove = 11,    // to, width: replaces the key `to`
    kCopy = 12,    // to, width: replaces the key `to`
    kFlush = 13,   // the database of the key, whose name is empty
    kSettle = 14,  // removes what the key holds and does not show
    // All items from (place, name) to (last_place, last), or all scored members
    // from (score, name) to (last_score, last).
    kRemoveRange = 15,
  };
  Kind kind = Kind::kRemoveKey;
  KeyName key;
  // The key has no birth yet, and gets one with the dot of this op.
  bool opens = false;
  bool front = false;
  ElementName name;
  absl::string_view value;
  Deadline deadline;
  int64_t amount = 0;
  double score = 0;
  absl::string_view place;
  absl::string_view values;  // As encoded; see TakeValue.
  ElementName last;
  double last_score = 0;
  absl::string_view last_place;
  KeyName to;
  uint32_t width = 1;
  // Of the first of its indexes; given by what decodes or applies it.
  uint32_t index = 0;
};

// Appends one value to Op::values. Takes one off its front; false at the end.
void AppendValue(absl::string_view value, std::string& values);
bool TakeValue(absl::string_view& values, absl::string_view& value);

// Makes the bytes of one mutation.
class MutationWriter {
 public:
  explicit MutationWriter(Stamp stamp) : stamp_(stamp) {}
  // Writes into `buffer`, whose capacity is reused; Release gives it back.
  MutationWriter(Stamp stamp, std::string buffer);
  std::string Release() { return std::move(body_); }
  // Gives `op` its index.
  void Add(Op& op);
  bool empty() const { return ops_ == 0; }
  uint32_t ops() const { return ops_; }
  size_t bytes() const { return body_.size() + 18; }
  Stamp stamp() const { return stamp_; }
  // Appends the mutation. REQUIRES: not empty.
  void Finish(std::string& out) const;

 private:
  // Whether the op before was of this key.
  bool IsLastKey(const KeyName& key) const;

  Stamp stamp_;
  uint32_t ops_ = 0;
  uint32_t next_index_ = 0;
  // Where the last key is in body_.
  uint8_t last_db_ = 0;
  size_t last_key_ = 0;
  size_t last_size_ = 0;
  std::string body_;
};

// Reads the ops of one mutation.
class MutationReader {
 public:
  // Takes a mutation off the front of `bytes`. False: they are no mutation's
  // beginning. Its ops are checked as they are read.
  bool Take(absl::string_view& bytes);
  Stamp stamp() const { return stamp_; }
  // False at the end and where the bytes are malformed; ok() tells.
  bool Next(Op& op);
  bool ok() const { return ok_; }

 private:
  bool Fail() { return ok_ = false; }

  Stamp stamp_;
  absl::string_view rest_;
  KeyName last_;
  bool has_key_ = false;
  uint32_t ops_ = 0;
  uint64_t next_index_ = 0;
  bool ok_ = false;
};

void SkipMutation(absl::string_view& bytes);  // REQUIRES: validated.
bool ValidateMutations(absl::string_view bytes, Seq first, uint32_t count);
// The keyspace is exchanged by buckets; its grammar has no elements of a
// rebase, and refuses all.
const crdt::Grammar& KeyspaceGrammar();

}  // namespace muster::kv

#endif  // MUSTER_CRDT_KEYSPACE_OP_H_
