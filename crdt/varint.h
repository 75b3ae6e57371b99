// Varints (LEB128), in their shortest form only: the integers of all encodings.
//
// The functions are in a header to be inlined: a grammar reads several varints
// a mutation.
#ifndef MUSTER_CRDT_VARINT_H_
#define MUSTER_CRDT_VARINT_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace muster::crdt {

inline void AppendVarint(uint64_t value, std::string& out) {
  char buffer[10];
  size_t size = 0;
  while (value >= 0x80) {
    buffer[size++] = static_cast<char>(value | 0x80);
    value >>= 7;
  }
  buffer[size++] = static_cast<char>(value);
  out.append(buffer, size);
}

// Takes a varint off the front of `bytes`. False, and `bytes` are unchanged: if
// there is none, or it is not in the shortest form, or it is above 64 bits.
inline bool TakeVarint(absl::string_view& bytes, uint64_t& value) {
  if (!bytes.empty() && static_cast<uint8_t>(bytes[0]) < 0x80) {
    value = static_cast<uint8_t>(bytes[0]);
    bytes.remove_prefix(1);
    return true;
  }
  value = 0;
  for (size_t i = 0; i < bytes.size() && i < 10; ++i) {
    uint8_t byte = static_cast<uint8_t>(bytes[i]);
    if (i == 9 && byte > 1) return false;
    value |= static_cast<uint64_t>(byte & 0x7f) << (7 * i);
    if ((byte & 0x80) == 0) {
      if (byte == 0 && i > 0) return false;  // Not the shortest form.
      bytes.remove_prefix(i + 1);
      return true;
    }
  }
  return false;
}

}  // namespace muster::crdt

#endif  // MUSTER_CRDT_VARINT_H_
