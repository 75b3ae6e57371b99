#include "node/core/presence/presence_rebase.h"

#include <string>

#include "node/core/stream/rebase_elements.h"

namespace muster::core {

using crdt::kNone;
using crdt::Mutation;
using crdt::RowIdx;
using crdt::Seq;
using crdt::SessionIdx;
using Kind = RebaseFrame::Kind;

namespace {

void ToFirst(const crdt::PresenceStore& store, SeqCursor& cursor) {
  cursor.session = store.FirstSessionBySeq(cursor.stream);
  cursor.row = store.FirstRowBySeq(cursor.stream);
}

struct SessionAt {
  crdt::PresenceStore& store;
  SeqCursor& at;
  Seq seq() const {
    return at.session == kNone ? Seq() : store.session(at.session).seq;
  }
  void encode(std::string& out) const { store.EncodeSession(at.session, out); }
  void next() const { at.session = store.NextSessionBySeq(at.session); }
};

struct EntryAt {
  crdt::PresenceStore& store;
  SeqCursor& at;
  Seq upto;
  Seq seq() const {
    if (at.row == kNone || store.seq(at.row) > upto) return Seq();
    return store.seq(at.row);
  }
  void encode(std::string& out) const { store.EncodeEntry(at.row, out); }
  void next() const { at.row = store.NextRowBySeq(at.row); }
};

}  // namespace

// -------------------------------------------------------------------- walk

PresenceWalk::PresenceWalk(Roll& roll, Stream& stream) : roll_(roll) {
  cursor_.stream = stream.idx;
  roll_.AddCursor(&cursor_);
}

PresenceWalk::~PresenceWalk() { roll_.RemoveCursor(&cursor_); }

void PresenceWalk::Restart() { ToFirst(roll_.store(), cursor_); }

std::optional<ElementWalk::Elements> PresenceWalk::Next(const Limits& limits) {
  crdt::PresenceStore& store = roll_.store();
  auto sessions = TakeElements(SessionAt{store, cursor_}, limits,
                               Kind::kKeepParents, Kind::kPutParents);
  if (sessions.has_value()) return sessions;
  return TakeElements(EntryAt{store, cursor_, limits.upto}, limits, Kind::kKeep,
                      Kind::kPut);
}

// ------------------------------------------------------------------- merge

PresenceMerge::PresenceMerge(Roll& roll, Stream& stream)
    : roll_(roll), stream_(stream) {
  cursor_.stream = stream.idx;
  roll_.AddCursor(&cursor_);
}

PresenceMerge::~PresenceMerge() { roll_.RemoveCursor(&cursor_); }

void PresenceMerge::Restart() { ToFirst(roll_.store(), cursor_); }

ElementMerge::Outcome PresenceMerge::Keep(const RebaseFrame& frame,
                                          NameProgress& progress,
                                          size_t& steps) {
  if (frame.kind == Kind::kKeepParents) {
    return PassNames(frame, progress,
                     [&](Seq seq) { return PassSession(seq, steps); });
  }
  return PassNames(frame, progress,
                   [&](Seq seq) { return PassRow(seq, steps); });
}

ElementMerge::Outcome PresenceMerge::PassSession(Seq seq, size_t& steps) {
  crdt::PresenceStore& store = roll_.store();
  for (SessionIdx& at = cursor_.session; at != kNone;) {
    const Seq here = store.session(at).seq;
    if (here > seq) break;
    if (steps == 0) return Outcome::kMore;
    --steps;
    if (here == seq) store.set_session_round(at, stream_.round);
    at = store.NextSessionBySeq(at);
    if (here == seq) return Outcome::kDone;
  }
  return Outcome::kBad;
}

ElementMerge::Outcome PresenceMerge::PassRow(Seq seq, size_t& steps) {
  crdt::PresenceStore& store = roll_.store();
  for (RowIdx& at = cursor_.row; at != kNone;) {
    const Seq here = store.seq(at);
    if (here > seq) break;
    if (steps == 0) return Outcome::kMore;
    --steps;
    if (here == seq) store.set_round(at, stream_.round);
    at = store.NextRowBySeq(at);
    if (here == seq) return Outcome::kDone;
  }
  return Outcome::kBad;
}

bool PresenceMerge::Put(const RebaseFrame& frame, Seq& last) {
  absl::string_view bytes = *frame.payload;
  Seq seq;
  Mutation mutation;
  for (uint32_t n = 0; n < frame.count; ++n) {
    if (!crdt::DecodeElement(bytes, seq, mutation) ||
        roll_.Put(stream_, mutation) != Roll::Applied::kOk) {
      return false;
    }
    last = seq;
  }
  return true;
}

uint32_t PresenceMerge::Apply(absl::string_view bytes, Seq first,
                              uint32_t count) {
  Mutation mutation;
  for (uint32_t n = 0; n < count; ++n) {
    if (!crdt::DecodeMutation(bytes, Seq(first.value + n), mutation)) return n;
    roll_.Apply(stream_, mutation);
  }
  return count;
}

}  // namespace muster::core
