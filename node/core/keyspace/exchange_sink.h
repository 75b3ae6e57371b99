// The receiving side of one exchange: it fetches the buckets that differ from a
// source, beside the state, and then joins them into it.
//
//   kAsked --digests--> kReceiving --all is here--> kJoining --> kJoined
//     |                     |
//     +---- refused, silent for KvPeers::kPatience, a gap ----> kFailed
//
// The state is as it was until kJoining, and so is its position: if the
// exchange breaks nothing has changed. While it joins, in slices, nobody may
// read the state.
//
// A leader goes on while it is exchanged with: its mutations come between the
// parts. What comes after all is here is for whoever follows: TakeLater.
//
// Invariant: the context covers the source's only once every bucket is joined.
// Cost: that of what differs. Threads: the core's.
#ifndef MUSTER_NODE_CORE_KEYSPACE_EXCHANGE_SINK_H_
#define MUSTER_NODE_CORE_KEYSPACE_EXCHANGE_SINK_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "crdt/keyspace/collector.h"
#include "crdt/keyspace/context.h"
#include "node/core/keyspace/kv_shared.h"
#include "node/core/keyspace_frames.h"
#include "node/core/time.h"

namespace muster::core {

class ExchangeSink {
 public:
  enum class State : uint8_t { kAsked, kReceiving, kJoining, kJoined, kFailed };

  // Asks `source`. `base`: that of `term`, for the mutations of its leader; a
  // source that does not lead makes none.
  ExchangeSink(KvShared& shared, crdt::LifeId source, const Term& term,
               const kv::Context& base, uint64_t exchange);

  void OnDigests(const KvExchangeDigests& frame);
  void OnPart(const KvExchangePart& frame);
  void Tick();
  // A slice of joining; true if there is more.
  bool RunJob();
  // Not wanted any more: the source is told.
  void Abandon();

  State state() const { return state_; }
  bool joining() const { return state_ == State::kJoining; }
  bool IsOver() const {
    return state_ == State::kJoined || state_ == State::kFailed;
  }
  crdt::LifeId source() const { return source_; }
  uint64_t exchange() const { return exchange_; }
  size_t buckets() const { return joined_; }
  // The last mutation of the leader that is in what was exchanged.
  crdt::Seq upto() const { return upto_; }
  // Mutations that came after it, in their order.
  std::deque<KvExchangePart> TakeLater() { return std::move(later_); }

 private:
  void Fail(const char* why);
  void OnMutations(const KvExchangePart& frame);
  void OnKey(const KvExchangePart& frame);
  void OnEnd(crdt::Seq upto);
  void AskAgain();

  KvShared& shared_;
  const crdt::LifeId source_;
  const Term term_;
  const kv::Context base_;
  const uint64_t exchange_;
  State state_ = State::kAsked;
  Instant heard_;
  uint64_t number_ = 0;  // Of the last part that came.
  std::vector<uint32_t> differing_;
  kv::Context context_;  // The source's: what is covered at the end.
  std::optional<kv::Collector> collector_;
  std::set<kv::OwnedKey> asked_again_;
  std::vector<std::string> key_parts_;
  crdt::Seq upto_;
  std::deque<KvExchangePart> later_;
  std::vector<uint32_t> to_join_;
  size_t joined_ = 0;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_KEYSPACE_EXCHANGE_SINK_H_
