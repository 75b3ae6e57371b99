#include "node/core/keyspace/following.h"

#include <algorithm>

#include "crdt/keyspace/op.h"
#include "crdt/mutant.h"

namespace muster::core {
namespace {

// Frames that wait for the state to be whole; past it the leader sends again.
constexpr size_t kMaxWaiting = 4096;
// For how long a gap is not told again.
constexpr absl::Duration kTellGapAgain = absl::Milliseconds(300);
// Exchanges: the rate at which one that failed is begun again is kAskAgain.

}  // namespace

Following::Following(KvShared& shared, const Term& term, State state,
                     KvServedPops served, uint64_t& next_exchange)
    : shared_(shared),
      term_(term),
      state_(state),
      next_exchange_(next_exchange),
      echoed_(shared.now),
      served_(std::move(served)) {
  if (state_ == State::kAsked) Ask();
}

void Following::Ask() {
  asked_ = shared_.now;
  shared_.Send(term_.leader, KvFollowRequest{term_, shared_.state.context()});
}

bool Following::Lives() const {
  if (left_ || !shared_.peers.IsUp(term_.leader)) return false;
  return shared_.now - echoed_ <= kKvLives ||
         crdt::Mutated(crdt::Mutant::kKvBeatsAreLeader);
}

void Following::OnInvited() {
  if (state_ == State::kExchanging) return;
  state_ = State::kAsked;
  Ask();
}

// ------------------------------------------------------------- getting whole

void Following::OnTermBase(const KvTermBase& frame) {
  if (state_ == State::kExchanging) return;
  base_ = frame.base;
  if (!frame.by_log) return BeginExchange();
  if (state_ == State::kFollowing) return;
  // Does this node stand where the leader believes?
  if (shared_.state.context().Of(term_.leader) != frame.seq) {
    state_ = State::kAsked;
    return;
  }
  state_ = State::kFollowing;
  shared_.clock.Follow();
  tell_ = true;
}

void Following::BeginExchange() {
  state_ = State::kExchanging;
  asked_ = shared_.now;
  waiting_.clear();
  sink_.emplace(shared_, term_.leader, term_, base_, ++next_exchange_);
}

void Following::OnDigests(const KvExchangeDigests& frame) {
  if (sink_.has_value()) sink_->OnDigests(frame);
}

void Following::OnPart(const KvExchangePart& frame) {
  if (!sink_.has_value()) {
    // The leader has not heard that the exchange is over.
    if (whole() && shared_.now - asked_ >= kAskAgain) Ask();
    return;
  }
  sink_->OnPart(frame);
  CheckSink();
}

void Following::CheckSink() {
  if (!sink_.has_value() || !sink_->IsOver()) return;
  if (sink_->state() == ExchangeSink::State::kFailed) {
    sink_.reset();
    state_ = State::kAsked;
    return;
  }
  ++joins_;
  joined_buckets_ += sink_->buckets();
  std::deque<KvExchangePart> later = sink_->TakeLater();
  sink_.reset();
  state_ = State::kFollowing;
  tell_ = true;
  shared_.clock.Follow();
  for (const KvExchangePart& part : later) {
    Apply(*part.bytes, part.first, part.count);
  }
  std::deque<KvMutations> waiting = std::move(waiting_);
  waiting_.clear();
  for (const KvMutations& frame : waiting) OnMutations(frame);
}

bool Following::RunJob() {
  if (!sink_.has_value()) return false;
  const bool more = sink_->RunJob();
  CheckSink();
  return more;
}

void Following::Abandon() {
  if (sink_.has_value()) sink_->Abandon();
}

// ------------------------------------------------------------------- applying

void Following::OnBeat(const KvMutations& frame) {
  number_ = std::max(number_, frame.number);
  tell_ = true;
  shared_.clock.Heard(frame.time_us);
  while (!questions_.empty() && questions_.front().first <= frame.echo) {
    echoed_ = std::max(echoed_, questions_.front().second);
    questions_.pop_front();
  }
}

void Following::OnMutations(const KvMutations& frame) {
  OnBeat(frame);
  // The term is open: what said so was lost.
  if (state_ == State::kPromised) OnInvited();
  if (state_ != State::kFollowing) {
    if (state_ == State::kExchanging && frame.count > 0 &&
        waiting_.size() < kMaxWaiting) {
      waiting_.push_back(frame);
    }
    return;
  }
  if (frame.count > 0) Apply(*frame.mutations, frame.first, frame.count);
  // Behind a gap nothing was popped here.
  const crdt::Seq have = shared_.state.context().Of(term_.leader);
  for (const KvServed& served : frame.served) {
    if (served.seq <= have) served_.Add(served);
  }
}

void Following::Apply(absl::string_view bytes, crdt::Seq first,
                      uint32_t count) {
  const crdt::Seq have = shared_.state.context().Of(term_.leader);
  if (first > have.Next()) {
    const bool told =
        gap_told_ == have && shared_.now - gap_told_at_ < kTellGapAgain;
    if (told) return;
    gap_ = tell_ = true;
    gap_told_ = have;
    gap_told_at_ = shared_.now;
    return;
  }
  tell_ = true;
  crdt::Seq seq = first;
  for (uint32_t n = 0; n < count; ++n, seq = seq.Next()) {
    const absl::string_view before = bytes;
    kv::SkipMutation(bytes);
    if (seq <= have) continue;
    shared_.state.Apply(before.substr(0, before.size() - bytes.size()),
                        {base_, term_.leader, seq});
  }
}

// ----------------------------------------------------------------------- time

void Following::Tick() {
  if (sink_.has_value()) {
    sink_->Tick();
    CheckSink();
  }
  if (shared_.now >= next_question_) {
    next_question_ = shared_.now + shared_.Beat();
    questions_.emplace_back(++question_, shared_.now);
    tell_ = true;
  }
  while (!questions_.empty() &&
         shared_.now - questions_.front().second > kKvLives) {
    questions_.pop_front();
  }
  if (state_ == State::kAsked && shared_.now - asked_ >= kAskAgain) Ask();
}

void Following::Flush() {
  if (!tell_) return;
  tell_ = false;
  KvApplied applied;
  applied.term = term_;
  applied.number = number_;
  applied.question = question_;
  if (state_ == State::kFollowing) {
    applied.seq = shared_.state.context().Of(term_.leader);
    applied.gap = gap_;
  }
  gap_ = false;
  shared_.Send(term_.leader, applied);
}

}  // namespace muster::core
