// The bytes of every peer message. A change here is a change of the wire
// format: docs/wire_format.md and perhaps the protocol version change with it.
#include <gtest/gtest.h>

#include <memory>
#include <utility>

#include "absl/strings/escaping.h"
#include "crdt/message_bytes.h"
#include "tests/codec/peer_samples.h"

namespace muster::codec {
namespace {

std::string Hex(const EncodedFrame& frame) {
  return absl::BytesToHexString(Flat(frame));
}
template <typename Body>
std::string FrameHex(Body body) {
  return Hex(EncodeFrame({.beat = 41, .body = std::move(body)}));
}

TEST(PeerGoldenTest, Hello) {
  EXPECT_EQ(Hex(EncodeHello(SampleHello())),
            "124908011001180322066d75737465722a170a01611007190807060504030201"
            "211817161514131211320e3132372e302e302e313a373730303a103031323334"
            "3536373839616263646566");
  Hello old = SampleHello();
  old.feature_level = core::kRoutedLevel;
  EXPECT_EQ(Hex(EncodeHello(old)),
            "124908011001180222066d75737465722a170a01611007190807060504030201"
            "211817161514131211320e3132372e302e302e313a373730303a103031323334"
            "3536373839616263646566");
}

TEST(PeerGoldenTest, Proof) {
  EXPECT_EQ(Hex(EncodeProof({std::string(kProofBytes, 'p')})),
            "1a220a2070707070707070707070707070707070707070707070707070707070"
            "70707070");
  EXPECT_EQ(Hex(EncodeProof({})), "1a00");
}

TEST(PeerGoldenTest, Refusal) {
  EXPECT_EQ(Hex(EncodeRefusal({"no", true})), "22060a026e6f1001");
}

TEST(PeerGoldenTest, Positions) {
  EXPECT_EQ(FrameHex(SamplePositions()),
            "08292a280a240a170a01611007190807060504030201211817161514131211"
            "1001180c20fa01280138281001");
}

TEST(PeerGoldenTest, Pull) {
  EXPECT_EQ(FrameHex(core::PullFrame{kStream, crdt::Seq(12), false, 9}),
            "0829321a0a140908070605040302011118171615141312111801100c2009");
}

TEST(PeerGoldenTest, Delta) {
  EXPECT_EQ(FrameHex(SampleDelta()),
            "08293a2c0a140908070605040302011118171615141312111801100518022210"
            "0a0204726f6f6d03616e6e027b7d0402");
}

TEST(PeerGoldenTest, Rebase) {
  EXPECT_EQ(FrameHex(SampleKeep()),
            "0829422f0a140908070605040302011118171615141312111801100918022004"
            "28033008380249d10000000000000042020201");
}

TEST(PeerGoldenTest, Checkpoint) {
  EXPECT_EQ(FrameHex(core::CheckpointFrame{kStream, crdt::Seq(12), 0xd1}),
            "08294a210a140908070605040302011118171615141312111801100c19d10000"
            "0000000000");
}

TEST(PeerGoldenTest, Ack) {
  EXPECT_EQ(FrameHex(core::AckFrame{65536}), "0829520408808004");
}

TEST(PeerGoldenTest, Members) {
  EXPECT_EQ(FrameHex(SampleMembers()),
            "08295a340a300a170a0161100719080706050403020121181716151413121112"
            "0e3132372e302e302e313a37373030180220282884071006");
}

TEST(PeerGoldenTest, Ask) {
  EXPECT_EQ(FrameHex(core::AskFrame{kLife, 40}),
            "082962140908070605040302011118171615141312111828");
}

TEST(PeerGoldenTest, BeatReport) {
  EXPECT_EQ(FrameHex(core::BeatReport{kLife, 40, absl::Milliseconds(3)}),
            "08296a1609080706050403020111181716151413121118282003");
  EXPECT_EQ(FrameHex(core::BeatReport{kLife, 40, {}, absl::Milliseconds(300)}),
            "08296a17090807060504030201111817161514131211182828ac02");
}

TEST(PeerGoldenTest, Leaving) {
  EXPECT_EQ(FrameHex(core::LeavingFrame{}), "08297200");
}

// Fields 20 to 22 stand beside an empty acknowledgement, which is all that a
// node sees of them that does not know them.
TEST(PeerGoldenTest, Orders) {
  const std::string empty_ack = FrameHex(core::AckFrame{});
  EXPECT_EQ(empty_ack, "08295200");
  EXPECT_EQ(FrameHex(core::EvictFrame{7, "room", "ann", "spam"}),
            empty_ack +
                "a20113"
                "0807"
                "1204726f6f6d"
                "1a03616e6e"
                "22047370616d");
  EXPECT_EQ(FrameHex(core::ForgetFrame{7, "b"}), empty_ack +
                                                     "aa0105"
                                                     "0807"
                                                     "120162");
  EXPECT_EQ(FrameHex(core::OrderAnswerFrame{7, 3, "no"}), empty_ack +
                                                              "b20108"
                                                              "0807"
                                                              "1003"
                                                              "1a026e6f");
}

// A node of feature level 1 is never sent one.
TEST(PeerGoldenTest, Routed) {
  const crdt::LifeId from{0x2122232425262728, 0x3132333435363738};
  const std::string lives_and_hops =
      "0908070605040302011118171615141312111928272625242322212138373635343332"
      "312801";
  const auto hex = [&](core::RoutedFrame::Body body) {
    return FrameHex(core::RoutedFrame{kLife, from, 1, std::move(body)});
  };
  std::string messages;
  crdt::AppendMessage("news", "hi", messages);
  EXPECT_EQ(hex(core::MailFrame{5, 7, 1, crdt::Seq(9),
                                std::make_shared<const std::string>(messages)}),
            "0829ca013a" + lives_and_hops +
                "321208051007180120092a08046e657773026869");
  EXPECT_EQ(hex(core::MailAck{5, 7}),
            "0829ca012c" + lives_and_hops + "3a0408051007");
  EXPECT_EQ(hex(core::InterestApplied{crdt::Seq(9)}),
            "0829ca012a" + lives_and_hops + "42020809");
  EXPECT_EQ(hex(core::InterestAsk{}), "0829ca0128" + lives_and_hops + "4a00");
}

TEST(PeerGoldenTest, Beat) {
  uint64_t cluster = ClusterHash("muster");
  EXPECT_EQ(absl::BytesToHexString(EncodeDatagram(SampleBeat(), cluster, "")),
            "09f902d916c018cd7412170a0161100719080706050403020121181716151413"
            "12111828200c2a1609010000000000000011020000000000000018272064");
  EXPECT_EQ(
      absl::BytesToHexString(EncodeDatagram(SampleBeat(), cluster, "secret")),
      "09f902d916c018cd7412170a0161100719080706050403020121181716151413"
      "12111828200c2a16090100000000000000110200000000000000182720647a10"
      "70176adac784256a27f4abeeb16c6fba");
}

TEST(PeerGoldenTest, ProofOfASecret) {
  ProofInput input{
      "0123456789abcdef", "fedcba9876543210", {1, 2}, {3, 4}, "muster"};
  EXPECT_EQ(
      absl::BytesToHexString(MakeProof("secret", LinkRole::kDialler, input)),
      "3daf5f50809dd168f18c50b7af2e25ad83f745966e9e8449b67fcb1c601e0016");
  EXPECT_EQ(
      absl::BytesToHexString(MakeProof("secret", LinkRole::kAcceptor, input)),
      "b1caefa6d03ad41c431d693b446c2f4d3118ee1feea1338e677e7c97bf3a863e");
}

}  // namespace
}  // namespace muster::codec
