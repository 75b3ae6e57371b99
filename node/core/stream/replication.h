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
// Cost: a delta costs its mutations, and the links that wait for them; a tick
// costs what has changed since the last one, for each link that is to be told,
// and a slice of the streams. Where links are many, frames are fewer and
// larger, and rounds of positions longer: see kFewLinks.
#ifndef MUSTER_NODE_CORE_STREAM_REPLICATION_H_
#define MUSTER_NODE_CORE_STREAM_REPLICATION_H_

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "crdt/log.h"
#include "node/core/membership/membership.h"
#include "node/core/options.h"
#include "node/core/output.h"
#include "node/core/stream/link_progress.h"
#include "node/core/stream/pulled_stream.h"
#include "node/core/stream/pump_queue.h"
#include "node/core/stream/rebase.h"
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

  // Back-pressure: whether the writer of this node's stream is to wait, or to
  // write little. The log has passed a rebase of the stream once already, and
  // would pass it again. Silent links hold no writer.
  bool HoldsWriter(const Stream& own) const;

  // Every link has told its positions, and every wanted stream is here as far
  // as its peer first told. With many streams it takes several calls: call it
  // at each tick.
  bool CaughtUp();
  // Forgets the state that CaughtUp needs: it is not called again.
  void StopCatchingUp();
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
  // the stream and had heard of its origin last; or 0. A peer that pulls the
  // stream from this node comes after all others (split horizon): ages are
  // sampled, and seed 6000047 of plan 5 showed one that looked nearer.
  LinkId NearestTo(const Stream& stream, LinkId not_this) const;
  std::vector<std::pair<std::string, uint64_t>> Counters() const;

 private:
  LinkProgress* FindLink(LinkId link);
  Stream* LearnStream(const StreamPosition& position, absl::Duration delay);
  // One position that a peer has told of a stream that this node keeps.
  void TakePosition(LinkProgress& link, Stream& stream,
                    const StreamPosition& position, bool news, bool full,
                    Output& out);
  // In the middle of its rebase.
  static bool IsHalf(const Stream& stream);
  bool MayServe(const Stream& stream) const;

  // Choosing sources.
  void ChooseSource(Stream& stream, Output& out);
  LinkId BestSource(const Stream& stream, LinkId not_this) const;
  LinkId DirectLink(const Stream& stream) const;
  bool Silent(const LinkProgress& link) const;
  // Whether the stream comes from there, or the peer has named it.
  bool Holds(LinkId link, const Stream& stream) const;
  crdt::Seq Furthest(const Stream& stream) const;
  bool GoesBack(const Stream& stream, const LinkProgress& link) const;
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
  void CountBulk(LinkProgress& link, size_t bytes);
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
  void Send(LinkProgress& link, Output& out, Frame frame) const;
  // Numbers the changes of position since it was called last.
  void NoteNews();
  // Whether a peer is to be told of a stream at all.
  bool Tells(const LinkProgress& link, const Stream& stream) const;
  // REQUIRES: Tells. False: not now, it is too old.
  bool AddPosition(const Stream& stream, PositionsFrame& frame) const;
  // The next part of full positions; how many streams that took. The last
  // part ends them.
  size_t SendFull(LinkProgress& link, Output& out);
  size_t SendNews(LinkProgress& link, Output& out);
  void BeginRound(Instant now);
  // Full positions to one link after the other, in parts.
  void TellAll(size_t room, Output& out);
  void TellPositions(Instant now, Output& out);
  absl::Duration NewsInterval() const;
  absl::Duration FullInterval() const;
  // More than one slice holds.
  bool Many() const;
  void PumpLink(LinkProgress& link, Output& out);
  void WakeLinks();
  // How few mutations wait for more, and for how long.
  uint64_t WorthSending() const;
  absl::Duration MaxWait(const LinkProgress& link) const;
  void StartRebase(Stream& stream, ServedStream& serving, crdt::Seq have);
  bool PumpStream(LinkProgress& link, Stream& stream, ServedStream& serving,
                  Output& out);
  bool PumpRebase(LinkProgress& link, ServedStream& serving, Output& out);
  void SendCheckpoint(LinkProgress& link, Stream& stream, ServedStream& serving,
                      Output& out);

  const ReplicationOptions options_;
  const size_t max_streams_;
  StreamTable& streams_;
  Membership& membership_;
  std::map<LinkId, LinkProgress> links_;
  PumpQueue queue_;
  // Those with bulk in flight, or that had some since the last tick.
  std::set<LinkId> in_flight_;
  // Those that serve a rebase which has begun another round, or did.
  std::set<LinkId> again_;
  std::map<crdt::StreamId, PulledStream> pulling_;
  // Those of them with a rebase that is coming in, or being swept.
  std::set<crdt::StreamId> rebasing_;
  SliceCursor<crdt::StreamId> check_next_;
  SliceCursor<LinkId> caught_up_next_;
  bool catching_up_ = true;
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
  // Streams by the number of their last news.
  std::map<uint64_t, crdt::StreamId> news_;
  uint64_t last_news_ = 0;
  bool telling_news_ = false;  // A round is under way,
  SliceCursor<LinkId> news_next_;
  bool telling_all_ = false;    // and one of full positions.
  Instant next_part_{0};        // Where there are many.
  LinkId full_link_ = 0;        // It goes on with this link, or the next one.
  std::set<LinkId> new_links_;  // Their full positions go first.
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
