// A stream that a peer pulls from this node over one link: the state of its
// sending. It is the Progress of a follower in etcd's raft: Replicate,
// Snapshot, and here Paused, since the peer sweeps after a rebase before it
// pulls on.
//
//              the log has passed the cursor,
//              or the pull forces a rebase            END is sent
//   kLog ----------------------------------> kRebase ------------> kPaused
//
// A pull creates the ServedStream, in kLog; a further pull, or a cancel, ends
// it. Nothing is queued for a peer: in kLog its position is a cursor into the
// log.
//
// Invariant, checked at each transition: there is a RebaseSender in kRebase,
// and in no other state.
#ifndef MUSTER_NODE_CORE_STREAM_SERVED_STREAM_H_
#define MUSTER_NODE_CORE_STREAM_SERVED_STREAM_H_

#include <cstdint>
#include <memory>
#include <utility>

#include "crdt/check.h"
#include "crdt/log.h"
#include "crdt/types.h"
#include "node/core/stream/rebase.h"
#include "node/core/time.h"

namespace muster::core {

class ServedStream {
 public:
  enum class State : uint8_t { kLog, kRebase, kPaused };

  // Pulled from `after` on. `rebase_id`: the peer's name for the rebase that
  // answers it, if one does.
  ServedStream(crdt::Seq after, uint64_t rebase_id)
      : cursor{after}, rebase_id_(rebase_id) {}

  State state() const { return state_; }
  uint64_t rebase_id() const { return rebase_id_; }
  // REQUIRES: kRebase.
  RebaseSender& rebase() {
    Check(State::kRebase);
    return *rebase_;
  }

  // Null but in kRebase.
  const RebaseSender* rebase_or_null() const { return rebase_.get(); }

  // kLog -> kRebase.
  void StartRebase(std::unique_ptr<RebaseSender> rebase) {
    Check(State::kLog);
    rebase_ = std::move(rebase);
    state_ = State::kRebase;
  }
  // kRebase -> kPaused.
  void RebaseSent() {
    Check(State::kRebase);
    rebase_.reset();
    state_ = State::kPaused;
  }

  // In kLog: the next mutation to be sent.
  crdt::MutationLog::Cursor cursor;
  crdt::Seq checkpointed;      // The last checkpoint that was sent.
  Instant next_checkpoint{0};  // Of the own stream.

 private:
  void Check(State expected) const {
    MUSTER_CHECK(state_ == expected);
    MUSTER_CHECK((rebase_ != nullptr) == (state_ == State::kRebase));
  }

  const uint64_t rebase_id_;
  State state_ = State::kLog;
  std::unique_ptr<RebaseSender> rebase_;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_STREAM_SERVED_STREAM_H_
