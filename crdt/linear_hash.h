// An intrusive hash index that grows one bucket at a time.
//
// Linear hashing (Litwin, *Linear hashing: a new tool for file and table
// addressing*, 1980): buckets 0 … n-1; growing by one splits the bucket whose
// turn it is, shrinking merges the last one back. No insert or erase ever
// costs a whole rehash, and an index whose records are gone holds no memory.
// A bucket is a list threaded through the records themselves.
//
// Traits: `Links& links(i)` and `uint64_t hash(i)` of a record, and kRing.
//   kRing false: Links is `uint32_t`, a singly linked list (4 bytes a record);
//                erase walks the bucket.
//   kRing true:  Links is `RingLinks`, a ring (8 bytes); erase is O(1), and a
//                record can be added at, or moved to, either end.
// Cost: expected O(1); 4 / kLoad bytes a record besides its links. A split
// moves the records of one bucket: many records of equal hash make it long.
#ifndef MUSTER_CRDT_LINEAR_HASH_H_
#define MUSTER_CRDT_LINEAR_HASH_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "crdt/paged_array.h"

namespace muster::crdt {

struct RingLinks {
  uint32_t next = kNone;
  uint32_t prev = kNone;
};

template <typename Traits>
class LinearHash {
 public:
  explicit LinearHash(Traits traits) : traits_(traits) { AddBucket(); }

  // First record of the bucket of `hash`, or kNone. Go on with Next.
  uint32_t First(uint64_t hash) const { return Head(Bucket(hash)); }

  // The record after `i` in its bucket, or kNone at the end. `hash` is any
  // hash of that bucket.
  uint32_t Next(uint32_t i, uint64_t hash) const {
    if constexpr (Traits::kRing) {
      uint32_t next = traits_.links(i).next;
      return next == Head(Bucket(hash)) ? kNone : next;
    } else {
      return traits_.links(i);
    }
  }

  // REQUIRES: `i` is not in the index.
  void Insert(uint32_t i) {
    if (++size_ > kLoad * buckets_) Grow();
    Link(i, Bucket(traits_.hash(i)), /*front=*/true);
  }

  // REQUIRES: `i` is in the index.
  void Erase(uint32_t i) {
    Unlink(i, Bucket(traits_.hash(i)));
    --size_;
    // Four or so at a time, or an index emptied would keep most of them.
    while (size_ < kLoad * buckets_ / 4) Shrink();
  }

  void MoveToFront(uint32_t i) requires(Traits::kRing) {
    uint32_t bucket = Bucket(traits_.hash(i));
    if (Head(bucket) == i) return;
    Unlink(i, bucket);
    Link(i, bucket, true);
  }
  void MoveToBack(uint32_t i) requires(Traits::kRing) {
    uint32_t bucket = Bucket(traits_.hash(i));
    Unlink(i, bucket);
    Link(i, bucket, false);
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

  void Link(uint32_t i, uint32_t bucket, bool front) {
    uint32_t& head = Head(bucket);
    if constexpr (Traits::kRing) {
      RingLinks& links = traits_.links(i);
      if (head == kNone) {
        links = {i, i};
        head = i;
        return;
      }
      RingLinks& first = traits_.links(head);
      links = {head, first.prev};
      traits_.links(first.prev).next = i;
      first.prev = i;
      if (front) head = i;
    } else {
      traits_.links(i) = head;
      head = i;
    }
  }

  void Unlink(uint32_t i, uint32_t bucket) {
    uint32_t& head = Head(bucket);
    if constexpr (Traits::kRing) {
      RingLinks links = traits_.links(i);
      if (links.next == i) {
        head = kNone;
        return;
      }
      traits_.links(links.prev).next = links.next;
      traits_.links(links.next).prev = links.prev;
      if (head == i) head = links.next;
    } else {
      uint32_t* at = &head;
      while (*at != i) at = &traits_.links(*at);
      *at = traits_.links(i);
    }
  }

  void AddBucket() {
    if ((buckets_ & (kSegmentSize - 1)) == 0) {
      segments_.emplace_back(new uint32_t[kSegmentSize]);
    }
    Head(buckets_++) = kNone;
  }

  // Splits bucket `buckets_ - level_` into itself and a new last bucket,
  // keeping the order of the records.
  void Grow() {
    if (buckets_ == level_ * 2) level_ *= 2;
    uint32_t from = buckets_ - level_;
    AddBucket();
    uint32_t to = buckets_ - 1;
    MoveAll(from, [this, from, to](uint32_t i) {
      bool moves = (traits_.hash(i) & level_) != 0;
      Append(i, moves ? to : from);
    });
  }

  // Merges the last bucket into the one it was split from.
  void Shrink() {
    if (buckets_ == level_ && level_ > 1) level_ /= 2;
    uint32_t from = buckets_ - 1;
    uint32_t to = from - level_;
    MoveAll(from, [this, to](uint32_t i) { Append(i, to); });
    --buckets_;
    if ((buckets_ & (kSegmentSize - 1)) == 0) segments_.pop_back();
  }

  void Append(uint32_t i, uint32_t bucket) {
    Link(i, bucket, /*front=*/!Traits::kRing);
  }

  // Empties a bucket, handing each record of it to `place`.
  template <typename Place>
  void MoveAll(uint32_t bucket, Place place) {
    uint32_t first = Head(bucket);
    Head(bucket) = kNone;
    uint32_t i = first;
    while (i != kNone) {
      uint32_t next;
      if constexpr (Traits::kRing) {
        next = traits_.links(i).next;
        if (next == first) next = kNone;
      } else {
        next = traits_.links(i);
      }
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
