// What is shown: copies in force, hiding, and the jobs that make shown equal
// to wanted.
#include <algorithm>

#include "crdt/check.h"
#include "node/core/roll.h"

namespace muster::core {
namespace {

using crdt::kNone;
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

SessionIdx Roll::InForce(crdt::SessionId session) const {
  SessionIdx best = kNone;
  for (SessionIdx i = store_.FirstCopy(session); i != kNone;
       i = store_.NextCopy(i)) {
    if (store_.session(i).state() == SessionState::kPending) continue;
    if (by_idx_[store_.session(i).stream]->dropping) continue;
    if (best == kNone || HigherCopy(i, best)) best = i;
  }
  return best;
}

SessionIdx Roll::CopyOf(crdt::SessionId session, crdt::StreamIdx stream) const {
  SessionIdx best = kNone;
  for (SessionIdx i = store_.FirstCopy(session); i != kNone;
       i = store_.NextCopy(i)) {
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
  if (state == SessionState::kPending || state == SessionState::kEnded ||
      (session.flags & kExpired) != 0 || stream.dropping) {
    return Want::kHide;
  }
  if (stream.hidden && session.shared->grace_ms == 0) return Want::kHide;
  SessionIdx winner = InForce(session.session);
  if (winner != i) {
    // In a rebase records come before entries: until its end, the rows that
    // are to take the places of these may be still to come.
    bool coming =
        winner != kNone && by_idx_[store_.session(winner).stream]->rebasing;
    return coming ? Want::kKeep : Want::kHide;
  }
  // Until then, what it held before and holds no more is still there, too.
  bool alone =
      store_.FirstCopy(session.session) == i && store_.NextCopy(i) == kNone;
  if (stream.rebasing && !alone) return Want::kKeep;
  return state == SessionState::kMoved ? Want::kKeep : Want::kShow;
}

bool Roll::Visible(RowIdx row) const {
  if (!store_.shown(row)) return false;
  const crdt::PresenceStore::Session& session =
      store_.session(store_.session_of(row));
  return !by_idx_[session.stream]->hidden || session.shared->grace_ms > 0;
}

std::vector<SessionIdx> Roll::TakeLosers() {
  std::vector<SessionIdx> losers;
  losers.swap(losers_);
  for (SessionIdx i : losers) store_.session(i).flags &= ~kLost;
  return losers;
}

void Roll::OnCopiesChanged(crdt::SessionId sid) {
  SessionIdx winner = InForce(sid);
  if (winner != kNone) QueueSession(winner);
  for (SessionIdx i = store_.FirstCopy(sid); i != kNone;
       i = store_.NextCopy(i)) {
    if (i == winner) continue;
    QueueSession(i);
    crdt::PresenceStore::Session& session = store_.session(i);
    SessionState state = session.state();
    bool live = state == SessionState::kConnected ||
                state == SessionState::kDisconnected;
    if (winner != kNone && live && by_idx_[session.stream]->own &&
        (session.flags & kLost) == 0) {
      session.flags |= kLost;
      losers_.push_back(i);
    }
  }
}

// From when on the session may be let go although its owner says nothing.
void Roll::SetGraceDeadline(SessionIdx i, Stream& stream) {
  const crdt::PresenceStore::Session& session = store_.session(i);
  int64_t grace_us = int64_t{session.shared->grace_ms} * 1000;
  int64_t delay_us = absl::ToInt64Microseconds(options_.leave_delay);
  switch (session.state()) {
    case SessionState::kMoved:
      if (session.deadline_us == 0) {
        SetDeadline(i, lived_us_ + std::max(grace_us, delay_us));
      }
      return;
    case SessionState::kDisconnected:
      // Counted from hearing of it.
      if (session.deadline_us == 0) {
        SetDeadline(i, lived_us_ + grace_us + delay_us);
      } else {
        SetDeadline(i, session.deadline_us);
      }
      break;
    case SessionState::kConnected:
      if (stream.hidden && grace_us > 0) {
        int64_t age_us = now_.mono.us - stream.advanced.us;
        SetDeadline(
            i, std::max<int64_t>(1, lived_us_ - age_us + grace_us + delay_us));
      } else {
        SetDeadline(i, 0);
      }
      break;
    case SessionState::kPending:
    case SessionState::kEnded:
      return;
  }
  if (grace_us > 0) {
    stream.wanted_until_us =
        std::max(stream.wanted_until_us, session.deadline_us);
  }
}

void Roll::QueueSession(SessionIdx i) {
  crdt::PresenceStore::Session& session = store_.session(i);
  if (session.first_row == kNone || (session.flags & kQueued) != 0) return;
  session.flags |= kQueued;
  jobs_.emplace_back(Job::Kind::kSession, session.stream, session.id);
}

// The shown row of another copy whose place this row takes: the one with its
// ref; or, if one of the two was updated since this copy was made, one of the
// same (topic, key) that no row of this copy names.
RowIdx Roll::RowToReplace(RowIdx row) const {
  SessionIdx session = store_.session_of(row);
  crdt::SessionId sid = store_.session(session).session;
  if (store_.FirstCopy(sid) == session && store_.NextCopy(session) == kNone) {
    return kNone;
  }
  crdt::Ref ref = store_.ref(row);
  absl::string_view topic = store_.topic(row);
  absl::string_view key = store_.key(row);
  RowIdx other = kNone;
  for (RowIdx i = store_.FirstOfPair(topic, key); i != kNone && store_.shown(i);
       i = store_.NextOfPair(i)) {
    SessionIdx owner = store_.session_of(i);
    if (owner == session || store_.session(owner).session != sid) {
      continue;
    }
    if (store_.ref(i) == ref) return i;
    other = i;
  }
  if (other == kNone) return kNone;
  auto updated = [this](RowIdx i) {
    crdt::Ref r = store_.ref(i);
    return r.id.value != r.seq.value && !store_.has_explicit_ref(i);
  };
  if (!updated(row) && !(store_.has_explicit_ref(row) && updated(other))) {
    return kNone;
  }
  crdt::Ref taken = store_.ref(other);
  for (RowIdx i = store_.FirstOfPair(topic, key); i != kNone;
       i = store_.NextOfPair(i)) {
    if (store_.session_of(i) == session && store_.ref(i) == taken) {
      return kNone;
    }
  }
  return other;
}

void Roll::ReconcileRow(RowIdx row) {
  Want want = Wanted(store_.session_of(row));
  bool shown = store_.shown(row);
  if (want == Want::kShow && !shown && !store_.detached(row)) {
    RowIdx old = RowToReplace(row);
    if (old == kNone) {
      store_.Show(row);
    } else {
      store_.Transfer(old, row);
    }
  } else if (want == Want::kHide && shown) {
    store_.Hide(row);
  }
  if (store_.detached(row) && !store_.shown(row)) RemoveRow(row);
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
  SessionIdx i = store_.FindSession(job.stream, job.session);
  if (i == kNone) return true;
  if (!job.started) {
    // The copy in force comes first: its rows take the places of the others.
    crdt::SessionId sid = store_.session(i).session;
    SessionIdx winner = InForce(sid);
    if (winner != kNone && winner != i &&
        (store_.session(winner).flags & kQueued) != 0) {
      jobs_.emplace_back(Job::Kind::kSession, job.stream, job.session);
      return true;
    }
    store_.session(i).flags &= ~kQueued;
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

// Comes before all sessions that wait: what they show goes only when what takes
// its place has been queued. One that is being worked through starts again.
void Roll::OnRebased(Stream& stream) {
  auto at = jobs_.begin();
  if (at != jobs_.end() && at->started) {
    if (at->kind == Job::Kind::kSession) {
      SessionIdx i = store_.FindSession(at->stream, at->session);
      if (i != kNone) store_.session(i).flags |= kQueued;
      at->started = false;
      at->row = kNone;
    } else {
      ++at;
    }
  }
  jobs_.emplace(at, Job::Kind::kStream, stream.idx);
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
    crdt::PresenceStore::Session& session = store_.session(i);
    if (!stream->hidden) session.flags &= ~kExpired;
    if (!stream->own) SetGraceDeadline(i, *stream);
    if (store_.FirstCopy(session.session) != i || store_.NextCopy(i) != kNone) {
      OnCopiesChanged(session.session);
      continue;
    }
    // One that is queued already may have to wait for another copy.
    if (session.entries == 0 || (session.flags & kQueued) != 0) continue;
    if (session.entries > 64) {
      QueueSession(i);
      continue;
    }
    n += session.entries;
    for (RowIdx row = session.first_row; row != kNone;) {
      RowIdx next = store_.NextRowOf(row);
      ReconcileRow(row);
      row = next;
    }
  }
  if (job.cursor->session != kNone) return false;
  RemoveCursor(job.cursor.get());
  return true;
}

bool Roll::RunDropJob(Job& job, size_t rows) {
  Stream* stream = by_idx_[job.stream];
  for (size_t n = 0; n < rows; ++n) {
    SessionIdx i = store_.FirstSessionBySeq(job.stream);
    if (i == kNone) {
      log_.Drop(job.stream);
      by_idx_[job.stream] = nullptr;
      store_.RemoveStream(job.stream);
      dropping_.erase(
          std::find_if(dropping_.begin(), dropping_.end(),
                       [stream](const auto& s) { return s.get() == stream; }));
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
