// A stream of another origin as this node pulls it: its source and its
// progress. The counterpart of Progress in etcd's raft, on the follower's side.
//
//   state       means                               left by
//   kIdle       no source is asked                  Ask -> kFollowing
//   kFollowing  a source is asked: mutations come,  Ask -> kFollowing
//               or will, or a rebase                Begin -> kRebasing
//                                                   LoseSource -> kIdle
//   kRebasing   frames of a rebase come in          Applied -> kSweeping
//               from the source                     Abandon -> kBroken
//   kSweeping   the rebase is here completely;      Finish -> kFollowing,
//               unnamed elements are being removed  or kIdle without a source
//   kBroken     the rebase broke off; a source is   Ask -> kFollowing
//               asked again soon                    LoseSource -> kIdle
//
// A rebase in kSweeping is never abandoned. It no longer needs its source,
// which may be lost meanwhile.
//
// Stream::rebasing says whether the stream is *whole*. From the first frame of
// a rebase until a rebase has come to its end, elements later than the VV may
// be here. So a broken rebase may have left a stream in kIdle, kFollowing or
// kBroken half.
//
// Invariants, checked at each transition and by Check:
//   1. There is a RebaseReceiver in kRebasing and kSweeping, and in no other.
//   2. The stream is not whole in these two.
//   3. kFollowing, kRebasing and kBroken have a source; kIdle has none.
//   4. kSweeping: all frames of the rebase are applied; kRebasing: not yet.
#ifndef MUSTER_NODE_CORE_STREAM_PULLED_STREAM_H_
#define MUSTER_NODE_CORE_STREAM_PULLED_STREAM_H_

#include <cstdint>
#include <memory>
#include <optional>

#include "node/core/frames.h"
#include "node/core/stream/rebase.h"
#include "node/core/stream/stream.h"
#include "node/core/time.h"

namespace muster::core {

class PulledStream {
 public:
  enum class State : uint8_t {
    kIdle,
    kFollowing,
    kRebasing,
    kSweeping,
    kBroken,
  };

  State state() const { return state_; }
  bool sweeping() const { return state_ == State::kSweeping; }
  bool rebasing() const { return state_ == State::kRebasing; }
  // The link that was asked last, or 0.
  LinkId source() const { return source_; }
  // Frames of a rebase with another id are ignored: 0 accepts no rebase.
  uint64_t rebase_id() const { return rebase_id_; }
  // Null but in kRebasing and kSweeping.
  RebaseReceiver* rebase() { return rebase_.get(); }
  const RebaseReceiver* rebase() const { return rebase_.get(); }

  // ---- transitions ----
  // A pull was sent to `source`, on whose link `received` bytes of bulk had
  // come. REQUIRES: a rebase that was coming in is abandoned or finished.
  void Ask(LinkId source, uint64_t rebase_id, uint64_t received, Instant now);
  // The first frame of a rebase has come from the source.
  void Begin(std::unique_ptr<RebaseReceiver> rebase);
  // Frames were applied: the rebase may be here completely.
  void Applied();
  // All unnamed elements are removed. Returns the receiver.
  std::unique_ptr<RebaseReceiver> Finish();
  // The rebase that was coming in broke off. Returns the receiver.
  std::unique_ptr<RebaseReceiver> Abandon();
  // The source's link is gone, or it has nothing to send. REQUIRES: no rebase
  // is coming in from it.
  void LoseSource();

  void Check(const Stream& stream) const;

  // ---- progress ----
  void Progressed(Instant now) {
    since_ = now;
    asked_again_ = 0;
  }
  // The stream was pulled once more, `times` since the last progress.
  void AskedAgain(int times) { asked_again_ = times; }
  int asked_again() const { return asked_again_; }
  // The pull, or the last progress.
  Instant since() const { return since_; }
  Instant last_pull() const { return last_pull_; }
  // Bytes of bulk, of any stream, that the source's link had brought at the
  // pull.
  uint64_t ahead() const { return ahead_; }

  // The link to the origin came up while a rebase of another was coming in: the
  // origin is asked when this takes long.
  bool origin_waits = false;
  // When the source last told of the stream for its own sake, which it does
  // of streams that it does not send to this node.
  Instant unserved{0};
  crdt::Seq told;        // The furthest that any peer ever was.
  bool force = false;    // The digest did not match: rebase from 0.
  bool rebased = false;  // Once, at least, and to its end.
  // The owner's last checkpoint, for the peers that pull the stream from here.
  std::optional<CheckpointFrame> checkpoint;

 private:
  void Enter(State state);

  State state_ = State::kIdle;
  LinkId source_ = 0;
  uint64_t rebase_id_ = 0;
  std::unique_ptr<RebaseReceiver> rebase_;
  Instant since_{0};
  Instant last_pull_{0};
  uint64_t ahead_ = 0;
  int asked_again_ = 0;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_STREAM_PULLED_STREAM_H_
