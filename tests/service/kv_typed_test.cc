// The typed calls of Kv: the answers that applications rely on, and their
// errors.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/service/kv_client.h"

namespace muster::service {
namespace {

using grpc::StatusCode;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::UnorderedElementsAre;
using Stub = v1::Kv::Stub;

v1::KvKeyRequest Key(const std::string& key) {
  v1::KvKeyRequest request;
  request.set_key(key);
  return request;
}
v1::KvFieldRequest Field(const std::string& key, const std::string& field) {
  v1::KvFieldRequest request;
  request.set_key(key);
  request.set_field(field);
  return request;
}
v1::KvMembersRequest Members(const std::string& key, const Words& members) {
  v1::KvMembersRequest request;
  request.set_key(key);
  request.mutable_members()->Add(members.begin(), members.end());
  return request;
}
v1::KvKeysRequest Keys(const Words& keys) {
  v1::KvKeysRequest request;
  request.mutable_keys()->Add(keys.begin(), keys.end());
  return request;
}
v1::KvPushRequest Push(const std::string& key, const Words& values) {
  v1::KvPushRequest request;
  request.set_key(key);
  request.mutable_values()->Add(values.begin(), values.end());
  return request;
}
v1::KvHSetRequest FieldOf(const std::string& key, const std::string& field,
                          const std::string& value) {
  v1::KvHSetRequest request;
  request.set_key(key);
  request.set_field(field);
  request.set_value(value);
  return request;
}
v1::KvExpireRequest Expiry(const std::string& key, int64_t seconds) {
  v1::KvExpireRequest request;
  request.set_key(key);
  request.set_seconds(seconds);
  return request;
}

class KvTypedCallTest : public testing::Test {
 protected:
  void SetUp() override {
    node_ = std::make_unique<TestNode>("a");
    ASSERT_TRUE(node_->WaitReady());
    kv_ = std::make_unique<KvClient>(*node_);
  }

  template <class Response, class Request>
  Response Ask(grpc::Status (Stub::*method)(grpc::ClientContext*,
                                            const Request&, Response*),
               const Request& request) {
    Response response;
    last_ = kv_->Call(method, request, &response);
    EXPECT_EQ(response.position().term() > 0, last_.ok());
    return response;
  }
  template <class Request>
  int64_t Number(grpc::Status (Stub::*method)(grpc::ClientContext*,
                                              const Request&,
                                              v1::KvNumberResponse*),
                 const Request& request) {
    const int64_t value = Ask(method, request).value();
    EXPECT_TRUE(last_.ok()) << last_.error_message();
    return value;
  }
  template <class Request>
  bool Flag(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                         v1::KvFlagResponse*),
            const Request& request) {
    const bool value = Ask(method, request).value();
    EXPECT_TRUE(last_.ok()) << last_.error_message();
    return value;
  }
  template <class Request>
  std::optional<std::string> Value(
      grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                   v1::KvValueResponse*),
      const Request& request) {
    const v1::KvValueResponse response = Ask(method, request);
    EXPECT_TRUE(last_.ok()) << last_.error_message();
    if (!response.has_value()) return std::nullopt;
    return response.value();
  }
  void Set(const std::string& key, const std::string& value) {
    v1::KvSetRequest request;
    request.set_key(key);
    request.set_value(value);
    Ask(&Stub::Set, request);
    EXPECT_TRUE(last_.ok()) << last_.error_message();
  }
  // The error of the last call.
  void ExpectError(StatusCode code, const std::string& words) {
    EXPECT_EQ(last_.error_code(), code) << last_.error_message();
    EXPECT_THAT(last_.error_message(), HasSubstr(words));
  }

  std::unique_ptr<TestNode> node_;
  std::unique_ptr<KvClient> kv_;
  grpc::Status last_;
};

TEST_F(KvTypedCallTest, Strings) {
  EXPECT_EQ(Value(&Stub::Get, Key("k")), std::nullopt);
  EXPECT_FALSE(Flag(&Stub::Exists, Key("k")));
  Set("k", "");
  EXPECT_EQ(Value(&Stub::Get, Key("k")), "");
  EXPECT_TRUE(Flag(&Stub::Exists, Key("k")));
  EXPECT_TRUE(Flag(&Stub::Expire, Expiry("k", 100)));
  EXPECT_EQ(kv_->Do({"TTL", "k"}), "(integer) 100");
  Set("k", "x");
  EXPECT_EQ(kv_->Do({"TTL", "k"}), "(integer) -1") << "SET clears the expiry";
  EXPECT_FALSE(Flag(&Stub::Expire, Expiry("absent", 100)));
  EXPECT_EQ(Number(&Stub::Del, Keys({"k", "absent"})), 1);
  EXPECT_FALSE(Flag(&Stub::Exists, Key("k")));
}

TEST_F(KvTypedCallTest, SetExSetsAnExpiryAndRefusesNone) {
  v1::KvSetExRequest request;
  request.set_key("k");
  request.set_value("v");
  request.set_seconds(50);
  Ask(&Stub::SetEx, request);
  EXPECT_TRUE(last_.ok()) << last_.error_message();
  EXPECT_EQ(kv_->Do({"TTL", "k"}), "(integer) 50");
  for (const int64_t seconds : {0, -1}) {
    request.set_seconds(seconds);
    Ask(&Stub::SetEx, request);
    ExpectError(StatusCode::INVALID_ARGUMENT,
                "ERR invalid expire time in 'setex' command");
  }
  EXPECT_EQ(kv_->Do({"TTL", "k"}), "(integer) 50");
}

TEST_F(KvTypedCallTest, Counters) {
  EXPECT_EQ(Number(&Stub::Incr, Key("n")), 1);
  EXPECT_EQ(Number(&Stub::Incr, Key("n")), 2);
  EXPECT_EQ(Number(&Stub::Decr, Key("n")), 1);
  Set("text", "x");
  Ask(&Stub::Incr, Key("text"));
  ExpectError(StatusCode::FAILED_PRECONDITION,
              "ERR value is not an integer or out of range");
  Set("most", std::to_string(std::numeric_limits<int64_t>::max()));
  Ask(&Stub::Incr, Key("most"));
  ExpectError(StatusCode::FAILED_PRECONDITION, "would overflow");
}

TEST_F(KvTypedCallTest, Sets) {
  EXPECT_THAT(Ask(&Stub::SMembers, Key("s")).values(), IsEmpty());
  EXPECT_EQ(Number(&Stub::SAdd, Members("s", {"10", "9", "9"})), 2);
  EXPECT_EQ(Number(&Stub::SAdd, Members("s", {"9", "100"})), 1);
  EXPECT_THAT(Ask(&Stub::SMembers, Key("s")).values(),
              ElementsAre("9", "10", "100"))
      << "integers are in ascending order";
  EXPECT_EQ(Number(&Stub::SCard, Key("s")), 3);
  v1::KvMemberRequest member;
  member.set_key("s");
  member.set_member("10");
  EXPECT_EQ(Number(&Stub::SIsMember, member), 1);
  member.set_member("11");
  EXPECT_EQ(Number(&Stub::SIsMember, member), 0);
  Number(&Stub::SAdd, Members("t", {"10", "100", "x"}));
  EXPECT_THAT(Ask(&Stub::SInter, Keys({"s", "t"})).values(),
              UnorderedElementsAre("10", "100"));
  EXPECT_THAT(Ask(&Stub::SInter, Keys({"s", "absent"})).values(), IsEmpty());
  EXPECT_EQ(Number(&Stub::SRem, Members("s", {"9", "x"})), 1);
  Ask(&Stub::SAdd, Members("s", {}));
  ExpectError(StatusCode::INVALID_ARGUMENT,
              "ERR wrong number of arguments for 'sadd' command");
}

TEST_F(KvTypedCallTest, Hashes) {
  EXPECT_TRUE(Flag(&Stub::HSet, FieldOf("h", "f", "1")));
  EXPECT_FALSE(Flag(&Stub::HSet, FieldOf("h", "f", "2"))) << "no new field";
  EXPECT_TRUE(Flag(&Stub::HSet, FieldOf("h", "", "empty name")));
  EXPECT_EQ(Value(&Stub::HGet, Field("h", "")), "empty name");
  EXPECT_EQ(Value(&Stub::HGet, Field("h", "g")), std::nullopt);
  EXPECT_EQ(Number(&Stub::HLen, Key("h")), 2);
  const v1::KvFieldsResponse all = Ask(&Stub::HGetAll, Key("h"));
  ASSERT_EQ(all.fields_size(), 2);
  std::map<std::string, std::string> fields;
  for (const v1::KvField& field : all.fields()) {
    fields[field.field()] = field.value();
  }
  EXPECT_THAT(fields, ElementsAre(Pair("", "empty name"), Pair("f", "2")));
  EXPECT_THAT(Ask(&Stub::HGetAll, Key("absent")).fields(), IsEmpty());
  EXPECT_TRUE(Flag(&Stub::HDel, Field("h", "")));
  EXPECT_FALSE(Flag(&Stub::HDel, Field("h", "")));
  v1::KvHIncrByRequest add;
  add.set_key("h");
  add.set_field("n");
  add.set_increment(-7);
  EXPECT_EQ(Number(&Stub::HIncrBy, add), -7);
}

TEST_F(KvTypedCallTest, HIncrByExCountsAndSetsTheExpiryOfTheKey) {
  v1::KvHIncrByExRequest request;
  request.set_key("ch:room");
  request.set_field("filter");
  request.set_increment(1);
  request.set_seconds(30);
  EXPECT_EQ(Number(&Stub::HIncrByEx, request), 1);
  EXPECT_EQ(Number(&Stub::HIncrByEx, request), 2);
  EXPECT_EQ(kv_->Do({"TTL", "ch:room"}), "(integer) 30");
  Set("text", "x");
  request.set_key("text");
  Ask(&Stub::HIncrByEx, request);
  ExpectError(StatusCode::FAILED_PRECONDITION, "WRONGTYPE ");
}

TEST_F(KvTypedCallTest, Lists) {
  EXPECT_EQ(Number(&Stub::RPush, Push("l", {"a", "b"})), 2);
  EXPECT_EQ(Number(&Stub::LPush, Push("l", {"1", "2"})), 4);
  EXPECT_EQ(Number(&Stub::LLen, Key("l")), 4);
  EXPECT_EQ(Value(&Stub::LPop, Key("l")), "2");
  EXPECT_EQ(Value(&Stub::RPop, Key("l")), "b");
  EXPECT_EQ(Value(&Stub::LPop, Key("absent")), std::nullopt);
  Ask(&Stub::LLen, Key("l"));
  Set("text", "x");
  Ask(&Stub::LPush, Push("text", {"y"}));
  ExpectError(StatusCode::FAILED_PRECONDITION,
              "WRONGTYPE Operation against a key holding the wrong kind of "
              "value");
}

TEST_F(KvTypedCallTest, BRPopAnswersKeyAndValueOrNothing) {
  v1::KvBRPopRequest request;
  request.add_keys("first");
  request.add_keys("second");
  request.set_timeout_seconds(0.05);
  v1::KvPopResponse response = Ask(&Stub::BRPop, request);
  EXPECT_TRUE(last_.ok()) << last_.error_message();
  EXPECT_FALSE(response.has_popped()) << "fractions of a second work";
  Number(&Stub::RPush, Push("second", {"x"}));
  response = Ask(&Stub::BRPop, request);
  EXPECT_EQ(response.popped().key(), "second");
  EXPECT_EQ(response.popped().value(), "x");
  request.set_timeout_seconds(-1);
  Ask(&Stub::BRPop, request);
  ExpectError(StatusCode::INVALID_ARGUMENT, "ERR timeout is negative");
  request.set_timeout_seconds(std::numeric_limits<double>::quiet_NaN());
  Ask(&Stub::BRPop, request);
  ExpectError(StatusCode::INVALID_ARGUMENT, "ERR timeout is not a float");
}

TEST_F(KvTypedCallTest, AnElementGoesToTheFirstWhoWaits) {
  const auto pop = [this] {
    v1::KvBRPopRequest request;
    request.add_keys("l");
    v1::KvPopResponse response;
    KvClient(*node_).Call(&Stub::BRPop, request, &response);
    return response.popped().value();
  };
  const auto blocked = [this](uint64_t n) {
    return WaitFor(
        [this, n] { return node_->Status().keyspace().blocked() == n; });
  };
  std::future<std::string> first = std::async(std::launch::async, pop);
  ASSERT_TRUE(blocked(1));
  std::future<std::string> second = std::async(std::launch::async, pop);
  ASSERT_TRUE(blocked(2));
  Number(&Stub::LPush, Push("l", {"x"}));
  EXPECT_EQ(first.get(), "x");
  Number(&Stub::LPush, Push("l", {"y"}));
  EXPECT_EQ(second.get(), "y");
}

TEST_F(KvTypedCallTest, OptionsHoldForTypedCalls) {
  v1::KvSetRequest set;
  set.set_key("k");
  set.set_value("5");
  set.mutable_options()->set_db(5);
  Ask(&Stub::Set, set);
  EXPECT_EQ(Value(&Stub::Get, Key("k")), std::nullopt);
  v1::KvKeyRequest get = Key("k");
  get.mutable_options()->set_db(5);
  EXPECT_EQ(Value(&Stub::Get, get), "5");
  get.mutable_options()->set_db(16);
  Ask(&Stub::Get, get);
  ExpectError(StatusCode::INVALID_ARGUMENT, "options.db is 16");
}

}  // namespace
}  // namespace muster::service
