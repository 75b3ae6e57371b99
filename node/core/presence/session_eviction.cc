// Evictions, for the sessions of this node.
//
// A client in the middle of a resume is told after its answer. An entry that it
// names and that is evicted meanwhile counts as evicted, not as missing: a
// client tracks missing entries again.
#include <algorithm>
#include <utility>

#include "node/core/presence/local_sessions.h"

namespace muster::core {

using crdt::RowIdx;

void LocalSessions::NoteEviction(const std::string& topic,
                                 const std::string& key,
                                 const EvictedRefs::Reason& reason) {
  if (adoptions_.empty()) return evictions_.clear();
  evictions_.insert_or_assign({topic, key},
                              Eviction{++evictions_begun_, reason});
}

void LocalSessions::Evict(RowIdx row, const EvictedRefs::Reason& reason,
                          Output& out) {
  const auto& session = store().session(store().session_of(row));
  EntryEvicted told{session.session, store().ref(row),
                    std::string(store().topic(row)),
                    std::string(store().key(row)), reason};
  evicted_.Add(told.ref, reason);
  const auto resuming = std::find_if(
      adoptions_.begin(), adoptions_.end(),
      [&session](const Adoption& a) { return a.id == session.id; });
  if (resuming == adoptions_.end()) {
    out.evicted.push_back(std::move(told));
  } else {
    if (resuming->sweep == row) resuming->sweep = store().NextRowOf(row);
    resuming->kept.erase(row);
    const crdt::Ref ref = told.ref;
    resuming->evicted.insert_or_assign(ref, std::move(told));
  }
  RemoveOwnEntry(row);
}

bool LocalSessions::WasEvicted(Adoption& adoption, const EntryView& wish) {
  EvictedRefs::Reason reason = evicted_.Find(wish.ref);
  if (reason == nullptr && evictions_begun_ > adoption.evictions_before) {
    const auto at =
        evictions_.find({std::string(wish.topic), std::string(wish.key)});
    if (at != evictions_.end() &&
        at->second.number > adoption.evictions_before) {
      reason = at->second.reason;
    }
  }
  if (reason == nullptr) return false;
  adoption.evicted.insert_or_assign(
      wish.ref, EntryEvicted{adoption.wish.open.session, wish.ref,
                             std::string(wish.topic), std::string(wish.key),
                             std::move(reason)});
  return true;
}

void LocalSessions::TellEvicted(Adoption& adoption, Output& out) {
  for (auto& [ref, evicted] : adoption.evicted) {
    out.evicted.push_back(std::move(evicted));
  }
  adoption.evicted.clear();
}

}  // namespace muster::core
