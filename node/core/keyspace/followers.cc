#include "node/core/keyspace/followers.h"

#include <algorithm>
#include <functional>

#include "crdt/mutant.h"

namespace muster::core {
namespace {

// A follower that applies nothing of what it was sent for so long is sent it
// again.
constexpr absl::Duration kSendAgain = absl::Milliseconds(500);
// Where members are more than that, those that do not follow are asked less
// often, and all are looked at less often.
constexpr size_t kMany = 64;
constexpr absl::Duration kManyTick = absl::Milliseconds(100);

}  // namespace

Followers::Followers(KvShared& shared, const Term& term,
                     const kv::Context& base, const crdt::MutationLog& log)
    : shared_(shared), term_(term), base_(base), log_(log) {
  sent_.emplace_back(number_, shared_.now);
  CountAcked();
}

// ---------------------------------------------------------------- who follows

void Followers::Enter(Follower& follower, State state) {
  if (follower.state == State::kFollowing) follower.since = shared_.now;
  follower.state = state;
  recount_ = true;
  follower.source.reset();
  follower.in_flight.clear();
  follower.in_flight_bytes = 0;
}

Followers::Follower& Followers::Find(crdt::LifeId life) {
  const auto [at, added] = followers_.try_emplace(life);
  if (added) at->second.since = shared_.now;
  return at->second;
}

bool Followers::StandsInLog(const kv::Context& context) const {
  const crdt::Seq seq = context.Of(shared_.self);
  if (!log_.Reaches(kOwnStream, seq) || seq < base_.Of(shared_.self))
    return false;
  kv::Context up_to_here = base_;
  up_to_here.Cover(shared_.self, seq);
  return up_to_here == context;
}

void Followers::OnPromised(crdt::LifeId life, const kv::Context& context) {
  // What it has was taken in.
  (void)OnFollowRequest(life, context);
}

bool Followers::OnFollowRequest(crdt::LifeId life, const kv::Context& context) {
  if (!shared_.state.context().Contains(context)) return false;
  Follower& follower = Find(life);
  follower.invited = shared_.now;
  if (StandsInLog(context)) {
    FollowByLog(life, follower, context.Of(shared_.self));
    return true;
  }
  Enter(follower, State::kAsked);
  shared_.Send(life, KvTermBase{term_, base_, false, {}});
  return true;
}

void Followers::FollowByLog(crdt::LifeId life, Follower& follower,
                            crdt::Seq seq) {
  Enter(follower, State::kFollowing);
  follower.cursor = {seq};
  follower.applied = seq;
  follower.progress = shared_.now;
  follower.beat = kLongAgo;
  dirty_ = true;
  shared_.Send(life, KvTermBase{term_, base_, true, seq});
}

bool Followers::IsFollowing(crdt::LifeId life) const {
  const auto at = followers_.find(life);
  return at != followers_.end() && at->second.state == State::kFollowing;
}

uint32_t Followers::count() const {
  return static_cast<uint32_t>(std::count_if(
      followers_.begin(), followers_.end(),
      [](const auto& f) { return f.second.state == State::kFollowing; }));
}

bool Followers::AnyCanFollow() const {
  for (const auto& [life, peer] : shared_.peers.all()) {
    if (!peer.up || shared_.peers.IsOut(life)) continue;
    const auto at = followers_.find(life);
    if (at == followers_.end()) return true;
    const Follower& follower = at->second;
    if (follower.state == State::kFollowing) return true;
    if (shared_.now - follower.since < kCatchesUp) return true;
  }
  return false;
}

// --------------------------------------------------------------------- time

absl::Duration Followers::AskEvery() const {
  return followers_.size() > kMany ? 4 * kAskAgain : kAskAgain;
}

void Followers::Tick() {
  const bool many = followers_.size() > kMany;
  if (many && shared_.now - ticked_ < kManyTick) return;
  ticked_ = shared_.now;
  for (auto at = followers_.begin(); at != followers_.end();) {
    at = shared_.peers.IsUp(at->first) ? std::next(at) : followers_.erase(at);
  }
  for (const auto& [life, peer] : shared_.peers.all()) {
    if (!peer.up) continue;
    Follower& follower = Find(life);
    const Instant heard = std::max(shared_.peers.HeardAt(life), follower.since);
    if (shared_.now - heard > KvPeers::kPatience) {
      shared_.peers.SetOut(life);
      if (follower.state != State::kAsked) Enter(follower, State::kAsked);
    }
    if (follower.state == State::kAsked &&
        shared_.now - follower.invited >= AskEvery()) {
      follower.invited = shared_.now;
      shared_.Send(life, KvInvitation{term_});
    }
    if (follower.state == State::kExchanging &&
        shared_.now - follower.progress > KvPeers::kPatience) {
      Enter(follower, State::kAsked);
    }
    if (follower.state == State::kFollowing &&
        follower.cursor.at > follower.applied &&
        shared_.now - follower.progress > kSendAgain) {
      Rewind(follower);
    }
  }
  CountAcked();
  dirty_ = true;
}

void Followers::OnStalled() {
  for (auto& [life, follower] : followers_) follower.since = shared_.now;
}

void Followers::Rewind(Follower& follower) {
  follower.in_flight.clear();
  follower.in_flight_bytes = 0;
  follower.cursor = {follower.applied};
  follower.progress = shared_.now;
  dirty_ = true;
}

void Followers::OnApplied(crdt::LifeId life, const KvApplied& applied) {
  const auto at = followers_.find(life);
  if (at == followers_.end() || applied.term != term_) return;
  Follower& follower = at->second;
  follower.question = std::max(follower.question, applied.question);
  if (applied.number > follower.number) {
    follower.number = applied.number;
    const auto sent = std::find_if(
        sent_.begin(), sent_.end(),
        [&](const auto& item) { return item.first == applied.number; });
    if (sent != sent_.end()) follower.answered_sent = sent->second;
    confirmed_ = std::max(confirmed_, applied.number);
  }
  if (follower.state != State::kFollowing) return;
  if (applied.seq > follower.applied && applied.seq <= log_.last(kOwnStream)) {
    follower.applied = applied.seq;
    follower.progress = shared_.now;
    MoveAcked(&follower);
  }
  TakeOffFlight(follower);
  if (applied.gap && follower.cursor.at > follower.applied) Rewind(follower);
}

// Mutations that it has applied are on their way no more, nor to be sent: a
// request that came late may have put the cursor back.
void Followers::TakeOffFlight(Follower& follower) {
  while (!follower.in_flight.empty() &&
         follower.in_flight.front().first <= follower.applied) {
    follower.in_flight_bytes -= follower.in_flight.front().second;
    follower.in_flight.pop_front();
    dirty_ = true;
  }
  if (follower.cursor.at < follower.applied) {
    follower.cursor = {follower.applied};
    dirty_ = true;
  }
}

size_t Followers::OthersWanted() const {
  if (crdt::Mutated(crdt::Mutant::kKvAcksAlone)) return 0;
  switch (shared_.options.ack) {
    case KvAckPolicy::kLocal:
      return 0;
    case KvAckPolicy::kPeer:
      return AnyCanFollow() ? 1 : 0;
    case KvAckPolicy::kMajority:
      break;
  }
  const auto& all = shared_.peers.all();
  const auto knowing = static_cast<size_t>(
      std::count_if(all.begin(), all.end(),
                    [](const auto& peer) { return peer.second.knows; }));
  return (knowing + 1) / 2;
}

void Followers::CountAcked() {
  recount_ = false;
  counted_peers_ = shared_.peers.changes();
  const size_t others = OthersWanted();
  own_is_enough_ = others == 0;
  if (own_is_enough_) {
    acked_ = shared_.state.context().Of(shared_.self);
    return;
  }
  std::vector<crdt::Seq> applied;
  for (const auto& [life, follower] : followers_) {
    if (follower.state == State::kFollowing)
      applied.push_back(follower.applied);
  }
  if (applied.size() < others) return;
  const auto last = applied.begin() + static_cast<ptrdiff_t>(others - 1);
  std::nth_element(applied.begin(), last, applied.end(), std::greater<>());
  acked_ = std::max(acked_, *last);
}

void Followers::MoveAcked(const Follower* follower) {
  if (recount_ || counted_peers_ != shared_.peers.changes()) {
    CountAcked();
  } else if (own_is_enough_) {
    acked_ = shared_.state.context().Of(shared_.self);
  } else if (follower != nullptr) {
    if (shared_.options.ack == KvAckPolicy::kMajority) return CountAcked();
    acked_ = std::max(acked_, follower->applied);
  }
}

uint64_t Followers::AskForSign() {
  sign_wanted_ = true;
  dirty_ = true;
  return number_ + 1;
}

bool Followers::AllAnsweredWithin(absl::Duration age) const {
  const auto& peers = shared_.peers.all();
  return std::all_of(peers.begin(), peers.end(), [&](const auto& peer) {
    if (!peer.second.knows) return true;
    const auto at = followers_.find(peer.first);
    return at != followers_.end() &&
           shared_.now - at->second.answered_sent <= age;
  });
}

bool Followers::AllUpAnsweredSince(Instant since) const {
  const auto& peers = shared_.peers.all();
  return std::all_of(peers.begin(), peers.end(), [&](const auto& peer) {
    if (!peer.second.up || shared_.peers.IsOut(peer.first)) return true;
    const auto at = followers_.find(peer.first);
    return at != followers_.end() && at->second.answered_sent >= since;
  });
}

bool Followers::AllHaveAll() const {
  return std::all_of(followers_.begin(), followers_.end(), [&](const auto& f) {
    return f.second.state != State::kFollowing ||
           f.second.applied == log_.last(kOwnStream);
  });
}

}  // namespace muster::core
