// What administrators do in a simulation.
#include "absl/strings/str_cat.h"
#include "tests/sim/clients.h"

namespace muster::sim {
namespace {

// Its peers have 2 s to answer; a node that is slow or stood still takes more.
constexpr SimTime kOrderWithin = 60 * kSecond;

}  // namespace

Clients::Order& Clients::Evict(Process& at, const std::string& topic,
                               const std::string& key) {
  orders_.push_back({at.number, true, world_.now(), std::nullopt});
  const core::RequestId id = orders_.size();
  at.Post([id, topic, key](core::Replica& replica, core::Now now) {
    replica.Evict(id, {topic, key, "simulated"}, now);
  });
  return orders_.back();
}

Clients::Order& Clients::Forget(Process& at, const std::string& name) {
  orders_.push_back({at.number, false, world_.now(), std::nullopt});
  const core::RequestId id = orders_.size();
  at.Post([id, name](core::Replica& replica, core::Now now) {
    replica.Forget(id, name, now);
  });
  return orders_.back();
}

void Clients::OnOrder(Process& from, const core::OrderDone& done) {
  if (done.request == 0 || done.request > orders_.size()) {
    return world_.Fail("an answer to an order that was not given");
  }
  Order& order = orders_[done.request - 1];
  if (order.process != from.number || order.reply.has_value()) {
    return world_.Fail("an order was answered twice, or by another node");
  }
  order.reply = done.reply;
  if (world_.now() - order.begun > kOrderWithin) {
    world_.Fail(absl::StrCat("an order was answered only after ",
                             world_.now() - order.begun, " us"));
  }
}

// As if its client had untracked it: it leaves everywhere, and stays away.
void Clients::OnEvicted(Process& from, const core::EntryEvicted& evicted) {
  const auto found = by_id_.find({evicted.session.hi, evicted.session.lo});
  if (found == by_id_.end()) {
    return world_.Fail(
        "an entry was evicted from a session that nobody opened");
  }
  Session& session = *found->second;
  const RefKey ref = KeyOf(evicted.ref);
  const Model::Made* made = model_.Find(ref);
  if (made == nullptr || made->content.topic != evicted.topic ||
      made->content.key != evicted.key) {
    return world_.Fail("an entry was evicted that no client made");
  }
  model_.Evicted(session.number, from.number, ref);
  session.held.erase(ref);
}

}  // namespace muster::sim
