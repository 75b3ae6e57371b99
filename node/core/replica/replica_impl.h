// The parts of a replica and the order in which they are told things.
// Private to replica_impl.cc, and to replica.cc and replica_reads.cc.
#ifndef MUSTER_NODE_CORE_REPLICA_REPLICA_IMPL_H_
#define MUSTER_NODE_CORE_REPLICA_REPLICA_IMPL_H_

#include <optional>
#include <string>
#include <vector>

#include "node/core/keyspace/replicated_keyspace.h"
#include "node/core/membership/membership.h"
#include "node/core/presence/local_sessions.h"
#include "node/core/presence/own_stream.h"
#include "node/core/presence/roll.h"
#include "node/core/pubsub/pubsub.h"
#include "node/core/replica/eviction.h"
#include "node/core/replica/leave_gate.h"
#include "node/core/replica/orders.h"
#include "node/core/replica/replica.h"
#include "node/core/replica/router.h"
#include "node/core/slice.h"
#include "node/core/stream/replication.h"
#include "node/core/stream/stream_table.h"
#include "node/core/watch/watch_hub.h"

namespace muster::core {

class Replica::Impl {
 public:
  Impl(Options options, crdt::LifeId life, uint64_t seed, Now now);

  // Every public call of the replica is between these two. End settles what
  // the call has changed: events, lost sessions, deltas, watchers.
  void Begin(Now now);
  void End();

  void SetTime(Now now, absl::Duration stalled);
  void Tick(Now now);
  void RunJobs(Now now);
  void OnFrame(LinkId link, Frame frame);
  void OnRouted(LinkId link, RoutedFrame frame);
  // A first-hand beat says how far its sender's stream is.
  void OnPresenceSeq(const BeatDatagram& beat);
  void Drain();
  // replica_orders.cc
  void ForgetEverywhere(RequestId id, const std::string& name);
  void OnForget(LinkId link, const ForgetFrame& frame);
  void OnEvict(LinkId link, const EvictFrame& frame);

  absl::Status Serving() const;
  bool leaving() const { return leaving_; }
  // REQUIRES: Serving. One writer a tick may go on while they are held back.
  bool MayWrite(Now now);
  std::string Where(crdt::LifeId life) const;
  std::string HiddenBecause(crdt::RowIdx row) const;
  // Whether a row of this one's topic and key, from it on, is visible.
  bool VisibleIn(crdt::RowIdx row) const;
  StatusView Status() const;
  std::vector<MemberView> Members() const;
  Measures Measure() const;

  // What pub/sub has to say, and who is up to hear it.
  void FlushPubSub();
  std::vector<Confirmations::Up> UpWithInterest() const;
  // The same of the keyspace; see replica_keyspace.cc.
  void FlushKeyspace();
  std::vector<KvPeer> KeyspacePeers() const;

  const Options options;
  Output out;
  StreamTable streams;
  Roll roll;
  Membership membership;
  Replication replication;
  WatchHub hub;
  Router router;
  InterestState interest;
  PubSub pubsub;
  ReplicatedKeyspace keyspace;
  LeaveGate gate;
  Orders orders;
  Evictions evictions;
  std::optional<OwnStream> own;           // Once the name is admitted.
  std::optional<LocalSessions> sessions;  // Likewise.
  bool ready = false;
  bool draining = false;

 private:
  // The member of that name, and all that is here of it.
  absl::Status ForgetHere(const std::string& name);
  void HandleEvents();
  void HandleEvent(const MembershipEvent& event);
  void OnAlive(const MembershipEvent& event);
  void OnGone(const MembershipEvent& event);
  void OnForgotten(crdt::LifeId life);
  void ShowIfCaughtUp(Stream& stream);
  // Some of the sessions whose time is over; true if more are due.
  bool RunDeadlines();
  void RefreshAges();
  void Forget();
  void TellOfDroppedRecords();
  void CheckReady();
  // Once nothing is lost by it, a draining node leaves.
  void CheckLeave();

  SliceCursor<crdt::StreamId> ages_next_;
  bool writers_wait_ = false;     // They are to be told that they may go on,
  bool writer_went_ = false;      // and one of them has, since the last tick.
  bool up_is_known_ = false;      // To pub/sub.
  bool peers_are_known_ = false;  // To the keyspace.
  bool leaving_ = false;          // Peers have been told.
  bool joined_ = false;
  bool alone_ = false;
  Instant last_tick_;
  Instant next_upkeep_;
  uint64_t records_told_ = 0;  // Of those dropped.
  Instant records_told_at_ = kLongAgo;
  Instant exit_at_ = kNever;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_REPLICA_REPLICA_IMPL_H_
