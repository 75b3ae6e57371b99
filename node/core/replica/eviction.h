// Evictions: all entries of one (topic, key) are removed because an
// administrator wants them gone, each by the node that owns it.
//
//   a is asked to evict (room, ann); entries of a, b and d, which is down
//     walk at a: removes its own entries, and finds the owners a, b and d
//     EvictFrame to b: the same walk there, which answers how many it removed;
//     to all others, too, who may be about to adopt such a session
//     answer: 1 + 1 entries; not reached: "d (HOST:PORT): is down"
//
// An owner removes entries of sessions that live here, are in grace or are
// being adopted, each by a mutation of its own stream. This is the one case
// besides a higher session record in which a node changes its own live elements
// because a peer says so (R4). The sessions stay. Their clients are told by
// Output::evicted; nothing keeps them from tracking the key again. Every node
// that is asked remembers the refs for a while (evicted_refs.h): a client that
// did not hear of it, and names one as it resumes, is told then.
//
// A walk sees the entries that are not shown first, then those that are, in
// the order of their stamps, so that one which is shown meanwhile is not
// missed. What reaches this node's replica after its walk has passed is not
// found: whoever evicts may do so again.
//
// Limits: kMaxJobs walks. Cost: O(entries of the pair), kSlice of them a step.
// Threads: one.
#ifndef MUSTER_NODE_CORE_REPLICA_EVICTION_H_
#define MUSTER_NODE_CORE_REPLICA_EVICTION_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "node/core/client.h"
#include "node/core/membership/membership.h"
#include "node/core/output.h"
#include "node/core/presence/local_sessions.h"
#include "node/core/presence/roll.h"
#include "node/core/replica/orders.h"

namespace muster::core {

class Evictions {
 public:
  static constexpr size_t kMaxJobs = 256;
  static constexpr size_t kSlice = 128;

  Evictions(Roll& roll, const Membership& membership, Orders& orders)
      : roll_(roll), membership_(membership), orders_(orders) {}

  // A client of this node asks; the answer is an OrderDone.
  void Ask(RequestId id, EvictRequest request, LocalSessions& sessions,
           Output& out);
  // A peer asks; the answer is a frame. `sessions`: null before this node's
  // name is admitted, when it owns nothing.
  void OnFrame(LinkId link, const EvictFrame& frame, LocalSessions* sessions,
               Output& out);

  // One slice of the oldest walk; true if more is left.
  bool RunJob(LocalSessions& sessions, Output& out);
  bool has_work() const { return !jobs_.empty(); }

  // The entries that were removed here.
  uint64_t evicted() const { return evicted_; }

 private:
  // Another node that owns entries of the pair.
  struct Owner {
    std::string node;
    bool visible = false;  // One of them is: it has lasted until now.
  };
  struct Job {
    EvictRequest what;
    std::shared_ptr<const std::string> reason;
    // Of a client: its order. Else the peer's link and number.
    uint64_t order = 0;
    LinkId link = 0;
    uint64_t number = 0;
    // The walk: what is not shown, then what is, up to this stamp.
    bool shown = false;
    uint64_t stamp = 0;
    uint64_t removed = 0;
    std::map<crdt::LifeId, Owner> owners;
  };

  void Start(Job job, LocalSessions& sessions, Output& out);
  // True once the walk is over.
  bool Walk(Job& job, LocalSessions& sessions, Output& out);
  void Meet(Job& job, crdt::RowIdx row, LocalSessions& sessions, Output& out);
  void Finish(Job& job, Output& out);
  void AskPeers(const Job& job, Output& out);
  void Send(const Job& job, LinkId link, Output& out) const;
  void Answer(LinkId link, const OrderAnswerFrame& answer, Output& out) const;

  Roll& roll_;
  const Membership& membership_;
  Orders& orders_;
  std::deque<Job> jobs_;
  uint64_t evicted_ = 0;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_REPLICA_EVICTION_H_
