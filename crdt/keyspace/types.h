// The words of the keyspace as types: dots, stamps, deadlines, elements,
// versions.
//
//   key "h" (a hash)
//     element key             version birth   dot (a, 7, 0)
//     element field "f0"      version value   dot (a, 7, 0) stamp 12 "red"
//     element field "f1"      version value   dot (a, 7, 1) stamp 12 "blue"
//                             version value   dot (b, 3, 0) stamp 15 "green"
//
// A key is a set of *elements*: a string, the fields of a hash, the members of
// a set, and so on. An element is a small set of *versions*, nearly always
// one. Each version has the *dot* of the op that wrote it; no two versions of
// an element have one dot and one kind. "f1" was written on both sides of a
// cut; what it shows is a pure function of its versions (shown.h).
//
// All types here are plain values; every function is total and O(1).
#ifndef MUSTER_CRDT_KEYSPACE_TYPES_H_
#define MUSTER_CRDT_KEYSPACE_TYPES_H_

#include <compare>
#include <cstddef>
#include <cstdint>

#include "absl/container/inlined_vector.h"
#include "absl/strings/string_view.h"
#include "crdt/types.h"

namespace muster::kv {

using crdt::LifeId;
using crdt::Seq;

inline constexpr uint8_t kDatabases = 16;

// What any node accepts from a peer, whatever its own limits for clients.
inline constexpr size_t kMaxKeyBytes = 64 << 10;
inline constexpr size_t kMaxPlaceBytes = 1024;
inline constexpr size_t kMaxMutationBytes = 8 << 20;
inline constexpr size_t kMaxLives = 65536;

// One op of one mutation: the mutation's place in the keyspace stream of a
// life, and the op's index in it. Seq 0 is no dot: *nil*.
struct Dot {
  LifeId life;
  Seq seq;
  uint32_t index = 0;
  auto operator<=>(const Dot&) const = default;
  bool IsNil() const { return seq.value == 0; }
};

// Hybrid logical clock of the leader: milliseconds since 1970 in the upper 48
// bits, a counter in the lower 16. Never backwards.
using Stamp = crdt::Number<struct StampTag>;
constexpr Stamp StampAt(uint64_t ms, uint16_t counter) {
  return Stamp(ms << 16 | counter);
}

// Keyspace time, in milliseconds since 1970.
using Time = crdt::Number<struct TimeTag>;

// When a key is due, in keyspace time. 0: never.
struct Deadline {
  uint64_t at_ms = 0;
  auto operator<=>(const Deadline&) const = default;
  bool IsSet() const { return at_ms != 0; }
  bool IsDue(Time now) const { return IsSet() && at_ms <= now.value; }
};

// A key of one of the databases. Any bytes, none too.
struct KeyName {
  uint8_t db = 0;
  absl::string_view key;
  std::strong_ordering operator<=>(const KeyName&) const = default;
};

enum class Type : uint8_t {
  kNone = 0,
  kString = 1,
  kHash = 2,
  kSet = 3,
  kSortedSet = 4,
  kList = 5,
  kStream = 6,  // Room for it; no op makes one yet.
};
inline constexpr size_t kTypes = 7;

// What the keys of one type hold. kNone: those that show nothing.
struct TypeUsage {
  uint64_t keys = 0;  // Due ones included.
  uint64_t bytes = 0;
  bool operator==(const TypeUsage&) const = default;
};

// In the order in which elements are exchanged. The values are on the wire.
enum class ElementKind : uint8_t {
  kKey = 0,     // Births and deadlines.
  kString = 1,  // A value, and what was counted on top of it.
  kField = 2,   // As a string, under a name.
  kMember = 3,
  kScored = 4,
  kItem = 5,  // Of a list. Named by the dot that created it.
};
inline constexpr uint8_t kElementKinds = 6;

// Names one element of a key. `name` is for fields, members and scored
// members, `item` for items; what is not for the kind is empty or nil.
struct ElementName {
  ElementKind kind = ElementKind::kKey;
  absl::string_view name;
  Dot item;
  std::strong_ordering operator<=>(const ElementName&) const = default;
};

constexpr Type TypeOf(ElementKind kind) { return static_cast<Type>(kind); }
constexpr ElementKind KindOf(Type type) {
  return static_cast<ElementKind>(type);
}

// The values are on the wire.
enum class VersionKind : uint8_t {
  kValue = 0,     // bytes; of a string also a deadline
  kCount = 1,     // sum, on (the root; nil: none)
  kMember = 2,    // nothing
  kScore = 3,     // score
  kPlace = 4,     // bytes: an item's existence, and where it is
  kBirth = 5,     // nothing: the key was created here, not by SET
  kDeadline = 6,  // deadline (none, too), on (what it was set on)
};
inline constexpr uint8_t kVersionKinds = 7;

// What a version holds by its kind is said above; the rest is empty.
struct Version {
  VersionKind kind = VersionKind::kValue;
  Dot dot;
  Stamp stamp;
  absl::string_view bytes;
  Deadline deadline;
  double score = 0;
  int64_t sum = 0;
  Dot on;
  bool operator==(const Version&) const = default;
};

// In the order of their dots; of one dot, of their kinds.
using Versions = absl::InlinedVector<Version, 2>;

// Whether `a` is shown rather than `b`: the later stamp, then the higher dot.
inline bool IsLater(const Version& a, const Version& b) {
  return a.stamp != b.stamp ? a.stamp > b.stamp : a.dot > b.dot;
}

}  // namespace muster::kv

#endif  // MUSTER_CRDT_KEYSPACE_TYPES_H_
