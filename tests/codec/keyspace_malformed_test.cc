// Frames of the keyspace that are none: each is refused with the rule.
#include <gmock/gmock.h>
#include <google/protobuf/stubs/logging.h>
#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "crdt/message_bytes.h"
#include "node/codec/keyspace_codec.h"
#include "tests/codec/keyspace_samples.h"

namespace muster::codec {
namespace {

using ::testing::HasSubstr;
using Kind = core::KvExchangePart::Kind;
using Proto = v1::KeyspaceFrame;

v1::PeerFrame ProtoOf(core::RoutedFrame::Body body) {
  v1::PeerFrame frame;
  EXPECT_TRUE(frame.ParseFromString(BytesOf(std::move(body))));
  return frame;
}

// Why `frame` is refused.
std::string FaultOf(const v1::PeerFrame& frame) {
  absl::StatusOr<PeerMessage> message =
      DecodeMessage(frame.SerializeAsString());
  EXPECT_TRUE(absl::IsInvalidArgument(message.status())) << message.status();
  return std::string(message.status().message());
}

// Of what `change` makes of the sample `body`.
template <typename Change>
std::string FaultOf(core::KvBody body, Change change) {
  v1::PeerFrame frame = ProtoOf(std::move(body));
  change(*frame.mutable_routed()->mutable_keyspace());
  return FaultOf(frame);
}

struct Fault {
  core::KvBody body;
  void (*change)(Proto&);
  const char* rule;
};
void ExpectRefused(const std::vector<Fault>& faults) {
  for (const Fault& fault : faults) {
    EXPECT_THAT(FaultOf(fault.body, fault.change), HasSubstr(fault.rule));
  }
}

TEST(KeyspaceMalformedTest, ATermHasANumberAndALeader) {
  const core::KvProposal proposal{kTerm};
  ExpectRefused({
      {proposal, [](Proto& f) { f.mutable_proposal()->clear_term(); },
       "keyspace.proposal.term.number: 0; must be 1 to"},
      {proposal,
       [](Proto& f) {
         f.mutable_proposal()->mutable_term()->set_number(kMaxNumber + 1);
       },
       "keyspace.proposal.term.number"},
      {proposal,
       [](Proto& f) {
         f.mutable_proposal()->mutable_term()->set_leader_hi(0);
         f.mutable_proposal()->mutable_term()->set_leader_lo(0);
       },
       "keyspace.proposal.term.leader: must not be zero"},
      {core::KvRefusal{kTerm, kTerm, false, 0},
       [](Proto& f) { f.mutable_refusal()->mutable_promised()->set_number(0); },
       "keyspace.refusal.promised.term.number: 0"},
      {SampleForward(), [](Proto& f) { f.mutable_forward()->clear_term(); },
       "keyspace.forward.term.number: 0"},
      {SampleAnswers(), [](Proto& f) { f.mutable_answers()->clear_term(); },
       "keyspace.answers.term.number: 0"},
      {SampleKvMutations(),
       [](Proto& f) { f.mutable_mutations()->clear_term(); },
       "keyspace.mutations.term.number: 0"},
      {SampleExchangeBegin(),
       [](Proto& f) { f.mutable_exchange_begin()->clear_term(); },
       "keyspace.exchange_begin.term.number: 0"},
      {SamplePromise(),
       [](Proto& f) {
         f.mutable_promise()->mutable_waiting(0)->mutable_term();
       },
       "keyspace.promise.waiting.term.number: 0"},
  });
}

TEST(KeyspaceMalformedTest, AContextNamesEachLifeOnceInOrder) {
  const core::KvFollowRequest request{kTerm, SampleContext()};
  ExpectRefused({
      {request,
       [](Proto& f) {
         f.mutable_follow_request()->mutable_context()->set_seqs(1, 0);
       },
       "keyspace.follow_request.context.seqs: 0; must be 1 to"},
      {request,
       [](Proto& f) {
         Proto::Context& context =
             *f.mutable_follow_request()->mutable_context();
         context.set_life_hi(0, 0);
         context.set_life_lo(0, 0);
       },
       "context.life: must not be zero, and ascend"},
      {request,
       [](Proto& f) {
         Proto::Context& context =
             *f.mutable_follow_request()->mutable_context();
         context.set_life_hi(1, context.life_hi(0));
         context.set_life_lo(1, context.life_lo(0));
       },
       "context.life: must not be zero, and ascend"},
      {request,
       [](Proto& f) {
         f.mutable_follow_request()->mutable_context()->add_seqs(1);
       },
       "context: its lists must have one length"},
      {request,
       [](Proto& f) {
         f.mutable_follow_request()->mutable_context()->add_life_lo(1);
       },
       "context: its lists must have one length"},
      {request,
       [](Proto& f) {
         Proto::Context& context =
             *f.mutable_follow_request()->mutable_context();
         for (size_t i = 0; i < kv::kMaxLives; ++i) {
           context.add_life_hi(UINT64_MAX);
         }
       },
       "context.length: 65538; must be 0 to 65536"},
  });
}

TEST(KeyspaceMalformedTest, MutationsAreExactlyThoseThatAreCounted) {
  const core::KvMutations frame = SampleKvMutations();
  ExpectRefused({
      {frame, [](Proto& f) { f.mutable_mutations()->set_count(2); },
       "keyspace.mutations.mutations: not `count` valid mutations"},
      {frame, [](Proto& f) { f.mutable_mutations()->set_count(0); },
       "keyspace.mutations.mutations: not `count` valid mutations"},
      {frame, [](Proto& f) { f.mutable_mutations()->set_first(0); },
       "keyspace.mutations.first: 0; must be 1 to"},
      {frame,
       [](Proto& f) { f.mutable_mutations()->mutable_mutations()->pop_back(); },
       "keyspace.mutations.mutations: not `count` valid mutations"},
      {frame,
       [](Proto& f) { f.mutable_mutations()->set_time_us(kMaxNumber + 1); },
       "keyspace.mutations.time_us"},
  });
}

TEST(KeyspaceMalformedTest, APopThatWasServedHasADotAndItsReplies) {
  const core::KvMutations frame = SampleKvMutations();
  ExpectRefused({
      {frame,
       [](Proto& f) { f.mutable_mutations()->mutable_served(0)->set_seq(0); },
       "keyspace.mutations.served[0].seq: 0"},
      {frame,
       [](Proto& f) {
         f.mutable_mutations()->mutable_served(0)->set_origin_hi(0);
         f.mutable_mutations()->mutable_served(0)->set_origin_lo(0);
       },
       "keyspace.mutations.served[0].origin: must not be zero"},
      {frame,
       [](Proto& f) { f.mutable_mutations()->mutable_served(0)->set_count(2); },
       "keyspace.mutations.served[0].replies: not `count` values"},
      {SamplePromise(),
       [](Proto& f) {
         f.mutable_promise()->mutable_served(0)->set_replies("\x63");
       },
       "keyspace.promise.served[0].replies: not `count` values"},
  });
}

TEST(KeyspaceMalformedTest, AForwardedCallIsAListOfCommands) {
  const core::KvForward frame = SampleForward();
  ExpectRefused({
      {frame, [](Proto& f) { f.mutable_forward()->set_count(2); },
       "keyspace.forward.commands: not `count` commands"},
      {frame,
       [](Proto& f) { f.mutable_forward()->mutable_commands()->pop_back(); },
       "keyspace.forward.commands: not `count` commands"},
      {frame,
       [](Proto& f) {
         f.mutable_forward()->clear_commands();
         f.mutable_forward()->set_count(0);
         f.mutable_forward()->set_atomic(false);
       },
       "keyspace.forward.count: 0; must be 1 to"},
      {frame, [](Proto& f) { f.mutable_forward()->set_db(16); },
       "keyspace.forward.db: 16; must be 0 to 15"},
      {frame,
       [](Proto& f) {
         f.mutable_forward()->mutable_watched(0)->mutable_key()->set_db(16);
       },
       "keyspace.forward.db: 16; must be 0 to 15"},
      {frame,
       [](Proto& f) {
         f.mutable_forward()->mutable_watched(0)->mutable_key()->set_key(
             std::string(kv::kMaxKeyBytes + 1, 'k'));
       },
       "keyspace.forward.key: 65537 bytes; at most 65536"},
      {frame,
       [](Proto& f) {
         f.mutable_forward()->set_commands(
             std::string(kv::kMaxMutationBytes + 1, 'c'));
       },
       "keyspace.forward.commands: 8388609 bytes; at most 8388608"},
      {SamplePromise(),
       [](Proto& f) { f.mutable_promise()->mutable_waiting(0)->set_count(2); },
       "keyspace.promise.waiting[0].commands: not `count` commands"},
  });
}

TEST(KeyspaceMalformedTest, AnswersAreExactlyThoseThatAreCounted) {
  const core::KvAnswers frame = SampleAnswers();
  constexpr const char* kRule = "keyspace.answers.answers: not `count` answers";
  ExpectRefused({
      {frame, [](Proto& f) { f.mutable_answers()->set_count(4); }, kRule},
      {frame, [](Proto& f) { f.mutable_answers()->set_count(2); }, kRule},
      {frame, [](Proto& f) { f.mutable_answers()->set_count(0); },
       "keyspace.answers.count: 0; must be 1 to"},
      {frame,
       [](Proto& f) { f.mutable_answers()->set_count(core::kMaxFrameBytes); },
       kRule},
      {frame,
       [](Proto& f) { f.mutable_answers()->mutable_answers()->pop_back(); },
       kRule},
      // The first answer: call, outcome, seq, count, size.
      {frame,
       [](Proto& f) { (*f.mutable_answers()->mutable_answers())[1] = 0; },
       kRule},
      {frame,
       [](Proto& f) { (*f.mutable_answers()->mutable_answers())[1] = 4; },
       kRule},
      {frame,
       [](Proto& f) { (*f.mutable_answers()->mutable_answers())[3] = 1; },
       kRule},
      {frame,
       [](Proto& f) { (*f.mutable_answers()->mutable_answers())[4] = 127; },
       kRule},
  });
}

TEST(KeyspaceMalformedTest, DigestsAndBucketsOfAnExchangeAreInOrder) {
  const core::KvExchangeWant want{9, {5, 6}};
  ExpectRefused({
      {SampleExchangeBegin(),
       [](Proto& f) { f.mutable_exchange_begin()->add_groups(1); },
       "keyspace.exchange_begin.groups: must be 128 digests"},
      {SampleExchangeDigests(),
       [](Proto& f) {
         f.mutable_exchange_digests()->mutable_groups(0)->add_buckets(1);
       },
       "keyspace.exchange_digests.groups[0].buckets: must be 128 digests"},
      {SampleExchangeDigests(),
       [](Proto& f) {
         f.mutable_exchange_digests()->mutable_groups(1)->set_group(128);
       },
       "keyspace.exchange_digests.groups[1].group: 128; must be 4 to 127"},
      {SampleExchangeDigests(),
       [](Proto& f) {
         f.mutable_exchange_digests()->mutable_groups(1)->set_group(3);
       },
       "keyspace.exchange_digests.groups[1].group: 3; must be 4 to 127"},
      {want, [](Proto& f) { f.mutable_exchange_want()->set_buckets(1, 16384); },
       "keyspace.exchange_want.buckets: 16384; must be 6 to 16383"},
      {want, [](Proto& f) { f.mutable_exchange_want()->set_buckets(1, 5); },
       "keyspace.exchange_want.buckets: 5; must be 6 to 16383"},
      {core::KvExchangeAck{9, 2, true, {{3, "k"}}},
       [](Proto& f) { f.mutable_exchange_ack()->mutable_again(0)->set_db(16); },
       "keyspace.exchange_ack.again[0].db: 16; must be 0 to 15"},
  });
}

TEST(KeyspaceMalformedTest, OnlyTheLastPartOfABucketMayBeEmpty) {
  auto part = SampleExchangePart(Kind::kPart);
  part.bytes = nullptr;
  EXPECT_THAT(
      FaultOf(part,
              [](Proto& f) { f.mutable_exchange_part()->set_last(false); }),
      HasSubstr("exchange_part.bytes: not what"));
}

TEST(KeyspaceMalformedTest, ThePositionOfMailHasATerm) {
  std::string messages;
  crdt::AppendMessage("news", "hi", messages);
  core::MailFrame mail{5, 7, 1, crdt::Seq(9),
                       std::make_shared<const std::string>(messages)};
  EXPECT_FALSE(ProtoOf(mail).routed().mail().has_kv());
  mail.kv = {kTerm, crdt::Seq(5)};
  v1::PeerFrame frame = ProtoOf(mail);
  v1::Mail& proto = *frame.mutable_routed()->mutable_mail();
  proto.mutable_kv()->mutable_term()->set_number(0);
  EXPECT_THAT(FaultOf(frame), HasSubstr("routed.mail.kv.term.number: 0"));
  proto.mutable_kv()->Clear();
  EXPECT_THAT(FaultOf(frame), HasSubstr("routed.mail.kv.term.number: 0"));
  *proto.mutable_kv() = ProtoOf(mail).routed().mail().kv();
  proto.mutable_kv()->set_seq(kMaxNumber + 1);
  EXPECT_THAT(FaultOf(frame), HasSubstr("routed.mail.kv.seq"));
}

TEST(KeyspaceMalformedTest, APartHasWhatItsKindSays) {
  constexpr const char* kRule =
      "keyspace.exchange_part.bytes: not what `kind` and its fields say";
  const auto extra = [](Proto& f) {
    f.mutable_exchange_part()->set_bytes("x");
  };
  const auto other_bucket = [](Proto& f) {
    Proto::ExchangePart& part = *f.mutable_exchange_part();
    part.set_bucket(part.bucket() ^ 1);
  };
  ExpectRefused({
      {SampleExchangePart(Kind::kBegin), extra, kRule},
      {SampleExchangePart(Kind::kEnd), extra, kRule},
      {SampleExchangePart(Kind::kRefused), extra, kRule},
      {SampleExchangePart(Kind::kPart), extra, kRule},
      {SampleExchangePart(Kind::kPart), other_bucket, kRule},
      {SampleExchangePart(Kind::kKey),
       [](Proto& f) {
         f.mutable_exchange_part()->mutable_key()->set_key("another");
       },
       kRule},
      {SampleExchangePart(Kind::kMutations),
       [](Proto& f) { f.mutable_exchange_part()->set_count(2); }, kRule},
      {SampleExchangePart(Kind::kMutations),
       [](Proto& f) { f.mutable_exchange_part()->set_first(0); }, kRule},
      {SampleExchangePart(Kind::kMutations),
       [](Proto& f) {
         f.mutable_exchange_part()->clear_bytes();
         f.mutable_exchange_part()->set_count(0);
       },
       kRule},
      {SampleExchangePart(Kind::kPart),
       [](Proto& f) { f.mutable_exchange_part()->set_bucket(16384); },
       "keyspace.exchange_part.bucket: 16384; must be 0 to 16383"},
      {SampleExchangePart(Kind::kEnd),
       [](Proto& f) { f.mutable_exchange_part()->set_number(0); },
       "keyspace.exchange_part.number: 0"},
      {SampleExchangePart(Kind::kEnd),
       [](Proto& f) {
         f.mutable_exchange_part()->set_kind(
             static_cast<Proto::ExchangePart::Kind>(7));
       },
       "keyspace.exchange_part.kind: 7; must be 1 to 6"},
  });
}

TEST(KeyspaceMalformedTest, AFrameHasABodyThatIsKnown) {
  ExpectRefused({
      {core::KvWithdraw{7}, [](Proto& f) { f.clear_body(); },
       "keyspace.body: missing, or of a kind this version does not know"},
      {core::KvLeaderAnswer{},
       [](Proto& f) {
         f.mutable_leader_answer()->set_wall_us(-kMaxWallUs - 1);
       },
       "keyspace.leader_answer.wall_us: must be -2^61 to 2^61"},
  });
}

TEST(KeyspaceMalformedTest, DamagedBytesAreRefusedOrComeBackButNeverCrash) {
  google::protobuf::SetLogHandler(nullptr);
  std::mt19937 random(7);
  std::vector<std::string> samples;
  for (const core::KvBody& body : KeyspaceSamples()) {
    samples.push_back(BytesOf(body));
  }
  size_t refused = 0;
  for (int i = 0; i < 50000; ++i) {
    std::string bytes = samples[random() % samples.size()];
    for (int n = random() % 4 + 1; n > 0; --n) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    bytes.resize(bytes.size() - random() % 3);
    const auto message = DecodeMessage(bytes);
    if (!message.ok()) {
      ++refused;
      continue;
    }
    const auto* frame = std::get_if<core::Frame>(&*message);
    if (frame == nullptr) continue;
    const std::string again = Flat(EncodeFrame(*frame));
    const auto same = DecodeMessage(again);
    ASSERT_TRUE(same.ok()) << same.status();
    ASSERT_EQ(Flat(EncodeFrame(std::get<core::Frame>(*same))), again);
  }
  EXPECT_GT(refused, 15000u);
  EXPECT_LT(refused, 45000u);
}

}  // namespace
}  // namespace muster::codec
