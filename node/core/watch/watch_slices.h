// How watchers come to be live: by the state of their scope, a snapshot that is
// read slice by slice, or by the changes they missed, from the ring.
//
//   Watch, version in the ring --> kReplay --changes missed--> kLive
//   Watch, else; after a lag   --> kState  --slices--------->  kLive
//
// Watchers that stand at the same place of a state share its slices.
//
// Invariants:
//   1. What a watcher in kState was sent is what is shown of all that its
//      cursor covers, as of the change `upto`.
//   2. No cursor covers a name that is not in the index, and nobody is live
//      before all names of the scope are.
// Cost: a turn about kSliceRows rows. Threads: one.
#ifndef MUSTER_NODE_CORE_WATCH_WATCH_SLICES_H_
#define MUSTER_NODE_CORE_WATCH_WATCH_SLICES_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>

#include "absl/container/flat_hash_map.h"
#include "crdt/presence_store.h"
#include "node/core/output.h"
#include "node/core/time.h"
#include "node/core/watch/channel_names.h"
#include "node/core/watch/watch_channel.h"
#include "node/core/watch/watch_delivery.h"
#include "node/core/watch/watch_state.h"

namespace muster::core {

class WatchSlices {
 public:
  using Watchers = absl::flat_hash_map<WatchId, std::unique_ptr<Watcher>>;

  // All but `self` outlive this. A watcher has at most `in_flight` batches on
  // their way while it is sent slices; `names` enter the index in one turn.
  WatchSlices(const crdt::PresenceStore& store, crdt::LifeId self,
              WatchDelivery& delivery, const WatchDelivery::Parts& parts,
              ChannelNames& names, size_t in_flight, size_t names_at_once)
      : self_(self),
        delivery_(delivery),
        parts_(parts),
        names_(names),
        reader_(store),
        in_flight_(in_flight),
        names_at_once_(names_at_once) {}

  // The watcher is sent a fresh state.
  void StartState(Watcher& watcher);
  // It waits for a turn, if it wants one.
  void Enqueue(Watcher& watcher);
  // Turns of those whose turn it is, about kSliceRows together. REQUIRES: all
  // changes are routed, since what is read has them in it.
  void Run(const Watchers& watchers, Now now, Output& out);
  bool empty() const { return work_.empty(); }

 private:
  struct Slice;

  bool WantsSlice(const Watcher& watcher) const;
  // Return what they cost, in rows.
  size_t RunTurn(Watcher& watcher, Now now, Output& out);
  size_t SendState(const Watcher& watcher, Now now, Output& out);
  size_t SendMissed(Watcher& watcher, Output& out);
  Slice ReadSlice(const Watcher& watcher, Now now);
  size_t Share(const Watcher& watcher, const Slice& slice, Output& out);

  const crdt::LifeId self_;
  WatchDelivery& delivery_;
  WatchDelivery::Parts parts_;
  ChannelNames& names_;
  StateReader reader_;
  const size_t in_flight_;
  const size_t names_at_once_;
  // Watchers that want a slice, each once; some may have ended.
  std::deque<WatchId> work_;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_WATCH_WATCH_SLICES_H_
