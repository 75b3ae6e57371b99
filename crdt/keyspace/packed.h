// Elements in the state's own bytes, read without checks: nothing foreign
// comes here. Of crdt/keyspace alone.
//
//   elements of a small key    [birth][field f0 …][field f1 …]
//                               ^ PackedElement::begin … end
//
// The bytes are those of element_codec.h. An element is found by its kind and
// name, its versions skipped; what is shown of the common one, which has one
// version (an item: a value and a place), is known then. Others are decoded.
//
// Cost: a few nanoseconds an element that is skipped. No allocation.
#ifndef MUSTER_CRDT_KEYSPACE_PACKED_H_
#define MUSTER_CRDT_KEYSPACE_PACKED_H_

#include <cstdint>
#include <cstring>
#include <string>

#include "absl/strings/string_view.h"
#include "crdt/keyspace/element_codec.h"
#include "crdt/keyspace/life_table.h"
#include "crdt/keyspace/types.h"

namespace muster::kv {

// The mutation of the version before, as LastMutation.
struct PackedMutation {
  bool any = false;
  uint32_t life = 0;
  uint64_t seq = 0;
  uint64_t stamp = 0;
  bool operator==(const PackedMutation&) const = default;
  LastMutation Last(const LifeTable& lives) const {
    if (!any) return {};
    return {true, lives[life], Seq(seq), Stamp(stamp)};
  }
};

struct PackedDot {
  uint32_t life = 0;
  uint64_t seq = 0;
  uint32_t index = 0;
  Dot In(const LifeTable& lives) const {
    return {lives[life], Seq(seq), index};
  }
};

struct PackedElement {
  const char* begin = nullptr;
  const char* end = nullptr;
  PackedMutation before;  // As it is at `begin`, and at `end`.
  PackedMutation after;
  ElementKind kind = ElementKind::kKey;
  bool shown = false;
  // What is below is what is shown.
  bool simple = false;
  absl::string_view name;
  PackedDot item;
  absl::string_view value;  // Of a string, a field, an item.
  absl::string_view place;
  double score = 0;

  ElementName Name(const LifeTable& lives) const {
    ElementName out{kind, name, {}};
    if (kind == ElementKind::kItem) out.item = item.In(lives);
    return out;
  }
};

// Reads the element at `at`, where `before` was the mutation of the version in
// front of it.
void ReadPacked(const char* at, const PackedMutation& before,
                PackedElement& out);
// The versions of an element.
void ReadVersions(const PackedElement& element, const LifeTable& lives,
                  Versions& out);

// Less than 0: before `name`; 0: it is of that name.
int CompareTo(const PackedElement& element, const ElementName& name,
              const LifeTable& lives);

// The same of the element at `at`, where only its name is read. REQUIRES: the
// kind is that of a field, a member or a scored member.
int CompareName(const char* at, ElementKind kind, absl::string_view name);

// Where an element is in `elements`, or would be: then `begin` is `end`, the
// place, and `before` is `after`.
struct PackedSpot {
  bool found = false;
  PackedElement element;
};
PackedSpot FindPacked(absl::string_view elements, const LifeTable& lives,
                      const ElementName& name);

// Calls `visit` with each element until it returns false.
template <typename Visit>
void ForPacked(absl::string_view elements, Visit visit) {
  PackedElement element;
  const char* at = elements.data();
  const char* const end = at + elements.size();
  PackedMutation last;
  while (at != end) {
    ReadPacked(at, last, element);
    if (!visit(static_cast<const PackedElement&>(element))) return;
    at = element.end;
    last = element.after;
  }
}

// The bytes that take the place of `spot` … `end` in `elements`, where these
// are as they were before: those of the element, where it has versions, and of
// its neighbour, where this said that it is of the same mutation, or can now.
struct PackedChange {
  size_t begin = 0;  // Offsets.
  size_t end = 0;
};
PackedChange MakeChange(absl::string_view elements, const PackedSpot& spot,
                        const ElementName& name, VersionSpan versions,
                        LifeTable& lives, std::string& out);

}  // namespace muster::kv

#endif  // MUSTER_CRDT_KEYSPACE_PACKED_H_
