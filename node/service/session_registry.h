// The stream of this node that holds each session. So a session that moves, or
// is resumed over another stream, ends at the right stream, and a stream that
// ends disconnects only the sessions that are still its own.
//
// Sessions without a stream are not here. About 26 bytes a session: the key is
// half of its id (ids are hashes), the holder confirms the rest. The table is
// in shards, so that no growth of one holds the loop for long.
//
// Threads: the loop thread only.
#ifndef MUSTER_NODE_SERVICE_SESSION_REGISTRY_H_
#define MUSTER_NODE_SERVICE_SESSION_REGISTRY_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "crdt/types.h"
#include "node/core/output.h"

namespace muster::service {

class SessionStream;

class SessionRegistry {
 public:
  // A stream is in from its start until Remove.
  uint32_t Add(std::shared_ptr<SessionStream> stream);
  void Remove(uint32_t stream);
  const std::vector<std::shared_ptr<SessionStream>>& streams() const {
    return streams_;
  }

  // The stream holds the session from now on. If another stream held it, that
  // one is told why the session has ended there.
  void Hold(crdt::SessionId session, uint32_t stream, uint32_t slot);
  // No stream holds the session any more; its holder is told `why`, unless that
  // is OK.
  void Release(crdt::SessionId session, const absl::Status& why);
  bool Holds(crdt::SessionId session, uint32_t stream, uint32_t slot) const;
  // Tells the stream that holds the session of the entry.
  void Evicted(core::EntryEvicted entry);

  // A resume of the session is under way here. A stream that holds the session
  // and ends meanwhile calls Leave instead of disconnecting it. EndResume is
  // true if that happened, and no other resume of the session is left.
  void BeginResume(crdt::SessionId session) { ++resuming_[session].count; }
  bool EndResume(crdt::SessionId session);
  // False: there is no such resume.
  bool Leave(crdt::SessionId session);

 private:
  struct Holder {
    uint32_t stream;
    uint32_t slot;
    bool operator==(const Holder&) const = default;
  };
  struct Resuming {
    int count = 0;
    bool left = false;
  };
  using Shard = absl::flat_hash_map<uint64_t, Holder>;
  static constexpr size_t kShards = 256;

  Shard& ShardOf(crdt::SessionId session) {
    return shards_[session.lo % kShards];
  }
  const Shard& ShardOf(crdt::SessionId session) const {
    return shards_[session.lo % kShards];
  }

  std::vector<std::shared_ptr<SessionStream>> streams_;
  std::vector<uint32_t> free_;
  std::array<Shard, kShards> shards_;
  absl::flat_hash_map<crdt::SessionId, Resuming> resuming_;
};

}  // namespace muster::service

#endif  // MUSTER_NODE_SERVICE_SESSION_REGISTRY_H_
