#include "node/core/keyspace/gather.h"

#include "crdt/mutant.h"

namespace muster::core {

Gather::Gather(KvShared& shared, const Term& term, uint64_t& next_exchange)
    : shared_(shared),
      term_(term),
      next_exchange_(next_exchange),
      begun_(shared.now) {
  Tick();
}

void Gather::Propose(crdt::LifeId to) {
  proposed_[to] = shared_.now;
  shared_.Send(to, KvProposal{term_});
}

void Gather::OnPromise(crdt::LifeId from, const KvPromise& promise) {
  if (promise.term != term_ || state_ == State::kReady) return;
  promises_[from] = promise;
  if (state_ == State::kProposing) CheckPromises();
}

void Gather::Tick() {
  for (const crdt::LifeId life : shared_.peers.Up()) {
    if (promises_.contains(life)) continue;
    const auto last = proposed_.find(life);
    if (last == proposed_.end() || shared_.now - last->second >= kAskAgain) {
      Propose(life);
    }
  }
  if (state_ == State::kProposing) CheckPromises();
  if (sink_.has_value()) {
    sink_->Tick();
    CheckSink();
  }
}

void Gather::CheckPromises() {
  const bool late = shared_.now - begun_ >= KvPeers::kPatience;
  for (const crdt::LifeId life : shared_.peers.Up()) {
    if (promises_.contains(life)) continue;
    if (!late && !shared_.peers.IsOut(life)) return;
    shared_.peers.SetOut(life);
  }
  state_ = State::kTaking;
  TakeNext();
}

// Begins an exchange with the next member that has something new.
void Gather::TakeNext() {
  for (const auto& [life, promise] : promises_) {
    if (shared_.state.context().Contains(promise.context)) continue;
    if (crdt::Mutated(crdt::Mutant::kKvOpensUnanswered)) continue;
    if (!shared_.peers.IsUp(life) || !tried_.insert(life).second) continue;
    sink_.emplace(shared_, life, term_, promise.context, ++next_exchange_);
    return;
  }
  state_ = State::kReady;
}

void Gather::CheckSink() {
  if (!sink_.has_value() || !sink_->IsOver()) return;
  if (sink_->state() == ExchangeSink::State::kFailed) {
    shared_.peers.SetOut(sink_->source());
    promises_.erase(sink_->source());
  } else {
    ++joins_;
    joined_buckets_ += sink_->buckets();
  }
  sink_.reset();
  TakeNext();
}

void Gather::OnDigests(crdt::LifeId from, const KvExchangeDigests& frame) {
  if (sink_.has_value() && sink_->source() == from) sink_->OnDigests(frame);
}

void Gather::OnPart(crdt::LifeId from, const KvExchangePart& frame) {
  if (!sink_.has_value() || sink_->source() != from) return;
  sink_->OnPart(frame);
  CheckSink();
}

bool Gather::RunJob() {
  if (!sink_.has_value()) return false;
  const bool more = sink_->RunJob();
  CheckSink();
  return more;
}

void Gather::Abandon() {
  if (sink_.has_value()) sink_->Abandon();
}

}  // namespace muster::core
