#include "node/core/pubsub/confirmations.h"

#include <algorithm>

#include "crdt/mutant.h"

namespace muster::core {

void Confirmations::Ask(SubscriberId subscriber, uint64_t request,
                        uint64_t ticket, Instant now) {
  asked_.push_back({{subscriber, request}, ticket, false, {}, now});
}

void Confirmations::OnWritten(uint64_t ticket, crdt::Seq seq) {
  for (; written_ < asked_.size() && asked_[written_].ticket <= ticket;
       ++written_) {
    asked_[written_].written = true;
    asked_[written_].seq = seq;
  }
}

void Confirmations::OnApplied(crdt::LifeId life, crdt::Seq seq) {
  crdt::Seq& applied = applied_[life];
  applied = std::max(applied, seq);
}

bool Confirmations::Holds(const Asked& asked, const std::vector<Up>& up,
                          Instant now) const {
  if (crdt::Mutated(crdt::Mutant::kAnswersUnconfirmed)) return asked.written;
  return asked.written &&
         std::all_of(up.begin(), up.end(), [&](const Up& node) {
           if (node.suspect && now - asked.since >= kSuspectPatience)
             return true;
           const auto applied = applied_.find(node.life);
           return applied != applied_.end() && applied->second >= asked.seq;
         });
}

std::vector<Confirmations::Held> Confirmations::Take(const std::vector<Up>& up,
                                                     Instant now) {
  std::vector<Held> held;
  while (!asked_.empty() && Holds(asked_.front(), up, now)) {
    held.push_back(asked_.front().what);
    asked_.pop_front();
    --written_;
  }
  return held;
}

}  // namespace muster::core
