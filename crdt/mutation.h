// Mutations of presence streams, and their encoding.
//
// A mutation is decoded for one seq, which is not encoded: the mutations of a
// delta are consecutive. An id is encoded as its distance from that seq. So the
// bytes depend on their position, are short, and are relayed unchanged.
//
//   mutation := tag [distance(seq - id)] body
//   tag      := kind | kCreates (id == seq, no distance) | kHasRef | kHasRoot
//   session  := sid[16] epoch resume grace_ms ttl_ms state
//               [moved_life[16] moved_seq]                 if state is moved
//   entry    := distance(seq - session's id) topic key meta
//               [ref_life[8] ref_id ref_seq]               if kHasRef
//               [root_life[8] root_id]                     if kHasRoot
//   remove   := nothing
//
// Integers are LEB128 varints, strings a varint length and bytes, fixed-size
// numbers little-endian. docs/wire_format.md has the table with examples.
//
// Cost: O(bytes), no allocation; decoded strings are views into the input.
// Limits: kMaxNameBytes, kMaxMetaBytes, and so the size of a mutation.
#ifndef MUSTER_CRDT_MUTATION_H_
#define MUSTER_CRDT_MUTATION_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "crdt/grammar.h"
#include "crdt/types.h"

namespace muster::crdt {

// Limits of a peer's mutations, whatever the node's own limits for clients.
inline constexpr size_t kMaxNameBytes = 4096;
inline constexpr size_t kMaxMetaBytes = 512 << 10;

enum class SessionState : uint8_t {
  // The copy is being adopted: its entries are written, but it is not in force.
  kPending = 0,
  kConnected = 1,
  kDisconnected = 2,
  // A higher copy is in force at `moved_life`, since `moved_seq` there.
  kMoved = 3,
  kEnded = 4,
};

struct SessionContent {
  SessionId session;
  uint64_t epoch = 0;
  uint64_t resume = 0;
  uint32_t grace_ms = 0;
  uint32_t ttl_ms = 0;  // 0: it lives as long as its stream.
  SessionState state = SessionState::kPending;
  LifeId moved_life;
  Seq moved_seq;
  bool operator==(const SessionContent&) const = default;
};

struct EntryContent {
  ElementId session;  // An earlier element of the same stream.
  absl::string_view topic;
  absl::string_view key;
  absl::string_view meta;
  Ref ref;  // None: the mutation's own dot is the ref.
  // Set on an adopted entry that had been updated at an earlier adopter. None:
  // the root is the element that the ref names, or this one.
  EntryRoot root;
};

struct Mutation {
  enum class Kind : uint8_t {
    kPutSession = 1,
    kPutEntry = 2,
    kRemoveSession = 3,
    kRemoveEntry = 4,
  };
  Kind kind = Kind::kPutEntry;
  Seq seq;
  ElementId id;  // == seq: creates the element.
  SessionContent session;
  EntryContent entry;
};

// Appends the encoding of `mutation` to `out`.
void EncodePutSession(Seq seq, ElementId id, const SessionContent& content,
                      std::string& out);
void EncodePutEntry(Seq seq, ElementId id, const EntryContent& content,
                    std::string& out);
void EncodeRemove(Mutation::Kind kind, Seq seq, ElementId id, std::string& out);

// Takes one mutation with this seq off the front of `bytes`. False if they are
// malformed: an unknown tag or state, a distance beyond the seq, a length over
// its limit or the input, an empty or non-UTF-8 name, a ref that is no dot, a
// root without a ref or of id 0.
bool DecodeMutation(absl::string_view& bytes, Seq seq, Mutation& out);

// Skips one valid mutation. REQUIRES: `bytes` was validated.
void SkipMutation(absl::string_view& bytes);

// Whether `bytes` are exactly `count` valid mutations from `first` on.
bool ValidateMutations(absl::string_view bytes, Seq first, uint32_t count);

// The elements of a rebase: each the gap of its seq from the one before (the
// first: from 0) and a put mutation with that seq, in seq order.
bool DecodeElement(absl::string_view& bytes, Seq& previous, Mutation& out);
bool ValidateElements(absl::string_view bytes, uint32_t count);

// The grammar of presence mutations, for the log and the codec.
const Grammar& PresenceGrammar();

// Strict UTF-8: no surrogates, no overlong forms, at most U+10FFFF.
bool IsValidUtf8(absl::string_view bytes);

}  // namespace muster::crdt

#endif  // MUSTER_CRDT_MUTATION_H_
