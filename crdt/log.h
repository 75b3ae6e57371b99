// The log: the recent mutations of all streams of one kind, as first encoded. A
// peer that is a little behind gets its deltas from here. All streams share one
// byte budget; the oldest chunk goes first, whichever stream it belongs to.
// Each kind has a log of its own, so that a burst of one pushes nothing of
// another out.
//
// Invariants: the mutations of a stream in the log are consecutive, begin right
// after start(stream) and end at last(stream).
// Cost: Append O(bytes); Read O(chunk) to find its place unless the cursor
// still holds, then O(bytes). Threads: one.
#ifndef MUSTER_CRDT_LOG_H_
#define MUSTER_CRDT_LOG_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "crdt/grammar.h"
#include "crdt/types.h"

namespace muster::crdt {

class MutationLog {
 public:
  using StreamIdx = uint32_t;

  // `grammar`: of the streams' kind.
  MutationLog(const Grammar& grammar, size_t budget_bytes)
      : grammar_(grammar), budget_(budget_bytes) {}

  // Makes `stream` known and empty; its next mutation is the one after
  // `position`.
  void Reset(StreamIdx stream, Seq position);
  void Drop(StreamIdx stream);

  // `count` valid encoded mutations, the first of which follows last(stream).
  void Append(StreamIdx stream, absl::string_view bytes, uint32_t count);

  // Whether the log has every mutation after `seq`.
  bool Reaches(StreamIdx stream, Seq seq) const {
    const StreamLog& s = streams_[stream];
    return seq >= s.before_first && seq <= s.last;
  }
  // The streams whose start or last has moved since this was asked last, in no
  // order; one that was dropped since may be among them.
  std::vector<StreamIdx> TakeChanged();
  // Whether `more` bytes may push out mutations of `stream` that follow `seq`.
  bool MayLose(StreamIdx stream, Seq seq, size_t more) const;
  Seq last(StreamIdx stream) const { return streams_[stream].last; }
  // Everything after this seq can be read.
  Seq start(StreamIdx stream) const { return streams_[stream].before_first; }

  // The position of a reader. A fresh one is `Cursor{position}`.
  struct Cursor {
    Seq at;              // Last seq read.
    uint64_t chunk = 0;  // Number of the chunk it stands in; 0: unknown.
    size_t offset = 0;   // Of the next mutation in that chunk.
  };
  // Limit of one run: the receiver applies a run in one step.
  static constexpr uint32_t kRunCount = 256;
  struct Run {
    Seq first;
    uint32_t count = 0;
    std::string bytes;
  };
  // The next mutations after the cursor: at least one, then as many as fit
  // `max_bytes`, up to kRunCount. Moves the cursor. Nothing if the cursor is at
  // the end. REQUIRES: Reaches(stream, cursor.at).
  std::optional<Run> Read(StreamIdx stream, Cursor& cursor,
                          size_t max_bytes) const;

  size_t bytes() const { return bytes_; }
  size_t budget() const { return budget_; }
  size_t chunk_count() const { return by_age_.size(); }

 private:
  static constexpr size_t kChunkBytes = 32 << 10;

  struct Chunk {
    uint64_t number = 0;
    Seq first;
    uint32_t count = 0;
    std::string bytes;
  };
  struct StreamLog {
    Seq before_first;
    Seq last;
    std::deque<Chunk> chunks;
    bool changed = false;  // And in changed_.
  };
  void Change(StreamIdx stream);

  void Evict();

  const Grammar& grammar_;
  const size_t budget_;
  size_t bytes_ = 0;
  uint64_t next_chunk_ = 1;
  std::vector<StreamLog> streams_;
  // The stream of each chunk, the oldest first.
  std::deque<StreamIdx> by_age_;
  std::vector<StreamIdx> changed_;
};

}  // namespace muster::crdt

#endif  // MUSTER_CRDT_LOG_H_
