#include "transport/peer/handshake.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace muster::peer {
namespace {

using codec::LinkRole;
using ::testing::HasSubstr;

crdt::Origin OriginOf(const std::string& name, uint64_t life) {
  return {name, crdt::Incarnation(1), {life, life}};
}

LinkPolicy PolicyWith(const std::string& secret) {
  LinkPolicy policy;
  policy.cluster = "muster";
  policy.address = "127.0.0.1:7700";
  policy.secret = secret;
  return policy;
}

codec::PeerMessage Sent(const codec::EncodedFrame& frame) {
  return *codec::DecodeMessage(frame.head);
}

// A dialler and an acceptor that hand each other what they send.
class HandshakeTest : public ::testing::Test {
 protected:
  void Meet(LinkPolicy dialler, LinkPolicy acceptor, bool probe = false) {
    dialler_policy_ = std::move(dialler);
    acceptor_policy_ = std::move(acceptor);
    dialler_.emplace(dialler_policy_, LinkRole::kDialler, OriginOf("a", 1),
                     std::string(codec::kNonceBytes, 'd'), probe);
    acceptor_.emplace(acceptor_policy_, LinkRole::kAcceptor, OriginOf("b", 2),
                      std::string(codec::kNonceBytes, 'a'), false);
  }
  Handshake::Step ToAcceptor(const codec::EncodedFrame& frame) {
    return acceptor_->OnMessage(Sent(frame));
  }
  Handshake::Step ToDialler(const codec::EncodedFrame& frame) {
    return dialler_->OnMessage(Sent(frame));
  }
  // What the dialler's hello leads to at the acceptor.
  Handshake::Step Hello() { return ToAcceptor(*dialler_->Begin()); }
  // The dialler's proof.
  codec::EncodedFrame ProofOfDialler() {
    auto hello = *std::get<Handshake::Continue>(Hello()).send;
    return *std::get<Handshake::Continue>(ToDialler(hello)).send;
  }

  LinkPolicy dialler_policy_;
  LinkPolicy acceptor_policy_;
  std::optional<Handshake> dialler_;
  std::optional<Handshake> acceptor_;
};

TEST_F(HandshakeTest, EachSideIsEstablishedByTheOthersProof) {
  Meet(PolicyWith("swordfish"), PolicyWith("swordfish"));
  EXPECT_FALSE(acceptor_->Begin().has_value());
  auto accepted =
      std::get<Handshake::Established>(ToAcceptor(ProofOfDialler()));
  EXPECT_EQ(accepted.hello.origin, OriginOf("a", 1));
  auto dialled = std::get<Handshake::Established>(ToDialler(*accepted.send));
  EXPECT_EQ(dialled.hello.origin, OriginOf("b", 2));
  EXPECT_EQ(dialled.hello.protocol, codec::kProtocolMax);
  EXPECT_FALSE(dialled.send.has_value());
}

TEST_F(HandshakeTest, ARecordedProofIsWorthlessUnderAnotherNonce) {
  Meet(PolicyWith("swordfish"), PolicyWith("swordfish"));
  codec::EncodedFrame recorded = ProofOfDialler();
  acceptor_.emplace(acceptor_policy_, LinkRole::kAcceptor, OriginOf("b", 2),
                    std::string(codec::kNonceBytes, 'x'), false);
  Hello();
  EXPECT_TRUE(std::holds_alternative<Handshake::Refuse>(ToAcceptor(recorded)));
}

TEST_F(HandshakeTest, AReflectedProofIsWorthless) {
  Meet(PolicyWith("swordfish"), PolicyWith("swordfish"));
  codec::EncodedFrame own = ProofOfDialler();
  EXPECT_TRUE(std::holds_alternative<Handshake::Refuse>(ToDialler(own)));
}

TEST_F(HandshakeTest, TheReasonOfARefusalSaysWhoseSecretIsMissing) {
  Meet(PolicyWith(""), PolicyWith("swordfish"));
  auto refuse = std::get<Handshake::Refuse>(ToAcceptor(ProofOfDialler()));
  EXPECT_THAT(refuse.refusal.reason, HasSubstr("asks for a --cluster-secret"));
  EXPECT_TRUE(refuse.refusal.permanent);
  Meet(PolicyWith("swordfish"), PolicyWith(""));
  refuse = std::get<Handshake::Refuse>(ToAcceptor(ProofOfDialler()));
  EXPECT_THAT(refuse.refusal.reason, HasSubstr("has no --cluster-secret"));
  Meet(PolicyWith("swordfish"), PolicyWith("sardine"));
  refuse = std::get<Handshake::Refuse>(ToAcceptor(ProofOfDialler()));
  EXPECT_THAT(refuse.refusal.reason, HasSubstr("different --cluster-secret"));
}

TEST_F(HandshakeTest, AnotherClusterIsNamedInTheRefusal) {
  LinkPolicy other = PolicyWith("");
  other.cluster = "other";
  Meet(PolicyWith(""), other);
  auto refuse = std::get<Handshake::Refuse>(Hello());
  EXPECT_EQ(refuse.refusal.reason,
            "cluster \"muster\" is not this node's cluster, which is "
            "\"other\" (--cluster)");
  EXPECT_TRUE(refuse.refusal.permanent);
}

TEST_F(HandshakeTest, TheHighestCommonVersionIsSpoken) {
  LinkPolicy wide = PolicyWith("");
  wide.protocol_max = 5;
  LinkPolicy wider = PolicyWith("");
  wider.protocol_max = 7;
  Meet(wide, wider);
  auto accepted =
      std::get<Handshake::Established>(ToAcceptor(ProofOfDialler()));
  EXPECT_EQ(accepted.hello.protocol, 5u);
}

TEST_F(HandshakeTest, VersionsWithNothingInCommonAreNamedInTheRefusal) {
  LinkPolicy late = PolicyWith("");
  late.protocol_min = 2;
  late.protocol_max = 3;
  Meet(late, PolicyWith(""));
  EXPECT_THAT(std::get<Handshake::Refuse>(Hello()).refusal.reason,
              HasSubstr("2 to 3 are not compatible with 1 to 1"));
}

TEST_F(HandshakeTest, AProbeEndsWithTheAcceptorsHello) {
  Meet(PolicyWith("swordfish"), PolicyWith("swordfish"), /*probe=*/true);
  auto hello = *std::get<Handshake::Continue>(Hello()).send;
  auto probed = std::get<Handshake::Probed>(ToDialler(hello));
  EXPECT_EQ(probed.life, (crdt::LifeId{2, 2}));
  // And a probe never becomes a link.
  EXPECT_TRUE(std::holds_alternative<Handshake::Refuse>(
      ToAcceptor(codec::EncodeProof({std::string(32, 'p')}))));
}

TEST_F(HandshakeTest, MessagesOutOfTurnAreRefused) {
  Meet(PolicyWith(""), PolicyWith(""));
  EXPECT_TRUE(std::holds_alternative<Handshake::Refuse>(
      ToAcceptor(codec::EncodeProof({}))));
  Meet(PolicyWith(""), PolicyWith(""));
  Hello();
  EXPECT_TRUE(std::holds_alternative<Handshake::Refuse>(Hello()));
  Meet(PolicyWith(""), PolicyWith(""));
  EXPECT_TRUE(std::holds_alternative<Handshake::Refuse>(
      acceptor_->OnMessage(core::Frame{1, core::AckFrame{1}})));
}

TEST_F(HandshakeTest, ARefusalIsPassedOnAtAnyMoment) {
  Meet(PolicyWith(""), PolicyWith(""));
  auto step = ToDialler(codec::EncodeRefusal({"full", false}));
  EXPECT_EQ(std::get<Handshake::Refused>(step).refusal.reason, "full");
}

}  // namespace
}  // namespace muster::peer
