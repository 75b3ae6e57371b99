// Visibility of entries: copies in force, hiding, and the jobs that make shown
// equal to wanted.
#include <algorithm>
#include <limits>

#include "crdt/check.h"
#include "crdt/mutant.h"
#include "crdt/session_rows.h"
#include "node/core/presence/roll.h"

namespace muster::core {
namespace {

using crdt::kNone;
using crdt::Mutant;
using crdt::Mutated;
using crdt::RowIdx;
using crdt::SessionIdx;
using crdt::SessionState;

}  // namespace

bool Roll::HigherCopy(SessionIdx a, SessionIdx b) const {
  const crdt::PresenceStore::Session& x = store_.session(a);
  const crdt::PresenceStore::Session& y = store_.session(b);
  const crdt::Origin& ox = by_idx_[x.stream]->origin;
  const crdt::Origin& oy = by_idx_[y.stream]->origin;
  return std::tie(x.shared->epoch, x.shared->resume, ox.incarnation, ox.life) >
         std::tie(y.shared->epoch, y.shared->resume, oy.incarnation, oy.life);
}

SessionIdx Roll::Highest(crdt::SessionId session) const {
  SessionIdx best = kNone;
  for (SessionIdx i = store_.sessions().FirstCopy(session); i != kNone;
       i = store_.sessions().NextCopy(i)) {
    if (store_.session(i).state() == SessionState::kPending) continue;
    if (by_idx_[store_.session(i).stream]->dropping()) continue;
    if (best == kNone || HigherCopy(i, best)) best = i;
  }
  return best;
}

// The owner of a lower copy may never hear of a higher copy that has lapsed,
// since no node learns a stream of which nothing is wanted. The lower copy
// counts again once its owner has had time to say that the session has moved.
SessionIdx Roll::InForce(crdt::SessionId session) const {
  SessionIdx best = kNone;
  for (SessionIdx i = store_.sessions().FirstCopy(session); i != kNone;
       i = store_.sessions().NextCopy(i)) {
    if (store_.session(i).state() == SessionState::kPending) continue;
    if (by_idx_[store_.session(i).stream]->dropping()) continue;
    if (Marked(i, kBuried)) continue;
    if (best == kNone || HigherCopy(i, best)) best = i;
  }
  return best;
}

bool Roll::Lapsed(SessionIdx i) const {
  const crdt::PresenceStore::Session& session = store_.session(i);
  const Stream& stream = *by_idx_[session.stream];
  return Marked(i, kExpired) || stream.dropping() ||
         (stream.hidden() && session.shared->grace_ms == 0);
}

SessionIdx Roll::CopyOf(crdt::SessionId session, crdt::StreamIdx stream) const {
  SessionIdx best = kNone;
  for (SessionIdx i = store_.sessions().FirstCopy(session); i != kNone;
       i = store_.sessions().NextCopy(i)) {
    if (store_.session(i).stream != stream) continue;
    // A stream may hold an old record beside a new copy: the later element.
    if (best == kNone || store_.session(best).id < store_.session(i).id) {
      best = i;
    }
  }
  return best;
}

Roll::Want Roll::Wanted(SessionIdx i) const {
  const crdt::PresenceStore::Session& session = store_.session(i);
  const Stream& stream = *by_idx_[session.stream];
  SessionState state = session.state();
  if (Mutated(Mutant::kShowsPending)) {
    if (state == SessionState::kPending) return Want::kShow;
  }
  if (state == SessionState::kPending || state == SessionState::kEnded ||
      Lapsed(i)) {
    return Want::kHide;
  }
  bool sole = store_.sessions().Sole(i);
  SessionIdx winner = sole ? i : InForce(session.session);
  if (winner == kNone) return Want::kHide;
  if (winner != i && !Mutated(Mutant::kAdoptionShowsBoth)) {
    // The rows that replace these may be still to come: a rebase sends records
    // before entries, a moved record announces another copy, and a stream that
    // is catching up is not shown yet.
    const crdt::PresenceStore::Session& other = store_.session(winner);
    const Stream& others = *by_idx_[other.stream];
    bool coming =
        others.rebasing || others.visibility.catching_up() ||
        (other.state() == SessionState::kMoved && !Marked(winner, kExpired));
    return coming ? Want::kKeep : Want::kHide;
  }
  // Until the rebase ends, entries that it will sweep are still here.
  if (stream.rebasing && !sole) return Want::kKeep;
  if (state != SessionState::kMoved) return Want::kShow;
  // The copy that the session moved to has come, and has lapsed.
  return sole || Highest(session.session) == i ? Want::kKeep : Want::kHide;
}

bool Roll::GraceOver(SessionIdx i) const {
  const int64_t delay_us = absl::ToInt64Microseconds(options_.leave_delay);
  return deadline_us(i) != 0 && deadline_us(i) - delay_us <= lived_us();
}

bool Roll::Visible(RowIdx row) const {
  if (!store_.shown(row)) return false;
  const crdt::PresenceStore::Session& session =
      store_.session(store_.session_of(row));
  return !by_idx_[session.stream]->hidden() || session.shared->grace_ms > 0;
}

std::vector<SessionIdx> Roll::TakeLosers(size_t limit) {
  const auto end =
      losers_.begin() + static_cast<ptrdiff_t>(std::min(limit, losers_.size()));
  std::vector<SessionIdx> losers(losers_.begin(), end);
  losers_.erase(losers_.begin(), end);
  for (SessionIdx i : losers) Unmark(i, kLost);
  return losers;
}

void Roll::OnCopiesChanged(crdt::SessionId sid) {
  SessionIdx winner = InForce(sid);
  if (winner != kNone) QueueSession(winner);
  for (SessionIdx i = store_.sessions().FirstCopy(sid); i != kNone;
       i = store_.sessions().NextCopy(i)) {
    BuryLater(i);
    if (i == winner) continue;
    QueueSession(i);
    const crdt::PresenceStore::Session& session = store_.session(i);
    SessionState state = session.state();
    bool live = state == SessionState::kConnected ||
                state == SessionState::kDisconnected;
    if (winner != kNone && live && by_idx_[session.stream]->own &&
        !Marked(i, kLost)) {
      Mark(i, kLost);
      losers_.push_back(i);
    }
  }
}

void Roll::BuryLater(SessionIdx i) {
  const crdt::PresenceStore::Session& session = store_.session(i);
  const bool waits = deadline_us(i) > lived_us();
  if (waits || store_.sessions().Sole(i) || by_idx_[session.stream]->own ||
      !Lapsed(i) || Marked(i, kBuried)) {
    return;
  }
  SetDeadline(i, lived_us() + absl::ToInt64Microseconds(options_.leave_delay));
}

// From when on a session of another node may be let go although its owner says
// nothing, or 0. Of an owner that is silent all counts from its last advance:
// so no grace begins again where its stream is learnt anew.
int64_t Roll::GraceDeadline(SessionIdx i, const Stream& stream) const {
  const crdt::PresenceStore::Session& session = store_.session(i);
  const int64_t grace_us = int64_t{session.shared->grace_ms} * 1000;
  const int64_t delay_us = absl::ToInt64Microseconds(options_.leave_delay);
  const bool moved = session.state() == SessionState::kMoved;
  const int64_t keep_us =
      moved ? std::max(grace_us, delay_us) : grace_us + delay_us;
  int64_t silent_us = std::max<int64_t>(0, now().mono.us - stream.advanced.us);
  if (Mutated(Mutant::kGraceFromHealing)) silent_us = 0;
  const int64_t silence_over =
      stream.hidden() ? std::max<int64_t>(1, lived_us() - silent_us + keep_us)
                      : std::numeric_limits<int64_t>::max();
  if (moved || session.state() == SessionState::kDisconnected) {
    // Counted from hearing of it.
    const int64_t heard = deadline_us(i);
    return std::min(heard == 0 ? lived_us() + keep_us : heard, silence_over);
  }
  return stream.hidden() && grace_us > 0 ? silence_over : 0;
}

void Roll::SetGraceDeadline(SessionIdx i, const Stream& stream) {
  const crdt::PresenceStore::Session& session = store_.session(i);
  const SessionState state = session.state();
  if (state == SessionState::kPending) return;
  const int64_t deadline = GraceDeadline(i, stream);
  SetDeadline(i, deadline);
  if (deadline == 0) return;
  const bool moved = state == SessionState::kMoved;
  if (session.shared->grace_ms > 0 && !moved) {
    int64_t& until = lasting_[stream.idx].wanted_until_us;
    until = std::max(until, deadline);
  }
  if (deadline <= lived_us() && (stream.hidden() || moved)) {
    Mark(i, kExpired);
  }
}

void Roll::QueueSession(SessionIdx i) {
  const crdt::PresenceStore::Session& session = store_.session(i);
  if (session.first_row == kNone || Marked(i, kQueued)) return;
  Mark(i, kQueued);
  jobs_.emplace_back(Job::Kind::kSession, session.stream, session.id);
}

// The shown row that this row replaces, or kNone. It is a row of another copy,
// or of this copy, if a holder that is behind sends a removed entry again.
RowIdx Roll::RowToReplace(RowIdx row) const {
  SessionIdx session = store_.session_of(row);
  if (store_.sessions().Sole(session)) return kNone;
  crdt::SessionId sid = store_.session(session).session;
  const crdt::EntryRoot root = store_.root(row);
  return FindOfSession(
      store_, sid, store_.topic(row), store_.key(row), [&](RowIdx i) {
        const bool another =
            store_.session_of(i) != session || store_.detached(i);
        return another && store_.shown(i) && store_.root(i) == root;
      });
}

// The row of the copy in force that replaces this row, or kNone. A copy that is
// not shown yet replaces nothing: its rows may be old.
RowIdx Roll::RowThatReplaces(RowIdx row) const {
  SessionIdx session = store_.session_of(row);
  if (store_.sessions().Sole(session)) return kNone;
  SessionIdx winner = InForce(store_.session(session).session);
  if (winner == session || winner == kNone) return kNone;
  if (Wanted(winner) != Want::kShow) return kNone;
  const crdt::EntryRoot root = store_.root(row);
  return FindOfSession(store_, store_.session(session).session,
                       store_.topic(row), store_.key(row), [&](RowIdx i) {
                         return store_.session_of(i) == winner &&
                                !store_.shown(i) && !store_.detached(i) &&
                                store_.root(i) == root;
                       });
}

void Roll::HideOrReplace(RowIdx row) {
  RowIdx by = RowThatReplaces(row);
  if (by == kNone) {
    store_.Hide(row);
  } else {
    store_.Transfer(row, by);
  }
}

void Roll::ReconcileRow(RowIdx row) {
  Want want = Wanted(store_.session_of(row));
  if (store_.detached(row)) {
    // The owner has removed the entry: it stays only until its replacement
    // comes.
    if (want != Want::kKeep || !store_.shown(row)) RemoveRow(row);
  } else if (want == Want::kShow && !store_.shown(row)) {
    RowIdx old = RowToReplace(row);
    if (old == kNone) {
      store_.Show(row);
    } else {
      store_.Transfer(old, row);
    }
  } else if (want == Want::kHide && store_.shown(row)) {
    HideOrReplace(row);
  }
}

// -------------------------------------------------------------------- jobs

bool Roll::RunJob(size_t rows) {
  if (jobs_.empty()) return false;
  Job& job = jobs_.front();
  bool done = false;
  switch (job.kind) {
    case Job::Kind::kSession:
      done = RunSessionJob(job, rows);
      break;
    case Job::Kind::kStream:
      done = RunStreamJob(job, rows);
      break;
    case Job::Kind::kDrop:
      done = RunDropJob(job, rows);
      break;
  }
  if (done) jobs_.pop_front();
  return !jobs_.empty();
}

bool Roll::RunSessionJob(Job& job, size_t rows) {
  SessionIdx i = store_.sessions().Find(job.stream, job.session);
  if (i == kNone) return true;
  if (!job.started) {
    Unmark(i, kQueued);
    job.started = true;
    job.row = store_.FirstRowOf(i);
  }
  for (size_t n = 0; n < rows && job.row != kNone; ++n) {
    RowIdx row = job.row;
    job.row = store_.NextRowOf(row);
    ReconcileRow(row);
  }
  return job.row == kNone;
}

bool Roll::RunStreamJob(Job& job, size_t rows) {
  Stream* stream = by_idx_[job.stream];
  if (stream == nullptr) return true;
  if (!job.started) {
    job.started = true;
    job.cursor = std::make_unique<SeqCursor>();
    job.cursor->stream = job.stream;
    job.cursor->session = store_.FirstSessionBySeq(job.stream);
    AddCursor(job.cursor.get());
  }
  for (size_t n = 0; n < rows && job.cursor->session != kNone; ++n) {
    SessionIdx i = job.cursor->session;
    job.cursor->session = store_.NextSessionBySeq(i);
    if (job.cursor->session != kNone) store_.PrefetchRows(job.cursor->session);
    const crdt::PresenceStore::Session& session = store_.session(i);
    if (!stream->hidden()) Unmark(i, kExpired | kBuried);
    if (!stream->own) SetGraceDeadline(i, *stream);
    if (!store_.sessions().Sole(i)) {
      OnCopiesChanged(session.session);
      continue;
    }
    if (session.entries == 0 || Marked(i, kQueued)) continue;
    if (session.entries > 64) {
      QueueSession(i);
      continue;
    }
    n += session.entries;
    store_.PrefetchContents(i);
    for (RowIdx row = session.first_row; row != kNone;) {
      RowIdx next = store_.NextRowOf(row);
      ReconcileRow(row);
      row = next;
    }
  }
  if (job.cursor->session != kNone) return false;
  RemoveCursor(job.cursor.get());
  --lasting_[job.stream].jobs;
  return true;
}

bool Roll::RunDropJob(Job& job, size_t rows) {
  Stream* stream = by_idx_[job.stream];
  for (size_t n = 0; n < rows; ++n) {
    SessionIdx i = store_.FirstSessionBySeq(job.stream);
    if (i == kNone) {
      by_idx_[job.stream] = nullptr;
      store_.RemoveStream(job.stream);
      streams_.Free(*stream);
      return true;
    }
    RowIdx row = store_.FirstRowOf(i);
    if (row != kNone) {
      RemoveRow(row);
    } else {
      RemoveSessionRecord(i);
    }
  }
  return false;
}

}  // namespace muster::core
