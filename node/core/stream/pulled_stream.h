// A stream of another origin, as this node pulls it: from whom, and how it is
// coming. It is what Progress is in etcd's raft, on the follower's side.
//
//   state       means                               left by
//   kIdle       nobody is asked for it              Ask -> kFollowing
//   kFollowing  a source is asked: mutations come,  Ask -> kFollowing
//               or will, or a rebase                Begin -> kRebasing
//                                                   LoseSource -> kIdle
//   kRebasing   frames of a rebase come in          Applied -> kSweeping
//               from the source                     Abandon -> kBroken
//   kSweeping   all of the rebase is here; what it  Finish -> kFollowing,
//               did not name is being removed       or kIdle without a source
//   kBroken     the rebase broke off; a source is   Ask -> kFollowing
//               asked again soon                    LoseSource -> kIdle
//
// A rebase in kSweeping is never abandoned, and needs its source no more: the
// source may be lost meanwhile.
//
// The Stream itself knows whether it is *whole*: Stream::rebasing says that
// elements later than its VV may be here, from the first frame of a rebase
// until one has come to its end. So a stream in kIdle, kFollowing or kBroken
// may be one that a broken rebase has left half.
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
  // Frames of a rebase with another id are not for this node: 0 accepts none.
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
  // Frames were applied: what was coming in may all be here.
  void Applied();
  // Everything that was not named is removed. The receiver.
  std::unique_ptr<RebaseReceiver> Finish();
  // The rebase that was coming in broke off: the receiver.
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
  // The same source was asked once more, `times` since anything came of it.
  void AskedAgain(int times) { asked_again_ = times; }
  int asked_again() const { return asked_again_; }
  // The pull, or the last progress.
  Instant since() const { return since_; }
  Instant last_pull() const { return last_pull_; }
  // What the source's link had brought by the pull, of any stream.
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
  // The owner's last word, to be passed on to those who pull it from here.
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
