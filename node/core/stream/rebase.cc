#include "node/core/stream/rebase.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "crdt/mutant.h"

namespace muster::core {

using crdt::Mutant;
using crdt::Mutated;
using crdt::Seq;
using Kind = RebaseFrame::Kind;

// ------------------------------------------------------------------ sender

RebaseSender::RebaseSender(StreamTable& streams, Stream& stream, uint64_t id,
                           Seq have, size_t frame_bytes)
    : streams_(streams),
      stream_(stream),
      id_(id),
      frame_bytes_(frame_bytes),
      have_(have),
      elements_(streams.state(stream.kind).Elements(stream)) {}

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
  ++rounds_;
  elements_->Restart();
  phase_ = Phase::kElements;
  return Make(Kind::kBegin, {}, 0);
}

RebaseFrame RebaseSender::Log() {
  const crdt::MutationLog& log = streams_.log(stream_.kind);
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
  frame.digest = streams_.state(stream_.kind).Digest(stream_);
  return frame;
}

std::optional<RebaseFrame> RebaseSender::Next() {
  if (phase_ == Phase::kBegin) return Begin();
  if (phase_ == Phase::kElements) {
    auto elements = elements_->Next({have_, upto_, frame_bytes_});
    if (elements.has_value()) {
      return Make(elements->kind, std::move(elements->payload),
                  elements->count);
    }
    phase_ = Phase::kLog;
    log_cursor_ = {upto_};
  }
  if (phase_ == Phase::kLog) return Log();
  return std::nullopt;
}

// ---------------------------------------------------------------- receiver

RebaseReceiver::RebaseReceiver(StreamTable& streams, Stream& stream,
                               uint64_t id)
    : stream_(stream),
      elements_(streams.state(stream.kind).Rebase(stream)),
      id_(id),
      reorders_(stream.rebasing) {}

RebaseReceiver::Outcome RebaseReceiver::OnFrame(RebaseFrame frame) {
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
    case Kind::kKeepParents:
    case Kind::kKeep:
      return Names(frame);
    case Kind::kPutParents:
    case Kind::kPut:
      return Puts(frame);
    case Kind::kDelta:
      return Log(frame);
    case Kind::kEnd:
      return End(frame);
  }
  return Outcome::kBad;
}

RebaseReceiver::Outcome RebaseReceiver::Begin(const RebaseFrame& frame) {
  // The first round starts at 0 or at our position, a later round at the end of
  // the one before.
  bool fits = number_ == 1 ? frame.have == stream_.vv || frame.have == Seq()
                           : frame.have == at_;
  if (!fits || frame.seq < frame.have) return Outcome::kBad;
  if (frame.have != Seq() && frame.seq < stream_.applied) return Outcome::kBad;
  at_ = frame.seq;
  ++stream_.round;
  elements_->Restart();
  return Outcome::kOk;
}

RebaseReceiver::Outcome RebaseReceiver::Names(const RebaseFrame& frame) {
  switch (elements_->Keep(frame, progress_, left_)) {
    case ElementMerge::Outcome::kDone:
      return Outcome::kOk;
    case ElementMerge::Outcome::kMore:
      return Outcome::kMore;
    case ElementMerge::Outcome::kBad:
      return Outcome::kBad;
  }
  return Outcome::kBad;
}

RebaseReceiver::Outcome RebaseReceiver::Puts(const RebaseFrame& frame) {
  left_ -= std::min(left_, frame.count * kPutSteps);
  reorders_ = true;
  Seq last;
  const bool good = elements_->Put(frame, last);
  stream_.applied = std::max(stream_.applied, last);
  if (!good) return Outcome::kBad;
  if (Mutated(Mutant::kMovesPositionInRebase)) stream_.vv = stream_.applied;
  return Outcome::kOk;
}

RebaseReceiver::Outcome RebaseReceiver::Log(const RebaseFrame& frame) {
  if (frame.seq.value != at_.value + frame.count) return Outcome::kBad;
  left_ -= std::min(left_, frame.count * kPutSteps);
  if (Mutated(Mutant::kSweepsEarly)) {
    for (elements_->Restart(); !elements_->Sweep();) continue;
  }
  const uint32_t applied =
      elements_->Apply(*frame.payload, at_.Next(), frame.count);
  at_ = Seq(at_.value + applied);
  if (applied > 0) stream_.applied = std::max(stream_.applied, at_);
  return applied == frame.count ? Outcome::kOk : Outcome::kBad;
}

RebaseReceiver::Outcome RebaseReceiver::End(const RebaseFrame& frame) {
  if (frame.seq != at_) return Outcome::kBad;
  ended_ = true;
  final_seq_ = frame.seq;
  final_digest_ = frame.digest;
  stream_.applied = std::max(stream_.applied, frame.seq);
  elements_->Restart();
  return Outcome::kEnded;
}

}  // namespace muster::core
