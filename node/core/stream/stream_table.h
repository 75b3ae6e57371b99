// The stream table: the streams that this node holds, of every kind, with the
// log of each kind and the clock of their ages.
//
//   kind       state             log            streams, in the order of ids
//   presence   Roll              12 MiB         a@1, b@1, b@2 (ended), c@1
//   interest   ...               its own        a@1, b@1, c@1
//
// A stream is in the table from Add until Drop. After Drop its state forgets
// its elements, in slices; the table keeps the Stream for the state until Free.
//
// Invariants:
//   1. A stream is found by its id while, and only while, it is in the table.
//   2. Streams of one kind have indices that differ, those being dropped among
//      them: state and log of the kind are indexed by Stream::idx.
//   3. A log holds streams of its kind alone: its budget is not shared.
//   4. Lived time never goes back, and stands still while the process does.
// Cost: Find O(log streams); a visit of all O(streams). Limits: the callers'
// (kMaxStreams). Threads: the core's.
#ifndef MUSTER_NODE_CORE_STREAM_STREAM_TABLE_H_
#define MUSTER_NODE_CORE_STREAM_STREAM_TABLE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "crdt/log.h"
#include "crdt/types.h"
#include "node/core/slice.h"
#include "node/core/stream/stream.h"
#include "node/core/stream/stream_state.h"
#include "node/core/time.h"

namespace muster::core {

class StreamTable {
 public:
  StreamTable() = default;
  StreamTable(const StreamTable&) = delete;
  StreamTable& operator=(const StreamTable&) = delete;

  // ---- kinds ----
  // Streams of this kind may be added from now on. `log_bytes`: the budget of
  // the kind's log. REQUIRES: it is added once. `state` outlives the streams.
  void AddKind(crdt::StreamKind kind, const crdt::Grammar& grammar,
               StreamState& state, size_t log_bytes);
  bool Knows(crdt::StreamKind kind) const;
  // REQUIRES of the three: Knows(kind).
  StreamState& state(crdt::StreamKind kind) const { return *room(kind).state; }
  crdt::MutationLog& log(crdt::StreamKind kind) { return room(kind).log; }
  const crdt::MutationLog& log(crdt::StreamKind kind) const {
    return room(kind).log;
  }
  const crdt::Grammar& grammar(crdt::StreamKind kind) const {
    return room(kind).grammar;
  }
  // Bytes in the logs of all kinds.
  size_t log_bytes() const;

  // ---- streams ----
  Stream* Find(const crdt::StreamId& id);
  const Stream* Find(const crdt::StreamId& id) const;
  // REQUIRES: its kind is known, and its id is not in the table. It stands at
  // 0, and is shown until StreamVisibility::Learnt says otherwise.
  Stream& Add(const crdt::Origin& origin, crdt::StreamKind kind, bool own,
              Instant advanced);
  // Visits the streams in the order of their ids. No stream may be added or
  // dropped meanwhile.
  void ForEach(absl::FunctionRef<void(Stream&)> visit);
  void ForEach(absl::FunctionRef<void(const Stream&)> visit) const;
  // Visits a slice of the streams. True: the slice ended with the last stream.
  bool ForSome(SliceCursor<crdt::StreamId>& cursor, size_t count,
               absl::FunctionRef<void(Stream&)> visit);
  // Visits the streams of one life, of all kinds.
  void ForEachOf(crdt::LifeId life, absl::FunctionRef<void(Stream&)> visit);
  size_t size() const { return streams_.size(); }
  // Visits the streams whose logs have moved since the last call.
  void TakeMoved(absl::FunctionRef<void(Stream&)> visit);
  // The position of the kind's stream with that index; 0 if there is none.
  crdt::Seq PositionOf(crdt::StreamKind kind, StreamIdx idx) const;
  // The stream's visibility has changed: see StreamState::Settle.
  void Settle(Stream& stream) { state(stream.kind).Settle(stream); }
  // Takes the stream out of the table; its state forgets it, as a job.
  void Drop(Stream& stream);
  // The state has forgotten a dropped stream: the Stream and its index go.
  void Free(Stream& stream);

  // ---- time ----
  // `stalled`: how long, of the time since the last call, the process stood
  // still.
  void SetTime(Now now, absl::Duration stalled);
  Now now() const { return now_; }
  // The clock of deadlines: the monotonic clock less the stalls of this
  // process, so that a suspended node expires no session early.
  int64_t lived_us() const { return lived_us_; }

 private:
  struct Room {
    StreamState* state;
    const crdt::Grammar& grammar;
    crdt::MutationLog log;
    std::vector<Stream*> by_idx;  // Null: none in the table.
  };
  Room& room(crdt::StreamKind kind) const {
    return *rooms_[static_cast<size_t>(kind)];
  }

  std::vector<std::unique_ptr<Room>> rooms_;  // By kind; null: not known.
  std::map<crdt::StreamId, std::unique_ptr<Stream>> streams_;
  std::vector<std::unique_ptr<Stream>> dropping_;
  Now now_;
  int64_t stalled_us_ = 0;
  int64_t lived_us_ = 0;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_STREAM_STREAM_TABLE_H_
