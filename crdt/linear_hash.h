// An intrusive hash index that grows one bucket at a time.
//
// Linear hashing (Litwin, *Linear hashing: a new tool for file and table
// addressing*, 1980): buckets 0 … n-1. Growing by one splits the bucket whose
// turn it is; shrinking merges the last bucket back. No insert or erase ever
// costs a whole rehash, and an index whose records are gone holds no memory.
// A bucket is a list threaded through the records themselves.
//
// Traits, of a record: `uint32_t& links(i)`, the next one of its bucket, and
// `uint64_t hash(i)`.
// Cost: expected O(1), erase too, which walks the bucket; 4 bytes a record and
// 4 / kLoad more. A split moves the records of one bucket: many records of
// equal hash make it long.
#ifndef MUSTER_CRDT_LINEAR_HASH_H_
#define MUSTER_CRDT_LINEAR_HASH_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "crdt/paged_array.h"

namespace muster::crdt {

template <typename Traits>
class LinearHash {
 public:
  explicit LinearHash(Traits traits) : traits_(traits) { AddBucket(); }

  // First record of the bucket of `hash`, or kNone. Go on with Next.
  uint32_t First(uint64_t hash) const { return Head(Bucket(hash)); }

  // The record after `i` in its bucket, or kNone at the end.
  uint32_t Next(uint32_t i) const { return traits_.links(i); }

  // REQUIRES: `i` is not in the index.
  void Insert(uint32_t i) {
    if (++size_ > kLoad * buckets_) Grow();
    Link(i, Bucket(traits_.hash(i)));
  }

  // REQUIRES: `i` is in the index.
  void Erase(uint32_t i) {
    uint32_t* at = &Head(Bucket(traits_.hash(i)));
    while (*at != i) at = &traits_.links(*at);
    *at = traits_.links(i);
    --size_;
    // Shrinks by about four buckets at a time: an emptied index would keep most
    // of them otherwise.
    while (size_ < kLoad * buckets_ / 4) Shrink();
  }

  uint32_t size() const { return size_; }
  uint32_t buckets() const { return buckets_; }

 private:
  static constexpr uint32_t kLoad = 2;
  static constexpr uint32_t kSegmentBits = 10;
  static constexpr uint32_t kSegmentSize = 1u << kSegmentBits;

  uint32_t Bucket(uint64_t hash) const {
    uint32_t low = static_cast<uint32_t>(hash) & (level_ * 2 - 1);
    return low < buckets_ ? low : low & (level_ - 1);
  }
  uint32_t& Head(uint32_t bucket) {
    return segments_[bucket >> kSegmentBits][bucket & (kSegmentSize - 1)];
  }
  uint32_t Head(uint32_t bucket) const {
    return segments_[bucket >> kSegmentBits][bucket & (kSegmentSize - 1)];
  }

  void Link(uint32_t i, uint32_t bucket) {
    uint32_t& head = Head(bucket);
    traits_.links(i) = head;
    head = i;
  }

  void AddBucket() {
    if ((buckets_ & (kSegmentSize - 1)) == 0) {
      segments_.emplace_back(new uint32_t[kSegmentSize]);
    }
    Head(buckets_++) = kNone;
  }

  // Splits bucket `buckets_ - level_` into itself and a new last bucket.
  void Grow() {
    if (buckets_ == level_ * 2) level_ *= 2;
    uint32_t from = buckets_ - level_;
    AddBucket();
    uint32_t to = buckets_ - 1;
    MoveAll(from, [this, from, to](uint32_t i) {
      Link(i, (traits_.hash(i) & level_) != 0 ? to : from);
    });
  }

  // Merges the last bucket into the one it was split from.
  void Shrink() {
    if (buckets_ == level_ && level_ > 1) level_ /= 2;
    uint32_t from = buckets_ - 1;
    uint32_t to = from - level_;
    MoveAll(from, [this, to](uint32_t i) { Link(i, to); });
    --buckets_;
    if ((buckets_ & (kSegmentSize - 1)) == 0) segments_.pop_back();
  }

  // Empties a bucket, handing each record of it to `place`.
  template <typename Place>
  void MoveAll(uint32_t bucket, Place place) {
    uint32_t i = Head(bucket);
    Head(bucket) = kNone;
    while (i != kNone) {
      uint32_t next = traits_.links(i);
      place(i);
      i = next;
    }
  }

  Traits traits_;
  std::vector<std::unique_ptr<uint32_t[]>> segments_;
  uint32_t buckets_ = 0;
  uint32_t level_ = 1;  // Power of two; level_ <= buckets_ <= 2 * level_.
  uint32_t size_ = 0;
};

}  // namespace muster::crdt

#endif  // MUSTER_CRDT_LINEAR_HASH_H_
