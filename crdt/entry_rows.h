// The rows of the presence store: the record of an entry, and its content.
//
// A row is one line of the cache, which all indexes are threaded through. What
// strings an entry has, and what few entries have, is in a blob behind it:
//
//   row   stamp id session topic blob key_hash, links of five indexes, flags
//   blob  [seq] [ref] [root] varint(key size) varint(meta size) key meta
//
// The blob has a seq only if that is not the id (kHasSeq: it was updated), a
// ref and a root only if they are explicit (kHasRef, kHasRoot: it was adopted).
//
// The table knows nothing of order, of streams or of what is shown: rows are
// linked, and the flags set, by who owns the index in question.
// Cost: O(1); 64 bytes a row, and its blob (see slab.h). Limits: 2^32 - 2 rows,
// and those of the slab. Threads: one.
#ifndef MUSTER_CRDT_ENTRY_ROWS_H_
#define MUSTER_CRDT_ENTRY_ROWS_H_

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "crdt/group_index.h"
#include "crdt/mutation.h"
#include "crdt/paged_array.h"
#include "crdt/slab.h"
#include "crdt/types.h"

namespace muster::crdt {

// Of records in the tables of the presence store.
using StreamIdx = uint32_t;
using SessionIdx = uint32_t;
using RowIdx = uint32_t;
using TopicIdx = uint32_t;

class EntryRows {
 public:
  struct alignas(64) Row {  // One line of the cache.
    uint64_t stamp;
    ElementId id;
    SessionIdx session;
    TopicIdx topic;
    Slab::Handle blob;
    uint32_t key_hash;
    uint32_t id_next;
    RingLinks key_ring;
    uint32_t seq_next;
    uint32_t seq_prev;
    RowIdx session_next;
    RowIdx session_prev;
    uint16_t flags;
    uint16_t round;  // The rebase in which it was last named.
  };
  static_assert(sizeof(Row) == 64);

  // Flags.
  static constexpr uint16_t kShown = 1;
  static constexpr uint16_t kDetached = 2;
  static constexpr uint16_t kCrowded = 4;
  static constexpr uint16_t kHasSeq = 8;
  static constexpr uint16_t kHasRef = 16;
  static constexpr uint16_t kHasRoot = 32;

  EntryRows() = default;
  EntryRows(const EntryRows&) = delete;
  EntryRows& operator=(const EntryRows&) = delete;

  // A row with no content yet, linked nowhere.
  RowIdx Alloc() {
    const RowIdx row = rows_.Alloc();
    rows_[row].blob = kNone;
    return row;
  }
  // The row and its content.
  void Free(RowIdx row) {
    slab_.Free(rows_[row].blob);
    rows_.Free(row);
  }
  Row& operator[](RowIdx row) { return rows_[row]; }
  const Row& operator[](RowIdx row) const { return rows_[row]; }

  bool shown(RowIdx row) const { return (rows_[row].flags & kShown) != 0; }
  bool detached(RowIdx row) const {
    return (rows_[row].flags & kDetached) != 0;
  }
  bool crowded(RowIdx row) const { return (rows_[row].flags & kCrowded) != 0; }

  // ---- content ----
  // Of `content`: key, meta, ref and root, which may be views into the row's
  // own blob.
  void SetContent(RowIdx row, Seq seq, const EntryContent& content);
  struct Strings {
    absl::string_view key, meta;
  };
  Strings strings(RowIdx row) const { return View(rows_[row]); }
  absl::string_view key(RowIdx row) const { return View(rows_[row]).key; }
  absl::string_view meta(RowIdx row) const { return View(rows_[row]).meta; }
  Seq seq(RowIdx row) const;
  // None, if the row has none of its own.
  Ref explicit_ref(RowIdx row) const;
  EntryRoot explicit_root(RowIdx row) const;
  // Over all of these, and the topic.
  uint64_t ContentHash(RowIdx row, absl::string_view topic) const;

  // Fetch into the cache: rows up to this one, so many; what a row has behind
  // it.
  void PrefetchDown(RowIdx row, uint32_t count) const {
    rows_.PrefetchDown(row, count);
  }
  void PrefetchContent(RowIdx row) const {
    const char* blob = slab_.Data(rows_[row].blob);
    __builtin_prefetch(blob);
    __builtin_prefetch(blob + 64);
  }

  // The bytes of names and blobs are in one slab.
  Slab& slab() { return slab_; }
  const Slab& slab() const { return slab_; }
  uint32_t size() const { return rows_.size(); }
  size_t bytes() const { return rows_.bytes(); }  // Without the slab.

 private:
  static size_t HeadBytes(const Row& row);  // Of seq, ref and root.
  Strings View(const Row& row) const;

  PagedArray<Row> rows_;
  Slab slab_;
};

}  // namespace muster::crdt

#endif  // MUSTER_CRDT_ENTRY_ROWS_H_
