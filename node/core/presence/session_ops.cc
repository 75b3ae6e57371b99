// Track, update and untrack: the hot path of LocalSessions.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "crdt/session_rows.h"
#include "node/core/presence/local_sessions.h"

namespace muster::core {

using crdt::kNone;
using crdt::Ref;
using crdt::RowIdx;
using crdt::SessionIdx;

namespace {

absl::Status Full(absl::string_view field) {
  return absl::ResourceExhaustedError(absl::StrCat(
      field,
      ": the cluster holds nearly as many keys and metas as a node can "
      "(a million above 16 KiB, or 64 GiB of smaller ones)"));
}

}  // namespace

absl::StatusOr<bool> LocalSessions::Apply(const ApplyRequest& request,
                                          ApplyReply& reply, size_t& budget) {
  absl::StatusOr<SessionIdx> live = Live(request.session);
  if (!live.ok()) return live.status();
  SessionIdx session = *live;
  for (size_t& i = reply.untracked; i < request.untrack.size(); ++i) {
    if (budget == 0) return false;
    --budget;
    absl::Status status = Untrack(session, request.untrack[i]);
    if (!status.ok()) {
      reply.untrack_errors.push_back({static_cast<uint32_t>(i), status});
    }
  }
  reply.updated.reserve(request.update.size());
  for (size_t i = reply.updated.size(); i < request.update.size(); ++i) {
    if (budget == 0) return false;
    --budget;
    absl::StatusOr<Ref> ref = Update(session, request.update[i]);
    reply.updated.push_back(ref.ok() ? *ref : Ref{});
    if (!ref.ok()) {
      reply.update_errors.push_back({static_cast<uint32_t>(i), ref.status()});
    }
  }
  reply.tracked.reserve(request.track.size());
  const size_t first = reply.tracked.size();
  const size_t end = first + std::min(budget, request.track.size() - first);
  for (size_t i = first; i < end; ++i) {
    store().PrefetchKey(request.track[i].key);
  }
  for (size_t i = first; i < end; ++i) {
    absl::StatusOr<Ref> ref = Track(session, request.track[i]);
    reply.tracked.push_back(ref.ok() ? *ref : Ref{});
    if (!ref.ok()) {
      reply.track_errors.push_back({static_cast<uint32_t>(i), ref.status()});
    }
  }
  budget -= end - first;
  return end == request.track.size();
}

absl::StatusOr<Ref> LocalSessions::Track(SessionIdx session,
                                         const TrackOp& op) {
  if (store().session(session).entries >= options_.max_entries_per_session) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "track: the session holds ", store().session(session).entries,
        " entries, its limit (--max-entries-per-session)"));
  }
  if (store().full()) return Full("track");
  if (!op.allow_duplicate) {
    const RowIdx found = FindOfSession(
        store(), store().session(session).session, op.topic, op.key,
        [&](RowIdx row) {
          return store().session_of(row) == session && !store().detached(row);
        });
    if (found != kNone) {
      return absl::AlreadyExistsError(absl::StrCat(
          "track: (", op.topic, ", ", op.key,
          ") is tracked by this session already; set allow_duplicate to "
          "track it again"));
    }
  }
  return store().ref(
      own_.AddEntry(session, op.topic, op.key, op.meta, Ref{}, {}));
}

absl::StatusOr<RowIdx> LocalSessions::FindRef(SessionIdx session,
                                              const Ref& ref) const {
  const crdt::PresenceStore& store = roll_.store();
  RowIdx row = kNone;
  auto adopted = adopted_.find({session, ref});
  if (adopted != adopted_.end()) {
    row = adopted->second;
  } else if (ref.life == own_.stream().origin.life.hi) {
    row = store.FindEntry(own_.stream().idx, ref.id);
    if (row != kNone &&
        (store.session_of(row) != session || store.ref(row) != ref)) {
      row = kNone;
    }
  }
  if (row != kNone) return row;
  if (const EvictedRefs::Reason reason = evicted_.Find(ref)) {
    return absl::NotFoundError(absl::StrCat(
        "ref: its entry was evicted", reason->empty() ? "" : ": ", *reason));
  }
  return absl::NotFoundError(
      "ref: this session has no entry of it (updated since, untracked, or "
      "never its own)");
}

absl::StatusOr<Ref> LocalSessions::Update(SessionIdx session,
                                          const UpdateOp& op) {
  absl::StatusOr<RowIdx> row = FindRef(session, op.ref);
  if (!row.ok()) return row.status();
  if (store().meta(*row) == op.meta) return op.ref;
  if (store().full()) return Full("update");
  adopted_.erase({session, op.ref});
  own_.UpdateEntry(*row, op.meta);
  return store().ref(*row);
}

absl::Status LocalSessions::Untrack(SessionIdx session, const Ref& ref) {
  absl::StatusOr<RowIdx> row = FindRef(session, ref);
  if (!row.ok()) return row.status();
  RemoveOwnEntry(*row);
  return absl::OkStatus();
}

}  // namespace muster::core
