#include "node/codec/keyspace_codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "crdt/message_bytes.h"
#include "tests/codec/keyspace_samples.h"

namespace muster::codec {
namespace {

using Kind = core::KvExchangePart::Kind;

// What comes back of `body`.
template <typename Body>
Body RoundTrip(Body body) {
  absl::StatusOr<PeerMessage> message =
      DecodeMessage(BytesOf(core::KvBody(std::move(body))));
  EXPECT_TRUE(message.ok()) << message.status();
  if (!message.ok()) return {};
  const auto& frame = std::get<core::Frame>(*message);
  EXPECT_EQ(frame.beat, 41u);
  const auto& routed = std::get<core::RoutedFrame>(frame.body);
  EXPECT_EQ(routed.to, kLife);
  EXPECT_EQ(routed.from, kOtherLife);
  EXPECT_EQ(routed.hops, 1u);
  return std::get<Body>(std::get<core::KvBody>(routed.body));
}

TEST(KeyspaceCodecTest, EveryFrameComesBackAndHasOneEncoding) {
  std::vector<bool> seen(std::variant_size_v<core::KvBody>);
  for (const core::KvBody& body : KeyspaceSamples()) {
    seen[body.index()] = true;
    const std::string bytes = BytesOf(body);
    const auto message = DecodeMessage(bytes);
    ASSERT_TRUE(message.ok()) << message.status();
    EXPECT_EQ(Flat(EncodeFrame(std::get<core::Frame>(*message))), bytes);
    // The same as generated code writes.
    v1::PeerFrame proto;
    ASSERT_TRUE(proto.ParseFromString(bytes));
    EXPECT_EQ(proto.SerializeAsString(), bytes) << body.index();
  }
  EXPECT_THAT(seen, ::testing::Each(true));
}

TEST(KeyspaceCodecTest, WhatIsSaidBeforeATermComesBack) {
  EXPECT_EQ(RoundTrip(core::KvLeaderQuestion{4}).number, 4u);
  const auto answer =
      RoundTrip(core::KvLeaderAnswer{4, true, false, true, 8, -5});
  EXPECT_EQ(answer.number, 4u);
  EXPECT_TRUE(answer.lives);
  EXPECT_FALSE(answer.eligible);
  EXPECT_TRUE(answer.empty);
  EXPECT_EQ(answer.known, 8u);
  EXPECT_EQ(answer.wall_us, -5);
  EXPECT_EQ(RoundTrip(core::KvProposal{kTerm}).term, kTerm);

  const core::KvPromise promise = RoundTrip(SamplePromise());
  EXPECT_EQ(promise.term, kTerm);
  EXPECT_EQ(promise.context, SampleContext());
  ASSERT_EQ(promise.waiting.size(), 1u);
  EXPECT_TRUE(promise.waiting[0].term.IsNone());
  EXPECT_EQ(promise.waiting[0].ticket, 300u);
  EXPECT_EQ(promise.waiting[0].commands.bytes(),
            SamplePromise().waiting[0].commands.bytes());
  ASSERT_EQ(promise.served.size(), 1u);
  EXPECT_EQ(promise.served[0].request, (core::KvRequest{kOtherLife, 7}));
  EXPECT_EQ(promise.served[0].leader, kLife);
  EXPECT_EQ(promise.served[0].seq, crdt::Seq(5));
  EXPECT_EQ(promise.served[0].replies, SampleServed().replies);

  const auto refusal =
      RoundTrip(core::KvRefusal{kTerm, {9, kOtherLife}, true, 2});
  EXPECT_EQ(refusal.term, kTerm);
  EXPECT_EQ(refusal.promised, (core::Term{9, kOtherLife}));
  EXPECT_TRUE(refusal.leading);
  EXPECT_EQ(refusal.followers, 2u);
  const core::KvRefusal none = RoundTrip(core::KvRefusal{});
  EXPECT_TRUE(none.term.IsNone());
  EXPECT_TRUE(none.promised.IsNone());
}

TEST(KeyspaceCodecTest, WhatIsSaidInATermComesBack) {
  EXPECT_EQ(RoundTrip(core::KvInvitation{kTerm}).term, kTerm);
  EXPECT_EQ(RoundTrip(core::KvFollowRequest{kTerm, SampleContext()}).context,
            SampleContext());
  EXPECT_TRUE(RoundTrip(core::KvFollowRequest{kTerm, {}}).context.empty());
  const auto base =
      RoundTrip(core::KvTermBase{kTerm, SampleContext(), true, crdt::Seq(5)});
  EXPECT_EQ(base.base, SampleContext());
  EXPECT_TRUE(base.by_log);
  EXPECT_EQ(base.seq, crdt::Seq(5));

  const core::KvMutations mutations = RoundTrip(SampleKvMutations());
  EXPECT_EQ(mutations.term, kTerm);
  EXPECT_EQ(mutations.first, crdt::Seq(5));
  EXPECT_EQ(mutations.count, 1u);
  EXPECT_EQ(*mutations.mutations, *SampleKeyspaceMutation());
  EXPECT_EQ(mutations.number, 6u);
  EXPECT_EQ(mutations.echo, 2u);
  EXPECT_EQ(mutations.time_us, 1000u);
  EXPECT_EQ(mutations.served.size(), 1u);
  core::KvMutations beat;
  beat.term = kTerm;
  beat.number = 7;
  beat = RoundTrip(beat);
  EXPECT_EQ(beat.number, 7u);
  EXPECT_EQ(*beat.mutations, "");

  const auto applied =
      RoundTrip(core::KvApplied{kTerm, crdt::Seq(5), true, 6, 2});
  EXPECT_EQ(applied.seq, crdt::Seq(5));
  EXPECT_TRUE(applied.gap);
  EXPECT_EQ(applied.number, 6u);
  EXPECT_EQ(applied.question, 2u);
  EXPECT_EQ(RoundTrip(core::KvLeave{kTerm}).term, kTerm);
}

TEST(KeyspaceCodecTest, CallsComeBack) {
  const core::KvForward forward = RoundTrip(SampleForward());
  EXPECT_EQ(forward.term, kTerm);
  EXPECT_EQ(forward.call, 7u);
  EXPECT_EQ(forward.ticket, 300u);
  EXPECT_EQ(forward.db, 3);
  EXPECT_TRUE(forward.atomic);
  EXPECT_TRUE(forward.again);
  EXPECT_EQ(forward.commands.count(), 1u);
  EXPECT_EQ(forward.commands.bytes(), SampleForward().commands.bytes());
  ASSERT_EQ(forward.watched.size(), 1u);
  EXPECT_EQ(forward.watched[0].key, (kv::OwnedKey{3, "k"}));
  EXPECT_EQ(forward.watched[0].digest, 0xd1u);

  const core::KvAnswers answers = RoundTrip(SampleAnswers());
  EXPECT_EQ(answers.term, kTerm);
  ASSERT_EQ(answers.answers.size(), 3u);
  EXPECT_EQ(answers.answers[0].call, 7u);
  EXPECT_EQ(answers.answers[0].outcome, core::KvAnswers::Outcome::kDone);
  EXPECT_EQ(answers.answers[0].seq, crdt::Seq(5));
  EXPECT_EQ(answers.answers[0].replies, SampleAnswers().answers[0].replies);
  EXPECT_EQ(answers.answers[1].outcome, core::KvAnswers::Outcome::kRefused);
  EXPECT_EQ(answers.answers[2].outcome, core::KvAnswers::Outcome::kWaits);
  EXPECT_TRUE(answers.answers[2].replies.empty());
  EXPECT_EQ(RoundTrip(core::KvWithdraw{7}).call, 7u);
}

TEST(KeyspaceCodecTest, ExchangesComeBack) {
  const core::KvExchangeBegin begin = RoundTrip(SampleExchangeBegin());
  EXPECT_EQ(begin.exchange, 9u);
  EXPECT_EQ(begin.term, kTerm);
  EXPECT_EQ(begin.groups, SampleExchangeBegin().groups);
  const core::KvExchangeDigests digests = RoundTrip(SampleExchangeDigests());
  ASSERT_EQ(digests.groups.size(), 2u);
  EXPECT_EQ(digests.groups[1].group, 127u);
  EXPECT_EQ(digests.groups[1].buckets,
            SampleExchangeDigests().groups[1].buckets);
  EXPECT_EQ(RoundTrip(core::KvExchangeWant{9, {0, 5, 16383}}).buckets,
            (std::vector<uint32_t>{0, 5, 16383}));
  const auto ack = RoundTrip(core::KvExchangeAck{9, 2, true, {{3, "k"}}});
  EXPECT_EQ(ack.number, 2u);
  EXPECT_TRUE(ack.over);
  EXPECT_EQ(ack.again, (std::vector<kv::OwnedKey>{{3, "k"}}));
}

TEST(KeyspaceCodecTest, EveryKindOfPartComesBack) {
  EXPECT_EQ(RoundTrip(SampleExchangePart(Kind::kBegin)).context,
            SampleContext());
  const auto part = RoundTrip(SampleExchangePart(Kind::kPart));
  EXPECT_EQ(part.exchange, 9u);
  EXPECT_EQ(part.number, 2u);
  EXPECT_EQ(part.bucket, SampleBucket());
  EXPECT_TRUE(part.last);
  EXPECT_EQ(*part.bytes, *SamplePart());
  const auto mutations = RoundTrip(SampleExchangePart(Kind::kMutations));
  EXPECT_EQ(mutations.first, crdt::Seq(5));
  EXPECT_EQ(mutations.count, 1u);
  const auto key = RoundTrip(SampleExchangePart(Kind::kKey));
  EXPECT_EQ(key.key, (kv::OwnedKey{0, "k"}));
  EXPECT_EQ(*key.bytes, *SamplePart());
  EXPECT_EQ(RoundTrip(SampleExchangePart(Kind::kEnd)).first, crdt::Seq(5));
  EXPECT_EQ(RoundTrip(SampleExchangePart(Kind::kRefused)).kind, Kind::kRefused);
}

// Of a bucket, or a key, that only the sink has.
TEST(KeyspaceCodecTest, ThereMayBeNothingOfABucketOrAKey) {
  auto part = SampleExchangePart(Kind::kPart);
  part.bytes = nullptr;
  EXPECT_EQ(*RoundTrip(part).bytes, "");
  auto key = SampleExchangePart(Kind::kKey);
  key.bytes = nullptr;
  EXPECT_EQ(*RoundTrip(key).bytes, "");
}

TEST(KeyspaceCodecTest, AContextMayHaveAllItsLives) {
  kv::Context context;
  for (uint64_t i = 1; i <= kv::kMaxLives; ++i) {
    context.Cover({i, i}, crdt::Seq(kMaxNumber));
  }
  EXPECT_EQ(RoundTrip(core::KvFollowRequest{kTerm, context}).context, context);
}

// An EXEC of nothing still asks whether its watched keys have changed.
TEST(KeyspaceCodecTest, ATransactionMayHaveNoCommands) {
  core::KvForward frame = SampleForward();
  frame.commands = {};
  EXPECT_TRUE(RoundTrip(frame).commands.empty());
}

TEST(KeyspaceCodecTest, MutationsAndPartsAreSharedAndNotCopied) {
  const core::KvMutations mutations = SampleKvMutations();
  EXPECT_EQ(EncodeFrame({1, RoutedOf(mutations)}).payload, mutations.mutations);
  const auto part = SampleExchangePart(Kind::kPart);
  EXPECT_EQ(EncodeFrame({1, RoutedOf(part)}).payload, part.bytes);
}

TEST(KeyspaceCodecTest, MailSaysWhichWritesItsPublisherHadSeen) {
  std::string messages;
  crdt::AppendMessage("news", "hi", messages);
  core::MailFrame mail{5, 7, 1, crdt::Seq(9),
                       std::make_shared<const std::string>(messages)};
  const auto back = [](const core::MailFrame& mail) {
    const auto message = DecodeMessage(BytesOf(mail));
    EXPECT_TRUE(message.ok()) << message.status();
    const auto& frame = std::get<core::Frame>(*message);
    return std::get<core::MailFrame>(
        std::get<core::RoutedFrame>(frame.body).body);
  };
  EXPECT_TRUE(back(mail).kv.term.IsNone());
  mail.kv = {kTerm, crdt::Seq(5)};
  EXPECT_EQ(back(mail).kv, mail.kv);
}

}  // namespace
}  // namespace muster::codec
