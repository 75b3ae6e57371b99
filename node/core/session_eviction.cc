// Evictions, as the sessions of this node meet them.
//
// A client that is in the middle of a resume is told after its answer. What it
// asks for and is evicted meanwhile counts as evicted, not as missing: a client
// tracks again what is missing.
#include <algorithm>
#include <utility>

#include "node/core/local_sessions.h"

namespace muster::core {

using crdt::RowIdx;

void LocalSessions::NoteEviction(const std::string& topic,
                                 const std::string& key,
                                 const EvictedRefs::Reason& reason) {
  for (Adoption& adoption : adoptions_) {
    adoption.evictions.insert_or_assign({topic, key}, reason);
  }
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
  if (reason == nullptr && !adoption.evictions.empty()) {
    const auto at = adoption.evictions.find(
        {std::string(wish.topic), std::string(wish.key)});
    if (at != adoption.evictions.end()) reason = at->second;
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
