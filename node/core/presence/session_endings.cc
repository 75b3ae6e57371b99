// The end of sessions: the end of their grace, the removal of their entries,
// and the records (tombstones) that stay behind.
#include <algorithm>

#include "node/core/presence/local_sessions.h"

namespace muster::core {

using crdt::kNone;
using crdt::RowIdx;
using crdt::SessionIdx;
using crdt::SessionState;

namespace {

// How many sessions whose grace is over one call looks at.
constexpr size_t kLapsedAtOnce = 32;

}  // namespace

// ------------------------------------------------------------- grace is over

bool LocalSessions::RunLapsed(Instant known_until) {
  for (size_t n = std::min(adopted_elsewhere_.size(), kLapsedAtOnce); n > 0;
       --n) {
    const Lapsed lapsed = adopted_elsewhere_.front();
    adopted_elsewhere_.pop_front();
    EndLapsed(lapsed);
  }
  for (size_t n = 0; n < kLapsedAtOnce; ++n) {
    if (lapsed_.empty()) return false;
    const Lapsed lapsed = lapsed_.front();
    if (lapsed.at > known_until && !IsLate(lapsed)) return false;
    lapsed_.pop_front();
    EndLapsed(lapsed);
  }
  return true;
}

bool LocalSessions::IsLate(const Lapsed& lapsed) const {
  return lapsed.lived_us + absl::ToInt64Microseconds(options_.leave_delay) <=
         roll_.lived_us();
}

void LocalSessions::EndLapsed(const Lapsed& lapsed) {
  const SessionIdx i = store().sessions().Find(own_.stream().idx, lapsed.id);
  if (i == kNone || !IsLapsed(i, lapsed.seq)) return;
  if (!IsLate(lapsed) && BeingAdopted(i)) {
    adopted_elsewhere_.push_back(lapsed);
    return;
  }
  End(i, store().session(i).shared->resume > 0 ? options_.record_keep
                                               : absl::ZeroDuration());
}

// The session has not been resumed since: a resume changes its record's seq.
bool LocalSessions::IsLapsed(SessionIdx i, crdt::Seq seq) const {
  const auto& session = roll_.store().session(i);
  return session.state() == SessionState::kDisconnected && session.seq == seq &&
         !BeingResumed(session.session);
}

// Another node has accepted a resume, and is writing the entries to its stream.
bool LocalSessions::BeingAdopted(SessionIdx own) const {
  const crdt::PresenceStore& store = roll_.store();
  const crdt::SessionId id = store.session(own).session;
  for (SessionIdx i = store.sessions().FirstCopy(id); i != kNone;
       i = store.sessions().NextCopy(i)) {
    const auto& copy = store.session(i);
    const Stream& stream = *roll_.StreamAt(copy.stream);
    const bool pending = copy.state() == SessionState::kPending;
    if (pending && !stream.own && !stream.hidden()) return true;
  }
  return false;
}

// ------------------------------------------------------------------- ending

void LocalSessions::RemoveOwnEntry(RowIdx row) {
  adopted_.erase({store().session_of(row), store().ref(row)});
  own_.RemoveEntry(row);
}

void LocalSessions::End(SessionIdx i, absl::Duration keep) {
  --live_;
  roll_.SetDeadline(i, 0);
  Ending ending{store().session(i).id, keep};
  bool small = store().session(i).entries <= kInline;
  bool moved = store().session(i).state() == SessionState::kMoved;
  if (!moved && (!small || keep > absl::ZeroDuration())) {
    Rewrite(i, SessionState::kEnded);
  }
  if (small) {
    RunEnding(ending);
  } else {
    endings_.push_back(ending);
  }
}

bool LocalSessions::RunEnding(Ending& ending) {
  SessionIdx i = store().sessions().Find(own_.stream().idx, ending.id);
  if (i == kNone) return true;
  size_t left = kSlice;
  // Detached rows, which come last, go when the copy that replaces them is
  // shown.
  for (RowIdx row = store().FirstRowOf(i);
       row != kNone && !store().detached(row); row = store().FirstRowOf(i)) {
    if (left-- == 0) return false;
    RemoveOwnEntry(row);
  }
  if (ending.keep == absl::ZeroDuration()) {
    own_.RemoveSession(i);
  } else {
    KeepRecord(i, ending.keep);
  }
  return true;
}

bool LocalSessions::RunJob(Output& out) {
  if (!endings_.empty()) {
    if (RunEnding(endings_.front())) endings_.pop_front();
  } else if (!adoptions_.empty()) {
    if (RunAdoption(adoptions_.front(), out)) adoptions_.pop_front();
  }
  return !endings_.empty() || !adoptions_.empty();
}

// ------------------------------------------------------------------ records

void LocalSessions::KeepRecord(SessionIdx i, absl::Duration keep) {
  const auto& session = store().session(i);
  // A moved session may be shown until its new copy is here, but no longer than
  // this.
  if (session.state() == SessionState::kMoved) {
    keep = std::max(absl::Milliseconds(session.shared->grace_ms),
                    options_.leave_delay);
  }
  roll_.SetDeadline(i, roll_.lived_us() + absl::ToInt64Microseconds(keep));
  records_.emplace(session.seq, session.id);
  while (records_.size() > options_.max_ended) {
    ++records_dropped_;
    DropRecord(
        store().sessions().Find(own_.stream().idx, records_.begin()->second));
  }
}

void LocalSessions::DropRecord(SessionIdx i) {
  records_.erase(store().session(i).seq);
  own_.RemoveSession(i);
}

}  // namespace muster::core
