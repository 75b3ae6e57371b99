// The recent changes of what this node shows, numbered: what flushes are made
// of, and what a watch that resumes has missed.
//
// A change has a *counter*: 2, 3, 4, … of this life of the node. A version is
// the counter of the last change it includes; 1 is "before the first". The
// ring holds the changes first() … last() with copies of their content:
//
//   last() = 7, first() = 4:   a client at 3, 4, … 7 can be told what it
//                              missed (Reaches); one at 2 cannot.
//
// Invariants:
//   1. The changes held are consecutive and end at last(), or none is held.
//   2. Past `max_changes` changes or `max_bytes` the oldest go, but never the
//      last one nor one at or after the pin.
// Cost: Append O(bytes) amortised, no allocation while the ring is full; At
// and Reaches O(1). Bytes: 64 a change and its content, in chunks of 256 KiB
// of which at most a quarter is waste, unless contents are larger than 64 KiB.
// An empty ring holds none. Threads: one.
#ifndef MUSTER_NODE_CORE_WATCH_CHANGE_RING_H_
#define MUSTER_NODE_CORE_WATCH_CHANGE_RING_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "absl/strings/string_view.h"
#include "crdt/types.h"

namespace muster::core {

// One change of what is shown. The views of one from At are valid until the
// next Append.
struct Change {
  enum class Kind : uint8_t { kJoin, kUpdate, kLeave };
  Kind kind = Kind::kJoin;
  absl::string_view topic;
  absl::string_view key;
  absl::string_view meta;
  crdt::Ref ref;
  crdt::Ref ref_prev;  // Of an update: what was shown before.
  uint64_t stamp = 0;  // The entry's place in its topic.
  // Of a join or leave: shown entries of the key in the topic after it.
  uint32_t key_entries = 0;

  // A join or leave by which the key came into the topic, or went.
  bool KeyChanged() const {
    if (kind == Kind::kUpdate) return false;
    return key_entries == (kind == Kind::kJoin ? 1 : 0);
  }
};

class ChangeRing {
 public:
  struct Limits {
    size_t max_changes;
    size_t max_bytes;
  };
  explicit ChangeRing(Limits limits) : limits_(limits) {}

  uint64_t last() const { return last_; }
  uint64_t first() const { return first_; }
  // Whether every change after `counter` is held.
  bool Reaches(uint64_t counter) const {
    return counter + 1 >= first_ && counter <= last_;
  }

  // Copies the change in and returns its counter.
  uint64_t Append(const Change& change);
  // Counts a change that nobody can ask for. REQUIRES: no change is held.
  void Skip();
  // REQUIRES: first() <= counter <= last().
  Change At(uint64_t counter) const;

  // What is at or after `counter` is kept, past all limits, until Unpin.
  void Pin(uint64_t counter) { pin_ = counter; }
  void Unpin();

  // Memory held.
  size_t bytes() const {
    return chunk_bytes_ + records_.capacity() * sizeof(Record);
  }

 private:
  static constexpr size_t kChunkBytes = 256 << 10;

  struct Record {
    uint64_t stamp;
    crdt::Ref ref;
    const char* bytes;  // topic, key, meta; of an update also ref_prev.
    uint32_t topic_size;
    uint32_t key_size;
    uint32_t meta_size;
    uint32_t key_entries;
    Change::Kind kind;
  };
  struct Chunk {
    std::unique_ptr<char[]> memory;
    size_t capacity = 0;
    size_t used = 0;
    uint64_t last = 0;  // Counter of the last change with bytes in it.
  };

  static size_t BlobBytes(const Record& record);
  char* Reserve(size_t size);
  void AddChunk(size_t at_least);
  void GrowRecords();
  void EvictOldest();
  void Trim();
  Record& Slot(uint64_t counter) {
    return records_[counter & (records_.size() - 1)];
  }

  const Limits limits_;
  uint64_t last_ = 1;
  uint64_t first_ = 2;
  uint64_t pin_ = UINT64_MAX;
  size_t blob_bytes_ = 0;  // Of the changes held.
  size_t chunk_bytes_ = 0;
  // By counter modulo its size, which is a power of two.
  std::vector<Record> records_;
  std::deque<Chunk> chunks_;
  Chunk spare_;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_WATCH_CHANGE_RING_H_
