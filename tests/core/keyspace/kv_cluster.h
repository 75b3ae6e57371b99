// Keyspaces of several nodes in simulated time, with a network between them
// that may be cut, one way too, and nodes that freeze or are killed.
#ifndef MUSTER_TESTS_CORE_KEYSPACE_KV_CLUSTER_H_
#define MUSTER_TESTS_CORE_KEYSPACE_KV_CLUSTER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "node/core/keyspace/replicated_keyspace.h"

namespace muster::core {

class KvCluster {
 public:
  explicit KvCluster(int nodes, KeyspaceOptions options = {},
                     uint64_t seed = 1);

  // ---- the world ----
  void Start(int node);
  void Kill(int node);
  void Freeze(int node) { At(node).frozen = true; }
  void Thaw(int node);
  // Frames from `a` to `b` are lost, and b holds a for down after a while.
  void Cut(int a, int b);
  void CutBoth(int a, int b) {
    Cut(a, b);
    Cut(b, a);
  }
  void Heal() { cut_.clear(); }
  // Every so many-th frame comes twice.
  int doubled = 0;
  // The wall clock of a node is off by so much, from its start on.
  std::map<int, absl::Duration> wall_off;
  void RunFor(absl::Duration time);
  // Until it holds, or `patience` has passed: false.
  bool RunUntil(const std::function<bool()>& holds,
                absl::Duration patience = absl::Seconds(15));

  // ---- clients ----
  // Words of one command, separated by spaces.
  KvCallId Send(int node, const std::string& command,
                KvConnection connection = 0);
  KvCallId Send(int node, KvCall call);
  // The answer as redis-cli prints it, or the status; "" if there is none.
  std::string Answer(int node, KvCallId call) const;
  // Sends, runs until it is answered, and returns the answer.
  std::string Do(int node, const std::string& command);

  // The same, again and again while the outcome is unknown or nobody leads.
  std::string Insist(int node, const std::string& command);

  // ---- state ----
  ReplicatedKeyspace& node(int n) { return *At(n).keyspace; }
  bool IsLive(int n) const { return nodes_.at(n).keyspace != nullptr; }
  // The one node that leads, or -1.
  int Leader() const;
  // One leads, all live ones follow whole, and states are equal.
  bool IsSettled() const;
  std::string Describe() const;
  absl::Duration time() const { return absl::Microseconds(now_us_); }
  static crdt::LifeId LifeOf(int node, int life) {
    return {static_cast<uint64_t>(node) + 1, static_cast<uint64_t>(life)};
  }
  size_t frames() const { return frames_; }

 private:
  struct Node {
    std::unique_ptr<ReplicatedKeyspace> keyspace;
    int life = 0;
    bool frozen = false;
    bool draining = false;
    int64_t thawed_at = 0;
    int64_t frozen_at = 0;
    std::map<int, int64_t> heard;  // When a frame could last have come.
    std::map<KvCallId, KvAnswer> answers;
    std::vector<std::pair<crdt::LifeId, KvBody>> inbox;
  };
  struct InFlight {
    int64_t at = 0;
    uint64_t order = 0;
    int from = 0;
    int to = 0;
    crdt::LifeId from_life;
    crdt::LifeId to_life;
    std::shared_ptr<KvBody> body;
    bool operator<(const InFlight& other) const {
      return std::pair(at, order) > std::pair(other.at, other.order);
    }
  };

  Node& At(int node) { return nodes_.at(node); }
  Now now(int node) const {
    const auto off = wall_off.find(node);
    const int64_t us =
        off == wall_off.end() ? 0 : absl::ToInt64Microseconds(off->second);
    return {{now_us_ + 1'000'000}, 1'700'000'000'000'000 + now_us_ + us};
  }
  void SetPeers(int node);
  void Step(int node, const std::function<void(ReplicatedKeyspace&)>& body,
            absl::Duration stalled = absl::ZeroDuration());
  void Deliver();

  const KeyspaceOptions options_;
  uint64_t seed_;
  std::map<int, Node> nodes_;
  std::set<std::pair<int, int>> cut_;
  std::priority_queue<InFlight> network_;
  std::map<std::pair<int, int>, int64_t> fifo_;
  uint64_t order_ = 0;
  int64_t now_us_ = 0;
  size_t frames_ = 0;
};

}  // namespace muster::core

#endif  // MUSTER_TESTS_CORE_KEYSPACE_KV_CLUSTER_H_
