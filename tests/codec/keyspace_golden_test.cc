// The bytes of every frame of the keyspace. A change here is a change of the
// wire format: docs/wire_format.md and perhaps the feature level change with
// it.
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/string_view.h"
#include "crdt/message_bytes.h"
#include "tests/codec/keyspace_samples.h"

namespace muster::codec {
namespace {

using Kind = core::KvExchangePart::Kind;

// Of the body of a routed frame, its last field; what is before it is the same
// for all.
std::string FrameHex(core::RoutedFrame::Body body) {
  const std::string hex = absl::BytesToHexString(BytesOf(std::move(body)));
  const std::string lives_and_hops =
      "0908070605040302011118171615141312111928272625242322212138373635343332"
      "312801";
  const size_t at = hex.find(lives_and_hops);
  EXPECT_EQ(hex.substr(0, 8), "0829ca01");
  if (at == std::string::npos) return hex;
  return hex.substr(at + lives_and_hops.size());
}
std::string BodyHex(core::KvBody body) { return FrameHex(std::move(body)); }

std::string DigestHex(uint64_t digest) {
  return absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(&digest), 8));
}

TEST(KeyspaceGoldenTest, BeforeATerm) {
  EXPECT_EQ(BodyHex(core::KvLeaderQuestion{4}), "52040a020804");
  EXPECT_EQ(BodyHex(core::KvLeaderAnswer{4, true, true, true, 8, -5}),
            "520e120c080410011801200128083009");
  EXPECT_EQ(BodyHex(core::KvProposal{kTerm}),
            "52181a160a140808110807060504030201191817161514131211");
  EXPECT_EQ(BodyHex(SamplePromise()),
            "5293012290010a14080811080706050403020119181716151413121112290a1008"
            "070605040302012827262524232221121018171615141312113837363534333231"
            "1a03ac02031a14100718ac0240014a0b0305424c504f50016c0130223709282726"
            "252423222111383736353433323118072108070605040302012918171615141312"
            "1130053801420b070200000003016c030178");
  EXPECT_EQ(BodyHex(core::KvRefusal{kTerm, {9, kOtherLife}, true, 2}),
            "52322a300a14080811080706050403020119181716151413121112140809112827"
            "26252423222119383736353433323118012002");
}

TEST(KeyspaceGoldenTest, ATerm) {
  EXPECT_EQ(BodyHex(core::KvInvitation{kTerm}),
            "521832160a140808110807060504030201191817161514131211");
  EXPECT_EQ(BodyHex(core::KvFollowRequest{kTerm, SampleContext()}),
            "52433a410a14080811080706050403020119181716151413121112290a10080706"
            "050403020128272625242322211210181716151413121138373635343332311a03"
            "ac0203");
  EXPECT_EQ(
      BodyHex(core::KvTermBase{kTerm, SampleContext(), true, crdt::Seq(5)}),
      "524742450a14080811080706050403020119181716151413121112290a10080706"
      "050403020128272625242322211210181716151413121138373635343332311a03"
      "ac020318012005");
  EXPECT_EQ(BodyHex(SampleKvMutations()),
            "526e4a6c0a14080811080706050403020119181716151413121110051801200628"
            "0230e8073a37092827262524232221113837363534333231180721080706050403"
            "020129181716151413121130053801420b070200000003016c03017842100f0000"
            "0100000000000100016b000176");
  EXPECT_EQ(BodyHex(core::KvApplied{kTerm, crdt::Seq(5), true, 6, 2}),
            "5220521e0a14080811080706050403020119181716151413121110051801200628"
            "02");
  EXPECT_EQ(BodyHex(core::KvLeave{kTerm}),
            "52185a160a140808110807060504030201191817161514131211");
}

TEST(KeyspaceGoldenTest, Calls) {
  EXPECT_EQ(
      BodyHex(SampleForward()),
      "5240623e0a140808110807060504030201191817161514131211100718ac022003"
      "280130013a100a05080312016b11d10000000000000040014a070203474554016b");
  EXPECT_EQ(BodyHex(SampleAnswers()),
            "52326a300a14080811080706050403020119181716151413121110031a16070105"
            "020600024f4b0203ac02020000000803000000");
  EXPECT_EQ(BodyHex(core::KvWithdraw{7}), "520472020807");
}

// Digests are fixed 64-bit numbers, one after the other.
TEST(KeyspaceGoldenTest, DigestsOfAnExchange) {
  std::string groups;
  for (uint64_t i = 0; i < kv::kGroups; ++i) groups += DigestHex(i * i);
  EXPECT_EQ(
      BodyHex(SampleExchangeBegin()),
      "529e087a9b080809121408081108070605040302011918171615141312111a8008" +
          groups);
  const auto buckets = [](uint64_t digest) {
    std::string hex;
    for (uint32_t i = 0; i < kv::kBucketsPerGroup; ++i) {
      hex += DigestHex(digest);
    }
    return hex;
  };
  EXPECT_EQ(BodyHex(SampleExchangeDigests()),
            "5296108201921008091285080803128008" + buckets(0xd1) +
                "128508087f128008" + buckets(0xd2));
}

TEST(KeyspaceGoldenTest, WantsAndAcknowledgements) {
  EXPECT_EQ(BodyHex(core::KvExchangeWant{9, {0, 5, 16383}}),
            "520b8a0108080912040005ff7f");
  EXPECT_EQ(BodyHex(core::KvExchangeAck{9, 2, true, {{3, "k"}}}),
            "52109a010d0809100218012205080312016b");
}

TEST(KeyspaceGoldenTest, EveryKindOfPart) {
  EXPECT_EQ(BodyHex(SampleExchangePart(Kind::kBegin)),
            "523492013108091002180122290a10080706050403020128272625242322211210"
            "181716151413121138373635343332311a03ac0203");
  EXPECT_EQ(BodyHex(SampleExchangePart(Kind::kPart)),
            "5234920131080910021802289d1030015224010807060504030201181716151413"
            "12110000016b010000050000010000000000000176");
  EXPECT_EQ(
      BodyHex(SampleExchangePart(Kind::kMutations)),
      "521f92011c0809100218033805400152100f00000100000000000100016b000176");
  EXPECT_EQ(BodyHex(SampleExchangePart(Kind::kKey)),
            "52349201310809100218044a0312016b5224010807060504030201181716151413"
            "12110000016b010000050000010000000000000176");
  EXPECT_EQ(BodyHex(SampleExchangePart(Kind::kEnd)),
            "520b9201080809100218053805");
  EXPECT_EQ(BodyHex(SampleExchangePart(Kind::kRefused)),
            "5209920106080910021806");
}

// Beside the mail of peer_golden_test.cc, which has none.
TEST(KeyspaceGoldenTest, ThePositionOfMail) {
  std::string messages;
  crdt::AppendMessage("news", "hi", messages);
  core::MailFrame mail{5, 7, 1, crdt::Seq(9),
                       std::make_shared<const std::string>(messages)};
  mail.kv = {kTerm, crdt::Seq(5)};
  EXPECT_EQ(FrameHex(mail),
            "322c08051007180120092a08046e657773026869"
            "32180a1408081108070605040302011918171615141312111005");
}

}  // namespace
}  // namespace muster::codec
