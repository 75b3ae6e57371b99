#include "node/core/stream/pulled_stream.h"

#include <utility>

#include "crdt/check.h"

namespace muster::core {

using State = PulledStream::State;

namespace {

bool MayFollow(State from, State to) {
  switch (to) {
    case State::kIdle:
    case State::kFollowing:
      return from != State::kRebasing;
    case State::kRebasing:
      return from == State::kFollowing;
    case State::kSweeping:
    case State::kBroken:
      return from == State::kRebasing;
  }
  return false;
}

}  // namespace

void PulledStream::Enter(State state) {
  MUSTER_CHECK(MayFollow(state_, state));
  state_ = state;
  const bool coming = rebasing() || sweeping();
  MUSTER_CHECK(coming == (rebase_ != nullptr));
  MUSTER_CHECK(!coming || sweeping() == rebase_->ended());
  MUSTER_CHECK(sweeping() || (source_ == 0) == (state_ == State::kIdle));
}

void PulledStream::Ask(LinkId source, uint64_t rebase_id, uint64_t received,
                       Instant now) {
  MUSTER_CHECK(source != 0 && rebase_ == nullptr);
  if (source != source_) asked_again_ = 0;
  source_ = source;
  rebase_id_ = rebase_id;
  origin_waits = false;
  since_ = now;
  last_pull_ = now;
  ahead_ = received;
  Enter(State::kFollowing);
}

void PulledStream::Begin(std::unique_ptr<RebaseReceiver> rebase) {
  rebase_ = std::move(rebase);
  Enter(State::kRebasing);
}

void PulledStream::Applied() {
  MUSTER_CHECK(rebasing());
  if (rebase_->ended()) Enter(State::kSweeping);
}

std::unique_ptr<RebaseReceiver> PulledStream::Finish() {
  MUSTER_CHECK(sweeping());
  std::unique_ptr<RebaseReceiver> rebase = std::move(rebase_);
  rebased = true;
  Enter(source_ == 0 ? State::kIdle : State::kFollowing);
  return rebase;
}

std::unique_ptr<RebaseReceiver> PulledStream::Abandon() {
  MUSTER_CHECK(rebasing());
  std::unique_ptr<RebaseReceiver> rebase = std::move(rebase_);
  // Further frames of this rebase are ignored.
  rebase_id_ = 0;
  Enter(State::kBroken);
  return rebase;
}

void PulledStream::LoseSource() {
  source_ = 0;
  if (!sweeping()) Enter(State::kIdle);
}

void PulledStream::Check(const Stream& stream) const {
  const bool coming = rebasing() || sweeping();
  MUSTER_CHECK(coming == (rebase_ != nullptr));
  MUSTER_CHECK(!coming || stream.rebasing);
  MUSTER_CHECK(sweeping() || (source_ == 0) == (state_ == State::kIdle));
}

}  // namespace muster::core
