// The other members, as the keyspace needs to know them: who is up, and who is
// *out*.
//
// Who has left a proposal or its leader unanswered for kPatience is out, until
// a frame of it comes: it is not waited for, and does not count as one that
// could follow.
//
// Cost: O(log members) a look-up. Limits: kMaxMembers. Threads: the core's.
#ifndef MUSTER_NODE_CORE_KEYSPACE_KV_PEERS_H_
#define MUSTER_NODE_CORE_KEYSPACE_KV_PEERS_H_

#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "crdt/types.h"
#include "node/core/time.h"

namespace muster::core {

// A member that has neither left nor been forgotten, nor ended.
struct KvPeer {
  crdt::LifeId life;
  crdt::Incarnation incarnation;
  bool up = false;     // Alive or suspect, and it knows the keyspace.
  bool knows = true;   // It is of a version that has the keyspace.
  bool linked = true;  // There is a link to it.
};

class KvPeers {
 public:
  // How long anybody is waited for.
  static constexpr absl::Duration kPatience = absl::Milliseconds(2500);

  // How long after the loss of its link a node is given to be known as down, or
  // for another way to it to be found.
  static constexpr absl::Duration kLost = absl::Seconds(1);

  void Set(const std::vector<KvPeer>& peers, Instant now) {
    ++changes_;
    std::map<crdt::LifeId, KvPeer> next;
    for (const KvPeer& peer : peers) {
      const auto before = peers_.find(peer.life);
      const bool lost = before != peers_.end() && before->second.linked;
      if (lost && !peer.linked) lost_[peer.life] = now;
      next[peer.life] = peer;
    }
    peers_.swap(next);
    for (auto at = lost_.begin(); at != lost_.end();) {
      const bool over = !peers_.contains(at->first) || now - at->second > kLost;
      at = over ? lost_.erase(at) : std::next(at);
    }
    for (auto at = heard_.begin(); at != heard_.end();) {
      at = peers_.contains(at->first) ? std::next(at) : heard_.erase(at);
    }
    for (auto at = out_.begin(); at != out_.end();) {
      at = peers_.contains(*at) ? std::next(at) : out_.erase(at);
    }
  }

  const std::map<crdt::LifeId, KvPeer>& all() const { return peers_; }
  bool IsUp(crdt::LifeId life) const {
    const auto peer = peers_.find(life);
    return peer != peers_.end() && peer->second.up;
  }
  // Its link went a moment ago: what is sent to it now is likely lost.
  bool WasJustLost(crdt::LifeId life, Instant now) const {
    const auto lost = lost_.find(life);
    return lost != lost_.end() && !peers_.at(life).linked &&
           now - lost->second <= kLost;
  }
  std::vector<crdt::LifeId> Up() const {
    std::vector<crdt::LifeId> up;
    for (const auto& [life, peer] : peers_) {
      if (peer.up) up.push_back(life);
    }
    return up;
  }

  // A frame of it has come.
  void Heard(crdt::LifeId life, Instant now) {
    heard_[life] = now;
    changes_ += out_.erase(life);
  }
  Instant HeardAt(crdt::LifeId life) const {
    const auto heard = heard_.find(life);
    return heard == heard_.end() ? kLongAgo : heard->second;
  }
  void SetOut(crdt::LifeId life) { changes_ += out_.insert(life).second; }
  bool IsOut(crdt::LifeId life) const { return out_.contains(life); }

  // Grows whenever anybody may have come, gone, or become out.
  uint64_t changes() const { return changes_; }

 private:
  std::map<crdt::LifeId, KvPeer> peers_;
  std::map<crdt::LifeId, Instant> heard_;
  std::map<crdt::LifeId, Instant> lost_;
  std::set<crdt::LifeId> out_;
  uint64_t changes_ = 0;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_KEYSPACE_KV_PEERS_H_
