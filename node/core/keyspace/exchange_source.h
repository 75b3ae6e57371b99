// The sending side of exchanges: reads the buckets that a sink lacks, and what
// a leader writes meanwhile, in one numbered order.
//
// What was written is said before what is read after it: so a part holds
// exactly the mutations that went before it.
//
//   begin (seq 40) | bucket 3 | mutations 41..47 | bucket 9 | … | end (seq 60)
//
// Flow control: window_bytes of parts that the sink has not acknowledged.
// Cost: that of what differs, a frame at a time. Threads: the core's.
#ifndef MUSTER_NODE_CORE_KEYSPACE_EXCHANGE_SOURCE_H_
#define MUSTER_NODE_CORE_KEYSPACE_EXCHANGE_SOURCE_H_

#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "crdt/keyspace/exchange.h"
#include "crdt/log.h"
#include "node/core/keyspace/kv_shared.h"
#include "node/core/keyspace_frames.h"

namespace muster::core {

class ExchangeSource {
 public:
  // What all exchanges of a node may send in one step.
  static constexpr size_t kFramesAStep = 16;

  // Answers the sink's digests with its own. `log`: of the leader's mutations;
  // null: the state does not change meanwhile.
  ExchangeSource(KvShared& shared, crdt::LifeId sink,
                 const KvExchangeBegin& begin, const crdt::MutationLog* log);

  void OnWant(const KvExchangeWant& want);
  void OnAck(const KvExchangeAck& ack);
  // Sends what the window allows, `budget` frames at most. True: more is to be
  // sent at once.
  bool Pump(size_t& budget);

  crdt::LifeId sink() const { return sink_; }
  uint64_t exchange() const { return exchange_; }
  bool over() const { return over_; }
  // The sink has all; else it gave up, or the log has passed on.
  bool done() const { return done_; }
  // The leader's last mutation before the end that the sink has taken.
  crdt::Seq taken() const { return taken_; }

 private:
  struct Unacked {
    uint64_t number = 0;
    size_t bytes = 0;
  };
  void Send(KvExchangePart part);
  bool SendMutations();
  void SendKey(const kv::OwnedKey& key);
  void SendBucket();

  KvShared& shared_;
  const crdt::LifeId sink_;
  const uint64_t exchange_;
  const crdt::MutationLog* const log_;
  crdt::MutationLog::Cursor cursor_;
  kv::BucketReader reader_;
  bool wanted_ = false;
  bool ended_ = false;  // All was sent, as far as is known.
  bool over_ = false;
  bool done_ = false;
  std::vector<uint32_t> buckets_;
  size_t next_ = 0;
  std::deque<kv::OwnedKey> again_;
  uint64_t number_ = 0;
  std::deque<std::pair<uint64_t, crdt::Seq>> ends_;  // By number.
  crdt::Seq taken_;
  std::deque<Unacked> unacked_;
  size_t unacked_bytes_ = 0;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_KEYSPACE_EXCHANGE_SOURCE_H_
