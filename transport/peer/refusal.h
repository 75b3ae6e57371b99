// Why two nodes do not link, for counters, logs and both of the nodes.
//
// One sentence names both nodes, so that it reads the same on either side and
// is logged once, whoever dialled whom:
//   "b has no --cluster-secret, but a asks for one: start b with the same"
//
// Threads: the loop's.
#ifndef MUSTER_TRANSPORT_PEER_REFUSAL_H_
#define MUSTER_TRANSPORT_PEER_REFUSAL_H_

#include <cstddef>
#include <map>
#include <string>

#include "node/codec/peer_codec.h"

namespace muster::peer {

enum class RefusalReason {
  kByPeer,     // The other side refused, and said why in words.
  kClosing,    // This node is going away.
  kCluster,    // Of another --cluster.
  kInsecure,   // Not on loopback, and nobody asks for a proof.
  kLimit,      // Too many links.
  kMalformed,  // A message that makes no sense, or comes out of turn.
  kProtocol,   // No protocol version in common.
  kSecret,     // Another --cluster-secret, or none.
  kCount,
};

// One of the two nodes, as far as it is known.
struct RefusalSide {
  std::string name;
  std::string address;  // Advertised.
  std::string cluster;
  uint32_t protocol_min = 0;
  uint32_t protocol_max = 0;
  bool has_secret = false;
};

std::string DescribeCluster(const RefusalSide& one, const RefusalSide& other);
std::string DescribeProtocol(const RefusalSide& one, const RefusalSide& other);
std::string DescribeSecret(const RefusalSide& one, const RefusalSide& other);

// The last sentence logged of each peer, so that it is not logged again: a peer
// is dialled, and dials, for as long as it is wanted.
//
// Limits: kMaxPeers; past them all sentences are forgotten, and may be logged
// once more.
class RefusalLog {
 public:
  static constexpr size_t kMaxPeers = 256;

  // Whether `sentence` is news of `peer`.
  bool IsNews(const std::string& peer, const std::string& sentence);
  // The peer is linked: its last sentence is void.
  void Clear(const std::string& peer) { said_.erase(peer); }

 private:
  std::map<std::string, std::string> said_;
};

}  // namespace muster::peer

#endif  // MUSTER_TRANSPORT_PEER_REFUSAL_H_
