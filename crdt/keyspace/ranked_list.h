// An ordered list of 32-bit handles with ranks: chunks of some hundred, and
// the chunks in one vector.
//
//   [3 9 4] [7 1] [8 2 6]       handle 1 has rank 4
//
// Order is the caller's: Find takes a predicate that is true for a first part
// of the list, as std::partition_point.
//
// Cost: Find O(log n) calls of the predicate; a rank O(chunks), a few
// microseconds for a million; Insert and Erase O(chunk), and O(chunks) where
// a chunk is split or merged. Memory: 4 to 8 bytes a handle.
#ifndef MUSTER_CRDT_KEYSPACE_RANKED_LIST_H_
#define MUSTER_CRDT_KEYSPACE_RANKED_LIST_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
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
  bool AtEnd(Position at) const { return at.chunk == chunks_.size(); }
  uint32_t operator[](Position at) const {
    return chunks_[at.chunk][at.offset];
  }
  Position Next(Position at) const {
    return ++at.offset < chunks_[at.chunk].size() ? at
                                                  : Position{at.chunk + 1, 0};
  }
  // REQUIRES: `at` is not the first.
  Position Previous(Position at) const {
    if (at.offset > 0) return {at.chunk, at.offset - 1};
    return {at.chunk - 1, chunks_[at.chunk - 1].size() - 1};
  }

  // The first handle for which `before` is false, or the end.
  template <typename Before>
  Position Find(Before before) const {
    const auto chunk = std::partition_point(
        chunks_.begin(), chunks_.end(),
        [&before](const Chunk& c) { return before(c.back()); });
    if (chunk == chunks_.end()) return {chunks_.size(), 0};
    const auto at = std::partition_point(chunk->begin(), chunk->end(), before);
    return {static_cast<size_t>(chunk - chunks_.begin()),
            static_cast<size_t>(at - chunk->begin())};
  }

  // The end if there are not so many.
  Position AtRank(uint64_t rank) const {
    size_t i = 0;
    for (; i < chunks_.size() && rank >= chunks_[i].size(); ++i) {
      rank -= chunks_[i].size();
    }
    return {i, i < chunks_.size() ? static_cast<size_t>(rank) : 0};
  }
  uint64_t RankOf(Position at) const {
    uint64_t rank = at.offset;
    for (size_t i = 0; i < at.chunk; ++i) rank += chunks_[i].size();
    return rank;
  }

  void Set(Position at, uint32_t handle) {
    chunks_[at.chunk][at.offset] = handle;
  }

  // In front of `at`.
  void Insert(Position at, uint32_t handle) {
    ++size_;
    if (AtEnd(at)) {
      if (chunks_.empty() || chunks_.back().size() >= kMaxChunk) {
        chunks_.emplace_back();
      }
      chunks_.back().push_back(handle);
      return;
    }
    Chunk& chunk = chunks_[at.chunk];
    chunk.insert(chunk.begin() + static_cast<ptrdiff_t>(at.offset), handle);
    if (chunk.size() > kMaxChunk) Split(at.chunk);
  }

  void Erase(Position at) {
    --size_;
    Chunk& chunk = chunks_[at.chunk];
    chunk.erase(chunk.begin() + static_cast<ptrdiff_t>(at.offset));
    if (chunk.size() < kMinChunk) Merge(at.chunk);
  }

 private:
  using Chunk = std::vector<uint32_t>;
  static constexpr size_t kMaxChunk = 256;
  static constexpr size_t kMinChunk = 32;

  void Split(size_t i) {
    Chunk& chunk = chunks_[i];
    const auto half = chunk.begin() + kMaxChunk / 2;
    Chunk upper(half, chunk.end());
    chunk.erase(half, chunk.end());
    chunks_.insert(chunks_.begin() + static_cast<ptrdiff_t>(i) + 1,
                   std::move(upper));
  }

  // Into the chunk before it, if both fit well.
  void Merge(size_t i) {
    Chunk& chunk = chunks_[i];
    if (!chunk.empty()) {
      if (i == 0 || chunks_[i - 1].size() + chunk.size() > kMaxChunk / 2) {
        return;
      }
      Chunk& before = chunks_[i - 1];
      before.insert(before.end(), chunk.begin(), chunk.end());
    }
    chunks_.erase(chunks_.begin() + static_cast<ptrdiff_t>(i));
  }

  std::vector<Chunk> chunks_;
  uint64_t size_ = 0;
};

}  // namespace muster::kv

#endif  // MUSTER_CRDT_KEYSPACE_RANKED_LIST_H_
