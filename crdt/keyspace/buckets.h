// Buckets: where a key is in the order of exchanges, and the digests by which
// two nodes find what differs.
//
// 16,384 buckets by hash of (database, key), in 128 groups of 128. A bucket's
// digest is the sum of the digests of its versions, a group's that of its
// buckets, so both are kept by additions and are equal where the states are,
// however they came about. A value above 4 KiB counts by its dot, its stamp
// and its length.
// Memory: 132 KiB.
#ifndef MUSTER_CRDT_KEYSPACE_BUCKETS_H_
#define MUSTER_CRDT_KEYSPACE_BUCKETS_H_

#include <array>
#include <cstdint>
#include <vector>

#include "crdt/keyspace/types.h"

namespace muster::kv {

inline constexpr uint32_t kBuckets = 16384;
inline constexpr uint32_t kGroups = 128;
inline constexpr uint32_t kBucketsPerGroup = kBuckets / kGroups;
inline constexpr size_t kMaxHashedValueBytes = 4096;

// Equal on every node.
uint64_t HashOf(const KeyName& key);
constexpr uint32_t BucketOf(uint64_t hash) {
  return static_cast<uint32_t>(hash) & (kBuckets - 1);
}
// `key_hash` is that of its key.
uint64_t DigestOf(uint64_t key_hash, const ElementName& element,
                  const Version& version);

class BucketDigests {
 public:
  BucketDigests() : buckets_(kBuckets) {}
  // Adds the digest of a version, or takes it away where it is negated.
  void Add(uint32_t bucket, uint64_t digest) {
    buckets_[bucket] += digest;
    groups_[bucket / kBucketsPerGroup] += digest;
    all_ += digest;
  }
  void Add(const BucketDigests& other) {
    for (uint32_t i = 0; i < kBuckets; ++i) Add(i, other.buckets_[i]);
  }
  void Subtract(const BucketDigests& other) {
    for (uint32_t i = 0; i < kBuckets; ++i) {
      Add(i, uint64_t{0} - other.buckets_[i]);
    }
  }
  uint64_t bucket(uint32_t bucket) const { return buckets_[bucket]; }
  uint64_t group(uint32_t group) const { return groups_[group]; }
  uint64_t all() const { return all_; }

 private:
  std::vector<uint64_t> buckets_;
  std::array<uint64_t, kGroups> groups_{};
  uint64_t all_ = 0;
};

}  // namespace muster::kv

#endif  // MUSTER_CRDT_KEYSPACE_BUCKETS_H_
