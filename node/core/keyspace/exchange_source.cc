#include "node/core/keyspace/exchange_source.h"

#include <memory>

#include "crdt/keyspace/buckets.h"

namespace muster::core {
ExchangeSource::ExchangeSource(KvShared& shared, crdt::LifeId sink,
                               const KvExchangeBegin& begin,
                               const crdt::MutationLog* log)
    : shared_(shared),
      sink_(sink),
      exchange_(begin.exchange),
      log_(log),
      reader_(shared.state) {
  if (log_ != nullptr) cursor_.at = log_->last(kOwnStream);
  const kv::BucketDigests& digests = shared_.state.digests();
  KvExchangeDigests answer;
  answer.exchange = exchange_;
  for (uint32_t group = 0; group < kv::kGroups; ++group) {
    if (digests.group(group) == begin.groups[group]) continue;
    answer.groups.push_back({group, {}});
    for (uint32_t i = 0; i < kv::kBucketsPerGroup; ++i) {
      answer.groups.back().buckets[i] =
          digests.bucket(group * kv::kBucketsPerGroup + i);
    }
  }
  shared_.Send(sink_, std::move(answer));
  KvExchangePart first;
  first.kind = KvExchangePart::Kind::kBegin;
  first.context = shared_.state.context();
  Send(std::move(first));
}

void ExchangeSource::Send(KvExchangePart part) {
  part.exchange = exchange_;
  part.number = ++number_;
  if (part.bytes == nullptr) part.bytes = std::make_shared<std::string>();
  unacked_.push_back({number_, part.bytes->size()});
  unacked_bytes_ += part.bytes->size();
  shared_.Send(sink_, std::move(part));
}

void ExchangeSource::OnWant(const KvExchangeWant& want) {
  if (wanted_) return;
  wanted_ = true;
  buckets_ = want.buckets;
}

void ExchangeSource::OnAck(const KvExchangeAck& ack) {
  while (!unacked_.empty() && unacked_.front().number <= ack.number) {
    unacked_bytes_ -= unacked_.front().bytes;
    unacked_.pop_front();
  }
  while (!ends_.empty() && ends_.front().first <= ack.number) {
    taken_ = ends_.front().second;
    ends_.pop_front();
  }
  again_.insert(again_.end(), ack.again.begin(), ack.again.end());
  if (!ack.again.empty()) ended_ = false;
  if (!ack.over) return;
  over_ = true;
  done_ = ended_;
}

// Everything that was written so far. False: the log has passed on.
bool ExchangeSource::SendMutations() {
  if (log_ == nullptr) return true;
  if (!log_->Reaches(kOwnStream, cursor_.at)) {
    KvExchangePart refused;
    refused.kind = KvExchangePart::Kind::kRefused;
    Send(std::move(refused));
    over_ = true;
    return false;
  }
  while (auto run =
             log_->Read(kOwnStream, cursor_, shared_.options.frame_bytes)) {
    KvExchangePart part;
    part.kind = KvExchangePart::Kind::kMutations;
    part.first = run->first;
    part.count = run->count;
    part.bytes = std::make_shared<std::string>(std::move(run->bytes));
    Send(std::move(part));
  }
  return true;
}

void ExchangeSource::SendKey(const kv::OwnedKey& key) {
  std::vector<std::string> parts =
      kv::ReadKey(shared_.state, key.name(), shared_.options.frame_bytes);
  if (parts.empty()) parts.emplace_back();
  for (size_t i = 0; i < parts.size(); ++i) {
    KvExchangePart part;
    part.kind = KvExchangePart::Kind::kKey;
    part.key = key;
    part.last = i + 1 == parts.size();
    part.bytes = std::make_shared<std::string>(std::move(parts[i]));
    Send(std::move(part));
  }
}

// Parts that are read in one step may follow each other with nothing between
// them: so the last of a small bucket is known at once.
void ExchangeSource::SendBucket() {
  const uint32_t bucket = buckets_[next_];
  const size_t most = shared_.options.frame_bytes;
  std::string bytes;
  std::string next;
  bool more = reader_.Next(bucket, most, bytes);
  while (true) {
    const bool small = more && bytes.size() < most / 2;
    const bool followed = small && reader_.Next(bucket, most, next);
    KvExchangePart part;
    part.kind = KvExchangePart::Kind::kPart;
    part.bucket = bucket;
    part.last = !more || (small && !followed);
    part.bytes = std::make_shared<std::string>(std::move(bytes));
    if (part.last) ++next_;
    Send(std::move(part));
    if (!followed) return;
    bytes = std::move(next);
    next.clear();
    more = true;
  }
}

bool ExchangeSource::Pump(size_t& budget) {
  if (!wanted_) return false;
  while (!over_ && unacked_bytes_ < shared_.options.window_bytes) {
    if (budget == 0) return true;
    --budget;
    const crdt::Seq before = cursor_.at;
    if (!SendMutations()) return false;
    if (!again_.empty()) {
      SendKey(again_.front());
      again_.pop_front();
    } else if (next_ < buckets_.size()) {
      SendBucket();
    } else if (!ended_ || cursor_.at != before) {
      ended_ = true;
      KvExchangePart end;
      end.kind = KvExchangePart::Kind::kEnd;
      end.first = cursor_.at;
      ends_.emplace_back(number_ + 1, cursor_.at);
      Send(std::move(end));
    } else {
      return false;
    }
  }
  return false;
}

}  // namespace muster::core
