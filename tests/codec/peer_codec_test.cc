#include "node/codec/peer_codec.h"

#include <gmock/gmock.h>
#include <google/protobuf/stubs/logging.h>
#include <gtest/gtest.h>

#include <random>

#include "crdt/message_bytes.h"
#include "muster/v1/peer.pb.h"
#include "tests/codec/peer_samples.h"

namespace muster::codec {
namespace {

using ::testing::HasSubstr;
using RebaseKind = core::RebaseFrame::Kind;

core::Frame RoundTrip(core::Frame frame) {
  absl::StatusOr<PeerMessage> message = DecodeMessage(Flat(EncodeFrame(frame)));
  EXPECT_TRUE(message.ok()) << message.status();
  return std::get<core::Frame>(*std::move(message));
}

// What Decode says of `frame`.
std::string FaultOf(const v1::PeerFrame& frame) {
  absl::StatusOr<PeerMessage> message =
      DecodeMessage(frame.SerializeAsString());
  EXPECT_FALSE(message.ok());
  EXPECT_TRUE(message.ok() || absl::IsInvalidArgument(message.status()));
  return message.ok() ? "" : std::string(message.status().message());
}

v1::PeerFrame Proto(const EncodedFrame& frame) {
  v1::PeerFrame proto;
  EXPECT_TRUE(proto.ParseFromString(Flat(frame)));
  return proto;
}
template <typename Body>
v1::PeerFrame ProtoOf(Body body) {
  return Proto(EncodeFrame({.beat = 41, .body = std::move(body)}));
}

TEST(PeerCodecTest, ADeltaComesBackWithItsPayload) {
  core::Frame frame = RoundTrip({41, SampleDelta()});
  EXPECT_EQ(frame.beat, 41u);
  const auto& delta = std::get<core::DeltaFrame>(frame.body);
  EXPECT_EQ(delta.stream, kStream);
  EXPECT_EQ(delta.first, crdt::Seq(5));
  EXPECT_EQ(delta.count, 2u);
  EXPECT_EQ(*delta.mutations, *SampleMutations());
}

TEST(PeerCodecTest, ThePayloadOfADeltaIsSharedAndNotCopied) {
  core::DeltaFrame delta = SampleDelta();
  EncodedFrame encoded = EncodeFrame({1, delta});
  EXPECT_EQ(encoded.payload.get(), delta.mutations.get());
  EXPECT_LT(encoded.head.size(), 48u);
}

TEST(PeerCodecTest, EveryKindOfRebaseFrameComesBack) {
  core::RebaseFrame keep = SampleKeep();
  core::Frame frame = RoundTrip({1, keep});
  const auto& back = std::get<core::RebaseFrame>(frame.body);
  EXPECT_EQ(back.rebase_id, 9u);
  EXPECT_EQ(back.number, 2u);
  EXPECT_EQ(back.kind, RebaseKind::kKeep);
  EXPECT_EQ(back.have, crdt::Seq(3));
  EXPECT_EQ(back.seq, crdt::Seq(8));
  EXPECT_EQ(back.count, 2u);
  EXPECT_EQ(*back.payload, *keep.payload);
  EXPECT_EQ(back.digest, 0xd1u);

  RoundTrip({1, SampleRebase(RebaseKind::kBegin)});
  RoundTrip({1, SampleRebase(RebaseKind::kEnd)});
  core::RebaseFrame delta = SampleRebase(RebaseKind::kDelta);
  delta.seq = crdt::Seq(6);
  delta.count = 2;
  delta.payload = SampleMutations();
  RoundTrip({1, delta});
}

TEST(PeerCodecTest, ControlFramesComeBack) {
  auto positions =
      std::get<core::PositionsFrame>(RoundTrip({1, SamplePositions()}).body);
  ASSERT_EQ(positions.streams.size(), 1u);
  EXPECT_TRUE(positions.full);
  EXPECT_EQ(positions.streams[0].origin, kOrigin);
  EXPECT_EQ(positions.streams[0].seq, crdt::Seq(12));
  EXPECT_EQ(positions.streams[0].age, absl::Milliseconds(250));
  EXPECT_EQ(positions.streams[0].beat, 40u);
  EXPECT_TRUE(positions.streams[0].wanted);

  auto members =
      std::get<core::MembersFrame>(RoundTrip({1, SampleMembers()}).body);
  ASSERT_EQ(members.members.size(), 1u);
  EXPECT_EQ(members.your_highest, crdt::Incarnation(6));
  EXPECT_EQ(members.members[0].state, core::MemberState::kSuspect);
  EXPECT_EQ(members.members[0].beat, 40u);

  core::PullFrame pull{kStream, crdt::Seq(12), true, 9};
  auto pulled = std::get<core::PullFrame>(RoundTrip({1, pull}).body);
  EXPECT_EQ(pulled.after, crdt::Seq(12));
  EXPECT_TRUE(pulled.cancel);
  EXPECT_EQ(pulled.rebase_id, 9u);

  EXPECT_EQ(std::get<core::AckFrame>(RoundTrip({1, core::AckFrame{7}}).body)
                .bulk_bytes,
            7u);
  EXPECT_TRUE(std::holds_alternative<core::LeavingFrame>(
      RoundTrip({1, core::LeavingFrame{}}).body));
}

TEST(PeerCodecTest, OrdersComeBack) {
  const auto evict = std::get<core::EvictFrame>(
      RoundTrip({1, core::EvictFrame{7, "room", "ann", "spam"}}).body);
  EXPECT_EQ(evict.number, 7u);
  EXPECT_EQ(evict.topic, "room");
  EXPECT_EQ(evict.key, "ann");
  EXPECT_EQ(evict.reason, "spam");
  const auto forget = std::get<core::ForgetFrame>(
      RoundTrip({1, core::ForgetFrame{8, "b"}}).body);
  EXPECT_EQ(forget.number, 8u);
  EXPECT_EQ(forget.node, "b");
  const auto answer = std::get<core::OrderAnswerFrame>(
      RoundTrip({1, core::OrderAnswerFrame{9, 3, "no"}}).body);
  EXPECT_EQ(answer.number, 9u);
  EXPECT_EQ(answer.entries, 3u);
  EXPECT_EQ(answer.refusal, "no");
}

core::RoutedFrame RoutedOf(core::RoutedFrame::Body body) {
  return {kLife, {7, 8}, 2, std::move(body)};
}

TEST(PeerCodecTest, RoutedFramesComeBack) {
  std::string messages;
  crdt::AppendMessage("news", "hi", messages);
  crdt::AppendMessage(std::string("\0", 1), "", messages);
  const auto routed = std::get<core::RoutedFrame>(
      RoundTrip({1, RoutedOf(core::MailFrame{
                        5, 7, 2, crdt::Seq(9),
                        std::make_shared<const std::string>(messages)})})
          .body);
  EXPECT_EQ(routed.to, kLife);
  EXPECT_EQ(routed.from, (crdt::LifeId{7, 8}));
  EXPECT_EQ(routed.hops, 2u);
  const auto& mail = std::get<core::MailFrame>(routed.body);
  EXPECT_EQ(mail.epoch, 5u);
  EXPECT_EQ(mail.first, 7u);
  EXPECT_EQ(mail.count, 2u);
  EXPECT_EQ(mail.interest, crdt::Seq(9));
  EXPECT_EQ(*mail.messages, messages);
  const auto body = [](core::RoutedFrame::Body body) {
    return std::get<core::RoutedFrame>(
               RoundTrip({1, RoutedOf(std::move(body))}).body)
        .body;
  };
  const auto ack = std::get<core::MailAck>(body(core::MailAck{5, 7}));
  EXPECT_EQ(ack.epoch, 5u);
  EXPECT_EQ(ack.number, 7u);
  EXPECT_EQ(
      std::get<core::InterestApplied>(body(core::InterestApplied{crdt::Seq(9)}))
          .seq,
      crdt::Seq(9));
  EXPECT_TRUE(
      std::holds_alternative<core::InterestAsk>(body(core::InterestAsk{})));
}

TEST(PeerCodecTest, ARoutedFrameThatIsNoneIsRefusedWithTheRule) {
  v1::PeerFrame frame = ProtoOf(RoutedOf(core::InterestAsk{}));
  frame.mutable_routed()->set_hops(core::kMaxHops + 1);
  EXPECT_THAT(FaultOf(frame), HasSubstr("routed.hops: 5"));
  frame.mutable_routed()->set_hops(1);
  frame.mutable_routed()->clear_body();
  EXPECT_THAT(FaultOf(frame), HasSubstr("routed.body: missing"));
  std::string messages;
  crdt::AppendMessage("news", "hi", messages);
  frame = ProtoOf(RoutedOf(core::MailFrame{
      5, 7, 2, {}, std::make_shared<const std::string>(messages)}));
  EXPECT_THAT(FaultOf(frame), HasSubstr("messages: not `count` messages"));
}

TEST(PeerCodecTest, AnOrderThatIsNoneIsRefusedWithTheRule) {
  using Change = void (*)(v1::PeerFrame&);
  const std::vector<std::pair<Change, std::string>> bad = {
      {[](v1::PeerFrame& f) { f.clear_ack(); },
       "frame.body: must be an empty ack beside an order"},
      {[](v1::PeerFrame& f) { f.mutable_ack()->set_bulk_bytes(1); },
       "frame.body: must be an empty ack beside an order"},
      {[](v1::PeerFrame& f) { f.mutable_forget(); },
       "frame.order: evict, forget and order_answer exclude each other"},
      {[](v1::PeerFrame& f) { f.mutable_evict()->set_number(0); },
       "evict.number: 0"},
      {[](v1::PeerFrame& f) { f.mutable_evict()->clear_topic(); },
       "evict.topic: 0 bytes; at least 1"},
      {[](v1::PeerFrame& f) {
         f.mutable_evict()->set_key(std::string(4097, 'k'));
       },
       "evict.key: 4097 bytes; at most 4096"},
      {[](v1::PeerFrame& f) { f.mutable_evict()->set_reason("a\nb"); },
       "evict.reason: must not hold control characters"},
      {[](v1::PeerFrame& f) {
         f.mutable_evict()->set_reason(std::string(1025, 'r'));
       },
       "evict.reason: 1025 bytes; at most 1024"},
      {[](v1::PeerFrame& f) {
         f.clear_evict();
         f.mutable_forget()->set_number(1);
       },
       "forget.node: 0 bytes; at least 1"},
      {[](v1::PeerFrame& f) {
         f.clear_evict();
         f.mutable_order_answer()->set_entries(1);
       },
       "order_answer.number: 0"},
  };
  for (const auto& [change, rule] : bad) {
    v1::PeerFrame frame = ProtoOf(core::EvictFrame{7, "room", "ann", "spam"});
    change(frame);
    EXPECT_THAT(FaultOf(frame), HasSubstr(rule));
  }
}

TEST(FieldCheckTest, ANameOrAddressThatIsNoneIsNamedWithTheRule) {
  EXPECT_TRUE(CheckNodeName("--node", "a-1").ok());
  EXPECT_TRUE(CheckAddress("--join", "[::1]:7400").ok());
  EXPECT_TRUE(CheckAddress("--join", "host.example:1").ok());
  const std::vector<std::pair<absl::Status, std::string>> bad = {
      {CheckNodeName("--node", ""), "--node: 0 bytes; at least 1"},
      {CheckNodeName("--node", "a\n"),
       "--node: must not hold control characters"},
      {CheckNodeName("--node", "\xff"), "--node: must be valid UTF-8"},
      {CheckAddress("--join", "host"), "--join: must be HOST:PORT"},
      {CheckAddress("--join", ":7400"), "--join: the host is missing"},
      {CheckAddress("--join", "::1:7400"),
       "--join: an IPv6 host must be in brackets, as in [::1]:7400"},
      {CheckAddress("--join", "a/b:7400"),
       "--join: the host must be a name or an IP address"},
      {CheckAddress("--join", "host:0"),
       "--join: the port must be a number from 1 to 65535"},
  };
  for (const auto& [status, message] : bad) {
    EXPECT_EQ(status.message(), message);
  }
}

TEST(PeerCodecTest, AnUnknownAgeIsSentAsTheHighest) {
  core::PositionsFrame positions = SamplePositions();
  positions.streams[0].age = absl::InfiniteDuration();
  auto back = std::get<core::PositionsFrame>(RoundTrip({1, positions}).body);
  EXPECT_EQ(back.streams[0].age, absl::Milliseconds(kMaxAgeMs));
}

TEST(PeerCodecTest, HandshakeMessagesComeBack) {
  Hello hello = SampleHello();
  hello.probe = true;
  auto back = DecodeMessage(Flat(EncodeHello(hello)));
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(std::get<Hello>(*back).origin, kOrigin);
  EXPECT_EQ(std::get<Hello>(*back).cluster, "muster");
  EXPECT_TRUE(std::get<Hello>(*back).probe);
  auto refusal = DecodeMessage(Flat(EncodeRefusal({"no", true})));
  ASSERT_TRUE(refusal.ok());
  EXPECT_EQ(std::get<Refusal>(*refusal).reason, "no");
  EXPECT_TRUE(std::get<Refusal>(*refusal).permanent);
}

TEST(PeerCodecTest, NamesMustBeShortUtf8AndNotEmpty) {
  v1::PeerFrame frame = ProtoOf(SampleMembers());
  auto& node = *frame.mutable_members()
                    ->mutable_members(0)
                    ->mutable_origin()
                    ->mutable_node();
  node = std::string(130, 'x');
  EXPECT_EQ(FaultOf(frame),
            "members.members[0].origin.node: 130 bytes; at most 128");
  node = "";
  EXPECT_THAT(FaultOf(frame), HasSubstr("at least 1"));
  node = "a\nb";
  EXPECT_THAT(FaultOf(frame), HasSubstr("control characters"));
}

TEST(PeerCodecTest, AddressesMustBeHostAndPort) {
  v1::PeerFrame frame = Proto(EncodeHello(SampleHello()));
  for (const char* bad : {"", "host", "host:", "host:0", "host:65536", ":7400",
                          "::1:7400", "a b:7400", "host:77x"}) {
    frame.mutable_hello()->set_address(bad);
    EXPECT_THAT(FaultOf(frame), HasSubstr("hello.address")) << bad;
  }
  for (const char* good : {"host:1", "[::1]:7400", "10.0.0.1:65535"}) {
    frame.mutable_hello()->set_address(good);
    EXPECT_TRUE(DecodeMessage(frame.SerializeAsString()).ok()) << good;
  }
}

TEST(PeerCodecTest, ListsAgesAndNumbersAreBounded) {
  v1::PeerFrame frame = ProtoOf(SampleMembers());
  auto* member = frame.mutable_members()->mutable_members(0);
  member->set_age_ms(kMaxAgeMs + 1);
  EXPECT_THAT(FaultOf(frame), HasSubstr("members[0].age_ms: 86400001"));
  member->set_age_ms(0);
  member->mutable_origin()->set_incarnation(UINT64_MAX);
  EXPECT_THAT(FaultOf(frame), HasSubstr("origin.incarnation"));
  member->mutable_origin()->set_incarnation(7);
  v1::MemberInfo copy = *member;
  for (size_t i = 0; i < core::kMaxMembers; ++i) {
    *frame.mutable_members()->add_members() = copy;
  }
  EXPECT_THAT(FaultOf(frame), HasSubstr("length: 1025"));
}

TEST(PeerCodecTest, UnknownEnumsAndBodiesAreRefused) {
  v1::PeerFrame frame = ProtoOf(SampleMembers());
  frame.mutable_members()->mutable_members(0)->set_state(9);
  EXPECT_THAT(FaultOf(frame), HasSubstr("state: 9"));
  frame = ProtoOf(SampleKeep());
  frame.mutable_rebase()->set_kind(static_cast<v1::RebaseFrame::Kind>(8));
  EXPECT_THAT(FaultOf(frame), HasSubstr("rebase.kind: 8"));
  frame = ProtoOf(core::PullFrame{kStream, {}, false, 0});
  frame.mutable_pull()->mutable_stream()->set_kind(4);
  EXPECT_THAT(FaultOf(frame), HasSubstr("pull.kind: 4"));
  frame.Clear();
  frame.set_beat(1);
  EXPECT_THAT(FaultOf(frame), HasSubstr("frame.body"));
}

TEST(PeerCodecTest, ADeltaMustHoldExactlyItsMutations) {
  v1::PeerFrame frame = ProtoOf(SampleDelta());
  frame.mutable_delta()->set_count(3);
  EXPECT_THAT(FaultOf(frame), HasSubstr("delta.mutations"));
  frame.mutable_delta()->set_count(1);
  EXPECT_THAT(FaultOf(frame), HasSubstr("delta.mutations"));
  frame.mutable_delta()->set_count(0);
  EXPECT_THAT(FaultOf(frame), HasSubstr("delta.count"));
  frame.mutable_delta()->set_count(2);
  frame.mutable_delta()->set_first_seq(0);
  EXPECT_THAT(FaultOf(frame), HasSubstr("delta.first_seq"));
  frame.mutable_delta()->set_first_seq(5);
  frame.mutable_delta()->clear_mutations();
  EXPECT_THAT(FaultOf(frame), HasSubstr("delta.mutations"));
  frame.mutable_delta()->mutable_stream()->Clear();
  EXPECT_THAT(FaultOf(frame), HasSubstr("delta.stream.life"));
}

TEST(PeerCodecTest, ARebaseFrameMustHoldWhatItsKindSays) {
  v1::PeerFrame frame = ProtoOf(SampleKeep());
  frame.mutable_rebase()->set_count(3);
  EXPECT_THAT(FaultOf(frame), HasSubstr("rebase.payload"));
  frame = ProtoOf(SampleRebase(RebaseKind::kBegin));
  frame.mutable_rebase()->set_payload("x");
  EXPECT_THAT(FaultOf(frame), HasSubstr("rebase.payload"));
  frame = ProtoOf(SampleKeep());
  frame.mutable_rebase()->set_kind(v1::RebaseFrame::PUT_ENTRIES);
  EXPECT_THAT(FaultOf(frame), HasSubstr("rebase.payload"));
  frame.mutable_rebase()->clear_payload();
  EXPECT_THAT(FaultOf(frame), HasSubstr("rebase.payload"));
}

TEST(PeerCodecTest, MutationsOfAKindWithoutAGrammarAreRefusedNotSkipped) {
  const auto kind = static_cast<uint32_t>(crdt::StreamKind::kKeyValue);
  v1::PeerFrame frame = ProtoOf(SampleDelta());
  frame.mutable_delta()->mutable_stream()->set_kind(kind);
  EXPECT_THAT(FaultOf(frame), HasSubstr("delta.stream.kind"));
  frame = ProtoOf(SampleKeep());
  frame.mutable_rebase()->mutable_stream()->set_kind(kind);
  EXPECT_THAT(FaultOf(frame), HasSubstr("rebase.stream.kind"));
  frame.mutable_rebase()->mutable_stream()->set_kind(kind + 100);
  EXPECT_THAT(FaultOf(frame), HasSubstr("rebase.kind"));
}

TEST(PeerCodecTest, AFrameOverTheLimitIsRefusedUnread) {
  std::string bytes(core::kMaxFrameBytes + 1, '\0');
  EXPECT_THAT(std::string(DecodeMessage(bytes).status().message()),
              HasSubstr("at most 16777216"));
  EXPECT_FALSE(DecodeMessage("").ok());
}

TEST(PeerCodecTest, DamagedBytesAreRefusedOrWellFormedButNeverCrash) {
  google::protobuf::SetLogHandler(nullptr);
  std::mt19937 random(7);
  std::vector<std::string> samples = {
      Flat(EncodeHello(SampleHello())), Flat(EncodeFrame({1, SampleDelta()})),
      Flat(EncodeFrame({1, SampleKeep()})),
      Flat(EncodeFrame({1, SampleMembers()})),
      Flat(EncodeFrame({1, SamplePositions()}))};
  size_t refused = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string bytes = samples[random() % samples.size()];
    for (int n = random() % 4 + 1; n > 0; --n) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    bytes.resize(bytes.size() - random() % 3);
    if (!DecodeMessage(bytes).ok()) ++refused;
  }
  EXPECT_GT(refused, 5000u);
}

// --------------------------------------------------------------- datagrams

class DatagramTest : public ::testing::Test {
 protected:
  const uint64_t cluster_ = ClusterHash("muster");
};

TEST_F(DatagramTest, ABeatComesBackWithAndWithoutASecret) {
  for (const char* secret : {"", "secret"}) {
    std::string bytes = EncodeDatagram(SampleBeat(), cluster_, secret);
    auto beat = DecodeDatagram(bytes, cluster_, secret);
    ASSERT_TRUE(beat.ok()) << beat.status();
    EXPECT_EQ(beat->origin, kOrigin);
    EXPECT_EQ(beat->number, 40u);
    EXPECT_EQ(beat->presence_seq, crdt::Seq(12));
    ASSERT_EQ(beat->others.size(), 1u);
    EXPECT_EQ(beat->others[0].number, 39u);
  }
}

TEST_F(DatagramTest, AnotherClusterAnotherSecretAndNoSecretAreToldApart) {
  std::string proved = EncodeDatagram(SampleBeat(), cluster_, "secret");
  std::string plain = EncodeDatagram(SampleBeat(), cluster_, "");
  EXPECT_TRUE(absl::IsFailedPrecondition(
      DecodeDatagram(plain, ClusterHash("other"), "").status()));
  EXPECT_TRUE(absl::IsUnauthenticated(
      DecodeDatagram(proved, cluster_, "other").status()));
  EXPECT_TRUE(
      absl::IsUnauthenticated(DecodeDatagram(proved, cluster_, "").status()));
  EXPECT_TRUE(absl::IsUnauthenticated(
      DecodeDatagram(plain, cluster_, "secret").status()));
}

TEST_F(DatagramTest, NoByteOfAProvedBeatCanBeChanged) {
  std::string bytes = EncodeDatagram(SampleBeat(), cluster_, "secret");
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string changed = bytes;
    changed[i] ^= 1;
    EXPECT_FALSE(DecodeDatagram(changed, cluster_, "secret").ok()) << i;
  }
}

TEST_F(DatagramTest, ReportsThatDoNotFitAreLeftOut) {
  core::BeatDatagram beat = SampleBeat();
  beat.others.assign(
      500,
      {{UINT64_MAX, UINT64_MAX}, kMaxNumber, absl::Milliseconds(kMaxAgeMs)});
  std::string bytes = EncodeDatagram(beat, cluster_, "secret");
  EXPECT_LE(bytes.size(), core::kMaxDatagramBytes);
  auto back = DecodeDatagram(bytes, cluster_, "secret");
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_GT(back->others.size(), 25u);
}

TEST_F(DatagramTest, NonsenseIsMalformed) {
  EXPECT_TRUE(absl::IsInvalidArgument(
      DecodeDatagram("nonsense", cluster_, "").status()));
  EXPECT_TRUE(
      absl::IsInvalidArgument(DecodeDatagram("", cluster_, "").status()));
  core::BeatDatagram beat = SampleBeat();
  beat.number = 0;
  EXPECT_TRUE(absl::IsInvalidArgument(
      DecodeDatagram(EncodeDatagram(beat, cluster_, ""), cluster_, "")
          .status()));
}

}  // namespace
}  // namespace muster::codec
