// A gather: the one way to lead, to move the lead, and to join sides.
//
//   kProposing --all have promised, or are out--> kTaking --> kReady
//
// It proposes a term to all that are up, and to those that come up meanwhile;
// takes in, by exchanges, the state of each that promised and has something
// that this node lacks; and is then ready to open the term. Who does not answer
// within KvPeers::kPatience is out. A source that fails is out, too, and what
// came of it is dropped.
//
// Invariant: when it is ready, the context contains that of every member that
// promised and is not out.
// Source: Ongaro, Consensus: bridging theory and practice (2014), for what
// terms and promises do. There is no quorum here: a cut leaves each side a
// leader. Threads: the core's.
#ifndef MUSTER_NODE_CORE_KEYSPACE_GATHER_H_
#define MUSTER_NODE_CORE_KEYSPACE_GATHER_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "crdt/types.h"
#include "node/core/keyspace/exchange_sink.h"
#include "node/core/keyspace/kv_shared.h"
#include "node/core/keyspace_frames.h"
#include "node/core/time.h"

namespace muster::core {

class Gather {
 public:
  enum class State : uint8_t { kProposing, kTaking, kReady };
  // How often those that have not answered are asked again.
  static constexpr absl::Duration kAskAgain = absl::Milliseconds(500);

  Gather(KvShared& shared, const Term& term, uint64_t& next_exchange);

  void OnPromise(crdt::LifeId from, const KvPromise& promise);
  void OnDigests(crdt::LifeId from, const KvExchangeDigests& frame);
  void OnPart(crdt::LifeId from, const KvExchangePart& frame);
  void Tick();
  // A slice of joining; true if there is more.
  bool RunJob();
  // Another term has taken its place.
  void Abandon();

  const Term& term() const { return term_; }
  State state() const { return state_; }
  const std::map<crdt::LifeId, KvPromise>& promises() const {
    return promises_;
  }
  bool joining() const { return sink_.has_value() && sink_->joining(); }
  // What was taken in.
  uint64_t joins() const { return joins_; }
  uint64_t joined_buckets() const { return joined_buckets_; }

 private:
  void Propose(crdt::LifeId to);
  void CheckPromises();
  void TakeNext();
  void CheckSink();

  KvShared& shared_;
  const Term term_;
  uint64_t& next_exchange_;
  State state_ = State::kProposing;
  const Instant begun_;
  std::map<crdt::LifeId, Instant> proposed_;  // When last, to whom.
  std::map<crdt::LifeId, KvPromise> promises_;
  std::set<crdt::LifeId> tried_;
  std::optional<ExchangeSink> sink_;
  uint64_t joins_ = 0;
  uint64_t joined_buckets_ = 0;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_KEYSPACE_GATHER_H_
