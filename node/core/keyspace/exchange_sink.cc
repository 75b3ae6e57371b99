#include "node/core/keyspace/exchange_sink.h"

#include "absl/strings/string_view.h"
#include "crdt/check.h"
#include "crdt/keyspace/op.h"
#include "crdt/mutant.h"

namespace muster::core {
namespace {

// Buckets joined in one slice.
constexpr size_t kJoinBuckets = 32;

}  // namespace

ExchangeSink::ExchangeSink(KvShared& shared, crdt::LifeId source,
                           const Term& term, const kv::Context& base,
                           uint64_t exchange)
    : shared_(shared),
      source_(source),
      term_(term),
      base_(base),
      exchange_(exchange),
      heard_(shared.now) {
  KvExchangeBegin begin;
  begin.exchange = exchange_;
  begin.term = term_;
  for (uint32_t group = 0; group < kv::kGroups; ++group) {
    begin.groups[group] = shared_.state.digests().group(group);
  }
  shared_.Send(source_, begin);
}

void ExchangeSink::Fail(const char* why) {
  if (state_ == State::kJoined || state_ == State::kFailed) return;
  shared_.log.push_back(std::string("an exchange of the keyspace broke off: ") +
                        why);
  state_ = State::kFailed;
  collector_.reset();
  later_.clear();
  shared_.Send(source_, KvExchangeAck{exchange_, number_, /*over=*/true, {}});
}

void ExchangeSink::Abandon() {
  if (state_ == State::kAsked || state_ == State::kReceiving) {
    shared_.Send(source_, KvExchangeAck{exchange_, number_, /*over=*/true, {}});
  }
}

void ExchangeSink::OnDigests(const KvExchangeDigests& frame) {
  if (frame.exchange != exchange_ || state_ != State::kAsked) return;
  heard_ = shared_.now;
  state_ = State::kReceiving;
  for (const KvExchangeDigests::Group& group : frame.groups) {
    const uint32_t first = group.group * kv::kBucketsPerGroup;
    for (uint32_t i = 0; i < kv::kBucketsPerGroup; ++i) {
      if (shared_.state.digests().bucket(first + i) != group.buckets[i]) {
        differing_.push_back(first + i);
      }
    }
  }
  shared_.Send(source_, KvExchangeWant{exchange_, differing_});
}

void ExchangeSink::OnPart(const KvExchangePart& frame) {
  using Kind = KvExchangePart::Kind;
  if (frame.exchange != exchange_ || state_ == State::kFailed) return;
  if (frame.kind == Kind::kRefused) return Fail("its source refused");
  if (frame.number != number_ + 1) return Fail("a frame of it was lost");
  number_ = frame.number;
  heard_ = shared_.now;
  if (state_ == State::kJoining || state_ == State::kJoined) {
    if (frame.kind == Kind::kMutations) later_.push_back(frame);
    return;
  }
  if (frame.kind == Kind::kBegin) {
    context_ = frame.context;
    if (crdt::Mutated(crdt::Mutant::kKvContextEarly)) {
      shared_.state.Cover(context_);
    }
    collector_.emplace(shared_.state, differing_, context_);
    return;
  }
  if (!collector_.has_value()) return Fail("it did not begin");
  switch (frame.kind) {
    case Kind::kPart:
      if (collector_->bucket() != frame.bucket) return Fail("its order");
      if (!frame.bytes->empty()) collector_->Add(*frame.bytes);
      if (frame.last) collector_->End();
      break;
    case Kind::kMutations:
      OnMutations(frame);
      break;
    case Kind::kKey:
      OnKey(frame);
      break;
    case Kind::kEnd:
      OnEnd(frame.first);
      break;
    case Kind::kBegin:
    case Kind::kRefused:
      break;
  }
  if (state_ == State::kReceiving) AskAgain();
}

void ExchangeSink::OnMutations(const KvExchangePart& frame) {
  absl::string_view bytes = *frame.bytes;
  crdt::Seq seq = frame.first;
  for (uint32_t i = 0; i < frame.count; ++i, seq = seq.Next()) {
    const absl::string_view before = bytes;
    kv::SkipMutation(bytes);
    const absl::string_view mutation =
        before.substr(0, before.size() - bytes.size());
    context_.Cover(term_.leader, seq);
    if (collector_->Apply(mutation, {base_, term_.leader, seq}) ==
        kv::Collector::Outcome::kStartOver) {
      return Fail("a database was flushed meanwhile");
    }
  }
}

void ExchangeSink::OnKey(const KvExchangePart& frame) {
  key_parts_.push_back(*frame.bytes);
  if (!frame.last) return;
  if (asked_again_.erase(frame.key) == 0) return Fail("a key nobody asked for");
  if (key_parts_.size() == 1 && key_parts_[0].empty()) key_parts_.clear();
  collector_->AddAgain(frame.key, key_parts_);
  key_parts_.clear();
}

// Acknowledges what has come, and asks for keys that have to come again.
void ExchangeSink::AskAgain() {
  KvExchangeAck ack{exchange_, number_, false, {}};
  const auto again = collector_->FirstAgain();
  if (again.has_value() && asked_again_.insert(*again).second) {
    ack.again.push_back(*again);
  }
  shared_.Send(source_, std::move(ack));
}

void ExchangeSink::OnEnd(crdt::Seq upto) {
  if (!collector_->IsWhole()) return;
  upto_ = upto;
  state_ = State::kJoining;
  to_join_.assign(collector_->buckets().begin(), collector_->buckets().end());
  shared_.Send(source_, KvExchangeAck{exchange_, number_, /*over=*/true, {}});
}

bool ExchangeSink::RunJob() {
  if (state_ != State::kJoining) return false;
  for (size_t n = 0; n < kJoinBuckets && joined_ < to_join_.size(); ++n) {
    shared_.state.JoinBucket(collector_->state(), to_join_[joined_++]);
  }
  if (joined_ < to_join_.size()) return true;
  shared_.state.Cover(context_);
  collector_.reset();
  state_ = State::kJoined;
  return false;
}

void ExchangeSink::Tick() {
  if (state_ != State::kAsked && state_ != State::kReceiving) return;
  if (!shared_.peers.IsUp(source_)) return Fail("its source is down");
  if (shared_.now - heard_ > KvPeers::kPatience) Fail("its source is silent");
}

}  // namespace muster::core
