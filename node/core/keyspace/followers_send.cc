// Exchanges with followers, and all that is sent to them.
#include <algorithm>

#include "node/core/keyspace/followers.h"

namespace muster::core {
namespace {

// Answers in one frame, in bytes about.
constexpr size_t kAnswerBytes = 256 << 10;
// Served pops that the next leader may have to know of.
constexpr size_t kServedKept = 10'000;
// Numbers whose times of sending are kept: a beat each.
constexpr size_t kNumbersKept = 64;

}  // namespace

// ------------------------------------------------------------------ exchanges

void Followers::OnExchangeBegin(crdt::LifeId life,
                                const KvExchangeBegin& begin) {
  Follower& follower = Find(life);
  // A begin that comes late, once more, is of an exchange that is over.
  if (begin.exchange <= follower.exchange) return;
  follower.exchange = begin.exchange;
  Enter(follower, State::kExchanging);
  follower.progress = shared_.now;
  follower.source =
      std::make_unique<ExchangeSource>(shared_, life, begin, &log_);
  dirty_ = true;
}

void Followers::OnExchangeWant(crdt::LifeId life, const KvExchangeWant& want) {
  const auto at = followers_.find(life);
  if (at == followers_.end() || at->second.source == nullptr) return;
  if (at->second.source->exchange() != want.exchange) return;
  at->second.source->OnWant(want);
  dirty_ = true;
}

void Followers::OnExchangeAck(crdt::LifeId life, const KvExchangeAck& ack) {
  const auto at = followers_.find(life);
  if (at == followers_.end() || at->second.source == nullptr) return;
  Follower& follower = at->second;
  if (follower.source->exchange() != ack.exchange) return;
  follower.source->OnAck(ack);
  follower.progress = shared_.now;
  dirty_ = true;
  if (!follower.source->over()) return;
  const bool done = follower.source->done();
  const crdt::Seq taken = follower.source->taken();
  if (!done) return Enter(follower, State::kAsked);
  // It has all up to there, and goes on by the log; it says so itself once it
  // has joined what came.
  Enter(follower, State::kFollowing);
  follower.cursor = {taken};
  follower.progress = shared_.now;
}

// -------------------------------------------------------------------- sending

void Followers::Answer(crdt::LifeId life, KvAnswers::Answer answer) {
  const auto at = followers_.find(life);
  if (at == followers_.end()) return;
  at->second.answers.push_back(std::move(answer));
  dirty_ = true;
}

const Followers::Run* Followers::ReadRun(
    const crdt::MutationLog::Cursor& cursor) {
  if (run_.has_value() && run_->after == cursor.at) return &*run_;
  Run next;
  next.after = cursor.at;
  next.next = cursor;
  auto run = log_.Read(kOwnStream, next.next, shared_.options.frame_bytes);
  if (!run.has_value()) return nullptr;
  next.first = run->first;
  next.count = run->count;
  next.bytes = std::make_shared<std::string>(std::move(run->bytes));
  run_ = std::move(next);
  return &*run_;
}

KvMutations Followers::Beat(crdt::LifeId, Follower& follower) {
  follower.beat = shared_.now;
  KvMutations beat;
  beat.term = term_;
  beat.first = follower.cursor.at.Next();
  beat.number = number_;
  beat.echo = follower.question;
  beat.time_us = shared_.clock.now_us();
  return beat;
}

void Followers::SendMutations(crdt::LifeId life, Follower& follower) {
  if (!log_.Reaches(kOwnStream, follower.cursor.at)) {
    // It is too far behind: it has to exchange.
    Enter(follower, State::kAsked);
    shared_.Send(life, KvTermBase{term_, base_, false, {}});
    return;
  }
  while (follower.in_flight_bytes < shared_.options.window_bytes) {
    const Run* run = ReadRun(follower.cursor);
    if (run == nullptr) return;
    KvMutations frame = Beat(life, follower);
    frame.first = run->first;
    frame.count = run->count;
    frame.mutations = run->bytes;
    follower.cursor = run->next;
    for (const KvServed& served : served_) {
      if (served.seq >= run->first && served.seq <= run->next.at) {
        frame.served.push_back(served);
      }
    }
    if (follower.in_flight.empty()) follower.progress = shared_.now;
    follower.in_flight.emplace_back(run->next.at, run->bytes->size());
    follower.in_flight_bytes += run->bytes->size();
    shared_.Send(life, std::move(frame));
  }
}

void Followers::SendAnswers(crdt::LifeId life, Follower& follower) {
  KvAnswers frame;
  frame.term = term_;
  size_t bytes = 0;
  for (KvAnswers::Answer& answer : follower.answers) {
    bytes += answer.replies.bytes();
    frame.answers.push_back(std::move(answer));
    if (bytes < kAnswerBytes) continue;
    shared_.Send(life, std::move(frame));
    frame = KvAnswers{};
    frame.term = term_;
    bytes = 0;
  }
  follower.answers.clear();
  if (!frame.answers.empty()) shared_.Send(life, std::move(frame));
}

bool Followers::FlushOne(crdt::LifeId life, Follower& follower,
                         size_t& budget) {
  if (follower.state != State::kFollowing) SendAnswers(life, follower);
  if (follower.state == State::kExchanging && follower.source != nullptr) {
    if (shared_.now - follower.beat >= shared_.Beat()) {
      shared_.Send(life, Beat(life, follower));
    }
    const bool more = follower.source->Pump(budget);
    if (follower.source->over() && !follower.source->done()) {
      Enter(follower, State::kAsked);
    }
    return more;
  }
  if (follower.state != State::kFollowing) return false;
  const Instant beat = follower.beat;
  SendMutations(life, follower);
  if (follower.state != State::kFollowing) return false;
  SendAnswers(life, follower);
  const bool sent = follower.beat == shared_.now && beat != shared_.now;
  if (!sent &&
      (sign_wanted_ || shared_.now - follower.beat >= shared_.Beat())) {
    shared_.Send(life, Beat(life, follower));
  }
  return false;
}

bool Followers::Flush() {
  MoveAcked(nullptr);
  if (!dirty_) return false;
  dirty_ = false;
  // One sign is asked for at a time; who wants one meanwhile waits for the
  // next.
  const bool waits = confirmed_ < number_ && number_ > 1 && sign_wanted_ &&
                     shared_.now - sent_.back().second < shared_.Beat();
  const bool wanted = sign_wanted_ && !waits;
  if (wanted || shared_.now - sent_.back().second >= shared_.Beat()) {
    ++number_;
    sent_.emplace_back(number_, shared_.now);
    if (sent_.size() > kNumbersKept) sent_.pop_front();
  }
  sign_wanted_ = wanted;
  bool more = false;
  size_t budget = ExchangeSource::kFramesAStep;
  for (auto& [life, follower] : followers_) {
    more |= FlushOne(life, follower, budget);
  }
  sign_wanted_ = waits;
  dirty_ = waits;
  while (served_.size() > kServedKept) served_.pop_front();
  dirty_ |= more;
  return more;
}

std::vector<KvFollowerView> Followers::View() const {
  std::vector<KvFollowerView> view;
  for (const auto& [life, follower] : followers_) {
    const State state =
        shared_.peers.IsOut(life) ? State::kOut : follower.state;
    view.push_back({life, state, follower.applied, follower.in_flight_bytes});
  }
  return view;
}

}  // namespace muster::core
