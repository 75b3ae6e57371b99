// Pops that wait at the leader, first come first served.
//
//   BLPOP q 0   of a: ticket 10    --+
//   BLPOP q 5   of b: ticket 12    --+-- q is written --> a's is run, then b's
//
// The order is that of tickets, then of origins and calls. A pop waits for
// several keys, and is woken by each. Cost: O(log pops) a call, and the pops of
// a key that was written. Limits: the callers'. Threads: the core's.
#ifndef MUSTER_NODE_CORE_KEYSPACE_KV_WAITERS_H_
#define MUSTER_NODE_CORE_KEYSPACE_KV_WAITERS_H_

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "crdt/keyspace/keyspace.h"
#include "node/commands/execute.h"
#include "node/core/keyspace_frames.h"

namespace muster::core {

class KvWaiters {
 public:
  struct Place {
    uint64_t ticket = 0;
    KvRequest request;
    auto operator<=>(const Place&) const = default;
  };
  struct Waiter {
    KvForward call;
    commands::Wait wait;
  };

  void Add(const KvRequest& request, Waiter waiter) {
    const Place place{waiter.call.ticket, request};
    Remove(request);
    for (const kv::OwnedKey& key : waiter.wait.keys) {
      by_key_[key].insert(place);
    }
    if (waiter.wait.until.IsSet()) {
      by_deadline_.emplace(waiter.wait.until.at_ms, place);
    }
    places_.emplace(request, place);
    waiters_.emplace(place, std::move(waiter));
  }

  // False: there is none.
  bool Remove(const KvRequest& request) {
    const auto at = places_.find(request);
    if (at == places_.end()) return false;
    const Place place = at->second;
    const Waiter& waiter = waiters_.at(place);
    for (const kv::OwnedKey& key : waiter.wait.keys) {
      const auto places = by_key_.find(key);
      if (places == by_key_.end()) continue;
      places->second.erase(place);
      if (places->second.empty()) by_key_.erase(places);
    }
    by_deadline_.erase({waiter.wait.until.at_ms, place});
    woken_.erase(place);
    waiters_.erase(place);
    places_.erase(at);
    return true;
  }
  // All of one node, which is gone.
  void RemoveOf(crdt::LifeId origin) {
    auto at = places_.lower_bound({origin, 0});
    while (at != places_.end() && at->first.origin == origin) {
      const KvRequest request = at->first;
      ++at;
      Remove(request);
    }
  }

  // The key was written.
  void Wake(uint8_t db, absl::string_view key) {
    if (by_key_.empty()) return;
    const auto places = by_key_.find({db, std::string(key)});
    if (places == by_key_.end()) return;
    woken_.insert(places->second.begin(), places->second.end());
  }
  // The first of those that were woken; it stays until it is removed.
  std::optional<KvRequest> TakeWoken() {
    if (woken_.empty()) return std::nullopt;
    const KvRequest request = woken_.begin()->request;
    woken_.erase(woken_.begin());
    return request;
  }
  // One whose time is over.
  std::optional<KvRequest> FirstDue(kv::Time now) const {
    if (by_deadline_.empty() || by_deadline_.begin()->first > now.value) {
      return std::nullopt;
    }
    return by_deadline_.begin()->second.request;
  }

  const Waiter& Get(const KvRequest& request) const {
    return waiters_.at(places_.at(request));
  }
  bool Has(const KvRequest& request) const { return places_.contains(request); }
  std::set<crdt::LifeId> Origins() const {
    std::set<crdt::LifeId> origins;
    for (const auto& [request, place] : places_) origins.insert(request.origin);
    return origins;
  }
  size_t size() const { return waiters_.size(); }
  bool has_woken() const { return !woken_.empty(); }

 private:
  std::map<Place, Waiter> waiters_;
  std::map<KvRequest, Place> places_;
  std::map<kv::OwnedKey, std::set<Place>> by_key_;
  std::set<std::pair<uint64_t, Place>> by_deadline_;
  std::set<Place> woken_;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_KEYSPACE_KV_WAITERS_H_
