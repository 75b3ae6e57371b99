// Hashes of the presence store's own indexes. Pure functions, inlined into
// every look-up. See presence_bytes.h for hashes of strings.
#ifndef MUSTER_CRDT_PRESENCE_HASH_H_
#define MUSTER_CRDT_PRESENCE_HASH_H_

#include <cstdint>

#include "crdt/types.h"

namespace muster::crdt {

// A bijection in which each bit of the input moves about half of the output.
inline uint64_t Mix(uint64_t x) {
  x ^= x >> 32;
  x *= 0xd6e8feb86659fd93u;
  x ^= x >> 32;
  x *= 0xd6e8feb86659fd93u;
  return x ^ x >> 32;
}

// Of an element of a stream. Ids that follow each other lie in buckets that do:
// a stream is applied in their order.
inline uint64_t ElementHash(uint32_t stream, ElementId id) {
  return Mix((id.value >> 8) + (uint64_t{stream} << 48)) << 8 |
         (id.value & 255);
}

}  // namespace muster::crdt

#endif  // MUSTER_CRDT_PRESENCE_HASH_H_
