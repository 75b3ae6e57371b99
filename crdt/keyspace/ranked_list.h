// An ordered list of 32-bit handles with ranks: chunks of some hundred, and
// the chunks in one vector.
//
//   [3 9 4] [7 1] [8 2 6]       handle 1 has rank 4
//
// Order is the caller's: Find takes a predicate that is true for a first part
// of the list, as std::partition_point.
//
// Cost: Find O(log n) calls of the predicate; a rank O(n / 16384), some 100 ns
// for a million; Insert and Erase O(chunk), and O(chunks) where a chunk comes
// or goes. Memory: 4 to 8 bytes a handle.
#ifndef MUSTER_CRDT_KEYSPACE_RANKED_LIST_H_
#define MUSTER_CRDT_KEYSPACE_RANKED_LIST_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace muster::kv {

class RankedList {
 public:
  // Stays good until the list changes.
  struct Position {
    size_t chunk = 0;
    size_t offset = 0;
    bool operator==(const Position&) const = default;
  };

  uint64_t size() const { return size_; }
  Position begin() const { return {}; }
  Position end() const { return {chunks_.size(), 0}; }
  bool AtEnd(Position at) const { return at.chunk == chunks_.size(); }
  uint32_t operator[](Position at) const {
    return chunks_[at.chunk].handles[at.offset];
  }
  Position Next(Position at) const {
    return ++at.offset < chunks_[at.chunk].size ? at
                                                : Position{at.chunk + 1, 0};
  }
  // REQUIRES: `at` is not the first.
  Position Previous(Position at) const {
    if (at.offset > 0) return {at.chunk, at.offset - 1};
    return {at.chunk - 1, chunks_[at.chunk - 1].size - size_t{1}};
  }

  // The first handle for which `before` is false, or the end.
  template <typename Before>
  Position Find(Before before) const {
    const auto chunk = std::partition_point(
        chunks_.begin(), chunks_.end(),
        [&before](const Chunk& c) { return before(c.back()); });
    if (chunk == chunks_.end()) return end();
    return FindIn(static_cast<size_t>(chunk - chunks_.begin()), before);
  }
  // The same, where it is likely to be near one of the ends.
  template <typename Before>
  Position FindNearEnd(Before before) const {
    if (size_ == 0 || before(chunks_.back().back())) return end();
    if (!before(chunks_.front().back())) {
      const Chunk& chunk = chunks_.front();
      for (size_t i = 0; i < 2 && i < chunk.size; ++i) {
        if (!before(chunk.handles[i])) return {0, i};
      }
      return FindIn(0, before);
    }
    const Position last = Previous(end());
    if (before((*this)[Previous(last)])) return last;
    return Find(before);
  }

  // The end if there are not so many.
  Position AtRank(uint64_t rank) const {
    if (rank >= size_) return end();
    size_t i = 0;
    while (rank >= blocks_[i]) rank -= blocks_[i++];
    for (i *= kBlock; rank >= chunks_[i].size; ++i) rank -= chunks_[i].size;
    return {i, static_cast<size_t>(rank)};
  }
  uint64_t RankOf(Position at) const {
    if (AtEnd(at)) return size_;
    uint64_t rank = at.offset;
    const size_t block = at.chunk / kBlock;
    for (size_t i = 0; i < block; ++i) rank += blocks_[i];
    for (size_t i = block * kBlock; i < at.chunk; ++i) rank += chunks_[i].size;
    return rank;
  }

  void Set(Position at, uint32_t handle) {
    chunks_[at.chunk].handles[at.offset] = handle;
  }

  // In front of `at`.
  void Insert(Position at, uint32_t handle) {
    ++size_;
    at = MakeRoom(at);
    chunks_[at.chunk].Insert(at.offset, handle);
    ++blocks_[at.chunk / kBlock];
  }

  void Erase(Position at) {
    --size_;
    Chunk& chunk = chunks_[at.chunk];
    chunk.Erase(at.offset);
    --blocks_[at.chunk / kBlock];
    if (chunk.size < kMinChunk) Merge(at.chunk);
  }

  // The last one. REQUIRES: there is one.
  uint32_t PopBack() {
    const Position last = Previous(end());
    const uint32_t handle = (*this)[last];
    Erase(last);
    return handle;
  }

 private:
  static constexpr uint32_t kMaxChunk = 256;
  static constexpr uint32_t kMinChunk = 32;
  static constexpr uint32_t kFirstCapacity = 8;
  // So many chunks have one sum of their sizes.
  static constexpr size_t kBlock = 64;

  struct Chunk {
    std::unique_ptr<uint32_t[]> handles;
    uint16_t size = 0;
    uint16_t capacity = 0;

    uint32_t back() const { return handles[size - size_t{1}]; }
    void Reserve(uint32_t least) {
      if (least <= capacity) return;
      uint32_t grown = std::max<uint32_t>(capacity, kFirstCapacity);
      while (grown < least) grown *= 2;
      std::unique_ptr<uint32_t[]> moved(new uint32_t[grown]);
      std::copy_n(handles.get(), size, moved.get());
      handles = std::move(moved);
      capacity = static_cast<uint16_t>(grown);
    }
    void Insert(size_t offset, uint32_t handle) {
      Reserve(size + 1u);
      uint32_t* const at = handles.get() + offset;
      std::copy_backward(at, handles.get() + size, handles.get() + size + 1);
      *at = handle;
      ++size;
    }
    void Erase(size_t offset) {
      uint32_t* const at = handles.get() + offset;
      std::copy(at + 1, handles.get() + size, at);
      --size;
    }
    void Append(const uint32_t* from, uint32_t count) {
      Reserve(size + count);
      std::copy_n(from, count, handles.get() + size);
      size = static_cast<uint16_t>(size + count);
    }
  };

  template <typename Before>
  Position FindIn(size_t i, Before before) const {
    const Chunk& chunk = chunks_[i];
    const uint32_t* const first = chunk.handles.get();
    const auto* at = std::partition_point(first, first + chunk.size, before);
    return {i, static_cast<size_t>(at - first)};
  }

  void AddChunk(size_t i) {
    chunks_.insert(chunks_.begin() + static_cast<ptrdiff_t>(i), Chunk());
    Sum(i);
  }
  void DropChunk(size_t i) {
    chunks_.erase(chunks_.begin() + static_cast<ptrdiff_t>(i));
    Sum(i);
  }
  // Adds up the blocks again, from that of a chunk on.
  void Sum(size_t i) {
    i -= i % kBlock;
    blocks_.resize((chunks_.size() + kBlock - 1) / kBlock);
    for (; i < chunks_.size(); ++i) {
      if (i % kBlock == 0) blocks_[i / kBlock] = 0;
      blocks_[i / kBlock] += chunks_[i].size;
    }
  }

  // Where to insert in front of `at`, in a chunk that has room. What grows at
  // an end fills its chunks.
  Position MakeRoom(Position at) {
    if (at.offset == 0 && at.chunk > 0 &&
        chunks_[at.chunk - 1].size < kMaxChunk) {
      return {at.chunk - 1, chunks_[at.chunk - 1].size};
    }
    if (AtEnd(at) || (at == begin() && chunks_[0].size == kMaxChunk)) {
      AddChunk(at.chunk);
      return at;
    }
    if (chunks_[at.chunk].size < kMaxChunk) return at;
    Split(at.chunk);
    constexpr size_t kHalf = kMaxChunk / 2;
    if (at.offset <= kHalf) return at;
    return {at.chunk + 1, at.offset - kHalf};
  }

  void Split(size_t i) {
    constexpr uint32_t kHalf = kMaxChunk / 2;
    Chunk upper;
    upper.Append(chunks_[i].handles.get() + kHalf, chunks_[i].size - kHalf);
    chunks_[i].size = kHalf;
    chunks_.insert(chunks_.begin() + static_cast<ptrdiff_t>(i) + 1,
                   std::move(upper));
    Sum(i);
  }

  // Into the chunk before it, if both fit well.
  void Merge(size_t i) {
    const Chunk& chunk = chunks_[i];
    if (chunk.size > 0) {
      if (i == 0 || chunks_[i - 1].size + chunk.size > kMaxChunk / 2) return;
      chunks_[i - 1].Append(chunk.handles.get(), chunk.size);
      blocks_[(i - 1) / kBlock] += chunk.size;
    }
    DropChunk(i);
  }

  std::vector<Chunk> chunks_;
  std::vector<uint32_t> blocks_;
  uint64_t size_ = 0;
};

}  // namespace muster::kv

#endif  // MUSTER_CRDT_KEYSPACE_RANKED_LIST_H_
