#include "node/core/membership/forgotten_lives.h"

#include <algorithm>

namespace muster::core {

void ForgottenLives::Add(crdt::LifeId life, Instant now) {
  if (lives_.size() == kMaxLives) {
    lives_.erase(std::min_element(
        lives_.begin(), lives_.end(),
        [](const auto& a, const auto& b) { return a.second < b.second; }));
  }
  lives_[life] = now;
}

bool ForgottenLives::Ignores(crdt::LifeId life, bool shown) {
  const auto at = lives_.find(life);
  if (at == lives_.end()) return false;
  if (shown) lives_.erase(at);
  return !shown;
}

void ForgottenLives::Expire(absl::Duration keep, Instant now) {
  std::erase_if(lives_,
                [&](const auto& row) { return now - row.second > keep; });
}

}  // namespace muster::core
