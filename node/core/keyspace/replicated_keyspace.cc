#include "node/core/keyspace/replicated_keyspace.h"

#include <algorithm>
#include <tuple>
#include <variant>

#include "absl/strings/str_cat.h"
#include "crdt/check.h"
#include "crdt/keyspace/op.h"
#include "crdt/mutant.h"

namespace muster::core {
namespace {

// Elements and keys freed in one slice.
constexpr size_t kFreed = 1000;

// Whether somebody was let go first for long enough. A wait of long ago does
// not count: another one begins.
bool HasWaited(Instant& since, absl::Duration patience, Instant now) {
  if (now - since > 3 * patience) since = now;
  return now - since >= patience;
}

}  // namespace

ReplicatedKeyspace::ReplicatedKeyspace(const KeyspaceOptions& options,
                                       crdt::LifeId life, uint64_t seed,
                                       KvShared::Reaches reaches)
    : shared_(options, life, seed, std::move(reaches)),
      log_(kv::KeyspaceGrammar(), options.log_bytes),
      calls_(shared_),
      candidacy_(shared_) {
  log_.Reset(kOwnStream, crdt::Seq());
}

// ------------------------------------------------------------------ standing

ReplicatedKeyspace::Role ReplicatedKeyspace::role() const {
  if (leading_.has_value()) return Role::kLeading;
  if (gather_.has_value()) return Role::kGathering;
  return following_.has_value() ? Role::kFollowing : Role::kWaiting;
}

KvPosition ReplicatedKeyspace::position() const {
  const Term term = leading_.has_value()     ? leading_->term()
                    : following_.has_value() ? following_->term()
                                             : Term{};
  return {term, shared_.state.context().Of(term.leader)};
}

bool ReplicatedKeyspace::Has(const KvPosition& position) const {
  if (shared_.state.context().Of(position.term.leader) >= position.seq) {
    return true;
  }
  return following_.has_value() &&
         following_->state() == Following::State::kExchanging;
}

bool ReplicatedKeyspace::IsReadable() const {
  if (leading_.has_value()) return true;
  if (!was_whole_) return false;
  if (gather_.has_value()) return gather_->state() != Gather::State::kTaking;
  if (!following_.has_value() || following_->whole()) return true;
  if (following_->joining()) return false;
  return shared_.now - whole_until_ <= kReadsOn;
}

KvStanding ReplicatedKeyspace::Standing() {
  KvStanding standing;
  standing.readable = IsReadable();
  standing.position = position();
  standing.served = &Served();
  if (leading_.has_value()) {
    standing.term = leading_->term();
    standing.whole = true;
    standing.leading = &*leading_;
  } else if (following_.has_value() && following_->whole() &&
             !following_->left()) {
    standing.term = following_->term();
    standing.whole = true;
  }
  return standing;
}

bool ReplicatedKeyspace::IsEligible() const {
  return ready_ && !draining_ &&
         (!following_.has_value() ||
          following_->state() != Following::State::kExchanging ||
          !following_->Lives());
}

bool ReplicatedKeyspace::LeaderLives() const {
  if (leading_.has_value()) return true;
  if (gather_.has_value()) return true;
  return following_.has_value() && following_->Lives();
}

uint64_t ReplicatedKeyspace::KnownNumber() const {
  return std::max({known_, promised_.number, candidacy_.known()});
}

// --------------------------------------------------------------- transitions

const KvServedPops& ReplicatedKeyspace::Served() const {
  if (leading_.has_value()) return leading_->served();
  return following_.has_value() ? following_->served() : served_;
}

void ReplicatedKeyspace::EndTerm() {
  // Half joined, the state would be no state at all.
  while (gather_.has_value() && gather_->joining()) gather_->RunJob();
  while (following_.has_value() && following_->joining()) following_->RunJob();
  served_ = Served();
  if (leading_.has_value()) {
    counters_.settled += leading_->settled_keys();
    leading_->End();
    led_ = leading_->term();
    led_seen_ = leading_->TakeSeen();
  }
  if (gather_.has_value()) gather_->Abandon();
  if (following_.has_value()) {
    counters_.joins += following_->joins();
    counters_.joined_buckets += following_->joined_buckets();
    following_->Abandon();
  }
  leading_.reset();
  gather_.reset();
  following_.reset();
  sources_.clear();
  candidacy_.Rest();
}

void ReplicatedKeyspace::Propose() {
  const Term term{KnownNumber() + 1, shared_.self};
  EndTerm();
  promised_ = term;
  gather_.emplace(shared_, term, next_exchange_);
  CheckGather();
}

void ReplicatedKeyspace::CheckGather() {
  if (gather_.has_value() && gather_->state() == Gather::State::kReady) Open();
}

void ReplicatedKeyspace::Open() {
  counters_.joins += gather_->joins();
  counters_.joined_buckets += gather_->joined_buckets();
  ++counters_.terms_led;
  log_.Reset(kOwnStream, shared_.state.context().Of(shared_.self));
  leading_.emplace(shared_, *gather_, served_, log_);
  gather_.reset();
  was_whole_ = true;
  court_ = kLongAgo;
  shared_.log.push_back(
      absl::StrCat("this node leads the keyspace, term ", promised_.number,
                   ", with ", leading_->followers().count(), " followers"));
}

void ReplicatedKeyspace::Follow(const Term& term, Following::State state) {
  EndTerm();
  promised_ = term;
  known_ = std::max(known_, term.number);
  ++counters_.terms_followed;
  following_.emplace(shared_, term, state, served_, next_exchange_);
}

// A higher term was promised elsewhere.
void ReplicatedKeyspace::GiveUpGather() {
  EndTerm();
  candidacy_.RestFor(absl::Milliseconds(300), absl::Milliseconds(700));
}

void ReplicatedKeyspace::Meet(const KvRefusal& refusal, crdt::LifeId who) {
  if (!leading_->settled() || draining_) return;
  if (!refusal.leading) {
    if (HasWaited(duel_, kDuel, shared_.now)) Propose();
    return;
  }
  const bool stronger = std::tuple(refusal.followers, who) >
                        std::tuple(leading_->followers().count(), shared_.self);
  if (!stronger || HasWaited(court_, kCourtesy, shared_.now)) Propose();
}

void ReplicatedKeyspace::Refuse(crdt::LifeId to, const Term& term) {
  KvRefusal refusal;
  refusal.term = term;
  refusal.promised = promised_;
  refusal.leading = leading_.has_value();
  if (refusal.leading) refusal.followers = leading_->followers().count();
  shared_.Send(to, refusal);
}

// ----------------------------------------------------------------- the world

void ReplicatedKeyspace::SetTime(Now now, absl::Duration stalled) {
  shared_.now = now.mono;
  shared_.wall_us = now.wall_us;
  shared_.clock.SetTime(now);
  if (stalled >= Leading::kStall && leading_.has_value()) {
    leading_->OnStalled();
  }
}

void ReplicatedKeyspace::SetPeers(const std::vector<KvPeer>& peers) {
  shared_.peers.Set(peers, shared_.now);
}

void ReplicatedKeyspace::SetReady(crdt::Incarnation incarnation) {
  shared_.incarnation = incarnation;
  ready_ = true;
}

void ReplicatedKeyspace::Tick() {
  if (leading_.has_value()) {
    if (!leading_->Tick()) Propose();
  } else if (gather_.has_value()) {
    gather_->Tick();
    CheckGather();
  } else {
    if (following_.has_value()) following_->Tick();
    if (LeaderLives() || !IsEligible()) {
      candidacy_.Rest();
    } else if (candidacy_.Tick()) {
      Propose();
    }
  }
  if (following_.has_value() && following_->whole()) was_whole_ = true;
  if (draining_ && leading_.has_value() &&
      (leading_->followers().AllHaveAll() ||
       shared_.now - drain_since_ > kDrain / 2)) {
    for (const crdt::LifeId life : shared_.peers.Up()) {
      shared_.Send(life, KvLeave{leading_->term()});
    }
    EndTerm();
  }
  calls_.Tick(Standing());
}

bool ReplicatedKeyspace::RunJob() {
  bool more = shared_.state.RunJob(kFreed);
  if (leading_.has_value()) more |= leading_->RunJob();
  if (gather_.has_value()) {
    more |= gather_->RunJob();
    CheckGather();
  }
  if (following_.has_value()) more |= following_->RunJob();
  return more;
}

void ReplicatedKeyspace::Flush(std::vector<KvMail>& mail,
                               std::vector<KvAnswer>& answers,
                               std::vector<std::string>& log) {
  more_ = shared_.state.HasJob();
  if (!following_.has_value() || following_->whole()) {
    whole_until_ = shared_.now;
  }
  if (following_.has_value()) {
    if (following_->whole()) was_whole_ = true;
    following_->Flush();
    more_ |= following_->joining();
  }
  const KvStanding standing = Standing();
  if (standing.whole) seen_ = standing.position;
  calls_.Run(standing);
  if (leading_.has_value()) {
    calls_.OnServed(*leading_);
    more_ |= leading_->Flush();
    calls_.Run(Standing());
    more_ |= leading_->HasJob();
  }
  size_t budget = ExchangeSource::kFramesAStep;
  for (auto& [life, source] : sources_) more_ |= source.Pump(budget);
  if (gather_.has_value()) more_ |= gather_->joining();
  counters_.answered += shared_.answers.size();
  mail = std::exchange(shared_.mail, {});
  answers = std::exchange(shared_.answers, {});
  log = std::exchange(shared_.log, {});
}

// -------------------------------------------------------------------- frames

struct ReplicatedKeyspace::Visitor {
  ReplicatedKeyspace& self;
  crdt::LifeId from;

  void operator()(const KvLeaderQuestion& f) { self.OnQuestion(from, f); }
  void operator()(const KvLeaderAnswer& f) {
    self.candidacy_.OnAnswer(from, f);
  }
  void operator()(const KvProposal& f) { self.OnProposal(from, f); }
  void operator()(const KvPromise& f) {
    if (!self.gather_.has_value()) return;
    self.gather_->OnPromise(from, f);
    self.CheckGather();
  }
  void operator()(const KvRefusal& f) { self.OnRefusal(from, f); }
  void operator()(const KvInvitation& f) { self.OnInvitation(from, f); }
  void operator()(const KvFollowRequest& f) { self.OnFollowRequest(from, f); }
  void operator()(const KvTermBase& f) { self.OnTermBase(from, f); }
  void operator()(const KvMutations& f) { self.OnMutations(from, f); }
  void operator()(const KvApplied& f) {
    if (self.leading_.has_value())
      self.leading_->followers().OnApplied(from, f);
  }
  void operator()(const KvLeave& f) {
    if (self.following_.has_value() && self.following_->term() == f.term) {
      self.following_->OnLeave();
    }
  }
  void operator()(KvForward& f) { self.OnForward(from, std::move(f)); }
  void operator()(const KvAnswers& f) {
    self.calls_.OnAnswers(from, f, self.Standing());
  }
  void operator()(const KvWithdraw& f) {
    if (self.leading_.has_value()) self.leading_->Withdraw({from, f.call});
  }
  void operator()(const KvExchangeBegin& f) { self.OnExchangeBegin(from, f); }
  void operator()(const KvExchangeDigests& f) { self.OnDigests(from, f); }
  void operator()(const KvExchangeWant& f) { self.OnExchangeWant(from, f); }
  void operator()(const KvExchangePart& f) { self.OnPart(from, f); }
  void operator()(const KvExchangeAck& f) { self.OnExchangeAck(from, f); }
};

void ReplicatedKeyspace::OnFrame(crdt::LifeId from, KvBody body) {
  shared_.peers.Heard(from, shared_.now);
  std::visit(Visitor{*this, from}, body);
}

void ReplicatedKeyspace::OnQuestion(crdt::LifeId from,
                                    const KvLeaderQuestion& frame) {
  KvLeaderAnswer answer;
  answer.number = frame.number;
  // One for whom this node lives as a candidate will hear of it itself.
  answer.lives = LeaderLives() && !(draining_ && leading_.has_value());
  answer.eligible = IsEligible();
  answer.empty = shared_.state.context().empty();
  answer.known = KnownNumber();
  answer.wall_us = shared_.wall_us;
  shared_.Send(from, answer);
}

void ReplicatedKeyspace::OnProposal(crdt::LifeId from,
                                    const KvProposal& frame) {
  const Term& term = frame.term;
  if (term.leader != from || term.number > KnownNumber() + kMaxLeap) return;
  if (!shared_.reaches(from)) return;
  known_ = std::max(known_, term.number);
  if (term < promised_) return Refuse(from, term);
  const bool again = following_.has_value() && following_->term() == term;
  if (again && following_->state() != Following::State::kPromised) return;
  if (term == promised_ && !again) return;
  KvPromise promise;
  promise.waiting = calls_.Blocked();
  if (!again) Follow(term, Following::State::kPromised);
  promise.term = term;
  promise.context = shared_.state.context();
  promise.served = Served().All();
  shared_.Send(from, std::move(promise));
}

void ReplicatedKeyspace::OnRefusal(crdt::LifeId from, const KvRefusal& frame) {
  if (frame.promised.number > KnownNumber() + kMaxLeap) return;
  known_ = std::max(known_, frame.promised.number);
  if (gather_.has_value() && frame.term == gather_->term() &&
      frame.promised > frame.term) {
    return GiveUpGather();
  }
  if (leading_.has_value() && frame.term == leading_->term()) {
    Meet(frame, from);
  }
}

void ReplicatedKeyspace::OnInvitation(crdt::LifeId from,
                                      const KvInvitation& frame) {
  const Term& term = frame.term;
  if (term.leader != from || term.number > KnownNumber() + kMaxLeap) return;
  known_ = std::max(known_, term.number);
  const bool lower =
      term < promised_ && !crdt::Mutated(crdt::Mutant::kKvFollowsLower);
  if (lower || leading_.has_value()) return Refuse(from, term);
  if (following_.has_value() && following_->term() == term) {
    return following_->OnInvited();
  }
  if (!shared_.reaches(from)) return;
  Follow(term, Following::State::kAsked);
}

void ReplicatedKeyspace::OnFollowRequest(crdt::LifeId from,
                                         const KvFollowRequest& frame) {
  if (!leading_.has_value() || frame.term != leading_->term()) return;
  if (leading_->followers().OnFollowRequest(from, frame.context)) return;
  // It asks again.
  if (leading_->settled() && !draining_) Propose();
}

void ReplicatedKeyspace::OnTermBase(crdt::LifeId from,
                                    const KvTermBase& frame) {
  if (!following_.has_value() || following_->term() != frame.term) {
    if (frame.term < promised_) Refuse(from, frame.term);
    return;
  }
  following_->OnTermBase(frame);
  calls_.SendPopsAgain();
}

void ReplicatedKeyspace::OnMutations(crdt::LifeId from,
                                     const KvMutations& frame) {
  if (!following_.has_value() || following_->term() != frame.term) {
    if (frame.term < promised_) Refuse(from, frame.term);
    return;
  }
  following_->OnMutations(frame);
  calls_.OnServed(frame.served);
}

void ReplicatedKeyspace::OnForward(crdt::LifeId from, KvForward frame) {
  // A copy of one that was executed is no reason to refuse that.
  if (frame.term == led_ && !led_seen_[from].Add(frame.call)) return;
  if (leading_.has_value()) return leading_->OnForward(from, std::move(frame));
  // It may have been executed while this node led.
  if (frame.again) return;
  KvAnswers refused;
  refused.term = frame.term;
  refused.answers.push_back(
      {frame.call, KvAnswers::Outcome::kRefused, crdt::Seq(), {}});
  shared_.Send(from, std::move(refused));
}

// ----------------------------------------------------------------- exchanges

void ReplicatedKeyspace::OnExchangeBegin(crdt::LifeId from,
                                         const KvExchangeBegin& frame) {
  if (leading_.has_value() && frame.term == leading_->term()) {
    return leading_->followers().OnExchangeBegin(from, frame);
  }
  const bool promised = following_.has_value() &&
                        following_->term() == frame.term &&
                        frame.term.leader == from && !following_->joining();
  if (promised) {
    const auto begun = sources_.find(from);
    // A begin that comes late, once more, is of an exchange that is over.
    if (begun != sources_.end() && begun->second.exchange() >= frame.exchange) {
      return;
    }
    sources_.erase(from);
    sources_.emplace(std::piecewise_construct, std::forward_as_tuple(from),
                     std::forward_as_tuple(shared_, from, frame, nullptr));
    return;
  }
  KvExchangePart refused;
  refused.exchange = frame.exchange;
  refused.kind = KvExchangePart::Kind::kRefused;
  refused.number = 1;
  refused.bytes = std::make_shared<std::string>();
  shared_.Send(from, std::move(refused));
}

void ReplicatedKeyspace::OnExchangeWant(crdt::LifeId from,
                                        const KvExchangeWant& frame) {
  if (leading_.has_value()) {
    return leading_->followers().OnExchangeWant(from, frame);
  }
  const auto source = sources_.find(from);
  if (source == sources_.end()) return;
  if (source->second.exchange() == frame.exchange) source->second.OnWant(frame);
}

void ReplicatedKeyspace::OnExchangeAck(crdt::LifeId from,
                                       const KvExchangeAck& frame) {
  if (leading_.has_value()) {
    return leading_->followers().OnExchangeAck(from, frame);
  }
  const auto source = sources_.find(from);
  if (source == sources_.end()) return;
  if (source->second.exchange() != frame.exchange) return;
  source->second.OnAck(frame);
  if (source->second.over()) sources_.erase(source);
}

void ReplicatedKeyspace::OnDigests(crdt::LifeId from,
                                   const KvExchangeDigests& frame) {
  if (gather_.has_value()) return gather_->OnDigests(from, frame);
  if (!following_.has_value() || following_->term().leader != from) return;
  following_->OnDigests(frame);
}

void ReplicatedKeyspace::OnPart(crdt::LifeId from,
                                const KvExchangePart& frame) {
  if (gather_.has_value()) {
    gather_->OnPart(from, frame);
    return CheckGather();
  }
  if (!following_.has_value() || following_->term().leader != from) return;
  following_->OnPart(frame);
}

// ----------------------------------------------------------------------
// leaving

void ReplicatedKeyspace::Drain() {
  if (draining_) return;
  draining_ = true;
  drain_since_ = shared_.now;
  if (leading_.has_value()) leading_->Stop();
}

bool ReplicatedKeyspace::IsDrained() const {
  if (!draining_) return false;
  if (shared_.peers.Up().empty() || shared_.now - drain_since_ > kDrain) {
    return true;
  }
  return following_.has_value() && following_->whole() && !calls_.AnyUnderWay();
}

}  // namespace muster::core
