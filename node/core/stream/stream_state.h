// StreamState: what a kind of stream has to give so that it is replicated.
//
// Anti-entropy (replication by deltas from a log, rebase by a snapshot of the
// elements) and the stream table carry streams of every kind and know the
// elements of none. A kind (presence, interest, keyspace) implements this
// interface, registers itself with StreamTable::AddKind, and is then kept the
// same on all nodes. Every call is one a run or a frame, never one a mutation:
// the loops over mutations and elements are the kind's own, and concrete. The
// smallest kind there can be is in tests/core/stream/toy_kind.h.
//
//   delta 8..9 of a peer --> ApplyRun(bytes of 8..9)     state stands at 9
//   peer behind the log ---> Elements() -> Next, Next, ...        (sender)
//                            Rebase()   -> Keep, Put, Apply, Sweep (receiver)
//
// Rules for a kind, and its use:
//   1. An element is named by its id, the seq of the mutation that created it,
//      and has a seq, that of its last put. Walks are in the order of seqs.
//   2. Digest is a sum over all live elements, shown or not: two nodes that
//      stand at one seq of a stream, and hold its mutations, have the same.
//   3. A kind may have *parents*: elements that others name (presence: the
//      sessions of entries). A rebase walks all parents before the others.
//   4. A put in a rebase may be older than what is here: it takes its place.
//   5. Every element that is put or kept in a rebase is marked with
//      Stream::round; Sweep removes those that are marked otherwise.
// Work of O(elements) is done in slices: a walk makes one frame at a time,
// Sweep is sliced, and Dropped and Settle are jobs of the kind.
//
// Threads: the core's. Errors: a peer's fault is no error of ours. A run that
// does not apply returns false, and ends the link.
#ifndef MUSTER_NODE_CORE_STREAM_STREAM_STATE_H_
#define MUSTER_NODE_CORE_STREAM_STREAM_STATE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "crdt/types.h"
#include "node/core/frames.h"
#include "node/core/stream/stream.h"

namespace muster::core {

// The live elements of one stream as a rebase sends them.
class ElementWalk {
 public:
  virtual ~ElementWalk() = default;

  // A round of the rebase begins: back to the first element.
  virtual void Restart() = 0;

  // Names (kKeepParents, kKeep) or whole elements (kPutParents, kPut).
  struct Elements {
    RebaseFrame::Kind kind = RebaseFrame::Kind::kKeep;
    uint32_t count = 0;
    std::string payload;
  };
  struct Limits {
    crdt::Seq have;          // Elements up to it are named, later ones whole.
    crdt::Seq upto;          // Elements later than it may be left out.
    size_t frame_bytes = 0;  // See ReplicationOptions.
  };
  // The next frame of elements; nothing when the walk is over. The loop is in
  // rebase_elements.h.
  virtual std::optional<Elements> Next(const Limits& limits) = 0;
};

// How far the names of one frame of a rebase have been looked up.
struct NameProgress {
  uint32_t names = 0;  // Read,
  size_t offset = 0;   // so many bytes.
  crdt::Seq seq;       // The last of them;
  bool passed = true;  // the walk is past it.
};

// The receiver's side of a rebase: applies its frames to the elements.
class ElementMerge {
 public:
  virtual ~ElementMerge() = default;

  // Back to the first element: before the names of a round, and before a sweep.
  virtual void Restart() = 0;

  // kMore: `steps` are used up, go on with the same progress; kBad: the frame
  // names an element that is not here.
  enum class Outcome { kDone, kMore, kBad };
  // Marks the elements that the frame names (kKeepParents, kKeep). Each element
  // passed over takes one of `steps`.
  virtual Outcome Keep(const RebaseFrame& frame, NameProgress& progress,
                       size_t& steps) = 0;

  // Puts the elements of the frame (kPutParents, kPut). False if one does not
  // fit what is here. `last`: the seq of the last one that was put.
  virtual bool Put(const RebaseFrame& frame, crdt::Seq& last) = 0;

  // Applies mutations of the log. A mutation of an absent element changes
  // nothing: the element was removed before the sender's walk came to it, and a
  // later mutation says so. Returns how many were applied, less than `count` if
  // the bytes are not valid.
  virtual uint32_t Apply(absl::string_view bytes, crdt::Seq first,
                         uint32_t count) = 0;

  // A slice of removing the elements that this round has neither kept nor put;
  // true when done.
  virtual bool Sweep() = 0;
};

class StreamState {
 public:
  virtual ~StreamState() = default;

  // ---- registry: called by StreamTable alone ----
  // A stream is new here. Returns an index that no other stream of this kind
  // has: as small as may be, since state and log are vectors by it.
  virtual StreamIdx Added(Stream& stream) = 0;
  // The stream has left the table: its elements are forgotten, as a job that
  // ends with StreamTable::Free.
  virtual void Dropped(Stream& stream) = 0;

  // ---- mutations ----
  // Applies the mutations `seq` to before `end`, which `bytes` hold. Moves
  // `seq`, `bytes` and Stream::vv past each that is applied. False: the next
  // one contradicts the state; the peer that sent it breaks the protocol.
  // REQUIRES: valid by the grammar of the kind.
  virtual bool ApplyRun(Stream& stream, absl::string_view& bytes, crdt::Seq seq,
                        crdt::Seq end) = 0;
  virtual uint64_t Digest(const Stream& stream) const = 0;

  // ---- rebase ----
  // Both last no longer than the stream is in the table.
  virtual std::unique_ptr<ElementWalk> Elements(Stream& stream) = 0;
  virtual std::unique_ptr<ElementMerge> Rebase(Stream& stream) = 0;

  // ---- what is shown ----
  // Stream::hidden(), or Stream::rebasing, has changed: the shown elements
  // follow, at once for reads, as a job for watchers.
  virtual void Settle(Stream& stream) = 0;
  // Whether any element is shown or may still be: the stream is *wanted*. Peers
  // are told, since they learn no unwanted stream of the dead; an ended stream
  // that is not wanted is dropped.
  virtual bool HasWanted(const Stream& stream) const = 0;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_STREAM_STREAM_STATE_H_
