// What the parts of the keyspace on one node share: the state, the time, who is
// there, and what is to be said.
#ifndef MUSTER_NODE_CORE_KEYSPACE_KV_SHARED_H_
#define MUSTER_NODE_CORE_KEYSPACE_KV_SHARED_H_

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "crdt/keyspace/keyspace.h"
#include "crdt/log.h"
#include "crdt/types.h"
#include "node/commands/execute.h"
#include "node/commands/random.h"
#include "node/core/keyspace/kv_clock.h"
#include "node/core/keyspace/kv_peers.h"
#include "node/core/keyspace_calls.h"
#include "node/core/keyspace_frames.h"
#include "node/core/options.h"
#include "node/core/time.h"

namespace muster::core {

// For how long a leader and its followers believe the last sign of life.
inline constexpr absl::Duration kKvLives = absl::Seconds(2);

// A leader has one stream in its log.
inline constexpr crdt::MutationLog::StreamIdx kOwnStream = 0;

struct KvShared {
  using Reaches = std::function<bool(crdt::LifeId)>;

  KvShared(const KeyspaceOptions& o, crdt::LifeId life, uint64_t seed,
           Reaches r)
      : options(o),
        self(life),
        reaches(std::move(r)),
        random(seed),
        state(random.Next()) {}

  const KeyspaceOptions options;
  const crdt::LifeId self;
  // Whether there is a way to it on which frames come.
  const Reaches reaches;
  crdt::Incarnation incarnation;  // Once it is admitted.
  commands::Random random;
  Instant now{0};
  int64_t wall_us = 0;
  KvClock clock;
  KvPeers peers;
  kv::Keyspace state;

  // For the world, taken by ReplicatedKeyspace::Flush.
  std::vector<KvMail> mail;
  std::vector<KvAnswer> answers;
  std::vector<std::string> log;

  // How often a leader and its followers ask each other for a sign of life.
  // Where there are many it is less often: a leader hears of them all.
  absl::Duration Beat() const {
    return absl::Milliseconds(peers.all().size() > 64 ? 500 : 250);
  }
  void Send(crdt::LifeId to, KvBody body) {
    mail.push_back({to, std::move(body)});
  }
  bool IsOutOfMemory() const {
    return options.max_memory_bytes > 0 &&
           state.bytes() > options.max_memory_bytes;
  }
  commands::Environment Environment(
      commands::Blocking blocking = commands::Blocking::kMayWait) {
    return {.now = clock.now(),
            .micros = static_cast<uint32_t>(clock.now_us() % 1000),
            .random = random,
            .limits = options.limits,
            .blocking = blocking,
            .out_of_memory = IsOutOfMemory()};
  }
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_KEYSPACE_KV_SHARED_H_
