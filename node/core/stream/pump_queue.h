// The links that have something to send: replication pumps these, and no
// others.
//
//   a link is pumped when        because
//   Ready                        it was pulled from, acknowledged bulk, or has
//                                an acknowledgement to give
//   its time has come (At)       few mutations wait no longer; a checkpoint
//   a log has got as far as it   it stands at the end of a stream's log, or few
//   waits for (WakeAt)           mutations wait for more
//
// A link leaves the queue when it is pumped, and then says what it waits for. A
// link that waits for an acknowledgement alone is not in the queue: its
// flow-control window is full (flow_window.h).
//
// Cost: O(log links) a link that is woken; a mutation costs no link that does
// not wait for it. Links take turns where not all can be pumped in a step.
// Threads: one.
#ifndef MUSTER_NODE_CORE_STREAM_PUMP_QUEUE_H_
#define MUSTER_NODE_CORE_STREAM_PUMP_QUEUE_H_

#include <cstddef>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "crdt/types.h"
#include "node/core/frames.h"
#include "node/core/stream/stream.h"
#include "node/core/time.h"

namespace muster::core {

class PumpQueue {
 public:
  void Ready(LinkId link) { ready_.insert(link); }
  // Not later than `when`.
  void At(LinkId link, Instant when);
  // As soon as the log of the stream has come to `seq`, or does not reach back
  // to `at` any more.
  void WakeAt(const Stream& stream, LinkId link, crdt::Seq at, crdt::Seq seq);
  // The link does not serve the stream any more.
  void Unserve(const crdt::StreamId& stream, LinkId link);
  // Nobody serves it.
  void Drop(const crdt::StreamId& stream) { waiting_.erase(stream); }
  // The link is gone.
  void Remove(LinkId link);

  // The log of a stream goes from after `start` to `last` now.
  void OnLog(const crdt::StreamId& stream, crdt::Seq start, crdt::Seq last);
  // All that wait for something of the stream.
  void WakeAll(const crdt::StreamId& stream);
  // What waited for a time that has come is ready.
  void MakeDue(Instant now);

  // At most so many of the ready ones, which leave: all of them in the order
  // of their numbers, or some, in turns.
  std::vector<LinkId> Take(size_t most);
  bool empty() const { return ready_.empty(); }

 private:
  struct Range {
    crdt::Seq at;
    crdt::Seq seq;
  };
  struct Waiting {
    Range all;  // Nobody waits for less, or stands at less.
    absl::flat_hash_map<LinkId, Range> links;
  };

  std::set<LinkId> ready_;
  LinkId taken_ = 0;  // The last one.
  std::set<std::pair<Instant, LinkId>> later_;
  absl::flat_hash_map<LinkId, Instant> when_;  // Of those.
  std::map<crdt::StreamId, Waiting> waiting_;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_STREAM_PUMP_QUEUE_H_
