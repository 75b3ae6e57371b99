#include "node/core/presence/local_sessions.h"

#include <algorithm>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "crdt/check.h"

namespace muster::core {

using crdt::kNone;
using crdt::RowIdx;
using crdt::SessionIdx;
using crdt::SessionState;

namespace {

// How long the record of a session that was never elsewhere is kept. No lower
// copy of it exists: the record is for resumes that are on their way.
constexpr absl::Duration kKeepClosed = absl::Minutes(1);

}  // namespace

LocalSessions::LocalSessions(const SessionOptions& options, Roll& roll,
                             OwnStream& own,
                             std::function<std::string(crdt::LifeId)> where)
    : options_(options), roll_(roll), own_(own), where_(std::move(where)) {}

// ----------------------------------------------------------------- look-ups

SessionIdx LocalSessions::OwnCopy(crdt::SessionId session) const {
  SessionIdx i = roll_.CopyOf(session, own_.stream().idx);
  if (i == kNone) return kNone;
  SessionState state = roll_.store().session(i).state();
  bool live =
      state == SessionState::kConnected || state == SessionState::kDisconnected;
  return live ? i : kNone;
}

absl::Status LocalSessions::NotHere(crdt::SessionId session) const {
  SessionIdx best = roll_.Highest(session);
  if (best == kNone) {
    return absl::NotFoundError(
        "token: this node knows no session of it; open or resume one");
  }
  const auto& record = roll_.store().session(best);
  if (record.state() == SessionState::kEnded) {
    return absl::NotFoundError("token: its session has ended");
  }
  crdt::LifeId life = record.state() == SessionState::kMoved
                          ? record.shared->moved_life
                          : roll_.StreamAt(record.stream)->origin.life;
  return absl::AbortedError(absl::StrCat("session lives at ", where_(life)));
}

SessionInfo LocalSessions::Info(SessionIdx i) const {
  const auto& record = roll_.store().session(i);
  return {record.session, record.shared->epoch, record.shared->resume,
          absl::Milliseconds(record.shared->ttl_ms),
          absl::Milliseconds(record.shared->grace_ms)};
}

absl::StatusOr<SessionIdx> LocalSessions::Live(crdt::SessionId session) {
  SessionIdx i = OwnCopy(session);
  if (i == kNone) return NotHere(session);
  if (BeingResumed(session)) {
    return absl::AbortedError("a resume of this session is under way here");
  }
  if (store().session(i).state() == SessionState::kDisconnected) {
    Rewrite(i, SessionState::kConnected);
  }
  Touch(i);
  return i;
}

void LocalSessions::Rewrite(SessionIdx i, SessionState state) {
  crdt::SessionContent content = store().session(i).content();
  content.state = state;
  own_.UpdateSession(i, content);
}

// A sign of life: its TTL starts again.
void LocalSessions::Touch(SessionIdx i) {
  int64_t ttl_ms = store().session(i).shared->ttl_ms;
  roll_.SetDeadline(i, ttl_ms == 0 ? 0 : roll_.lived_us() + ttl_ms * 1000);
}

// ------------------------------------------------------------ their lives

absl::Status LocalSessions::MayAdd() const {
  if (live_ >= options_.max_sessions) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "sessions: this node holds ", live_, ", its limit (--max-sessions)"));
  }
  return absl::OkStatus();
}

absl::StatusOr<SessionInfo> LocalSessions::Open(
    const OpenSessionRequest& request) {
  if (store().sessions().FirstCopy(request.session) != kNone) {
    return absl::AlreadyExistsError("token: a session of it is open already");
  }
  if (absl::Status may = MayAdd(); !may.ok()) return may;
  crdt::SessionContent content;
  content.session = request.session;
  content.epoch = request.epoch;
  content.grace_ms =
      static_cast<uint32_t>(absl::ToInt64Milliseconds(request.grace));
  content.ttl_ms =
      request.stream
          ? 0
          : static_cast<uint32_t>(absl::ToInt64Milliseconds(request.ttl));
  content.state = SessionState::kConnected;
  SessionIdx i = own_.AddSession(content);
  ++live_;
  Touch(i);
  return Info(i);
}

absl::Status LocalSessions::Close(crdt::SessionId session) {
  SessionIdx i = OwnCopy(session);
  if (i == kNone) return NotHere(session);
  // The record is a tombstone: a resume elsewhere must find that the session
  // has ended, and a lower copy that still exists must stay hidden.
  const bool adopted = store().session(i).shared->resume > 0;
  End(i, adopted ? options_.record_keep
                 : std::min(options_.record_keep, kKeepClosed));
  return absl::OkStatus();
}

void LocalSessions::Disconnect(crdt::SessionId session) {
  for (Adoption& adoption : adoptions_) {
    if (adoption.wish.open.session == session) {
      adoption.disconnected = true;
      return;
    }
  }
  SessionIdx i = OwnCopy(session);
  if (i == kNone || store().session(i).state() == SessionState::kDisconnected) {
    return;
  }
  const auto& record = *store().session(i).shared;
  if (record.grace_ms == 0) {
    End(i, record.resume > 0 ? options_.record_keep : absl::ZeroDuration());
    return;
  }
  int64_t grace_us = int64_t{record.grace_ms} * 1000;
  Rewrite(i, SessionState::kDisconnected);
  roll_.SetDeadline(i, roll_.lived_us() + grace_us);
}

absl::Status LocalSessions::Heartbeat(crdt::SessionId session, uint64_t epoch) {
  SessionIdx i = OwnCopy(session);
  if (i == kNone) return NotHere(session);
  uint64_t current = store().session(i).shared->epoch;
  if (epoch < current) {
    return absl::FailedPreconditionError(
        absl::StrCat("stale epoch ", epoch, ", current is ", current));
  }
  if (epoch > current) {
    crdt::SessionContent content = store().session(i).content();
    content.epoch = epoch;
    own_.UpdateSession(i, content);
  }
  return Live(session).status();
}

bool LocalSessions::IsBack(SessionIdx moved) const {
  const SessionIdx i = roll_.InForce(roll_.store().session(moved).session);
  return i != kNone && i != moved &&
         roll_.store().session(i).stream == own_.stream().idx;
}

// A session that comes and goes leaves one record a node, and copies that may
// still be shown: other moved copies of this node are dropped soon.
void LocalSessions::DropOldRecords(crdt::SessionId session) {
  for (SessionIdx i = store().sessions().FirstCopy(session); i != kNone;
       i = store().sessions().NextCopy(i)) {
    const auto& copy = store().session(i);
    if (copy.stream == own_.stream().idx &&
        copy.state() == SessionState::kMoved && roll_.expired(i)) {
      roll_.SetDeadline(i, roll_.lived_us() +
                               absl::ToInt64Microseconds(options_.leave_delay));
    }
  }
}

void LocalSessions::OnDeadline(crdt::ElementId id) {
  SessionIdx i = store().sessions().Find(own_.stream().idx, id);
  if (i == kNone) return;
  const auto& session = store().session(i);
  switch (session.state()) {
    case SessionState::kConnected:
      Disconnect(session.session);
      return;
    case SessionState::kDisconnected:
      lapsed_.push_back({id, session.seq, roll_.now().mono, roll_.lived_us()});
      return;
    case SessionState::kMoved:
      if (roll_.Expire(i)) {
        // If the session is back here, the copy in force makes this record
        // redundant.
        roll_.SetDeadline(
            i, roll_.lived_us() +
                   absl::ToInt64Microseconds(IsBack(i) ? options_.leave_delay
                                                       : options_.record_keep));
        return;
      }
      [[fallthrough]];
    case SessionState::kEnded:
      DropRecord(i);
      return;
    case SessionState::kPending:
      return;
  }
}

void LocalSessions::OnLosers(const std::vector<SessionIdx>& losers,
                             Output& out) {
  for (SessionIdx i : losers) {
    crdt::SessionContent content = store().session(i).content();
    SessionIdx winner = roll_.InForce(content.session);
    bool live = content.state == SessionState::kConnected ||
                content.state == SessionState::kDisconnected;
    if (!live || winner == i || winner == kNone) continue;
    const auto& record = store().session(winner);
    content.state = SessionState::kMoved;
    content.moved_life = roll_.StreamAt(record.stream)->origin.life;
    content.moved_seq = record.seq;
    out.ended.push_back({content.session, absl::AbortedError(absl::StrCat(
                                              "session moved to ",
                                              where_(content.moved_life)))});
    own_.UpdateSession(i, content);
    End(i, options_.record_keep);
  }
}

}  // namespace muster::core
