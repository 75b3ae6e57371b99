#include "transport/peer/handshake.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace muster::peer {

using codec::LinkRole;

std::optional<std::string> InsecurePeer(const LinkPolicy& policy,
                                        bool on_loopback) {
  if (on_loopback || policy.insecure_peers || !policy.secret.empty()) {
    return std::nullopt;
  }
  return "a peer that is not on loopback needs --cluster-secret on both "
         "nodes, or --insecure-peers";
}

Handshake::Handshake(const LinkPolicy& policy, LinkRole role, crdt::Origin self,
                     std::string nonce, bool probe)
    : policy_(policy),
      role_(role),
      self_(std::move(self)),
      nonce_(std::move(nonce)),
      probe_(probe) {}

std::optional<codec::EncodedFrame> Handshake::Begin() {
  if (role_ == LinkRole::kAcceptor) return std::nullopt;
  return OwnHello();
}

Handshake::Step Handshake::OnMessage(const codec::PeerMessage& message) {
  if (const auto* refusal = std::get_if<codec::Refusal>(&message)) {
    return Refused{*refusal};
  }
  const auto* hello = std::get_if<codec::Hello>(&message);
  if (hello != nullptr && expect_ == Expect::kHello) return OnHello(*hello);
  const auto* proof = std::get_if<codec::Proof>(&message);
  if (proof != nullptr && expect_ == Expect::kProof) return OnProof(*proof);
  return Refuse{{"a message out of turn in the handshake", false}};
}

std::optional<std::string> Handshake::HelloFault(
    const codec::Hello& hello) const {
  if (hello.cluster != policy_.cluster) {
    return absl::StrCat("cluster \"", hello.cluster,
                        "\" is not this node's cluster, which is \"",
                        policy_.cluster, "\" (--cluster)");
  }
  if (hello.protocol_min > policy_.protocol_max ||
      hello.protocol_max < policy_.protocol_min) {
    return absl::StrCat("peer protocol versions ", hello.protocol_min, " to ",
                        hello.protocol_max, " are not compatible with ",
                        policy_.protocol_min, " to ", policy_.protocol_max,
                        " of this node");
  }
  return std::nullopt;
}

Handshake::Step Handshake::OnHello(const codec::Hello& hello) {
  if (std::optional<std::string> fault = HelloFault(hello)) {
    return Refuse{{*std::move(fault), true}};
  }
  theirs_ = hello;
  if (role_ == LinkRole::kDialler) {
    if (probe_) return Probed{hello.origin.life};
    expect_ = Expect::kProof;
    return Continue{OwnProof()};
  }
  expect_ = hello.probe ? Expect::kHangUp : Expect::kProof;
  return Continue{OwnHello()};
}

Handshake::Step Handshake::OnProof(const codec::Proof& proof) {
  LinkRole other =
      role_ == LinkRole::kDialler ? LinkRole::kAcceptor : LinkRole::kDialler;
  std::string expected = codec::MakeProof(policy_.secret, other, Input());
  if (!codec::SameMac(expected, proof.mac)) {
    const char* why = "the two nodes have different --cluster-secret";
    if (proof.mac.empty()) why = "this node asks for a --cluster-secret";
    if (expected.empty()) why = "this node has no --cluster-secret";
    return Refuse{{why, true}};
  }
  expect_ = Expect::kHangUp;
  if (role_ == LinkRole::kDialler) return Established{std::nullopt, Peer()};
  return Established{OwnProof(), Peer()};
}

codec::EncodedFrame Handshake::OwnHello() const {
  codec::Hello hello;
  hello.protocol_min = policy_.protocol_min;
  hello.protocol_max = policy_.protocol_max;
  hello.cluster = policy_.cluster;
  hello.origin = self_;
  hello.address = policy_.address;
  hello.nonce = nonce_;
  hello.probe = probe_;
  return codec::EncodeHello(hello);
}

codec::EncodedFrame Handshake::OwnProof() const {
  return codec::EncodeProof({codec::MakeProof(policy_.secret, role_, Input())});
}

codec::ProofInput Handshake::Input() const {
  codec::ProofInput input{nonce_, theirs_.nonce, self_.life,
                          theirs_.origin.life, policy_.cluster};
  if (role_ == LinkRole::kAcceptor) {
    std::swap(input.dialler_nonce, input.acceptor_nonce);
    std::swap(input.dialler_life, input.acceptor_life);
  }
  return input;
}

core::PeerHello Handshake::Peer() const {
  core::PeerHello peer;
  peer.origin = theirs_.origin;
  peer.address = theirs_.address;
  peer.protocol = std::min(policy_.protocol_max, theirs_.protocol_max);
  peer.feature_level = theirs_.feature_level;
  peer.outbound = role_ == LinkRole::kDialler;
  return peer;
}

}  // namespace muster::peer
