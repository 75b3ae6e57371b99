#include "node/service/session_registry.h"

#include <utility>

#include "node/service/session_stream.h"

namespace muster::service {

uint32_t SessionRegistry::Add(std::shared_ptr<SessionStream> stream) {
  if (free_.empty()) {
    streams_.push_back(std::move(stream));
    return static_cast<uint32_t>(streams_.size() - 1);
  }
  const uint32_t index = free_.back();
  free_.pop_back();
  streams_[index] = std::move(stream);
  return index;
}

void SessionRegistry::Remove(uint32_t stream) {
  streams_[stream] = nullptr;
  free_.push_back(stream);
}

void SessionRegistry::Hold(crdt::SessionId session, uint32_t stream,
                           uint32_t slot) {
  const Holder holder{stream, slot};
  auto [at, added] = ShardOf(session).try_emplace(session.hi, holder);
  if (added || at->second == holder) return;
  const Holder before = std::exchange(at->second, holder);
  streams_[before.stream]->OnSlotEnded(
      before.slot, absl::AbortedError("session moved: it was resumed over "
                                      "another stream of this node"));
}

void SessionRegistry::Release(crdt::SessionId session,
                              const absl::Status& why) {
  Shard& shard = ShardOf(session);
  const auto at = shard.find(session.hi);
  if (at == shard.end()) return;
  const Holder holder = at->second;
  shard.erase(at);
  if (!why.ok()) streams_[holder.stream]->OnSlotEnded(holder.slot, why);
}

bool SessionRegistry::Holds(crdt::SessionId session, uint32_t stream,
                            uint32_t slot) const {
  const Shard& shard = ShardOf(session);
  const auto at = shard.find(session.hi);
  return at != shard.end() && at->second == Holder{stream, slot};
}

void SessionRegistry::Evicted(core::EntryEvicted entry) {
  Shard& shard = ShardOf(entry.session);
  const auto at = shard.find(entry.session.hi);
  if (at == shard.end()) return;
  streams_[at->second.stream]->OnEvicted(at->second.slot, std::move(entry));
}

bool SessionRegistry::EndResume(crdt::SessionId session) {
  const auto at = resuming_.find(session);
  if (at == resuming_.end() || --at->second.count > 0) return false;
  const bool left = at->second.left;
  resuming_.erase(at);
  return left;
}

bool SessionRegistry::Leave(crdt::SessionId session) {
  const auto at = resuming_.find(session);
  if (at == resuming_.end()) return false;
  at->second.left = true;
  return true;
}

}  // namespace muster::service
