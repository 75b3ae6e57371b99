// What encoded mutations of every kind of stream have in common: a tag, the
// element that is changed, and names.
//
//   mutation := tag [distance(seq - id)] …
//   tag      := kind | kCreates (id == seq, no distance) | bits of the kind
//   string   := a varint length and bytes
#ifndef MUSTER_CRDT_ELEMENT_TAG_H_
#define MUSTER_CRDT_ELEMENT_TAG_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "crdt/types.h"
#include "crdt/varint.h"

namespace muster::crdt {

inline constexpr uint8_t kKindMask = 0x07;
inline constexpr uint8_t kCreates = 0x08;

inline void AppendTag(uint8_t kind_and_bits, Seq seq, ElementId id,
                      std::string& out) {
  const bool creates = id.value == seq.value;
  out.push_back(static_cast<char>(kind_and_bits | (creates ? kCreates : 0)));
  if (!creates) AppendVarint(seq.value - id.value, out);
}

// An id before `seq`; 0 is no id.
inline bool TakeDistance(absl::string_view& bytes, Seq seq, ElementId& id) {
  uint64_t distance = 0;
  if (!TakeVarint(bytes, distance) || distance == 0 || distance >= seq.value) {
    return false;
  }
  id = ElementId(seq.value - distance);
  return true;
}

inline void AppendString(absl::string_view text, std::string& out) {
  AppendVarint(text.size(), out);
  out.append(text.data(), text.size());
}

// At most `limit` bytes.
inline bool TakeString(absl::string_view& bytes, size_t limit,
                       absl::string_view& text) {
  uint64_t size = 0;
  if (!TakeVarint(bytes, size) || size > limit || size > bytes.size()) {
    return false;
  }
  text = bytes.substr(0, size);
  bytes.remove_prefix(size);
  return true;
}

}  // namespace muster::crdt

#endif  // MUSTER_CRDT_ELEMENT_TAG_H_
