// Replication: keeps the streams of the table the same on all nodes
// (anti-entropy: positions are compared, and the missing part is pulled).
//
// Every node tells its peers its position in each stream. For each stream of
// another origin it picks one *source* among its links and pulls. The source
// then sends the stream's mutations from its log, as they come. If the log does
// not reach, the source sends a rebase first: a full-state transfer. So a
// stream reaches a node once, from its origin if there is a link to it, else by
// relay. A rebase that a relay has begun ends before the origin is asked,
// unless it takes long.
//
//   A --positions--> B        B --pull(A's stream, after 7)--> A
//                             A --delta 8..9-----------------> B
//                             A --delta 10-------------------> B  ...
//
// Flow control: a link has a window, window_bytes of bulk (deltas and rebase
// frames) that the peer has not acknowledged. Nothing is queued: a link's
// position in a stream is a cursor into the log, read when the window allows.
// If the log has passed the cursor, the peer is rebased.
//
// Invariants: R1, R2, R6, R7, R9 of docs/architecture.md, namely
//   1. The VV of a stream moves only to the last of a run of mutations applied
//      in order without a gap, or at the end of a rebase.
//   2. A stream in the middle of a rebase is served to nobody, and changed by
//      no other link than the rebase's.
//   3. Bytes in flight on a link <= window_bytes + one frame.
// Cost: a delta costs its mutations; a tick costs links x streams that changed.
#ifndef MUSTER_NODE_CORE_STREAM_REPLICATION_H_
#define MUSTER_NODE_CORE_STREAM_REPLICATION_H_

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "crdt/log.h"
#include "node/core/membership/membership.h"
#include "node/core/options.h"
#include "node/core/output.h"
#include "node/core/stream/flow_window.h"
#include "node/core/stream/link_hearing.h"
#include "node/core/stream/pulled_stream.h"
#include "node/core/stream/rebase.h"
#include "node/core/stream/served_stream.h"
#include "node/core/stream/stream_table.h"

namespace muster::core {

class Replication {
 public:
  Replication(const Options& options, StreamTable& streams,
              Membership& membership);

  // ---- links (between kLinked and kUnlinked of the membership) ----
  // `feature_level`: what the peer can read; it is told of no other kinds.
  void OnLinked(LinkId link, const crdt::Origin& origin, uint32_t feature_level,
                Output& out);
  void OnUnlinked(LinkId link, Output& out);

  // ---- frames; from unknown links they are ignored ----
  // Every frame, before it is looked at.
  void OnHeard(LinkId link);
  void OnPositions(LinkId link, const PositionsFrame& frame, Output& out);
  void OnPull(LinkId link, const PullFrame& frame, Output& out);
  void OnDelta(LinkId link, const DeltaFrame& frame, Output& out);
  void OnRebase(LinkId link, const RebaseFrame& frame, Output& out);
  void OnCheckpoint(LinkId link, const CheckpointFrame& frame, Output& out);
  void OnAck(LinkId link, const AckFrame& frame);

  // ---- streams ----
  // The stream is gone from the table, or must not be served any more.
  void OnStreamGone(const crdt::StreamId& id);
  // The same, for a stream of the dead that nobody needs. A peer that heard
  // later of its end may still name the stream: it is not learnt again then.
  void OnStreamLapsed(const Stream& stream);
  void Tick(Output& out);
  // Sends what the windows allow. Call after each input.
  void Pump(Output& out);
  // A slice of sweeping; true if more is left.
  bool RunJob(Output& out);
  bool has_work() const;

  // Every wanted stream that a linked peer first told of is here as far as it
  // then was, and every link has told.
  bool CaughtUp() const;
  size_t links() const { return links_.size(); }
  // Whether the stream is whole and comes over the link to its origin.
  bool IsDirect(const Stream& stream) const;
  // When a link last brought bulk; long ago if it never did.
  Instant BulkAt(LinkId link) const;
  // Bulk sent on a link and not acknowledged; 0 if it is unknown.
  uint64_t UnackedBytes(LinkId link) const;
  // Name of the node a stream comes from, or empty.
  std::string SourceOf(const Stream& stream) const;
  // Frames come on the link: it is up, and not silent.
  bool IsHeard(LinkId link) const;
  // Of the links that are heard, without `not_this`, the one whose peer told of
  // the stream and had heard of its origin last; or 0.
  LinkId NearestTo(const Stream& stream, LinkId not_this) const;
  std::vector<std::pair<std::string, uint64_t>> Counters() const;

 private:
  struct PeerPosition {
    crdt::Seq seq;
    crdt::Seq first_seq;  // As the peer first told.
    bool wanted = false;
    bool rebasing = false;
    absl::Duration age;  // Since its origin was heard of, as it last told.
    // When it last told of it for its own sake, which it does of streams that
    // it does not send to this node.
    Instant unserved{0};
  };
  // A peer, as one link brings it.
  struct Link {
    LinkId id = 0;
    crdt::Origin origin;
    uint32_t feature_level = 1;
    LinkHearing hearing;
    std::map<crdt::StreamId, PeerPosition> positions;
    std::map<crdt::StreamId, ServedStream> serving;
    std::map<crdt::StreamId, crdt::Seq> told;  // Positions last sent.
    FlowWindow window;                         // Of what is sent on it.
    BulkReceipts receipts;                     // Of what comes on it.
    Instant brought{0};                        // The last of that came.
    Instant last_send{0};
  };

  Link* FindLink(LinkId link);
  bool LearnStream(const StreamPosition& position, absl::Duration delay);
  void ForgetUnnamed(Link& link, const PositionsFrame& full);
  // In the middle of its rebase.
  static bool IsHalf(const Stream& stream);
  bool MayServe(const Stream& stream) const;

  // Choosing sources.
  void ChooseSource(Stream& stream, Output& out);
  LinkId BestSource(const Stream& stream, LinkId not_this) const;
  LinkId DirectLink(const Stream& stream) const;
  bool Silent(const Link& link) const;
  // Whether the stream comes from there, or the peer has named it.
  bool Holds(LinkId link, const Stream& stream) const;
  crdt::Seq Furthest(const Stream& stream) const;
  bool GoesBack(const Stream& stream, const Link& link) const;
  bool Helps(const Stream& stream, const PulledStream& pulling,
             LinkId link) const;
  void SendPull(Stream& stream, PulledStream& pulling, LinkId link,
                Output& out);
  void CheckProgress(Stream& stream, Output& out);
  // Whether what was pulled may wait behind other streams of its link.
  bool IsQueued(const PulledStream& pulling, const Stream& stream) const;
  // Whether the source has stopped to send it, or never began.
  bool Unserved(const PulledStream& pulling, const Stream& stream) const;
  bool Brings(const PulledStream& pulling, const Stream& stream) const;
  void AbandonRebase(Stream& stream, PulledStream& pulling);
  void CountBulk(Link& link, size_t bytes);
  void OnRebaseStep(Stream& stream, PulledStream& pulling,
                    RebaseReceiver::Outcome outcome, Output& out);
  bool Waits(LinkId link) const;
  void StopServing(const crdt::StreamId& id);

  // Applying.
  // REQUIRES: the last of them is not known yet.
  bool ApplyRun(Stream& stream, absl::string_view bytes, crdt::Seq first,
                uint32_t count);
  bool IsOvertaken(const Stream& stream, const RebaseFrame& begin) const;
  void BadPeer(LinkId link, const std::string& what, Output& out);
  void Compare(Stream& stream, const CheckpointFrame& frame, Output& out);
  void FinishRebase(Stream& stream, PulledStream& pulling, Output& out);

  // Sending.
  void Send(Link& link, Output& out, Frame frame) const;
  void SendPositions(Link& link, bool full, Output& out);
  void TellPositions(Instant now, Output& out);
  void PumpLink(Link& link, Output& out);
  void StartRebase(Stream& stream, ServedStream& serving, crdt::Seq have);
  bool PumpStream(Link& link, Stream& stream, ServedStream& serving,
                  Output& out);
  bool PumpRebase(Link& link, ServedStream& serving, Output& out);
  void SendCheckpoint(Link& link, Stream& stream, ServedStream& serving,
                      Output& out);

  const ReplicationOptions options_;
  const size_t max_streams_;
  StreamTable& streams_;
  Membership& membership_;
  std::map<LinkId, Link> links_;
  std::map<crdt::StreamId, PulledStream> pulling_;
  struct Lapsed {
    crdt::Seq vv;
    Instant advanced{0};  // Of its origin, the last time.
  };
  std::map<crdt::StreamId, Lapsed> lapsed_;
  // The last run read from the log, shared by the links that stand alike.
  struct {
    crdt::StreamId stream;
    crdt::Seq log_last;
    crdt::Seq first;
    uint32_t count = 0;
    std::shared_ptr<const std::string> bytes;
    crdt::MutationLog::Cursor after;
  } last_run_;
  uint64_t next_rebase_id_ = 1;
  size_t rebase_left_ = 0;     // Elements that this step may still send.
  bool more_to_send_ = false;  // It could not send them all.
  Instant next_positions_{0};
  Instant next_full_positions_{0};
  LinkId next_told_ = 0;   // Where the round goes on; 0: none is under way.
  bool tell_all_ = false;  // In this round.
  struct {
    uint64_t deltas_in = 0, mutations_in = 0, duplicates = 0, gaps = 0;
    uint64_t deltas_out = 0, bulk_bytes_out = 0, bulk_bytes_in = 0;
    uint64_t pulls = 0, source_changes = 0;
    uint64_t rebases_in = 0, rebases_out = 0, rebase_restarts = 0;
    uint64_t checkpoints = 0, digest_mismatches = 0, bad_frames = 0;
  } counters_;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_STREAM_REPLICATION_H_
