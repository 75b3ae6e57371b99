// How nodes prove that they know the cluster's secret, without sending it.
//
// A link: each side sends, after both hellos,
//   HMAC-SHA256(secret, role || dialler's nonce || acceptor's nonce ||
//                       dialler's life || acceptor's life || cluster)
// with role 'D' or 'A' for the side that sends it. The nonces make a recorded
// proof worthless, the role a reflected one.
//
// A datagram: the first 16 bytes of HMAC-SHA256(secret, datagram). A replayed
// datagram carries an old beat number, which is no evidence of life.
//
// Lives are 16 bytes, big-endian. All functions are total and thread-safe.
#ifndef MUSTER_NODE_CODEC_PEER_PROOF_H_
#define MUSTER_NODE_CODEC_PEER_PROOF_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "crdt/types.h"

namespace muster::codec {

inline constexpr size_t kNonceBytes = 16;
inline constexpr size_t kProofBytes = 32;
inline constexpr size_t kDatagramMacBytes = 16;

enum class LinkRole : char { kDialler = 'D', kAcceptor = 'A' };

// The fields that both proofs of one link cover.
struct ProofInput {
  std::string dialler_nonce;
  std::string acceptor_nonce;
  crdt::LifeId dialler_life;
  crdt::LifeId acceptor_life;
  std::string cluster;
};

// The proof that the side `role` sends; empty without a secret.
std::string MakeProof(absl::string_view secret, LinkRole role,
                      const ProofInput& input);

// kDatagramMacBytes; empty without a secret.
std::string DatagramMac(absl::string_view secret, absl::string_view datagram);

// Compares in a time that depends on the lengths alone.
bool SameMac(absl::string_view a, absl::string_view b);

// First 8 bytes of SHA-256 of the cluster's name, as a big-endian number: a
// datagram names its cluster by it.
uint64_t ClusterHash(absl::string_view cluster);

}  // namespace muster::codec

#endif  // MUSTER_NODE_CODEC_PEER_PROOF_H_
