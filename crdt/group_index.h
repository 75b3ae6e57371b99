// A hash index whose slots are small: from a hash to the records that have it.
//
//   hash --highest bits--> directory --> segment of kSlots:
//                             [tag][record] [tag][record] … [ ]   rest of hash
//
// A slot is a tag of seven bits and the first record of one hash; the other
// records of that hash are threaded behind it as a ring. An insert of a new
// hash reads no other record. A look-up of an absent hash reads one only one
// time in ten, since every read is a cache miss. A full segment splits alone,
// and two small segments merge (Fagin, Nievergelt, Pippenger, Strong,
// *Extendible hashing*, 1979). So no insert or erase costs a rehash, and an
// index whose records are gone holds no memory.
//
// Traits, of a record: `RingLinks& links(i)`; `uint64_t hash(i)`, with all bits
// well mixed; and `void prefetch(i)`, which prefetches the memory that these
// two read.
//
// Invariants
//   1. All records of one hash are one ring, and have one slot.
//   2. A directory entry's segment holds the hashes that begin with the entry's
//      number, as far as the segment's depth.
// Cost: expected O(1), and the records of one segment for a split or merge.
// 7 to 8 bytes a hash. The directory, 8 bytes a segment or two, doubles and
// halves at once. Threads: one.
#ifndef MUSTER_CRDT_GROUP_INDEX_H_
#define MUSTER_CRDT_GROUP_INDEX_H_

#include <bit>
#include <cstdint>
#include <cstring>
#include <vector>

#include "crdt/paged_array.h"

namespace muster::crdt {

struct RingLinks {
  uint32_t next = kNone;
  uint32_t prev = kNone;
};

template <typename Traits>
class GroupIndex {
 public:
  explicit GroupIndex(Traits traits)
      : traits_(traits), directory_{new Segment()} {}
  ~GroupIndex() {
    for (size_t i = 0; i < directory_.size();) {
      const size_t span = Span(*directory_[i]);
      delete directory_[i];
      i += span;
    }
  }
  GroupIndex(const GroupIndex&) = delete;
  GroupIndex& operator=(const GroupIndex&) = delete;

  // First record of `hash`, or kNone; the others follow by links().next, as a
  // ring.
  uint32_t First(uint64_t hash) const {
    const Segment& segment = *directory_[Entry(hash)];
    const int slot = Find(segment, hash);
    return slot < 0 ? kNone : segment.records[slot];
  }
  // The record after `i` of its hash, or kNone.
  uint32_t Next(uint32_t i) const {
    const uint32_t next = traits_.links(i).next;
    return next == i || next == First(traits_.hash(i)) ? kNone : next;
  }
  // Whether `i` is the only record of its hash.
  bool Alone(uint32_t i) const { return traits_.links(i).next == i; }

  // Adds `i`, which is not in the index, as the last one of its hash. Returns
  // the first one: `i`, if it is alone.
  uint32_t Insert(uint32_t i) {
    ++size_;
    const uint64_t hash = traits_.hash(i);
    const uint32_t first = First(hash);
    if (first != kNone) {
      Enring(i, first);
      return first;
    }
    traits_.links(i) = {i, i};
    while (directory_[Entry(hash)]->used >= kFull) MakeRoom(hash);
    directory_[Entry(hash)]->Put(hash, i);
    return i;
  }

  // REQUIRES: `i` is in the index.
  void Erase(uint32_t i) {
    --size_;
    const uint64_t hash = traits_.hash(i);
    Segment& segment = *directory_[Entry(hash)];
    const int slot = Find(segment, hash);
    const uint32_t next = traits_.links(i).next;
    if (next == i) {
      segment.Clear(slot);
      while (Merge(hash)) {
      }
      return;
    }
    Unring(i);
    if (segment.records[slot] == i) segment.records[slot] = next;
  }

  void MoveToFront(uint32_t i) {
    if (Alone(i)) return;
    uint32_t& first = FirstOf(i);
    if (first == i) return;
    Unring(i);
    Enring(i, first);
    first = i;
  }
  void MoveToBack(uint32_t i) {
    if (Alone(i)) return;
    uint32_t& first = FirstOf(i);
    if (first == i) {
      first = traits_.links(i).next;
      return;
    }
    Unring(i);
    Enring(i, first);
  }

  // Prefetches the memory that First and Insert read, for a later call.
  void Prefetch(uint64_t hash) const {
    const Segment& segment = *directory_[Entry(hash)];
    const uint32_t group = GroupOf(hash);
    __builtin_prefetch(&segment);
    __builtin_prefetch(&segment.tags[group * kWidth]);
    __builtin_prefetch(&segment.records[group * kWidth]);
  }

  size_t size() const { return size_; }
  size_t bytes() const {
    return segments_ * sizeof(Segment) + directory_.size() * sizeof(Segment*);
  }

 private:
  // Tags are looked at in groups of kWidth, beginning with that of the hash.
  static constexpr int kWidth = 8;
  static constexpr int kGroups = 14;
  static constexpr int kSlots = kWidth * kGroups;
  static constexpr int kFull = kSlots - 6;
  static constexpr int kSmall = kSlots / 2;  // Two together: they merge.
  static constexpr uint8_t kEmpty = 0;
  static constexpr uint8_t kDead = 1;  // Was in use: look further.
  static constexpr uint8_t kUsed = 0x80;
  static constexpr uint64_t kLow = 0x0101010101010101u;
  static constexpr uint64_t kHigh = 0x8080808080808080u;

  struct Segment {
    uint8_t used = 0;  // Slots that are not empty.
    uint8_t live = 0;  // Of these, not dead.
    uint8_t depth = 0;
    uint8_t tags[kSlots] = {};
    uint32_t records[kSlots];

    uint64_t Tags(uint32_t group) const {
      uint64_t word;
      std::memcpy(&word, &tags[size_t{group} * kWidth], kWidth);
      return word;
    }
    // REQUIRES: used < kSlots.
    void Put(uint64_t hash, uint32_t record) {
      for (uint32_t group = GroupOf(hash);; group = After(group)) {
        const uint64_t free = ~Tags(group) & kHigh;
        if (free == 0) continue;
        const int slot = static_cast<int>(group) * kWidth + LowestByte(free);
        used += tags[slot] == kEmpty;
        ++live;
        tags[slot] = TagOf(hash);
        records[slot] = record;
        return;
      }
    }
    void Clear(int slot) {
      const bool last = HasEmpty(Tags(static_cast<uint32_t>(slot) / kWidth));
      tags[slot] = last ? kEmpty : kDead;
      used -= last;
      --live;
    }
  };
  static_assert(std::endian::native == std::endian::little);

  static int LowestByte(uint64_t bits) { return std::countr_zero(bits) / 8; }
  // Whether a tag is zero. (Its mask may have a false hit above a true one.)
  static bool HasEmpty(uint64_t tags) {
    return ((tags - kLow) & ~tags & kHigh) != 0;
  }
  static uint8_t TagOf(uint64_t hash) {
    return static_cast<uint8_t>(kUsed | (hash & 0x7f));
  }
  static uint32_t GroupOf(uint64_t hash) {
    return static_cast<uint32_t>((hash >> 7 & 0xffff) * kGroups >> 16);
  }
  static uint32_t After(uint32_t group) {
    return group + 1 == kGroups ? 0 : group + 1;
  }
  size_t Entry(uint64_t hash) const {
    return depth_ == 0 ? 0 : static_cast<size_t>(hash >> (64 - depth_));
  }
  // Directory entries of a segment.
  size_t Span(const Segment& segment) const {
    return size_t{1} << (depth_ - segment.depth);
  }

  // The slot of `hash`, or -1.
  int Find(const Segment& segment, uint64_t hash) const {
    const uint64_t wanted = TagOf(hash) * kLow;
    uint32_t group = GroupOf(hash);
    for (int n = 0; n < kGroups; ++n, group = After(group)) {
      const uint64_t tags = segment.Tags(group);
      const uint64_t other = tags ^ wanted;
      // A false hit may stand above a true one.
      for (uint64_t hits = (other - kLow) & ~other & kHigh; hits != 0;
           hits &= hits - 1) {
        const int slot = static_cast<int>(group) * kWidth + LowestByte(hits);
        if (segment.tags[slot] == TagOf(hash) &&
            traits_.hash(segment.records[slot]) == hash) {
          return slot;
        }
      }
      if (HasEmpty(tags)) return -1;
    }
    return -1;
  }
  uint32_t& FirstOf(uint32_t i) {
    const uint64_t hash = traits_.hash(i);
    Segment& segment = *directory_[Entry(hash)];
    return segment.records[Find(segment, hash)];
  }

  // Adds `i` as the last record of the ring of `first`.
  void Enring(uint32_t i, uint32_t first) {
    RingLinks& head = traits_.links(first);
    traits_.links(i) = {first, head.prev};
    traits_.links(head.prev).next = i;
    head.prev = i;
  }
  void Unring(uint32_t i) {
    const RingLinks links = traits_.links(i);
    traits_.links(links.next).prev = links.prev;
    traits_.links(links.prev).next = links.next;
  }

  void Fetch(const Segment& segment) const {
    for (int i = 0; i < kSlots; ++i) {
      if (segment.tags[i] >= kUsed) traits_.prefetch(segment.records[i]);
    }
  }

  // Makes an empty slot in the segment of `hash`, or splits it.
  void MakeRoom(uint64_t hash) {
    Segment& segment = *directory_[Entry(hash)];
    const Segment old = segment;
    Fetch(old);
    segment = Segment();
    segment.depth = old.depth;
    Segment* twin = old.live > kSlots * 3 / 4 ? Split(hash) : &segment;
    const uint64_t bit = uint64_t{1} << (63 - old.depth);
    for (int i = 0; i < kSlots; ++i) {
      if (old.tags[i] < kUsed) continue;
      const uint64_t of_record = traits_.hash(old.records[i]);
      Segment& to = (of_record & bit) != 0 ? *twin : segment;
      to.Put(of_record, old.records[i]);
    }
  }

  // Gives the upper half of the entries of the segment of `hash` to a new one.
  Segment* Split(uint64_t hash) {
    Segment& segment = *directory_[Entry(hash)];
    if (segment.depth == depth_) Double();
    auto* twin = new Segment();
    ++segments_;
    const size_t span = Span(segment);
    const size_t base = Entry(hash) & ~(span - 1);
    for (size_t i = span / 2; i < span; ++i) directory_[base + i] = twin;
    twin->depth = ++segment.depth;
    if (segment.depth == depth_) deepest_ += 2;
    return twin;
  }

  void Double() {
    std::vector<Segment*> twice(directory_.size() * 2);
    for (size_t i = 0; i < twice.size(); ++i) twice[i] = directory_[i / 2];
    directory_.swap(twice);
    ++depth_;
    deepest_ = 0;
  }

  // Merges the segment of `hash` with the one it was split from, if both are
  // small.
  bool Merge(uint64_t hash) {
    Segment* segment = directory_[Entry(hash)];
    if (segment->depth == 0 || segment->live > kSmall) return false;
    const size_t span = Span(*segment);
    const size_t base = Entry(hash) & ~(2 * span - 1);
    Segment* low = directory_[base];
    Segment* high = directory_[base + span];
    if (low->depth != high->depth || low->live + high->live > kSmall) {
      return false;
    }
    const Segment old[] = {*low, *high};
    if (low->depth == depth_) deepest_ -= 2;
    *low = Segment();
    low->depth = old[0].depth - 1;
    for (const Segment& half : old) {
      Fetch(half);
      for (int i = 0; i < kSlots; ++i) {
        if (half.tags[i] < kUsed) continue;
        low->Put(traits_.hash(half.records[i]), half.records[i]);
      }
    }
    delete high;
    --segments_;
    for (size_t i = 0; i < 2 * span; ++i) directory_[base + i] = low;
    if (depth_ > 0 && deepest_ == 0) Halve();
    return true;
  }

  void Halve() {
    std::vector<Segment*> half(directory_.size() / 2);
    --depth_;
    for (size_t i = 0; i < half.size(); ++i) {
      half[i] = directory_[2 * i];
      deepest_ += half[i]->depth == depth_;
    }
    directory_.swap(half);
  }

  Traits traits_;
  std::vector<Segment*> directory_;
  int depth_ = 0;       // The directory has 2^depth_ entries.
  size_t deepest_ = 0;  // Segments of that depth, unless it is 0.
  size_t segments_ = 1;
  size_t size_ = 0;
};

}  // namespace muster::crdt

#endif  // MUSTER_CRDT_GROUP_INDEX_H_
