#include "crdt/keyspace/buckets.h"

// Inlined: most of what is hashed is short.
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <bit>

namespace muster::kv {

uint64_t HashOf(const KeyName& key) {
  return XXH3_64bits_withSeed(key.key.data(), key.key.size(), key.db);
}

uint64_t DigestOf(uint64_t key_hash, const ElementName& element,
                  const Version& version) {
  const uint64_t element_hash =
      XXH3_64bits_withSeed(element.name.data(), element.name.size(), key_hash);
  const size_t hashed =
      version.bytes.size() > kMaxHashedValueBytes ? 0 : version.bytes.size();
  const uint64_t numbers[] = {static_cast<uint64_t>(element.kind) << 8 |
                                  static_cast<uint64_t>(version.kind),
                              element.item.life.hi,
                              element.item.life.lo,
                              element.item.seq.value,
                              element.item.index,
                              version.dot.life.hi,
                              version.dot.life.lo,
                              version.dot.seq.value,
                              version.dot.index,
                              version.stamp.value,
                              version.bytes.size(),
                              version.deadline.at_ms,
                              std::bit_cast<uint64_t>(version.score),
                              static_cast<uint64_t>(version.sum),
                              version.on.life.hi,
                              version.on.life.lo,
                              version.on.seq.value,
                              version.on.index};
  const uint64_t seed =
      XXH3_64bits_withSeed(numbers, sizeof(numbers), element_hash);
  return XXH3_64bits_withSeed(version.bytes.data(), hashed, seed);
}

}  // namespace muster::kv
