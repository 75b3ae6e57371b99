#include "node/codec/kv_codec.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace muster::codec {
namespace {

using namespace std::string_literals;
using commands::Reply;
using testing::ElementsAre;

using Commands = std::vector<std::vector<std::string>>;

struct Decoded {
  bool formed = false;
  KvExecuteText text;
  Commands commands;
};

// The text points into `bytes`.
Decoded Decode(const std::string& bytes) {
  Decoded decoded;
  decoded.formed = ReadExecute(bytes, decoded.text, [&](commands::Argv argv) {
    decoded.commands.emplace_back(argv.begin(), argv.end());
  });
  return decoded;
}

v1::KvExecuteResponse Encode(const core::KvAnswer& answer, bool atomic) {
  v1::KvExecuteResponse response;
  EXPECT_TRUE(response.ParseFromString(EncodeExecuteResponse(answer, atomic)));
  return response;
}

v1::KvExecuteRequest FullRequest() {
  v1::KvExecuteRequest request;
  for (const Commands::value_type& words :
       Commands{{"SET", "k\0"s, "\xff"}, {"GET", ""}}) {
    request.add_commands()->mutable_args()->Add(words.begin(), words.end());
  }
  request.set_atomic(true);
  v1::KvWatched* watched = request.add_watched();
  watched->set_db(3);
  watched->set_key("w");
  watched->set_version(0x8123456789abcdefu);
  v1::KvOptions* options = request.mutable_options();
  options->set_db(5);
  options->set_at_leader(true);
  options->mutable_min_position()->set_term(7);
  options->mutable_min_position()->set_leader(LifeIdBytes({1, 2}));
  options->mutable_min_position()->set_seq(300);
  return request;
}

TEST(KvCodecTest, ReadsWhatGeneratedCodeWrites) {
  const std::string bytes = FullRequest().SerializeAsString();
  const Decoded decoded = Decode(bytes);
  ASSERT_TRUE(decoded.formed);
  EXPECT_THAT(decoded.commands, ElementsAre(ElementsAre("SET", "k\0"s, "\xff"),
                                            ElementsAre("GET", "")));
  EXPECT_TRUE(decoded.text.atomic);
  ASSERT_EQ(decoded.text.watched.size(), 1u);
  EXPECT_EQ(decoded.text.watched[0].db, 3u);
  EXPECT_EQ(decoded.text.watched[0].key, "w");
  EXPECT_EQ(decoded.text.watched[0].version, 0x8123456789abcdefu);
  EXPECT_EQ(decoded.text.options.db, 5u);
  EXPECT_TRUE(decoded.text.options.at_leader);
  EXPECT_EQ(decoded.text.options.min_term, 7u);
  EXPECT_EQ(decoded.text.options.min_seq, 300u);
  crdt::LifeId life;
  ASSERT_TRUE(ParseLifeId(decoded.text.options.min_leader, life));
  EXPECT_EQ(life, (crdt::LifeId{1, 2}));
}

TEST(KvCodecTest, EveryTruncatedRequestIsMalformedOrShorter) {
  const std::string bytes = FullRequest().SerializeAsString();
  for (size_t size = 0; size < bytes.size(); ++size) {
    const std::string part = bytes.substr(0, size);
    v1::KvExecuteRequest parsed;
    EXPECT_EQ(Decode(part).formed, parsed.ParseFromString(part)) << size;
  }
}

TEST(KvCodecTest, UnknownFieldsAreSkipped) {
  std::string bytes = FullRequest().SerializeAsString();
  WireWriter out(&bytes);
  out.Varint(100, 1);
  out.Fixed64(101, 2);
  out.Bytes(102, "x");
  const Decoded decoded = Decode(bytes);
  EXPECT_TRUE(decoded.formed);
  EXPECT_EQ(decoded.commands.size(), 2u);
}

TEST(KvCodecTest, ARequestOfAStreamHasItsNumberAndItsCall) {
  v1::KvRequest request;
  request.set_number(1 << 20);
  *request.mutable_execute() = FullRequest();
  const std::string bytes = request.SerializeAsString();
  KvRequestText text;
  ASSERT_TRUE(ReadRequest(bytes, text));
  EXPECT_EQ(text.number, uint64_t{1} << 20);
  EXPECT_EQ(text.execute, request.execute().SerializeAsString());
  EXPECT_FALSE(ReadRequest(bytes.substr(0, bytes.size() - 1), text));
}

TEST(KvCodecTest, EveryKindOfReplyIsAValue) {
  core::KvAnswer answer;
  Reply& replies = answer.replies;
  replies.Ok();
  replies.Error("ERR no");
  replies.Integer(-1);
  replies.Integer(INT64_MIN);
  replies.Bulk("\0\xff"s);
  replies.Nil();
  replies.NilArray();
  replies.Double(1.5);
  const v1::KvExecuteResponse response = Encode(answer, false);
  ASSERT_EQ(response.values_size(), 8);
  EXPECT_EQ(response.values(0).simple(), "OK");
  EXPECT_EQ(response.values(1).error(), "ERR no");
  EXPECT_EQ(response.values(2).integer(), -1);
  EXPECT_EQ(response.values(3).integer(), INT64_MIN);
  EXPECT_EQ(response.values(4).bulk(), "\0\xff"s);
  EXPECT_TRUE(response.values(5).nil());
  EXPECT_TRUE(response.values(6).nil());
  EXPECT_EQ(response.values(7).number(), 1.5);
  EXPECT_FALSE(response.has_position());
}

TEST(KvCodecTest, AggregatesHoldTheirChildren) {
  core::KvAnswer answer;
  Reply& replies = answer.replies;
  replies.Begin(Reply::Kind::kArray, 3);
  replies.Bulk("a");
  replies.Begin(Reply::Kind::kMap, 2);
  replies.Bulk("f");
  replies.Bulk("v");
  replies.EmptyArray();
  replies.Begin(Reply::Kind::kSet, 1);
  replies.Bulk("m");
  replies.Begin(Reply::Kind::kPairs, 2);
  replies.Bulk("m");
  replies.Double(2);
  const v1::KvExecuteResponse response = Encode(answer, false);
  ASSERT_EQ(response.values_size(), 3);
  const v1::KvValue::Values& array = response.values(0).array();
  ASSERT_EQ(array.values_size(), 3);
  EXPECT_EQ(array.values(0).bulk(), "a");
  EXPECT_EQ(array.values(1).map().values(1).bulk(), "v");
  EXPECT_TRUE(array.values(2).has_array());
  EXPECT_EQ(response.values(1).set().values(0).bulk(), "m");
  EXPECT_EQ(response.values(2).pairs().values(1).number(), 2);
}

// Lengths are written by hand: one byte, two bytes and more.
TEST(KvCodecTest, TextsOfAllLengthsComeWhole) {
  for (const size_t size : {0, 1, 123, 124, 125, 126, 127, 128, 129, 16'379,
                            16'380, 16'381, 16'383, 16'384, 70'000}) {
    core::KvAnswer answer;
    answer.replies.Bulk(std::string(size, 'x'));
    answer.replies.Ok();
    const v1::KvExecuteResponse response = Encode(answer, false);
    ASSERT_EQ(response.values_size(), 2) << size;
    EXPECT_EQ(response.values(0).bulk().size(), size);
  }
}

TEST(KvCodecTest, TheAnswerOfATransactionIsAValueForEachCommand) {
  core::KvAnswer answer;
  answer.replies.Begin(Reply::Kind::kArray, 2);
  answer.replies.Ok();
  answer.replies.Integer(2);
  answer.position = {{4, {1, 2}}, crdt::Seq(9)};
  const v1::KvExecuteResponse response = Encode(answer, true);
  ASSERT_EQ(response.values_size(), 2);
  EXPECT_EQ(response.values(1).integer(), 2);
  EXPECT_FALSE(response.changed());
  EXPECT_EQ(response.position().term(), 4u);
  EXPECT_EQ(response.position().leader(), LifeIdBytes({1, 2}));
  EXPECT_EQ(response.position().seq(), 9u);
}

TEST(KvCodecTest, ATransactionOnAChangedKeySaysSo) {
  core::KvAnswer answer;
  answer.replies.NilArray();
  const v1::KvExecuteResponse response = Encode(answer, true);
  EXPECT_EQ(response.values_size(), 0);
  EXPECT_TRUE(response.changed());
}

TEST(KvCodecTest, AnswersOfAStreamFollowEachOther) {
  core::KvAnswer done;
  done.replies.Ok();
  core::KvAnswer failed;
  failed.status = absl::UnavailableError("no leader");
  std::string bytes;
  WireWriter out(&bytes);
  WriteAnswer(1, done, false, out);
  WriteAnswer(2, failed, false, out);
  v1::KvResponse response;
  ASSERT_TRUE(response.ParseFromString(bytes));
  ASSERT_EQ(response.answers_size(), 2);
  EXPECT_EQ(response.answers(0).number(), 1u);
  EXPECT_EQ(response.answers(0).executed().values(0).simple(), "OK");
  EXPECT_EQ(response.answers(1).number(), 2u);
  EXPECT_EQ(response.answers(1).code(),
            static_cast<int>(absl::StatusCode::kUnavailable));
  EXPECT_EQ(response.answers(1).message(), "no leader");
  EXPECT_FALSE(response.answers(1).has_executed());
}

TEST(KvCodecTest, AClientHasTheReplyBackAsItWas) {
  core::KvAnswer answer;
  Reply& replies = answer.replies;
  replies.Begin(Reply::Kind::kArray, 7);
  replies.Bulk("a");
  replies.Integer(5);
  replies.Nil();
  replies.Double(0.1);
  replies.Error("ERR x");
  replies.Ok();
  replies.Begin(Reply::Kind::kMap, 2);
  replies.Bulk("f");
  replies.Bulk("v");
  Reply back;
  AppendReply(Encode(answer, false).values(0), back);
  EXPECT_EQ(back, answer.replies);
}

TEST(KvCodecTest, StatusNamesTheLeaderAndItsFollowers) {
  core::KvStatusView view;
  view.role = core::KvStatusView::Role::kLeading;
  view.position = {{4, {1, 1}}, crdt::Seq(9)};
  view.followers.push_back(
      {{2, 2}, core::KvFollowerView::State::kExchanging, crdt::Seq(5), 100});
  view.keys = {3, 0, 1};
  core::MemberView a;
  a.origin = {"a", {}, {1, 1}};
  a.self = true;
  core::MemberView b;
  b.origin = {"b", {}, {2, 2}};
  v1::KeyspaceStatus status;
  ToProto(view, {a, b}, &status);
  EXPECT_EQ(status.role(), v1::KEYSPACE_ROLE_LEADING);
  EXPECT_EQ(status.leader(), "a");
  EXPECT_EQ(status.term(), 4u);
  EXPECT_EQ(status.seq(), 9u);
  ASSERT_EQ(status.followers_size(), 1);
  EXPECT_EQ(status.followers(0).node(), "b");
  EXPECT_EQ(status.followers(0).state(),
            v1::KeyspaceFollower::STATE_EXCHANGING);
  EXPECT_THAT(status.keys(), ElementsAre(3, 0, 1));
  v1::Member member;
  ToProto(view, b, &member);
  EXPECT_EQ(member.keyspace_role(), v1::KEYSPACE_ROLE_FOLLOWING);
  EXPECT_TRUE(member.keyspace_exchanging());
}

TEST(KvCodecTest, AFollowerKnowsItsLeaderAndItself) {
  core::KvStatusView view;
  view.role = core::KvStatusView::Role::kFollowing;
  view.position = {{4, {1, 1}}, crdt::Seq(9)};
  core::MemberView leader;
  leader.origin = {"a", {}, {1, 1}};
  core::MemberView other;
  other.origin = {"c", {}, {3, 3}};
  v1::Member shown_leader;
  ToProto(view, leader, &shown_leader);
  EXPECT_EQ(shown_leader.keyspace_role(), v1::KEYSPACE_ROLE_LEADING);
  v1::Member shown_other;
  ToProto(view, other, &shown_other);
  EXPECT_EQ(shown_other.keyspace_role(), v1::KEYSPACE_ROLE_UNSPECIFIED);
}

TEST(KvCodecTest, ExplainNamesWhoWrote) {
  core::KvExplainReply reply;
  reply.type = "string";
  reply.versions.push_back({.element = "string",
                            .what = "value \"x\"",
                            .life = {1, 1},
                            .seq = crdt::Seq(3),
                            .shown = true});
  core::MemberView a;
  a.origin = {"a", {}, {1, 1}};
  v1::KvExplainResponse response;
  ASSERT_TRUE(response.ParseFromString(EncodeExplain(reply, {a})));
  ASSERT_EQ(response.versions_size(), 1);
  EXPECT_EQ(response.versions(0).node(), "a");
  EXPECT_EQ(response.versions(0).seq(), 3u);
  EXPECT_TRUE(response.versions(0).shown());
}

}  // namespace
}  // namespace muster::codec
