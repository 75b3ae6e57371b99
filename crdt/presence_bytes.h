// Varints and hashes of strings for the presence store's own sources: how blobs
// are laid out and what digests are made of. Pure functions; nothing else
// includes it.
#ifndef MUSTER_CRDT_PRESENCE_BYTES_H_
#define MUSTER_CRDT_PRESENCE_BYTES_H_

#include <cstddef>
#include <cstdint>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "absl/strings/string_view.h"

namespace muster::crdt {

inline uint64_t HashBytes(absl::string_view bytes, uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

inline size_t VarintSize(uint64_t value) {
  size_t size = 1;
  for (; value >= 0x80; value >>= 7) ++size;
  return size;
}

inline char* PutVarint(char* to, uint64_t value) {
  for (; value >= 0x80; value >>= 7) *to++ = static_cast<char>(value | 0x80);
  *to++ = static_cast<char>(value);
  return to;
}

inline const char* GetVarint(const char* from, uint64_t& value) {
  value = 0;
  for (int shift = 0;; shift += 7) {
    uint8_t byte = static_cast<uint8_t>(*from++);
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return from;
  }
}

}  // namespace muster::crdt

#endif  // MUSTER_CRDT_PRESENCE_BYTES_H_
