#include "node/core/presence/roll.h"

#include <algorithm>
#include <array>

#include "crdt/check.h"
#include "crdt/mutant.h"
#include "node/core/presence/presence_rebase.h"

namespace muster::core {
namespace {

using crdt::kNone;
using crdt::Mutant;
using crdt::Mutated;
using crdt::Mutation;
using crdt::RowIdx;
using crdt::Seq;
using crdt::SessionIdx;
using crdt::SessionState;

// How many own sessions one call of RunDeadlines returns.
constexpr size_t kOwnDue = 32;
// How many rows and sessions a slice of a sweep looks at.
constexpr size_t kSwept = 128;

}  // namespace

Roll::Roll(const Options& options, StreamTable& streams, uint64_t hash_seed)
    : options_(options.sessions), streams_(streams), store_(hash_seed) {}

// ----------------------------------------------------------------- streams

crdt::StreamIdx Roll::Added(Stream& stream) {
  const crdt::StreamIdx idx = store_.AddStream(stream.origin.life.hi);
  if (by_idx_.size() <= idx) {
    by_idx_.resize(idx + 1);
    lasting_.resize(idx + 1);
  }
  by_idx_[idx] = &stream;
  lasting_[idx] = {};
  return idx;
}

void Roll::Dropped(Stream& stream) {
  jobs_.emplace_back(Job::Kind::kDrop, stream.idx);
}

std::unique_ptr<ElementWalk> Roll::Elements(Stream& stream) {
  return std::make_unique<PresenceWalk>(*this, stream);
}

std::unique_ptr<ElementMerge> Roll::Rebase(Stream& stream) {
  return std::make_unique<PresenceMerge>(*this, stream);
}

void Roll::Settle(Stream& stream) {
  ++lasting_[stream.idx].jobs;
  jobs_.emplace_back(Job::Kind::kStream, stream.idx);
}

bool Roll::HasWanted(const Stream& stream) const {
  const Lasting& lasting = lasting_[stream.idx];
  return !stream.hidden() || lasting.jobs > 0 ||
         lasting.wanted_until_us > lived_us();
}

// --------------------------------------------------------------- mutations

bool Roll::ApplyRun(Stream& stream, absl::string_view& bytes, Seq seq,
                    Seq end) {
  while (seq < end) {
    if (!ApplySome(stream, bytes, seq, end)) return false;
  }
  return true;
}

// Decodes a few mutations, so that their memory is prefetched meanwhile, and
// applies them. Moves `bytes` and `seq` past the applied ones.
bool Roll::ApplySome(Stream& stream, absl::string_view& bytes, Seq& seq,
                     Seq end) {
  struct Ahead {
    Mutation mutation;
    absl::string_view rest;  // After it.
  };
  std::array<Ahead, 16> ahead;
  size_t decoded = 0;
  absl::string_view rest = bytes;
  bool good = true;
  for (Seq at = seq; good && decoded < ahead.size() && at < end;
       at = at.Next()) {
    Ahead& next = ahead[decoded];
    good = crdt::DecodeMutation(rest, at, next.mutation);
    if (!good) break;
    next.rest = rest;
    ++decoded;
    if (next.mutation.kind == Mutation::Kind::kPutEntry) {
      store_.PrefetchKey(next.mutation.entry.key);
    }
  }
  for (size_t i = 0; i < decoded; ++i) {
    if (Apply(stream, ahead[i].mutation) != Applied::kOk) return false;
    stream.vv = seq;
    seq = seq.Next();
    bytes = ahead[i].rest;
  }
  return good;
}

Roll::Applied Roll::Apply(Stream& stream, const Mutation& mutation) {
  switch (mutation.kind) {
    case Mutation::Kind::kPutSession:
      return PutSession(stream, mutation, /*overwrite=*/false);
    case Mutation::Kind::kPutEntry:
      return PutEntry(stream, mutation, /*overwrite=*/false);
    case Mutation::Kind::kRemoveSession:
      return RemoveSession(stream, mutation.id);
    case Mutation::Kind::kRemoveEntry:
      return RemoveEntry(stream, mutation.id);
  }
  return Applied::kBad;
}

Roll::Applied Roll::Put(Stream& stream, const Mutation& mutation) {
  return mutation.kind == Mutation::Kind::kPutSession
             ? PutSession(stream, mutation, /*overwrite=*/true)
             : PutEntry(stream, mutation, /*overwrite=*/true);
}

Roll::Applied Roll::PutSession(Stream& stream, const Mutation& mutation,
                               bool overwrite) {
  const crdt::SessionContent& content = mutation.session;
  SessionIdx i = store_.sessions().Find(stream.idx, mutation.id);
  bool is_new = i == kNone;
  if (!is_new) {
    if (store_.session(i).session != content.session) {
      return Applied::kBad;
    }
    store_.set_session_round(i, stream.round);
    if (mutation.seq < store_.session(i).seq && !overwrite) return Applied::kOk;
    DetachSessionCursors(i);
    if (!stream.own && store_.session(i).state() != content.state) {
      set_deadline_us(i, 0);
    }
  }
  i = store_.PutSession(stream.idx, mutation.id, mutation.seq, content);
  Unmark(i, kExpired | kBuried);
  store_.set_session_round(i, stream.round);
  if (!stream.own) SetGraceDeadline(i, stream);
  if (!store_.sessions().Sole(i)) {
    OnCopiesChanged(content.session);
  } else if (!is_new) {
    QueueSession(i);
  }
  return Applied::kOk;
}

RowIdx Roll::AddEntry(Stream& stream, SessionIdx session,
                      const Mutation& mutation) {
  RowIdx row =
      store_.AddEntry(session, mutation.id, mutation.seq, mutation.entry);
  store_.set_round(row, stream.round);
  ReconcileRow(row);
  return row;
}

Roll::Applied Roll::PutEntry(Stream& stream, const Mutation& mutation,
                             bool overwrite) {
  const crdt::EntryContent& content = mutation.entry;
  RowIdx row = store_.FindEntry(stream.idx, mutation.id);
  if (row != kNone && Mutated(Mutant::kUpdateLeavesAndJoins)) {
    RemoveRow(row);
    row = kNone;
  }
  if (row == kNone) {
    SessionIdx session = store_.sessions().Find(stream.idx, content.session);
    if (session == kNone) return Applied::kBad;
    AddEntry(stream, session, mutation);
    return Applied::kOk;
  }
  if (store_.session(store_.session_of(row)).id != content.session ||
      store_.topic(row) != content.topic || store_.key(row) != content.key ||
      store_.explicit_root(row) != content.root) {
    return Applied::kBad;
  }
  store_.set_round(row, stream.round);
  Seq had = store_.seq(row);
  bool same = had == mutation.seq && store_.meta(row) == content.meta &&
              store_.adopted_as(row) == content.ref;
  if (mutation.seq < had && !overwrite) return Applied::kOk;
  DetachCursors(row);
  if (same) {
    store_.MoveToSeqTail(row);
    return Applied::kOk;
  }
  if (!store_.shown(row)) ReconcileRow(row);
  store_.UpdateEntry(row, mutation.seq, content.meta, content.ref);
  return Applied::kOk;
}

Roll::Applied Roll::RemoveSession(Stream& stream, crdt::ElementId id) {
  SessionIdx i = store_.sessions().Find(stream.idx, id);
  if (i == kNone) return Applied::kOk;
  while (store_.FirstRowOf(i) != kNone) RemoveRow(store_.FirstRowOf(i));
  RemoveSessionRecord(i);
  return Applied::kOk;
}

void Roll::RemoveSessionRecord(SessionIdx i) {
  crdt::SessionId sid = store_.session(i).session;
  DetachSessionCursors(i);
  if (Marked(i, kLost)) std::erase(losers_, i);
  store_.RemoveSession(i);
  if (store_.sessions().FirstCopy(sid) != kNone) OnCopiesChanged(sid);
}

Roll::Applied Roll::RemoveEntry(Stream& stream, crdt::ElementId id) {
  RowIdx row = store_.FindEntry(stream.idx, id);
  if (row == kNone) return Applied::kOk;
  SessionIdx session = store_.session_of(row);
  // If another copy is to take over, the entry stays shown until the other
  // copy's row replaces it.
  if (store_.shown(row) && Wanted(session) == Want::kKeep) {
    DetachCursors(row);
    DetachJob(row);
    store_.Detach(row);
  } else {
    RemoveRow(row);
  }
  return Applied::kOk;
}

void Roll::RemoveRow(RowIdx row) {
  if (store_.shown(row)) HideOrReplace(row);
  if (!store_.detached(row)) DetachCursors(row);
  DetachJob(row);
  store_.RemoveEntry(row);
}

void Roll::DetachJob(RowIdx row) {
  if (!jobs_.empty() && jobs_.front().row == row) {
    jobs_.front().row = store_.NextRowOf(row);
  }
}

bool Roll::Sweep(Stream& stream, SeqCursor& at) {
  for (size_t i = 0; i < kSwept; ++i) {
    if (at.row != kNone) {
      RowIdx row = at.row;
      at.row = store_.NextRowBySeq(row);
      if (store_.round(row) != stream.round) {
        RemoveEntry(stream, store_.id(row));
      }
    } else if (at.session != kNone) {
      SessionIdx session = at.session;
      at.session = store_.NextSessionBySeq(session);
      if (store_.session_round(session) != stream.round) {
        RemoveSession(stream, store_.session(session).id);
      }
    } else {
      return true;
    }
  }
  return false;
}

// --------------------------------------------------------------- cursors

void Roll::AddCursor(SeqCursor* cursor) { cursors_.push_back(cursor); }

void Roll::RemoveCursor(SeqCursor* cursor) {
  cursors_.erase(std::remove(cursors_.begin(), cursors_.end(), cursor),
                 cursors_.end());
}

void Roll::DetachCursors(RowIdx row) {
  for (SeqCursor* cursor : cursors_) {
    if (cursor->row == row) cursor->row = store_.NextRowBySeq(row);
  }
}

void Roll::DetachSessionCursors(SessionIdx session) {
  for (SeqCursor* cursor : cursors_) {
    if (cursor->session == session) {
      cursor->session = store_.NextSessionBySeq(session);
    }
  }
}

// ---------------------------------------------------------------- time

void Roll::SetDeadline(SessionIdx i, int64_t lived_us) {
  const crdt::PresenceStore::Session& session = store_.session(i);
  bool armed = Marked(i, kArmed);
  // One that had no deadline may be armed still, for one it had before.
  bool sooner = deadline_us(i) == 0 || lived_us < deadline_us(i);
  set_deadline_us(i, lived_us);
  if (lived_us == 0 || (armed && !sooner)) return;
  Mark(i, kArmed);
  deadlines_.insert({lived_us, session.stream, session.id});
}

bool Roll::Expire(SessionIdx i) {
  if (Marked(i, kExpired)) return false;
  Mark(i, kExpired);
  OnCopiesChanged(store_.session(i).session);
  return true;
}

bool Roll::RunDeadlines(size_t limit, std::vector<crdt::ElementId>& own) {
  for (size_t n = 0; n < limit; ++n) {
    if (deadlines_.empty() || std::get<0>(*deadlines_.begin()) > lived_us()) {
      return false;
    }
    auto [at, stream_idx, id] = *deadlines_.begin();
    deadlines_.erase(deadlines_.begin());
    SessionIdx i = store_.sessions().Find(stream_idx, id);
    if (i == kNone) continue;
    const crdt::PresenceStore::Session& session = store_.session(i);
    Unmark(i, kArmed);
    if (deadline_us(i) == 0) continue;
    if (deadline_us(i) > lived_us()) {
      // It was put off since; a beat costs nothing but this.
      Mark(i, kArmed);
      deadlines_.insert({deadline_us(i), stream_idx, id});
      continue;
    }
    const Stream& stream = *by_idx_[stream_idx];
    if (stream.own) {
      set_deadline_us(i, 0);  // Told once.
      own.push_back(id);
      if (own.size() == kOwnDue) return true;
      continue;
    }
    if (!stream.hidden() && session.state() != SessionState::kMoved) continue;
    if (Lapsed(i)) {
      if (store_.sessions().Sole(i)) continue;
      Mark(i, kBuried);
      OnCopiesChanged(session.session);
      continue;
    }
    // Others may have heard its owner later than we had.
    set_deadline_us(i, GraceDeadline(i, stream));
    if (deadline_us(i) > lived_us()) {
      SetDeadline(i, deadline_us(i));
      continue;
    }
    Expire(i);
  }
  return true;
}

}  // namespace muster::core
