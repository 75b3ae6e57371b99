// From channels to watchers: what the watchers of a channel are to be told is
// brought to them by a delivery, which takes as many steps as it needs.
//
// Each watcher knows up to which change it was told (`upto`), so it does not
// matter that others are further; watchers that stand at the same place share
// the batches. The channel whose watchers have waited longest comes first.
//
// A quiet channel's watchers are given a new version now and then, in an empty
// batch, so that they can resume after much has happened elsewhere.
//
// Invariant: the versions that a channel's live watchers are given never fall.
// Cost: a message a watcher, and what Build says of its changes, of the step's
// work. Threads: one.
#ifndef MUSTER_NODE_CORE_WATCH_WATCH_DELIVERY_H_
#define MUSTER_NODE_CORE_WATCH_WATCH_DELIVERY_H_

#include <cstddef>
#include <cstdint>
#include <list>

#include "crdt/types.h"
#include "node/core/output.h"
#include "node/core/time.h"
#include "node/core/watch/channel_queue.h"
#include "node/core/watch/watch_channel.h"
#include "node/core/watch/watch_counts.h"
#include "node/core/watch/watch_diff.h"
#include "node/core/watch/watch_router.h"
#include "node/core/watch/watch_sender.h"
#include "node/core/watch/watch_work.h"

namespace muster::core {

class WatchDelivery {
 public:
  // What all parts of the hub share, and it owns.
  struct Parts {
    WatchRouter& router;
    ChannelQueue& queue;
    WatchCounts& counts;
    WatchSender& sender;
    DiffBuilder& builder;
    WorkLeft& work;
    WatchCounters& counters;
  };
  WatchDelivery(const Parts& parts, crdt::LifeId self, size_t history)
      : self_(self), history_(history), parts_(parts) {}

  // A channel of entries begins at what is routed now, or is gone.
  void Add(WatchChannel& channel, Now now);
  void Drop(WatchChannel& channel);

  // Goes on with the delivery to the first channel in the queue. REQUIRES:
  // there is one.
  void RunFirst(Now now, Output& out);
  // New versions for channels that have been quiet.
  void RefreshVersions(Now now);

  // The last of the next changes after `from` that are told of in one batch.
  uint64_t BatchEnd(const WatchChannel& channel, uint64_t from) const;
  // The changes in (from, to] that the cursor covers; null: all.
  WatchBatches Build(const WatchChannel& channel, uint64_t from, uint64_t to,
                     const StateCursor* cursor);

 private:
  bool DeliverTo(WatchChannel& channel, WatcherList& list, Output& out);
  void End(WatchChannel& channel, Now now);
  const WatchBatches& PartsFor(WatchChannel& channel, const Watcher& watcher);
  void Versioned(WatchChannel& channel, uint64_t version, Now now);

  const crdt::LifeId self_;
  const size_t history_;
  Parts parts_;
  // Channels of entries, the one with the oldest version first.
  std::list<WatchChannel*> by_version_;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_WATCH_WATCH_DELIVERY_H_
