// Rebase: bringing a peer that fell behind the log up to date from the state
// (R6), without a giant message and without stopping the stream. A full-state
// transfer (anti-entropy) in frames, of any kind of stream: the elements are
// walked and merged by the kind (ElementWalk, ElementMerge in stream_state.h).
//
// The receiver stands at `have`. A round covers the mutations up to `upto`,
// the sender's VV when it begins:
//   BEGIN(have, upto)
//   parents, then the other elements, in seq order: those with seq <= have are
//     *named* (gaps of their seqs), the later ones sent whole (up to upto: what
//     is later comes by the log, whole)
// Then the mutations made meanwhile, (upto, now], from the log; if the log has
// passed on, another round with have = upto, in which the writer is held back
// (Replication::HoldsWriter): rounds used to follow each other without end
// while it wrote faster than they went. Then END(vv, digest), and the receiver
// removes what was not named in the last round, and only then moves its VV.
// Example: 1,000,000 equal entries and ten that differ cost about a byte each,
// and ten puts.
//
// Every element that the receiver applies moves to the end of its seq order. A
// broken rebase leaves neither the state at the VV nor a later one: the stream
// stays in rebase until another rebase comes to its end. The latter goes on
// from the VV if its sender has everything that is here (upto >=
// Stream::applied). Else it starts from 0, and its puts replace later elements.
//
// Cost: O(elements), a frame at a time: at most frame_bytes and a 16th as
// many names, or kMaxPuts elements. The receiver passes over at most kSteps of
// its elements in a step; later frames wait in a queue. Threads: one.
#ifndef MUSTER_NODE_CORE_STREAM_REBASE_H_
#define MUSTER_NODE_CORE_STREAM_REBASE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "crdt/log.h"
#include "node/core/frames.h"
#include "node/core/stream/stream_state.h"
#include "node/core/stream/stream_table.h"

namespace muster::core {

class RebaseSender {
 public:
  // `frame_bytes`: see ReplicationOptions.
  RebaseSender(StreamTable& streams, Stream& stream, uint64_t id,
               crdt::Seq have, size_t frame_bytes);

  // The next frame; nothing once END has been returned.
  std::optional<RebaseFrame> Next();
  bool done() const { return phase_ == Phase::kDone; }
  // The log has passed on before a round was over: it is the second one now, or
  // a later one.
  bool again() const { return rounds_ > 1; }
  // What follows this seq will be read from the log.
  crdt::Seq needs_after() const {
    return phase_ == Phase::kLog ? log_cursor_.at : upto_;
  }

 private:
  // Begin -> Elements -> Log -> Done; Log -> Elements for another round.
  enum class Phase { kBegin, kElements, kLog, kDone };

  RebaseFrame Make(RebaseFrame::Kind kind, std::string payload, uint32_t count);
  RebaseFrame Begin();
  RebaseFrame Log();

  StreamTable& streams_;
  Stream& stream_;
  const uint64_t id_;
  const size_t frame_bytes_;
  uint64_t number_ = 0;
  uint64_t rounds_ = 0;
  crdt::Seq have_;
  crdt::Seq upto_;
  Phase phase_ = Phase::kBegin;
  const std::unique_ptr<ElementWalk> elements_;
  crdt::MutationLog::Cursor log_cursor_;
};

class RebaseReceiver {
 public:
  // `stream` is in rebase already if another one has broken off.
  RebaseReceiver(StreamTable& streams, Stream& stream, uint64_t id);

  // kMore: frames wait; kGap: a frame is missing; kBad: the frame contradicts
  // our state; kEnded: the rebase is here completely, sweep.
  enum class Outcome { kOk, kMore, kGap, kBad, kEnded };
  Outcome OnFrame(RebaseFrame frame);
  // Goes on with the frames that wait. Not kGap.
  Outcome Run();
  bool waits() const { return !waiting_.empty(); }
  // There is work for Run, or, once the rebase has ended, for Sweep.
  bool has_work() const { return waits() || ended_; }
  // Removes a slice of the unnamed elements; true when done.
  bool Sweep() { return elements_->Sweep(); }

  uint64_t id() const { return id_; }
  bool ended() const { return ended_; }
  // The elements are not in the order of their seqs until the rebase has ended:
  // this rebase, or a broken one before it, has put some.
  bool reorders() const { return reorders_; }
  crdt::Seq final_seq() const { return final_seq_; }
  uint64_t final_digest() const { return final_digest_; }

 private:
  // Elements passed over in a step. A put costs as much as kPutSteps of these.
  static constexpr size_t kSteps = 4096;
  static constexpr size_t kPutSteps = 32;

  Outcome Apply(const RebaseFrame& frame);
  Outcome Begin(const RebaseFrame& frame);
  Outcome Names(const RebaseFrame& frame);
  Outcome Puts(const RebaseFrame& frame);
  Outcome Log(const RebaseFrame& frame);
  Outcome End(const RebaseFrame& frame);

  Stream& stream_;
  const std::unique_ptr<ElementMerge> elements_;
  const uint64_t id_;
  uint64_t number_ = 0;
  std::deque<RebaseFrame> waiting_;  // Not applied, or not in full.
  NameProgress progress_;            // Of the first of them.
  size_t left_ = 0;                  // Of kSteps.
  crdt::Seq at_;   // Mutations up to it are covered by the rounds so far.
  bool reorders_;  // An element has been put, so that it is the last.
  bool ended_ = false;
  crdt::Seq final_seq_;
  uint64_t final_digest_ = 0;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_STREAM_REBASE_H_
