#include "node/core/stream/stream_visibility.h"

#include <algorithm>

#include "crdt/check.h"

namespace muster::core {

using State = StreamVisibility::State;

namespace {

bool MayFollow(State from, State to) {
  switch (to) {
    case State::kShown:
      return from == State::kCatchingUp;
    case State::kCatchingUp:
      return from == State::kHidden || from == State::kCatchingUp;
    case State::kHidden:
      return from == State::kShown || from == State::kCatchingUp;
    case State::kEnded:
    case State::kDropping:
      return from != State::kDropping;
  }
  return false;
}

}  // namespace

void StreamVisibility::Enter(State state) {
  MUSTER_CHECK(MayFollow(state_, state));
  state_ = state;
}

void StreamVisibility::Learnt(bool alive, bool ended) {
  MUSTER_CHECK(state_ == State::kShown);
  if (ended) {
    Enter(State::kEnded);
  } else if (!alive) {
    Enter(State::kHidden);
  }
}

void StreamVisibility::OnAlive(crdt::Seq seq, Instant now) {
  if (state_ != State::kHidden && state_ != State::kCatchingUp) return;
  Enter(State::kCatchingUp);
  named_ = std::max(named_, seq);
  known_ = seq != crdt::Seq();
  since_ = now;
}

void StreamVisibility::OnNamed(crdt::Seq seq, bool origin) {
  if (state_ != State::kCatchingUp) return;
  named_ = std::max(named_, seq);
  known_ |= origin;
}

bool StreamVisibility::ShowIfCaughtUp(crdt::Seq applied, bool whole,
                                      Instant now) {
  if (state_ != State::kCatchingUp || !whole || applied < named_) return false;
  if (!known_ && now - since_ < kUnnamed) return false;
  Enter(State::kShown);
  return true;
}

bool StreamVisibility::OnGone() {
  if (state_ != State::kShown && state_ != State::kCatchingUp) return false;
  Enter(State::kHidden);
  return true;
}

bool StreamVisibility::OnEnded() {
  if (state_ == State::kEnded || state_ == State::kDropping) return false;
  const bool settle = OnGone();
  Enter(State::kEnded);
  return settle;
}

void StreamVisibility::OnDropped() { Enter(State::kDropping); }

}  // namespace muster::core
