// Whether a stream is shown: the one place where that is decided.
//
// A stream is *hidden* while this node has no evidence that its origin lives,
// so that relayed streams of the dead are no ghosts. It is shown again, with
// its content of then, once its origin is alive and the stream is applied up to
// the position that the origin itself has named.
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
// Hidden is a flag on the stream, not a walk over its elements. Reads see the
// flag at once; the kind's own views follow as a job (StreamState::Settle).
// Every transition says whether that job is due.
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
  // How long a node waits for the position of an origin that came back by
  // relay: until then the stream may be behind, and no node here knows.
  static constexpr absl::Duration kUnnamed = absl::Seconds(1);

  // The stream was just learnt of. REQUIRES: no transition before.
  void Learnt(bool alive, bool ended);

  State state() const { return state_; }
  bool hidden() const { return state_ != State::kShown; }
  bool catching_up() const { return state_ == State::kCatchingUp; }
  bool ended() const { return state_ == State::kEnded; }
  bool dropping() const { return state_ == State::kDropping; }

  // Transitions. True: the stream has to be settled.

  // The origin is alive, and says that its stream goes up to `seq`; 0: the
  // origin is alive by relay, which does not name a position.
  void OnAlive(crdt::Seq seq, Instant now);
  // A peer says that the stream goes up to `seq`. `origin`: the peer is the
  // origin, so that no other word is waited for. Ignored outside kCatchingUp.
  void OnNamed(crdt::Seq seq, bool origin);
  // Shows a stream that has caught up. It is applied up to `applied`; `whole`:
  // it is not in the middle of a rebase.
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
  // State of kCatchingUp. A named seq stays known when the origin goes.
  crdt::Seq named_;
  bool known_ = false;  // The origin has named it, and not only others.
  Instant since_{0};
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_STREAM_STREAM_VISIBILITY_H_
