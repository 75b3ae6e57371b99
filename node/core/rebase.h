// Rebase: bringing a peer that fell behind the log up to date from the state
// (R6), without a giant message and without stopping the stream.
//
// The receiver stands at `have`. A round covers the mutations up to `upto`,
// the sender's VV when it begins:
//   BEGIN(have, upto)
//   sessions, then entries, in seq order: those with seq <= have are *named*
//     (gaps of their seqs), the later ones sent whole (entries only up to
//     upto: what is later comes by the log, whole)
// Then the mutations made meanwhile, (upto, now], from the log; if the log has
// passed on, another round with have = upto. Then END(vv, digest), and the
// receiver removes what was not named in the last round, and only then moves
// its VV. Example: 1,000,000 equal entries and ten that differ cost about a
// byte each, and ten puts.
//
// Everything the receiver applies is moved to the end of its seq order. What a
// broken rebase leaves is neither the state at the VV nor a later one: the
// stream stays in rebase until another one comes to its end. That one goes on
// from the VV if its sender has all that is here (upto >= Stream::applied);
// else it starts from 0, and puts replace what is later than they.
//
// Cost: O(elements), a frame at a time: at most frame_bytes and a 16th as
// many names, or 256 elements. The receiver passes over at most kSteps of its
// elements in a step: frames wait for those before them. Threads: one.
#ifndef MUSTER_NODE_CORE_REBASE_H_
#define MUSTER_NODE_CORE_REBASE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "crdt/log.h"
#include "node/core/frames.h"
#include "node/core/roll.h"

namespace muster::core {

class RebaseSender {
 public:
  // `frame_bytes`: see ReplicationOptions.
  RebaseSender(Roll& roll, Stream& stream, uint64_t id, crdt::Seq have,
               size_t frame_bytes);
  ~RebaseSender();
  RebaseSender(const RebaseSender&) = delete;
  RebaseSender& operator=(const RebaseSender&) = delete;

  // The next frame; nothing once END has been returned.
  std::optional<RebaseFrame> Next();
  bool done() const { return phase_ == Phase::kDone; }

 private:
  enum class Phase { kBegin, kSessions, kEntries, kLog, kDone };
  // A name is a byte or two.
  static constexpr size_t kNameBytes = 16;
  // At most so many in one frame: to apply them is one step of the receiver.
  static constexpr size_t kPuts = 128;

  RebaseFrame Make(RebaseFrame::Kind kind, std::string payload, uint32_t count);
  RebaseFrame Begin();
  // Names or puts from the cursor on; nothing if the phase is over.
  template <typename Walk>
  std::optional<RebaseFrame> Elements(Walk walk, RebaseFrame::Kind keep,
                                      RebaseFrame::Kind put);
  std::optional<RebaseFrame> Log();

  Roll& roll_;
  Stream& stream_;
  const uint64_t id_;
  const size_t frame_bytes_;
  uint64_t number_ = 0;
  crdt::Seq have_;
  crdt::Seq upto_;
  Phase phase_ = Phase::kBegin;
  SeqCursor cursor_;
  crdt::MutationLog::Cursor log_cursor_;
};

class RebaseReceiver {
 public:
  // `stream` is in rebase already if another one has broken off.
  RebaseReceiver(Roll& roll, Stream& stream, uint64_t id);
  ~RebaseReceiver();
  RebaseReceiver(const RebaseReceiver&) = delete;
  RebaseReceiver& operator=(const RebaseReceiver&) = delete;

  // kMore: frames wait; kGap: a frame is missing; kBad: the frame contradicts
  // our state; kEnded: all is here, sweep.
  enum class Outcome { kOk, kMore, kGap, kBad, kEnded };
  Outcome Step(RebaseFrame frame);
  // Goes on with the frames that wait. Not kGap.
  Outcome Run();
  bool waits() const { return !waiting_.empty(); }
  // For Run, or once it has ended for Sweep.
  bool has_work() const { return waits() || ended_; }
  // One slice of removing what was not named; true when done.
  bool Sweep() { return roll_.Sweep(stream_, cursor_); }

  uint64_t id() const { return id_; }
  bool ended() const { return ended_; }
  // The elements are not in the order of their seqs until it has ended: it has
  // put some, or one before it that broke off had.
  bool reorders() const { return reorders_; }
  crdt::Seq final_seq() const { return final_seq_; }
  uint64_t final_digest() const { return final_digest_; }

 private:
  // Elements passed over in a step; to put one costs as much as kPutSteps.
  static constexpr size_t kSteps = 4096;
  static constexpr size_t kPutSteps = 32;

  // The cursor, to the first elements.
  void ToFirst();
  Outcome Apply(const RebaseFrame& frame);
  Outcome Begin(const RebaseFrame& frame);
  Outcome Names(const RebaseFrame& frame, bool sessions);
  // Moves the cursor past the element named `seq`, and marks it as named.
  Outcome PassSession(crdt::Seq seq);
  Outcome PassRow(crdt::Seq seq);
  Outcome Puts(const RebaseFrame& frame);
  Outcome Log(const RebaseFrame& frame);
  Outcome End(const RebaseFrame& frame);

  Roll& roll_;
  Stream& stream_;
  const uint64_t id_;
  uint64_t number_ = 0;
  std::deque<RebaseFrame> waiting_;  // Not applied, or not in full.
  // How much of the first of them is.
  struct Progress {
    uint32_t names = 0;  // Read,
    size_t offset = 0;   // so many bytes.
    crdt::Seq seq;       // The last of them;
    bool passed = true;  // the cursor is past it.
  } progress_;
  size_t left_ = 0;  // Of kSteps.
  crdt::Seq at_;     // Mutations up to it are covered by the rounds so far.
  SeqCursor cursor_;
  bool reorders_;  // An element has been put, so that it is the last.
  bool ended_ = false;
  crdt::Seq final_seq_;
  uint64_t final_digest_ = 0;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_REBASE_H_
