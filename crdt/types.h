// The words of replication as types: origins, streams, sequence numbers, refs.
//
// An *origin* is one life of one node. It writes *streams*: numbered mutations
// 1, 2, 3, … with no gap. `(origin, kind, seq)` is a *dot*. An element of a
// stream is named by its *id*: the seq of the mutation that created it.
//
// All types here are plain values; every function is total and O(1).
#ifndef MUSTER_CRDT_TYPES_H_
#define MUSTER_CRDT_TYPES_H_

#include <compare>
#include <cstdint>
#include <string>

namespace muster::crdt {

// A number that does not mix with numbers of another meaning.
template <typename Tag>
struct Number {
  uint64_t value = 0;

  constexpr Number() = default;
  constexpr explicit Number(uint64_t v) : value(v) {}
  auto operator<=>(const Number&) const = default;
  constexpr Number Next() const { return Number(value + 1); }
  template <typename H>
  friend H AbslHashValue(H h, const Number& n) {
    return H::combine(std::move(h), n.value);
  }
};

// Position in a stream. 0 is "before the first mutation".
using Seq = Number<struct SeqTag>;
// Seq of the mutation that created an element; names it for its whole life.
using ElementId = Number<struct ElementIdTag>;
// Orders the lives of one node: microseconds of wall time, made monotonic.
using Incarnation = Number<struct IncarnationTag>;

// 128 bits; each Tag gives them a meaning of its own.
template <typename Tag>
struct Bits128 {
  uint64_t hi = 0;
  uint64_t lo = 0;
  auto operator<=>(const Bits128&) const = default;
  bool IsZero() const { return hi == 0 && lo == 0; }
  template <typename H>
  friend H AbslHashValue(H h, const Bits128& b) {
    return H::combine(std::move(h), b.hi, b.lo);
  }
};

// Random; names one life of one node.
using LifeId = Bits128<struct LifeIdTag>;
// First 128 bits of SHA-256 of the session's token.
using SessionId = Bits128<struct SessionIdTag>;

// One life of one node. Of two origins of a name the higher (incarnation,
// life) is the later one.
struct Origin {
  std::string node;
  Incarnation incarnation;
  LifeId life;
  bool operator==(const Origin&) const = default;
};

enum class StreamKind : uint8_t { kPresence = 1, kKeyValue = 2, kInterest = 3 };

// Names a stream on the wire, where the origin has been introduced before.
struct StreamId {
  LifeId life;
  StreamKind kind = StreamKind::kPresence;
  auto operator<=>(const StreamId&) const = default;
  template <typename H>
  friend H AbslHashValue(H h, const StreamId& s) {
    return H::combine(std::move(h), s.life, static_cast<int>(s.kind));
  }
};

// Names one version of one entry, uniquely in the cluster: the dot of the
// mutation that made it, with the element's id. `life` is LifeId::hi of the
// origin that made the ref: after an adoption it is not the holder's.
struct Ref {
  uint64_t life = 0;
  ElementId id;
  Seq seq;
  auto operator<=>(const Ref&) const = default;
  bool IsNone() const { return seq.value == 0; }
  template <typename H>
  friend H AbslHashValue(H h, const Ref& r) {
    return H::combine(std::move(h), r.life, r.id, r.seq);
  }
};

// Names an entry through all its updates and adoptions, by the element of its
// first track. `life` as in Ref.
struct EntryRoot {
  uint64_t life = 0;
  ElementId id;
  auto operator<=>(const EntryRoot&) const = default;
  bool IsNone() const { return id.value == 0; }
};

}  // namespace muster::crdt

#endif  // MUSTER_CRDT_TYPES_H_
