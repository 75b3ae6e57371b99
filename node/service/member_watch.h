// Calls of WatchMembers: the whole list first, then what changed. A watcher
// that lags behind is given the whole list again instead of a longer queue.
//
// A member has changed if its identity, address, state or link has. Ages and
// counts move all the time; a watcher has those of the last message. When a
// member is forgotten the whole list is sent.
#ifndef MUSTER_NODE_SERVICE_MEMBER_WATCH_H_
#define MUSTER_NODE_SERVICE_MEMBER_WATCH_H_

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "node/runtime/core_port.h"
#include "node/service/stream_writer.h"

namespace muster::service {

class MemberStream;

// Threads: the loop thread only.
class MemberWatches {
 public:
  void Add(std::shared_ptr<MemberStream> stream, const core::Replica& replica,
           core::Now now);
  void Remove(const std::shared_ptr<MemberStream>& stream);
  void OnChanged(const core::Replica& replica, core::Now now);
  void OnDraining();

 private:
  std::vector<core::MemberView> last_;  // As last told.
  absl::flat_hash_set<std::shared_ptr<MemberStream>> streams_;
};

class MemberStream final : public StreamWriter {
 public:
  MemberStream(CorePort* core, Offload* offload, MemberWatches* watches);

  // ---- loop thread ----
  // An encoded WatchMembersResponse. `all` is the whole list, sent in its
  // place when too many are queued.
  void Tell(const std::shared_ptr<const std::string>& news,
            const std::shared_ptr<const std::string>& all);
  void OnDraining();

 protected:
  void OnStarted() override;
  bool HasNext() const override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex());
  std::optional<Outgoing> TakeNext() override;
  void OnClosed() override;

 private:
  std::shared_ptr<MemberStream> Self();

  CorePort* const core_;
  MemberWatches* const watches_;
  std::deque<std::shared_ptr<const std::string>> queue_
      ABSL_GUARDED_BY(mutex());
};

}  // namespace muster::service

#endif  // MUSTER_NODE_SERVICE_MEMBER_WATCH_H_
