// A key as readers see it: what it shows at one moment, and nothing else.
//
//   KeyView h = keyspace.Find({0, "h"}, now);
//   Entry field;
//   if (h.type() == Type::kHash && h.Get("f0", field)) Reply(field.value);
//
// A key that is due is hidden, and hidden is absent: exists() is false, and
// size() 0. A view is good until the state changes. Views in an Entry refer to
// the state or to the Entry itself.
//
// Orders: fields and members by their bytes; a sorted set also by (score,
// member) and a list by place, both with ranks from 0.
// Cost: O(log n) a look-up or a rank, O(1) a step; a small key is read as a
// whole, O(its bytes). size() is O(1) for a large one.
#ifndef MUSTER_CRDT_KEYSPACE_VIEW_H_
#define MUSTER_CRDT_KEYSPACE_VIEW_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "crdt/keyspace/types.h"

namespace muster::kv {

class KeyStore;

// One field, member, scored member or item.
struct Entry {
  absl::string_view name;   // Of a field, a member, a scored member.
  absl::string_view value;  // Of a field, an item, a string.
  double score = 0;
  Dot item;                 // Names an item for Op kSetItem and kRemove.
  absl::string_view place;  // Of an item.
  std::string number;       // Backs `value` where it was counted.
};

class KeyView {
 public:
  using Visit = absl::FunctionRef<bool(const Entry&)>;  // False: stop.
  enum class Direction : uint8_t { kUp, kDown };

  KeyView() = default;  // Of an absent key.

  bool exists() const { return type_ != Type::kNone; }
  // kNone: the key is absent.
  Type type() const { return type_; }
  Deadline deadline() const;
  // Fields, members or items; 1 for a string.
  uint64_t size() const;

  // -- Strings. REQUIRES, of both: type() is kString.
  absl::string_view String(std::string& scratch) const;
  // Nothing: it is no integer.
  std::optional<int64_t> Integer() const;

  // -- Hashes, sets, sorted sets: by name. False: there is none.
  bool Get(absl::string_view name, Entry& out) const;
  std::optional<int64_t> FieldInteger(absl::string_view field) const;
  // In the order of names, those after `after`, or all.
  void Scan(std::optional<absl::string_view> after, Visit visit) const;
  // REQUIRES: index < size().
  void Nth(uint64_t index, Entry& out) const;

  // -- Sorted sets and lists: by rank.
  // From rank `first` on, towards the end or towards rank 0.
  void Walk(uint64_t first, Direction direction, Visit visit) const;
  // False: there are not so many.
  bool At(uint64_t rank, Entry& out) const;
  std::optional<uint64_t> RankOf(absl::string_view member) const;
  // How many have a score below it, or with `inclusive` not above it.
  uint64_t CountBelow(double score, bool inclusive) const;

  // Changes with every change of what the key holds, and is equal on nodes
  // that hold the same; 0 if it is absent.
  uint64_t digest() const;

 private:
  friend class KeyStore;
  KeyView(const KeyStore* store, uint32_t row, Type type)
      : store_(store), row_(row), type_(type) {}

  void WalkPacked(uint64_t first, Direction direction, Visit visit) const;

  const KeyStore* store_ = nullptr;
  uint32_t row_ = 0;
  Type type_ = Type::kNone;
};

}  // namespace muster::kv

#endif  // MUSTER_CRDT_KEYSPACE_VIEW_H_
