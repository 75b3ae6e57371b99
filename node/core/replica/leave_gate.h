// When the entries of a session whose grace is over may leave.
//
// A resume that another node accepted within the grace must be known here
// before they leave, else watchers see them leave and join again. So the owner
// asks: once every node that is alive has answered a ping that was sent after
// the grace, and what came before the answer is applied, they leave.
//
//   grace over --kMargin, and a round trip--> ping every peer --answers-->
//   leave
//
// On a quiet network this takes about a tenth of a second. While it cannot be
// known what others have accepted (a peer is suspect, has no link, does not
// answer, or its stream is not here as far as it goes), the gate is shut, and
// SessionOptions::leave_delay after the grace the entries leave all the same.
// Of other members a node knows what it hears: for kUnsettled after a change
// the gate is shut, since a resume may come by another way then.
//
// An answer may overtake deltas that wait for the socket. So the gate opens
// only where none has come for some time, or where a datagram has named the end
// of the peer's stream since, which takes a beat longer.
//
// Invariant: what a peer had accepted at the moment `KnownUntil()` is applied
// here.
// Cost: a tick in which sessions wait costs O(members), and a ping for each of
// them at most every kPeriod and kPeriodPerPeer for each peer. Threads: one.
#ifndef MUSTER_NODE_CORE_REPLICA_LEAVE_GATE_H_
#define MUSTER_NODE_CORE_REPLICA_LEAVE_GATE_H_

#include "absl/time/time.h"
#include "node/core/membership/membership.h"
#include "node/core/output.h"
#include "node/core/stream/replication.h"
#include "node/core/stream/stream_table.h"
#include "node/core/time.h"

namespace muster::core {

class LeaveGate {
 public:
  // A peer hears of a disconnect later than its owner, and so accepts resumes
  // for longer: by the time of a round trip, and this.
  static constexpr absl::Duration kMargin = absl::Milliseconds(40);
  static constexpr absl::Duration kPeriod = absl::Milliseconds(50);
  static constexpr absl::Duration kPeriodPerPeer = absl::Milliseconds(2);
  static constexpr absl::Duration kUnsettled = absl::Seconds(1);

  LeaveGate(const StreamTable& streams, Membership& membership,
            const Replication& replication)
      : streams_(streams), membership_(membership), replication_(replication) {}

  // A member was lost or has come, a link has gone, or this node stood still.
  void Disturbed() { disturbed_ = streams_.now().mono; }
  // Call at each tick. Pings if sessions wait.
  void Tick(bool waiting, Output& out);
  // A session whose grace was over by then may leave now. Of the last tick.
  Instant KnownUntil() const { return known_until_; }

 private:
  Instant Known(const LivePeer& peer) const;

  const StreamTable& streams_;
  Membership& membership_;
  const Replication& replication_;
  Instant disturbed_ = kLongAgo;
  Instant known_until_ = kLongAgo;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_REPLICA_LEAVE_GATE_H_
