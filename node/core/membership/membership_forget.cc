// Names that are forgotten by request, before their time.
//
// Peers that were not reached may go on telling of a life that was forgotten
// here. This node remembers the life as forgotten for as long as they may (a
// tombstone), so that their word does not bring it back. A link to the life
// does, or a peer that has heard it lately.
#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "node/core/membership/membership_impl.h"

namespace muster::core {

absl::Status Membership::Impl::ForgetName(const std::string& name, Step& step) {
  if (name == self_.node) {
    return absl::FailedPreconditionError(
        absl::StrCat("node ", name, " is this node itself: it is alive"));
  }
  std::vector<crdt::LifeId> lives;
  for (const auto& [life, member] : table_.rows()) {
    if (member.origin.node != name) continue;
    if (IsAlive(life)) {
      return absl::FailedPreconditionError(absl::StrCat(
          "node ", name, " (", member.address, ") is ",
          member.state == MemberState::kAlive ? "alive" : "suspect",
          ": only a member that is down or has left can be forgotten"));
    }
    lives.push_back(life);
  }
  if (lives.empty()) {
    return absl::NotFoundError(
        absl::StrCat("node ", name, " is not known here"));
  }
  for (crdt::LifeId life : lives) {
    Forget(life, step);
    if (forgotten_.size() == kMaxForgotten) {
      forgotten_.erase(std::min_element(
          forgotten_.begin(), forgotten_.end(),
          [](const auto& a, const auto& b) { return a.second < b.second; }));
    }
    forgotten_[life] = step.now.mono;
  }
  return absl::OkStatus();
}

bool Membership::Impl::StaysForgotten(crdt::LifeId life, bool shown) {
  const auto at = forgotten_.find(life);
  if (at == forgotten_.end()) return false;
  if (shown) forgotten_.erase(at);
  return !shown;
}

void Membership::Impl::DropForgotten(Instant now) {
  std::erase_if(forgotten_, [&](const auto& item) {
    return now - item.second > times_.forget;
  });
}

}  // namespace muster::core
