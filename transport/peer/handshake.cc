#include "transport/peer/handshake.h"

#include <algorithm>
#include <utility>

namespace muster::peer {

using codec::LinkRole;

std::optional<std::string> InsecurePeer(const LinkPolicy& policy,
                                        bool on_loopback) {
  if (on_loopback || policy.insecure_peers || !policy.secret.empty()) {
    return std::nullopt;
  }
  return "nodes that are not on loopback need the same --cluster-secret, or "
         "--insecure-peers on both";
}

Handshake::Handshake(const LinkPolicy& policy, LinkRole role, crdt::Origin self,
                     std::string nonce, bool probe, bool prove_also)
    : policy_(policy),
      role_(role),
      self_(std::move(self)),
      nonce_(std::move(nonce)),
      probe_(probe),
      also_(prove_also) {}

std::optional<codec::EncodedFrame> Handshake::Begin() {
  if (role_ == LinkRole::kAcceptor) return std::nullopt;
  return OwnHello();
}

Handshake::Outcome Handshake::OnMessage(const codec::PeerMessage& message) {
  if (const auto* refusal = std::get_if<codec::Refusal>(&message)) {
    return Refused{*refusal};
  }
  const auto* hello = std::get_if<codec::Hello>(&message);
  if (hello != nullptr && expect_ == Expect::kHello) return OnHello(*hello);
  const auto* proof = std::get_if<codec::Proof>(&message);
  if (proof != nullptr && expect_ == Expect::kProof) return OnProof(*proof);
  return Refuse{RefusalReason::kMalformed,
                {"a message out of turn in the handshake", false}};
}

std::optional<Handshake::Refuse> Handshake::HelloFault() const {
  if (theirs_.cluster != policy_.cluster) {
    return Refuse{RefusalReason::kCluster,
                  {DescribeCluster(Mine(), Theirs()), true}};
  }
  if (theirs_.protocol_min > policy_.protocol_max ||
      theirs_.protocol_max < policy_.protocol_min) {
    return Refuse{RefusalReason::kProtocol,
                  {DescribeProtocol(Mine(), Theirs()), true}};
  }
  return std::nullopt;
}

Handshake::Outcome Handshake::OnHello(const codec::Hello& hello) {
  theirs_ = hello;
  if (std::optional<Refuse> fault = HelloFault()) return *std::move(fault);
  if (role_ == LinkRole::kDialler) {
    if (probe_) return Probed{hello.origin.life};
    expect_ = Expect::kProof;
    return Continue{OwnProof()};
  }
  expect_ = hello.probe ? Expect::kHangUp : Expect::kProof;
  return Continue{OwnHello()};
}

bool Handshake::TakeProof(const std::string& mac) {
  const bool dialler = role_ == LinkRole::kDialler;
  const LinkRole other = dialler ? LinkRole::kAcceptor : LinkRole::kDialler;
  const auto proves = [&](const std::string& secret) {
    return codec::SameMac(codec::MakeProof(secret, other, Input()), mac);
  };
  if (dialler) return proves(Secret());
  also_ = !proves(policy_.secret) && !policy_.secret_also.empty();
  return proves(Secret());
}

Handshake::Outcome Handshake::OnProof(const codec::Proof& proof) {
  if (!TakeProof(proof.mac)) {
    RefusalSide theirs = Theirs();
    theirs.has_secret = !proof.mac.empty();
    return Refuse{RefusalReason::kSecret,
                  {DescribeSecret(Mine(), theirs), true}};
  }
  expect_ = Expect::kHangUp;
  if (role_ == LinkRole::kDialler) return Established{std::nullopt, Peer()};
  return Established{OwnProof(), Peer()};
}

RefusalSide Handshake::Mine() const {
  return {.name = self_.node,
          .address = policy_.address,
          .cluster = policy_.cluster,
          .protocol_min = policy_.protocol_min,
          .protocol_max = policy_.protocol_max,
          .has_secret = !policy_.secret.empty()};
}

RefusalSide Handshake::Theirs() const {
  return {.name = theirs_.origin.node,
          .address = theirs_.address,
          .cluster = theirs_.cluster,
          .protocol_min = theirs_.protocol_min,
          .protocol_max = theirs_.protocol_max};
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
  return codec::EncodeProof({codec::MakeProof(Secret(), role_, Input())});
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
