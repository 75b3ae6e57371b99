#include "transport/peer/handshake.h"

#include <gtest/gtest.h>

namespace muster::peer {
namespace {

using codec::LinkRole;

crdt::Origin OriginOf(const std::string& name, uint64_t life) {
  return {name, crdt::Incarnation(1), {life, life}};
}

LinkPolicy PolicyWith(const std::string& secret, const std::string& also = "") {
  LinkPolicy policy;
  policy.secret_also = also;
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
  void Meet(LinkPolicy dialler, LinkPolicy acceptor, bool probe = false,
            bool prove_also = false) {
    dialler_policy_ = std::move(dialler);
    acceptor_policy_ = std::move(acceptor);
    dialler_.emplace(dialler_policy_, LinkRole::kDialler, OriginOf("a", 1),
                     std::string(codec::kNonceBytes, 'd'), probe, prove_also);
    acceptor_.emplace(acceptor_policy_, LinkRole::kAcceptor, OriginOf("b", 2),
                      std::string(codec::kNonceBytes, 'a'), false);
  }
  Handshake::Outcome ToAcceptor(const codec::EncodedFrame& frame) {
    return acceptor_->OnMessage(Sent(frame));
  }
  Handshake::Outcome ToDialler(const codec::EncodedFrame& frame) {
    return dialler_->OnMessage(Sent(frame));
  }
  // What the dialler's hello leads to at the acceptor.
  Handshake::Outcome Hello() { return ToAcceptor(*dialler_->Begin()); }
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

// Dialler a, acceptor b.
TEST_F(HandshakeTest, TheReasonOfARefusalSaysWhoHasASecretAndWhatToDo) {
  Meet(PolicyWith(""), PolicyWith("swordfish"));
  auto refuse = std::get<Handshake::Refuse>(ToAcceptor(ProofOfDialler()));
  EXPECT_EQ(refuse.refusal.reason,
            "a has no --cluster-secret, but b asks for one: start a with the "
            "same");
  EXPECT_EQ(refuse.reason, RefusalReason::kSecret);
  EXPECT_TRUE(refuse.refusal.permanent);
  Meet(PolicyWith("swordfish"), PolicyWith(""));
  refuse = std::get<Handshake::Refuse>(ToAcceptor(ProofOfDialler()));
  EXPECT_EQ(refuse.refusal.reason,
            "b has no --cluster-secret, but a asks for one: start b with the "
            "same");
  Meet(PolicyWith("swordfish"), PolicyWith("sardine"));
  refuse = std::get<Handshake::Refuse>(ToAcceptor(ProofOfDialler()));
  EXPECT_EQ(refuse.refusal.reason,
            "a and b have different --cluster-secret: start both with the "
            "same");
}

// ------------------------------------------------------------- two secrets

TEST_F(HandshakeTest, AnAcceptorOfTwoSecretsTakesEitherAndAnswersWithTheSame) {
  for (const char* known : {"new", "old"}) {
    Meet(PolicyWith(known), PolicyWith("new", "old"));
    auto accepted =
        std::get<Handshake::Established>(ToAcceptor(ProofOfDialler()));
    EXPECT_EQ(acceptor_->also(), known == std::string("old"));
    // The dialler knows one secret, and the answer is a proof of it.
    EXPECT_TRUE(std::holds_alternative<Handshake::Established>(
        ToDialler(*accepted.send)));
  }
  Meet(PolicyWith("older"), PolicyWith("new", "old"));
  EXPECT_TRUE(
      std::holds_alternative<Handshake::Refuse>(ToAcceptor(ProofOfDialler())));
  Meet(PolicyWith(""), PolicyWith("new", "old"));
  EXPECT_TRUE(
      std::holds_alternative<Handshake::Refuse>(ToAcceptor(ProofOfDialler())));
}

TEST_F(HandshakeTest, ADiallerOfTwoSecretsProvesTheOneItIsToldTo) {
  Meet(PolicyWith("new", "old"), PolicyWith("old"));
  EXPECT_FALSE(dialler_->proof_pending());
  auto refuse = std::get<Handshake::Refuse>(ToAcceptor(ProofOfDialler()));
  EXPECT_TRUE(dialler_->proof_pending());
  EXPECT_TRUE(refuse.refusal.permanent);
  Meet(PolicyWith("new", "old"), PolicyWith("old"), false, /*prove_also=*/true);
  auto accepted =
      std::get<Handshake::Established>(ToAcceptor(ProofOfDialler()));
  EXPECT_TRUE(std::holds_alternative<Handshake::Established>(
      ToDialler(*accepted.send)));
  EXPECT_TRUE(dialler_->also());
  EXPECT_FALSE(dialler_->proof_pending());
}

TEST_F(HandshakeTest, AnAnswerWithTheOtherSecretIsNoProof) {
  Meet(PolicyWith("new", "old"), PolicyWith("new"));
  ProofOfDialler();
  codec::ProofInput input{std::string(codec::kNonceBytes, 'd'),
                          std::string(codec::kNonceBytes, 'a'),
                          {1, 1},
                          {2, 2},
                          "muster"};
  const auto answer = [&](const char* secret) {
    return ToDialler(codec::EncodeProof(
        {codec::MakeProof(secret, LinkRole::kAcceptor, input)}));
  };
  EXPECT_TRUE(std::holds_alternative<Handshake::Refuse>(answer("old")));
  EXPECT_TRUE(std::holds_alternative<Handshake::Established>(answer("new")));
}

// ---------------------------------------------------------------- refusals

TEST_F(HandshakeTest, AnotherClusterIsNamedInTheRefusal) {
  LinkPolicy other = PolicyWith("");
  other.cluster = "other";
  Meet(PolicyWith(""), other);
  auto refuse = std::get<Handshake::Refuse>(Hello());
  EXPECT_EQ(refuse.refusal.reason,
            "a is of cluster \"muster\", b of \"other\": start both with the "
            "same --cluster");
  EXPECT_EQ(refuse.reason, RefusalReason::kCluster);
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
  auto refuse = std::get<Handshake::Refuse>(Hello());
  EXPECT_EQ(refuse.refusal.reason,
            "a speaks peer protocol 2 to 3, b 1 to 1: upgrade b");
  EXPECT_EQ(refuse.reason, RefusalReason::kProtocol);
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

TEST(RefusalTest, OneSentenceServesBothSides) {
  const RefusalSide a{.name = "a", .cluster = "x", .has_secret = true};
  const RefusalSide b{.name = "b", .cluster = "y"};
  EXPECT_EQ(DescribeSecret(a, b), DescribeSecret(b, a));
  EXPECT_EQ(DescribeCluster(a, b), DescribeCluster(b, a));
  EXPECT_EQ(DescribeProtocol(a, b), DescribeProtocol(b, a));
}

TEST(RefusalTest, NodesOfOneNameAreToldApartByTheirAddresses) {
  const RefusalSide one{.name = "a", .address = "h1:7400", .has_secret = true};
  const RefusalSide other{.name = "a", .address = "h2:7400"};
  EXPECT_EQ(DescribeSecret(other, one),
            "h2:7400 has no --cluster-secret, but h1:7400 asks for one: start "
            "h2:7400 with the same");
}

TEST(RefusalLogTest, APeerIsNewsOnceUntilItsReasonChangesOrItIsLinked) {
  RefusalLog log;
  EXPECT_TRUE(log.IsNews("h1:7400", "no secret"));
  EXPECT_FALSE(log.IsNews("h1:7400", "no secret"));
  EXPECT_TRUE(log.IsNews("h2:7400", "no secret"));
  EXPECT_TRUE(log.IsNews("h1:7400", "another secret"));
  EXPECT_TRUE(log.IsNews("h1:7400", "no secret"));
  log.Clear("h1:7400");
  EXPECT_TRUE(log.IsNews("h1:7400", "no secret"));
  EXPECT_FALSE(log.IsNews("h2:7400", "no secret"));
}

TEST(RefusalLogTest, ItDoesNotGrowWithStrangers) {
  RefusalLog log;
  for (size_t i = 0; i <= RefusalLog::kMaxPeers; ++i) {
    EXPECT_TRUE(log.IsNews("h:" + std::to_string(i), "no secret"));
  }
  EXPECT_TRUE(log.IsNews("h:0", "no secret"));
}

TEST_F(HandshakeTest, ARefusalIsPassedOnAtAnyMoment) {
  Meet(PolicyWith(""), PolicyWith(""));
  auto step = ToDialler(codec::EncodeRefusal({"full", false}));
  EXPECT_EQ(std::get<Handshake::Refused>(step).refusal.reason, "full");
}

}  // namespace
}  // namespace muster::peer
