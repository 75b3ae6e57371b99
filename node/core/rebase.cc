#include "node/core/rebase.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "crdt/mutant.h"

namespace muster::core {

using crdt::kNone;
using crdt::Mutant;
using crdt::Mutated;
using crdt::Mutation;
using crdt::RowIdx;
using crdt::Seq;
using crdt::SessionIdx;
using Kind = RebaseFrame::Kind;

// ------------------------------------------------------------------ sender

RebaseSender::RebaseSender(Roll& roll, Stream& stream, uint64_t id, Seq have,
                           size_t frame_bytes)
    : roll_(roll),
      stream_(stream),
      id_(id),
      frame_bytes_(frame_bytes),
      have_(have) {
  cursor_.stream = stream.idx;
  roll_.AddCursor(&cursor_);
}

RebaseSender::~RebaseSender() { roll_.RemoveCursor(&cursor_); }

RebaseFrame RebaseSender::Make(Kind kind, std::string payload, uint32_t count) {
  RebaseFrame frame;
  frame.stream = stream_.id();
  frame.rebase_id = id_;
  frame.number = ++number_;
  frame.kind = kind;
  frame.have = have_;
  frame.seq = upto_;
  frame.count = count;
  frame.payload = std::make_shared<const std::string>(std::move(payload));
  return frame;
}

RebaseFrame RebaseSender::Begin() {
  upto_ = stream_.vv;
  cursor_.session = roll_.store().FirstSessionBySeq(stream_.idx);
  cursor_.row = roll_.store().FirstRowBySeq(stream_.idx);
  phase_ = Phase::kSessions;
  return Make(Kind::kBegin, {}, 0);
}

// `walk` gives the element at the cursor: its seq (0 at the end), a way to
// encode it, and a step to the next.
template <typename Walk>
std::optional<RebaseFrame> RebaseSender::Elements(Walk walk, Kind keep,
                                                  Kind put) {
  Seq seq = walk.seq();
  if (seq == Seq()) return std::nullopt;
  bool naming = seq <= have_;
  std::string payload;
  Seq previous;
  uint32_t count = 0;
  for (; seq != Seq() && (seq <= have_) == naming; seq = walk.seq()) {
    crdt::AppendElementSeq(previous, seq, payload);
    previous = seq;
    if (!naming) walk.encode(payload);
    walk.next();
    ++count;
    // A put may be as large as a meta may be: leave room for one.
    if (count >= (naming ? frame_bytes_ / kNameBytes : kPuts)) break;
    if (payload.size() > frame_bytes_ / 2) break;
  }
  return Make(naming ? keep : put, std::move(payload), count);
}

std::optional<RebaseFrame> RebaseSender::Log() {
  crdt::MutationLog& log = roll_.log();
  if (!log.Reaches(stream_.idx, log_cursor_.at)) {
    have_ = upto_;
    return Begin();
  }
  auto run = log.Read(stream_.idx, log_cursor_, frame_bytes_ / 2);
  if (run.has_value()) {
    RebaseFrame frame = Make(Kind::kDelta, std::move(run->bytes), run->count);
    frame.seq = crdt::Seq(run->first.value + run->count - 1);
    return frame;
  }
  phase_ = Phase::kDone;
  RebaseFrame frame = Make(Kind::kEnd, {}, 0);
  frame.seq = stream_.vv;
  frame.digest = roll_.store().Digest(stream_.idx);
  return frame;
}

std::optional<RebaseFrame> RebaseSender::Next() {
  struct Sessions {
    crdt::PresenceStore& store;
    SeqCursor& at;
    Seq seq() const {
      return at.session == kNone ? Seq() : store.session(at.session).seq;
    }
    void encode(std::string& out) const {
      store.EncodeSession(at.session, out);
    }
    void next() const { at.session = store.NextSessionBySeq(at.session); }
  };
  struct Entries {
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
  crdt::PresenceStore& store = roll_.store();
  if (phase_ == Phase::kBegin) return Begin();
  if (phase_ == Phase::kSessions) {
    auto frame = Elements(Sessions{store, cursor_}, Kind::kKeepSessions,
                          Kind::kPutSessions);
    if (frame.has_value()) return frame;
    phase_ = Phase::kEntries;
  }
  if (phase_ == Phase::kEntries) {
    auto frame = Elements(Entries{store, cursor_, upto_}, Kind::kKeepEntries,
                          Kind::kPutEntries);
    if (frame.has_value()) return frame;
    phase_ = Phase::kLog;
    log_cursor_ = {upto_};
  }
  if (phase_ == Phase::kLog) return Log();
  return std::nullopt;
}

// ---------------------------------------------------------------- receiver

RebaseReceiver::RebaseReceiver(Roll& roll, Stream& stream, uint64_t id)
    : roll_(roll), stream_(stream), id_(id), reorders_(stream.rebasing) {
  cursor_.stream = stream.idx;
  roll_.AddCursor(&cursor_);
}

RebaseReceiver::~RebaseReceiver() { roll_.RemoveCursor(&cursor_); }

RebaseReceiver::Outcome RebaseReceiver::Step(RebaseFrame frame) {
  if (frame.number != number_ + 1) return Outcome::kGap;
  if (ended_ || (number_ == 0 && frame.kind != Kind::kBegin)) {
    return Outcome::kBad;
  }
  number_ = frame.number;
  waiting_.push_back(std::move(frame));
  return waiting_.size() == 1 ? Run() : Outcome::kMore;
}

RebaseReceiver::Outcome RebaseReceiver::Run() {
  left_ = kSteps;
  while (!waiting_.empty()) {
    if (left_ == 0) return Outcome::kMore;
    const Outcome outcome = Apply(waiting_.front());
    if (outcome == Outcome::kMore) return outcome;
    waiting_.pop_front();
    progress_ = {};
    if (outcome != Outcome::kOk) return outcome;
  }
  return Outcome::kOk;
}

RebaseReceiver::Outcome RebaseReceiver::Apply(const RebaseFrame& frame) {
  switch (frame.kind) {
    case Kind::kBegin:
      return Begin(frame);
    case Kind::kKeepSessions:
      return Names(frame, true);
    case Kind::kKeepEntries:
      return Names(frame, false);
    case Kind::kPutSessions:
    case Kind::kPutEntries:
      return Puts(frame);
    case Kind::kDelta:
      return Log(frame);
    case Kind::kEnd:
      return End(frame);
  }
  return Outcome::kBad;
}

void RebaseReceiver::ToFirst() {
  cursor_.session = roll_.store().FirstSessionBySeq(stream_.idx);
  cursor_.row = roll_.store().FirstRowBySeq(stream_.idx);
}

RebaseReceiver::Outcome RebaseReceiver::Begin(const RebaseFrame& frame) {
  // The first round starts at 0 or where we stand, another where the one
  // before it ended.
  bool fits = number_ == 1 ? frame.have == stream_.vv || frame.have == Seq()
                           : frame.have == at_;
  if (!fits || frame.seq < frame.have) return Outcome::kBad;
  if (frame.have != Seq() && frame.seq < stream_.applied) return Outcome::kBad;
  at_ = frame.seq;
  ++stream_.round;
  ToFirst();
  return Outcome::kOk;
}

RebaseReceiver::Outcome RebaseReceiver::Names(const RebaseFrame& frame,
                                              bool sessions) {
  absl::string_view bytes = *frame.payload;
  bytes.remove_prefix(progress_.offset);
  while (progress_.names < frame.count || !progress_.passed) {
    if (progress_.passed) {
      if (!crdt::DecodeSeqGap(bytes, progress_.seq)) return Outcome::kBad;
      ++progress_.names;
      progress_.offset = frame.payload->size() - bytes.size();
      progress_.passed = false;
    }
    const Outcome outcome =
        sessions ? PassSession(progress_.seq) : PassRow(progress_.seq);
    if (outcome != Outcome::kOk) return outcome;
    progress_.passed = true;
  }
  return Outcome::kOk;
}

RebaseReceiver::Outcome RebaseReceiver::PassSession(Seq seq) {
  crdt::PresenceStore& store = roll_.store();
  for (SessionIdx& at = cursor_.session; at != kNone;) {
    const Seq here = store.session(at).seq;
    if (here > seq) break;
    if (left_ == 0) return Outcome::kMore;
    --left_;
    if (here == seq) store.set_session_round(at, stream_.round);
    at = store.NextSessionBySeq(at);
    if (here == seq) return Outcome::kOk;
  }
  return Outcome::kBad;
}

RebaseReceiver::Outcome RebaseReceiver::PassRow(Seq seq) {
  crdt::PresenceStore& store = roll_.store();
  for (RowIdx& at = cursor_.row; at != kNone;) {
    const Seq here = store.seq(at);
    if (here > seq) break;
    if (left_ == 0) return Outcome::kMore;
    --left_;
    if (here == seq) store.set_round(at, stream_.round);
    at = store.NextRowBySeq(at);
    if (here == seq) return Outcome::kOk;
  }
  return Outcome::kBad;
}

RebaseReceiver::Outcome RebaseReceiver::Puts(const RebaseFrame& frame) {
  left_ -= std::min(left_, frame.count * kPutSteps);
  reorders_ = true;
  absl::string_view bytes = *frame.payload;
  Seq seq;
  Mutation mutation;
  for (uint32_t n = 0; n < frame.count; ++n) {
    if (!crdt::DecodeElement(bytes, seq, mutation) ||
        roll_.Put(stream_, mutation) != Roll::Applied::kOk) {
      return Outcome::kBad;
    }
    stream_.applied = std::max(stream_.applied, seq);
  }
  if (Mutated(Mutant::kMovesPositionInRebase)) stream_.vv = stream_.applied;
  return Outcome::kOk;
}

RebaseReceiver::Outcome RebaseReceiver::Log(const RebaseFrame& frame) {
  if (frame.seq.value != at_.value + frame.count) return Outcome::kBad;
  left_ -= std::min(left_, frame.count * kPutSteps);
  if (Mutated(Mutant::kSweepsEarly)) {
    for (ToFirst(); !Sweep();) continue;
  }
  absl::string_view bytes = *frame.payload;
  Mutation mutation;
  for (uint32_t n = 0; n < frame.count; ++n) {
    if (!crdt::DecodeMutation(bytes, at_.Next(), mutation)) {
      return Outcome::kBad;
    }
    // An entry whose session is unknown was removed, with its session, before
    // the sender came to it: a later mutation says so.
    roll_.Apply(stream_, mutation);
    at_ = at_.Next();
    stream_.applied = std::max(stream_.applied, at_);
  }
  return Outcome::kOk;
}

RebaseReceiver::Outcome RebaseReceiver::End(const RebaseFrame& frame) {
  if (frame.seq != at_) return Outcome::kBad;
  ended_ = true;
  final_seq_ = frame.seq;
  final_digest_ = frame.digest;
  stream_.applied = std::max(stream_.applied, frame.seq);
  ToFirst();
  return Outcome::kEnded;
}

}  // namespace muster::core
