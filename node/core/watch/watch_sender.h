// Back-pressure of one watcher: what is on its way to it, and when that is too
// much.
//
// A watcher of which more than max_queued batches would be on their way is
// *lagging*: it gets nothing until all of them are written, then a fresh state
// (snapshot) marked `reset`. So it never holds more memory than those batches.
//
// Invariant: a watcher is in the list of its channel that goes with its phase,
// and in no other.
// Cost: O(1). Threads: one.
#ifndef MUSTER_NODE_CORE_WATCH_WATCH_SENDER_H_
#define MUSTER_NODE_CORE_WATCH_WATCH_SENDER_H_

#include <algorithm>
#include <cstddef>
#include <memory>
#include <utility>

#include "node/core/client.h"
#include "node/core/output.h"
#include "node/core/watch/watch_channel.h"
#include "node/core/watch/watch_diff.h"
#include "node/core/watch/watch_work.h"

namespace muster::core {

class WatchSender {
 public:
  // `counters` outlives this.
  WatchSender(size_t max_queued, WatchCounters& counters)
      : max_queued_(std::max<size_t>(1, max_queued)), counters_(counters) {}

  // False: the watcher lags now, and what it was to be sent is dropped.
  bool Send(Watcher& watcher, std::shared_ptr<const WatchBatch> batch,
            Output& out) {
    if (watcher.in_flight >= max_queued_) {
      MoveTo(watcher, Watcher::Phase::kLagging);
      ++counters_.lagged;
      return false;
    }
    ++watcher.in_flight;
    ++counters_.messages;
    out.watch.push_back({watcher.id, std::move(batch)});
    return true;
  }
  bool SendAll(Watcher& watcher, const WatchBatches& parts, Output& out) {
    for (const auto& part : parts) {
      if (!Send(watcher, part, out)) return false;
    }
    return true;
  }
  // Into or out of the channel's list that goes with the phase.
  static void MoveTo(Watcher& watcher, Watcher::Phase phase) {
    if (WatcherList* from = ListOf(watcher)) from->Remove(watcher);
    watcher.phase = phase;
    if (WatcherList* to = ListOf(watcher)) to->Add(watcher);
    if (phase != Watcher::Phase::kState) {
      watcher.cursor = {};
      watcher.reset = false;
    }
  }

 private:
  static WatcherList* ListOf(Watcher& watcher) {
    if (watcher.phase == Watcher::Phase::kState) return &watcher.channel->state;
    if (watcher.phase == Watcher::Phase::kLive) return &watcher.channel->live;
    return nullptr;
  }

  const size_t max_queued_;
  WatchCounters& counters_;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_WATCH_WATCH_SENDER_H_
