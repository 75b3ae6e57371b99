#include "node/core/keyspace/candidacy.h"

#include <algorithm>
#include <cstdlib>
#include <utility>
#include <vector>

namespace muster::core {

void Candidacy::Rest() {
  state_ = State::kResting;
  had_turn_ = false;
  since_ = shared_.now;
}

void Candidacy::RestFor(absl::Duration least, absl::Duration most) {
  Rest();
  const auto range = static_cast<uint64_t>(
      std::max<int64_t>(absl::ToInt64Milliseconds(most - least), 1));
  not_before_ =
      shared_.now + least +
      absl::Milliseconds(static_cast<int64_t>(shared_.random.Below(range)));
}

void Candidacy::Ask() {
  state_ = State::kAsking;
  asked_ = shared_.now;
  ++number_;
  answers_.clear();
  unanswered_.clear();
  for (const crdt::LifeId life : shared_.peers.Up()) {
    unanswered_.insert(life);
    shared_.Send(life, KvLeaderQuestion{number_});
  }
}

void Candidacy::OnAnswer(crdt::LifeId from, const KvLeaderAnswer& answer) {
  known_ = std::max(known_, answer.known);
  if (state_ != State::kAsking || answer.number != number_) return;
  if (answer.lives)
    return RestFor(absl::Milliseconds(400), absl::Milliseconds(600));
  unanswered_.erase(from);
  answers_[from] = answer;
}

uint64_t Candidacy::Rank() const {
  const std::map<crdt::LifeId, KvPeer>& peers = shared_.peers.all();
  const auto before = [&](const auto& answer) {
    const auto peer = peers.find(answer.first);
    return answer.second.eligible && peer != peers.end() &&
           std::pair(peer->second.incarnation, answer.first) <
               std::pair(shared_.incarnation, shared_.self);
  };
  return static_cast<uint64_t>(
      std::count_if(answers_.begin(), answers_.end(), before));
}

bool Candidacy::ClockIsRight() const {
  std::vector<int64_t> walls{shared_.wall_us};
  for (const auto& [life, answer] : answers_) walls.push_back(answer.wall_us);
  if (walls.size() < 3) return true;
  std::sort(walls.begin(), walls.end());
  const int64_t median = walls[walls.size() / 2];
  const auto is_off = [&](int64_t wall) {
    return absl::Microseconds(std::abs(wall - median)) > kClockOff;
  };
  return !is_off(shared_.wall_us) ||
         std::count_if(walls.begin(), walls.end(),
                       [&](int64_t wall) { return !is_off(wall); }) < 2;
}

bool Candidacy::MayPropose() const {
  const bool empty = shared_.state.context().empty();
  const bool other_has =
      std::any_of(answers_.begin(), answers_.end(),
                  [](const auto& answer) { return !answer.second.empty; });
  return !(empty && other_has) && ClockIsRight();
}

bool Candidacy::Tick() {
  const Instant now = shared_.now;
  if (now < not_before_) return false;
  switch (state_) {
    case State::kResting:
      since_ = now;
      Ask();
      [[fallthrough]];
    case State::kAsking: {
      if (!unanswered_.empty() && now - asked_ < kAskFor) return false;
      if (!MayPropose()) {
        RestFor(absl::Milliseconds(400), absl::Milliseconds(600));
        return false;
      }
      turn_ = since_ + static_cast<int64_t>(Rank()) * kTurnTime;
      if (had_turn_ || now >= turn_) return true;
      state_ = State::kTurn;
      return false;
    }
    case State::kTurn:
      if (now < turn_) return false;
      // What was answered is old by now.
      had_turn_ = true;
      Ask();
      return false;
  }
  return false;
}

}  // namespace muster::core
