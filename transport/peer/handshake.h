// The hello of a link, as a state machine without I/O.
//
//   dialler                         acceptor
//     hello(nonce d)  ------------>
//                     <------------ hello(nonce a)
//     proof           ------------>                established here
//                     <------------ proof
//   established here
//
// Either side may answer with a refusal instead. It does so if the other side
// is of another cluster, speaks no common protocol version, does not know the
// secret, or is not on loopback while no secret is set. A probe ends after the
// acceptor's hello: the dialler only wants to know which life is there.
//
// Two secrets may be valid at a time, while nodes are changed over from one to
// the other. The dialler proves one of them; the acceptor accepts either and
// answers with the same one. A refused dialler proves the other secret at its
// next attempt, which the owner begins.
//
// Invariants
//   1. A link is established only after the other side's proof was checked.
//   2. The acceptor shows its proof only after it has checked the dialler's.
//   3. No message is accepted out of its turn.
#ifndef MUSTER_TRANSPORT_PEER_HANDSHAKE_H_
#define MUSTER_TRANSPORT_PEER_HANDSHAKE_H_

#include <optional>
#include <string>
#include <variant>

#include "crdt/types.h"
#include "node/codec/peer_codec.h"
#include "node/codec/peer_proof.h"
#include "node/core/frames.h"
#include "transport/peer/refusal.h"

namespace muster::peer {

// This node's part of a handshake, and its demands on peers.
struct LinkPolicy {
  std::string cluster;
  std::string address;  // Advertised.
  std::string secret;
  // Also accepted, and proved to a peer that refuses the first; empty: none.
  std::string secret_also;
  bool insecure_peers = false;
  uint32_t protocol_min = codec::kProtocolMin;
  uint32_t protocol_max = codec::kProtocolMax;
  size_t max_frame_bytes = core::kDefaultMaxFrameBytes;
};

// Whether a peer there may be talked to at all; else why not.
std::optional<std::string> InsecurePeer(const LinkPolicy& policy,
                                        bool on_loopback);

class Handshake {
 public:
  // What to do after a message: what to send, and whether the handshake is
  // over.
  struct Continue {
    std::optional<codec::EncodedFrame> send;
  };
  struct Established {
    std::optional<codec::EncodedFrame> send;
    core::PeerHello hello;
  };
  // This side refuses: send `refusal` and hang up.
  struct Refuse {
    RefusalReason reason;
    codec::Refusal refusal;
  };
  // The other side has refused, or was only asked who it is.
  struct Refused {
    codec::Refusal refusal;
  };
  struct Probed {
    crdt::LifeId life;
  };
  using Outcome = std::variant<Continue, Established, Refuse, Refused, Probed>;

  // `nonce`: kNonceBytes, fresh. `probe` and `prove_also` (the secret_also
  // instead of the secret) only with role kDialler.
  Handshake(const LinkPolicy& policy, codec::LinkRole role, crdt::Origin self,
            std::string nonce, bool probe, bool prove_also = false);

  // The dialler's first message; none for the acceptor.
  std::optional<codec::EncodedFrame> Begin();
  Outcome OnMessage(const codec::PeerMessage& message);
  // Zero until a hello has come.
  crdt::LifeId peer_life() const { return theirs_.origin.life; }
  // Empty until then.
  const std::string& peer_name() const { return theirs_.origin.node; }
  const std::string& peer_address() const { return theirs_.address; }
  // This side has shown its proof, and the other side's has not come.
  bool proof_pending() const {
    return role_ == codec::LinkRole::kDialler && expect_ == Expect::kProof;
  }
  // The proofs of this link are made with secret_also.
  bool also() const { return also_; }

 private:
  enum class Expect { kHello, kProof, kHangUp };

  Outcome OnHello(const codec::Hello& hello);
  Outcome OnProof(const codec::Proof& proof);
  std::optional<Refuse> HelloFault() const;
  const std::string& Secret() const {
    return also_ ? policy_.secret_also : policy_.secret;
  }
  // Whether `mac` is the other side's proof; an acceptor then goes on with the
  // secret of that proof.
  bool TakeProof(const std::string& mac);
  RefusalSide Mine() const;
  RefusalSide Theirs() const;
  codec::EncodedFrame OwnHello() const;
  codec::EncodedFrame OwnProof() const;
  codec::ProofInput Input() const;
  core::PeerHello Peer() const;

  const LinkPolicy& policy_;
  const codec::LinkRole role_;
  const crdt::Origin self_;
  const std::string nonce_;
  const bool probe_;
  bool also_;
  Expect expect_ = Expect::kHello;
  codec::Hello theirs_;
};

}  // namespace muster::peer

#endif  // MUSTER_TRANSPORT_PEER_HANDSHAKE_H_
