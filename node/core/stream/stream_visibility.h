// Whether a stream is shown: the one place where that is decided.
//
// A stream whose origin this node has no live evidence for is *hidden*, so that
// relayed streams of the dead are no ghosts. It is shown again once its origin
// is alive and the stream has been applied as far as the origin's own word says
// that it went, with the content that it then has.
//
//            origin down, left            origin alive
//   kShown -----------------> kHidden ------------------> kCatchingUp
//     ^                          ^                          |     |
//     |                          +------ down, left --------+     |
//     +------------- applied up to what was named ----------------+
//
//   any of them --a later life of the node--> kEnded     --+
//   any of them --left the stream table-----> kDropping    +--> hidden for good
//
// Hidden is a flag on the stream, and not a walk over its elements: reads see
// it at once, and the kind (StreamState::Settle) makes its own views follow, as
// a job. Every transition says whether that is due.
//
// Invariants, checked at each transition:
//   1. hidden() in all states but kShown.
//   2. A stream is caught up with (kCatchingUp) only while its origin is alive
//      and has not ended.
//   3. kEnded is left for kDropping alone, and kDropping never.
#ifndef MUSTER_NODE_CORE_STREAM_STREAM_VISIBILITY_H_
#define MUSTER_NODE_CORE_STREAM_STREAM_VISIBILITY_H_

#include <cstdint>

#include "absl/time/time.h"
#include "crdt/types.h"
#include "node/core/time.h"

namespace muster::core {

class StreamVisibility {
 public:
  enum class State : uint8_t {
    kShown,
    kCatchingUp,
    kHidden,
    kEnded,
    kDropping,
  };
  // How long an origin that came back by hearsay is given to say where it
  // stands: until then the stream may be behind it and nobody here knows.
  static constexpr absl::Duration kUnnamed = absl::Seconds(1);

  // Of a stream that was just learnt of. REQUIRES: no transition before.
  void Learnt(bool alive, bool ended);

  State state() const { return state_; }
  bool hidden() const { return state_ != State::kShown; }
  bool catching_up() const { return state_ == State::kCatchingUp; }
  bool ended() const { return state_ == State::kEnded; }
  bool dropping() const { return state_ == State::kDropping; }

  // Transitions. True: what is shown of the stream has to be settled.

  // The origin is alive, and says that its stream goes up to `seq`; 0: it is
  // alive by hearsay, which does not tell.
  void OnAlive(crdt::Seq seq, Instant now);
  // Somebody says that the stream goes up to `seq`; `origin`: itself, so that
  // nothing else has to be waited for. Means nothing but in kCatchingUp.
  void OnNamed(crdt::Seq seq, bool origin);
  // Shows a stream that is caught up with: applied up to `applied`, and, if
  // `whole`, not in the middle of a rebase.
  [[nodiscard]] bool ShowIfCaughtUp(crdt::Seq applied, bool whole, Instant now);
  // The origin is down, or has left.
  [[nodiscard]] bool OnGone();
  // A later life of the node was admitted.
  [[nodiscard]] bool OnEnded();
  // The stream leaves the table. Its elements go with it: nothing to settle.
  void OnDropped();

 private:
  void Enter(State state);

  State state_ = State::kShown;
  // Of kCatchingUp; a seq that was named is not forgotten when the origin goes.
  crdt::Seq named_;
  bool known_ = false;  // The origin has named it, and not only others.
  Instant since_{0};
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_STREAM_STREAM_VISIBILITY_H_
