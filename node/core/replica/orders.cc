#include "node/core/replica/orders.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "crdt/check.h"

namespace muster::core {

absl::Status Orders::MayBegin() const {
  if (open_.size() < kMaxOpen) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat("this node is busy with ", open_.size(),
                   " evictions and the like, its limit; ask again"));
}

uint64_t Orders::Begin(RequestId request) {
  MUSTER_CHECK(open_.size() < kMaxOpen);
  open_[++last_].request = request;
  return last_;
}

void Orders::Count(uint64_t order, uint64_t entries) {
  open_.at(order).reply.entries += entries;
}

void Orders::Unreached(uint64_t order, const std::string& who,
                       const std::string& why) {
  open_.at(order).reply.unreached.push_back(absl::StrCat(who, ": ", why));
}

void Orders::Await(uint64_t order, LinkId link, const std::string& who) {
  open_.at(order).awaited.emplace(link, who);
}

void Orders::Seal(uint64_t order, Instant now, Output& out) {
  const auto at = open_.find(order);
  at->second.until = now + kAnswerWithin;
  Settle(at, out);
}

Orders::Opens::iterator Orders::Settle(Opens::iterator at, Output& out) {
  Open& open = at->second;
  if (open.until == kNever || !open.awaited.empty()) return std::next(at);
  std::sort(open.reply.unreached.begin(), open.reply.unreached.end());
  out.orders.push_back({open.request, std::move(open.reply)});
  return open_.erase(at);
}

void Orders::OnAnswer(LinkId link, const OrderAnswerFrame& frame, Output& out) {
  const auto at = open_.find(frame.number);
  if (at == open_.end()) return;
  auto answered = at->second.awaited.extract(link);
  if (answered.empty()) return;
  Count(frame.number, frame.entries);
  if (!frame.refusal.empty()) {
    Unreached(frame.number, answered.mapped(), frame.refusal);
  }
  Settle(at, out);
}

void Orders::OnUnlinked(LinkId link, Output& out) {
  for (auto at = open_.begin(); at != open_.end();) {
    auto lost = at->second.awaited.extract(link);
    if (!lost.empty()) {
      Unreached(at->first, lost.mapped(), "its link broke before it answered");
    }
    at = Settle(at, out);
  }
}

void Orders::Tick(Instant now, Output& out) {
  for (auto at = open_.begin(); at != open_.end();) {
    if (now >= at->second.until) {
      for (const auto& [link, who] : std::exchange(at->second.awaited, {})) {
        Unreached(at->first, who,
                  absl::StrCat("no answer within ",
                               absl::FormatDuration(kAnswerWithin),
                               "; its version may know no such request"));
      }
    }
    at = Settle(at, out);
  }
}

}  // namespace muster::core
