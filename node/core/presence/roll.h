// The roll: the elements of all presence streams, and which of them are shown.
// It is the StreamState of their kind.
//
// Mutations come in one at a time (Apply) and change the store; the roll
// decides which entries are shown. A session may have several *copies*, one an
// origin; the highest (epoch, resume, origin) is in force. An entry is shown if
// its copy is in force and has not lapsed: the copy is not expired, and its
// stream is not hidden (or the session's grace is not over). A lapsed copy of a
// session with another copy is *buried* 3 s later, and is then no longer in
// force. A change of one entry takes effect at once; a change of a whole
// session or stream is a job:
//
//   Apply(put session) --copies changed--> jobs: winner, then losers
//   SetHidden(stream) ------------------> job: every session of the stream
//   deadline passed --------------------> job: that session
//
// A job makes shown equal to wanted, row by row. Jobs are idempotent, and their
// order does not matter. When a copy takes over, each of its rows replaces the
// row that shows the same entry (Transfer), also if the latter is hidden or
// removed first. Watchers are told nothing, or of an update if the refs differ.
// Rows show the same entry if they have the same root: one first track.
//
// Invariants:
//   1. When no job is left, a row is shown iff Wanted(its session) is kShow
//      (kKeep: either).
//   2. A row that its owner removes while another copy is to take over stays,
//      detached, until that copy is here (kKeep).
//   3. Mutations of a stream are applied in seq order, each once (the callers
//      check the VV; Apply is idempotent for elements at or above the seq).
// Cost: Apply is O(1) (see presence_store.h) plus the copies of one session.
// Time: deadlines are in *lived* microseconds; see stream_table.h.
#ifndef MUSTER_NODE_CORE_PRESENCE_ROLL_H_
#define MUSTER_NODE_CORE_PRESENCE_ROLL_H_

#include <deque>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/strings/string_view.h"
#include "crdt/presence_store.h"
#include "node/core/options.h"
#include "node/core/stream/stream.h"
#include "node/core/stream/stream_state.h"
#include "node/core/stream/stream_table.h"
#include "node/core/time.h"

namespace muster::core {

// A position in a stream's elements in seq order. It moves on when its element
// is removed or changed.
struct SeqCursor {
  crdt::StreamIdx stream = crdt::kNone;
  crdt::SessionIdx session = crdt::kNone;
  crdt::RowIdx row = crdt::kNone;
};

class Roll final : public StreamState {
 public:
  // `streams`: those of presence are added to the roll by it.
  Roll(const Options& options, StreamTable& streams, uint64_t hash_seed);

  crdt::PresenceStore& store() { return store_; }
  const crdt::PresenceStore& store() const { return store_; }

  // ---- streams: see stream_state.h ----
  crdt::StreamIdx Added(Stream& stream) override;
  void Dropped(Stream& stream) override;
  bool ApplyRun(Stream& stream, absl::string_view& bytes, crdt::Seq seq,
                crdt::Seq end) override;
  uint64_t Digest(const Stream& stream) const override {
    return store_.Digest(stream.idx);
  }
  std::unique_ptr<ElementWalk> Elements(Stream& stream) override;
  std::unique_ptr<ElementMerge> Rebase(Stream& stream) override;
  // Also settles the parts of the stream that waited for the end of a rebase,
  // or for the stream to be shown.
  void Settle(Stream& stream) override;
  // Whether a session of it is shown, or may be within its grace.
  bool HasWanted(const Stream& stream) const override;

  Stream* StreamAt(crdt::StreamIdx idx) { return by_idx_[idx]; }
  const Stream* StreamAt(crdt::StreamIdx idx) const { return by_idx_[idx]; }

  // ---- mutations ----
  enum class Applied { kOk, kBad };
  // kBad: it names a session that does not exist, or an element of another
  // kind; nothing is changed. Does not move the VV.
  Applied Apply(Stream& stream, const crdt::Mutation& mutation);
  // As Apply, of an element of a rebase. The element here may be later, if an
  // unfinished rebase left it.
  Applied Put(Stream& stream, const crdt::Mutation& mutation);
  // As Apply, of an entry whose id is new, of a session that is there.
  crdt::RowIdx AddEntry(Stream& stream, crdt::SessionIdx session,
                        const crdt::Mutation& mutation);
  // Removes elements that were not named in the rebase round, a slice;
  // true when done.
  bool Sweep(Stream& stream, SeqCursor& at);

  // ---- sessions ----
  // The highest copy that is not pending, or kNone: what a resume must exceed.
  crdt::SessionIdx Highest(crdt::SessionId session) const;
  // The copy in force: the highest that is not buried either, or kNone.
  crdt::SessionIdx InForce(crdt::SessionId session) const;
  // The copy of one stream, or kNone.
  crdt::SessionIdx CopyOf(crdt::SessionId session,
                          crdt::StreamIdx stream) const;
  bool HigherCopy(crdt::SessionIdx a, crdt::SessionIdx b) const;
  // Whether a session of another node can no longer be resumed with its
  // entries.
  bool GraceOver(crdt::SessionIdx session) const;
  enum class Want { kHide, kShow, kKeep };
  Want Wanted(crdt::SessionIdx session) const;
  // For reads: shown, and not hidden by its stream's flag.
  bool Visible(crdt::RowIdx row) const;
  // Nothing of it is to be shown any more.
  bool expired(crdt::SessionIdx session) const {
    return Marked(session, kExpired);
  }
  // Own copies that lost against a higher one and were not taken yet, at most
  // `limit`.
  std::vector<crdt::SessionIdx> TakeLosers(size_t limit);
  bool has_losers() const { return !losers_.empty(); }

  // ---- time ----
  int64_t lived_us() const { return streams_.lived_us(); }
  Now now() const { return streams_.now(); }
  // Sets the deadline of a session; 0 is none.
  void SetDeadline(crdt::SessionIdx session, int64_t lived_us);
  // The session is not to be shown any more. False if that was so already.
  bool Expire(crdt::SessionIdx session);
  // Handles deadlines that have passed: own sessions are appended to `own` (by
  // element id), others expire. At most `limit`, few of them own, since ending
  // a session takes longer. True if there may be more.
  bool RunDeadlines(size_t limit, std::vector<crdt::ElementId>& own);

  // ---- jobs ----
  // A slice of the oldest job, about `rows` rows; true if more is left.
  bool RunJob(size_t rows);
  bool idle() const { return jobs_.empty(); }
  size_t jobs() const { return jobs_.size(); }

  void AddCursor(SeqCursor* cursor);
  void RemoveCursor(SeqCursor* cursor);

 private:
  // What the roll keeps in the slot of a session: a deadline, in lived
  // microseconds or 0, and these marks.
  static constexpr uint16_t kExpired = 1;
  static constexpr uint16_t kArmed = 2;   // It has a place in deadlines_,
  static constexpr uint16_t kQueued = 4;  // a job,
  static constexpr uint16_t kLost = 8;    // a place in losers_.
  static constexpr uint16_t kBuried = 16;

  struct Job {
    enum class Kind { kSession, kStream, kDrop };
    Job(Kind k, crdt::StreamIdx s, crdt::ElementId id = {})
        : kind(k), stream(s), session(id) {}

    Kind kind;
    crdt::StreamIdx stream;
    crdt::ElementId session;  // kSession.
    crdt::RowIdx row = crdt::kNone;
    bool started = false;
    std::unique_ptr<SeqCursor> cursor;  // kStream, kDrop.
  };

  bool Marked(crdt::SessionIdx session, uint16_t mark) const {
    return (store_.session(session).slot_marks & mark) != 0;
  }
  void Mark(crdt::SessionIdx session, uint16_t mark) {
    store_.session_slot(session).marks |= mark;
  }
  void Unmark(crdt::SessionIdx session, uint16_t marks) {
    store_.session_slot(session).marks &= static_cast<uint16_t>(~marks);
  }
  int64_t deadline_us(crdt::SessionIdx session) const {
    return store_.session(session).slot_time;
  }
  void set_deadline_us(crdt::SessionIdx session, int64_t lived_us) {
    store_.session_slot(session).time = lived_us;
  }

  // `overwrite`: also what is later.
  Applied PutSession(Stream& stream, const crdt::Mutation& mutation,
                     bool overwrite);
  Applied PutEntry(Stream& stream, const crdt::Mutation& mutation,
                   bool overwrite);
  Applied RemoveSession(Stream& stream, crdt::ElementId id);
  Applied RemoveEntry(Stream& stream, crdt::ElementId id);
  bool ApplySome(Stream& stream, absl::string_view& bytes, crdt::Seq& seq,
                 crdt::Seq end);
  void RemoveRow(crdt::RowIdx row);
  void RemoveSessionRecord(crdt::SessionIdx session);

  // Whether the copy is not shown any more, unless its owner is heard again.
  bool Lapsed(crdt::SessionIdx session) const;
  void BuryLater(crdt::SessionIdx session);
  void OnCopiesChanged(crdt::SessionId session);
  int64_t GraceDeadline(crdt::SessionIdx session, const Stream& stream) const;
  void SetGraceDeadline(crdt::SessionIdx session, const Stream& stream);
  void QueueSession(crdt::SessionIdx session);
  void ReconcileRow(crdt::RowIdx row);
  crdt::RowIdx RowToReplace(crdt::RowIdx row) const;
  crdt::RowIdx RowThatReplaces(crdt::RowIdx row) const;
  void HideOrReplace(crdt::RowIdx row);
  bool RunSessionJob(Job& job, size_t rows);
  bool RunStreamJob(Job& job, size_t rows);
  bool RunDropJob(Job& job, size_t rows);
  void DetachCursors(crdt::RowIdx row);
  void DetachJob(crdt::RowIdx row);
  void DetachSessionCursors(crdt::SessionIdx session);

  const SessionOptions options_;
  StreamTable& streams_;
  crdt::PresenceStore store_;
  std::vector<Stream*> by_idx_;
  // By stream index: the parts of a hidden stream that are, or may be, shown.
  struct Lasting {
    // A session with a grace may be shown until then, in lived microseconds.
    int64_t wanted_until_us = 0;
    int jobs = 0;  // That have not looked at all of its sessions yet.
  };
  std::vector<Lasting> lasting_;
  std::deque<Job> jobs_;
  std::vector<SeqCursor*> cursors_;
  std::vector<crdt::SessionIdx> losers_;
  // (lived_us, stream, element): each armed session has one at its deadline or
  // before, and at times others.
  absl::btree_set<std::tuple<int64_t, crdt::StreamIdx, crdt::ElementId>>
      deadlines_;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_PRESENCE_ROLL_H_
