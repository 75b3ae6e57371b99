// Kv over gRPC at one node: Execute, transactions, limits, cancelling, and
// what else is no typed call.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/service/kv_client.h"

namespace muster::service {
namespace {

using namespace std::string_literals;
using grpc::StatusCode;
using testing::ElementsAre;
using testing::HasSubstr;

class KvTest : public testing::Test {
 protected:
  void Start(Limits limits = {},
             std::function<void(RuntimeOptions&)> adjust = {}) {
    node_ = std::make_unique<TestNode>("a", std::vector<std::string>{}, limits,
                                       std::move(adjust));
    ASSERT_TRUE(node_->WaitReady());
    kv_ = std::make_unique<KvClient>(*node_);
  }
  uint64_t Blocked() { return node_->Status().keyspace().blocked(); }

  std::unique_ptr<TestNode> node_;
  std::unique_ptr<KvClient> kv_;
};

TEST_F(KvTest, CommandsOfACallRunOneAfterTheOther) {
  Start();
  EXPECT_THAT(kv_->Run(CallOf({{"SET", "k", "1"},
                               {"INCR", "k"},
                               {"GET", "k"},
                               {"RPUSH", "l", "a", "b"},
                               {"LRANGE", "l", "0", "-1"},
                               {"HGET", "h", "f"}})),
              ElementsAre("OK", "(integer) 2", "\"2\"", "(integer) 2",
                          "1) \"a\"\n2) \"b\"", "(nil)"));
}

TEST_F(KvTest, KeysAndValuesAreAnyBytes) {
  Start();
  const std::string key = "\0\xff key"s;
  const std::string value = "\xfe\0\r\n"s;
  v1::KvExecuteResponse response;
  ASSERT_TRUE(
      kv_->Execute(CallOf({{"SET", key, value}, {"GET", key}}), &response)
          .ok());
  EXPECT_EQ(response.values(1).bulk(), value);
}

TEST_F(KvTest, ErrorsOfCommandsAreValuesAndTheOthersAreRun) {
  Start();
  EXPECT_THAT(
      kv_->Run(CallOf({{"SET", "k", "x"},
                       {"INCR", "k"},
                       {"NOSUCH", "a"},
                       {"GET"},
                       {"LPUSH", "k", "y"},
                       {"GET", "k"}})),
      ElementsAre(
          "OK", "(error) ERR value is not an integer or out of range",
          "(error) ERR unknown command 'NOSUCH', with args beginning with: "
          "'a' ",
          "(error) ERR wrong number of arguments for 'get' command",
          "(error) WRONGTYPE Operation against a key holding the wrong kind of "
          "value",
          "\"x\""));
}

TEST_F(KvTest, DatabasesAreApartAndSelectHoldsForTheRestOfTheCall) {
  Start();
  EXPECT_THAT(kv_->Run(CallOf({{"SET", "k", "0"},
                               {"SELECT", "3"},
                               {"SET", "k", "3"},
                               {"GET", "k"}})),
              ElementsAre("OK", "OK", "OK", "\"3\""));
  EXPECT_EQ(kv_->Do({"GET", "k"}), "\"0\"");
  v1::KvExecuteRequest request = CallOf({{"GET", "k"}});
  request.mutable_options()->set_db(3);
  EXPECT_THAT(kv_->Run(request), ElementsAre("\"3\""));
  EXPECT_EQ(node_->Status().keyspace().keys(3), 1u);
}

TEST_F(KvTest, ATransactionAnswersEachCommand) {
  Start();
  v1::KvExecuteRequest request =
      CallOf({{"SET", "k", "x"}, {"INCR", "k"}, {"BLPOP", "l", "0"}});
  request.set_atomic(true);
  EXPECT_THAT(
      kv_->Run(request),
      ElementsAre("OK", "(error) ERR value is not an integer or out of range",
                  "(nil)"))
      << "an error undoes nothing, and nothing waits";
  request = CallOf({{"SET", "k", "y"}, {"NOSUCH"}});
  request.set_atomic(true);
  EXPECT_THAT(kv_->Run(request)[0], HasSubstr("unknown command"));
  EXPECT_EQ(kv_->Do({"GET", "k"}), "\"x\"") << "nothing was executed";
}

TEST_F(KvTest, ATransactionOnAWatchedKeyRunsOnlyIfItIsUnchanged) {
  Start();
  kv_->Do({"SET", "k", "1"});
  v1::KvVersionsRequest ask;
  ask.add_keys("k");
  ask.add_keys("absent");
  v1::KvVersionsResponse versions;
  ASSERT_TRUE(kv_->Call(&v1::Kv::Stub::Versions, ask, &versions).ok());
  ASSERT_EQ(versions.versions_size(), 2);
  v1::KvExecuteRequest request = CallOf({{"INCR", "k"}});
  request.set_atomic(true);
  for (int i = 0; i < 2; ++i) {
    v1::KvWatched* watched = request.add_watched();
    watched->set_key(ask.keys(i));
    watched->set_version(versions.versions(i));
  }
  v1::KvExecuteResponse response;
  ASSERT_TRUE(kv_->Execute(request, &response).ok());
  EXPECT_FALSE(response.changed());
  EXPECT_THAT(TextsOf(response), ElementsAre("(integer) 2"));
  ASSERT_TRUE(kv_->Execute(request, &response).ok());
  EXPECT_TRUE(response.changed()) << "it has changed the key itself";
  EXPECT_EQ(response.values_size(), 0);
  EXPECT_EQ(kv_->Do({"GET", "k"}), "\"2\"");
}

TEST_F(KvTest, AnswersTellAPositionThatReadsCanWaitFor) {
  Start();
  v1::KvExecuteResponse written;
  ASSERT_TRUE(kv_->Execute(CallOf({{"SET", "k", "1"}}), &written).ok());
  EXPECT_GT(written.position().term(), 0u);
  EXPECT_EQ(written.position().leader().size(), 16u);
  v1::KvExecuteRequest read = CallOf({{"GET", "k"}});
  *read.mutable_options()->mutable_min_position() = written.position();
  EXPECT_THAT(kv_->Run(read), ElementsAre("\"1\""));
}

TEST_F(KvTest, APositionThatTheNodeDoesNotReachIsUnavailable) {
  Start({}, [](RuntimeOptions& options) {
    options.core.keyspace.wait = absl::Milliseconds(50);
  });
  v1::KvExecuteResponse response;
  ASSERT_TRUE(kv_->Execute(CallOf({{"SET", "k", "1"}}), &response).ok());
  v1::KvExecuteRequest read = CallOf({{"GET", "k"}});
  v1::KvPosition* position = read.mutable_options()->mutable_min_position();
  *position = response.position();
  position->set_seq(position->seq() + 1000);
  const grpc::Status status = kv_->Execute(read, &response);
  EXPECT_EQ(status.error_code(), StatusCode::UNAVAILABLE);
  EXPECT_FALSE(status.error_details().empty()) << "it says when to try again";
}

TEST_F(KvTest, LimitsAreRefusedWithTheirFlags) {
  Limits limits;
  limits.kv_max_commands = 2;
  Start(limits, [](RuntimeOptions& options) {
    options.core.keyspace.limits.max_key_bytes = 4;
    options.core.keyspace.limits.max_value_bytes = 10;
  });
  v1::KvExecuteResponse response;
  const grpc::Status status =
      kv_->Execute(CallOf({{"PING"}, {"PING"}, {"PING"}}), &response);
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("--kv-max-commands"));
  EXPECT_THAT(kv_->Do({"SET", "12345", "v"}), HasSubstr("--kv-max-key-bytes"));
  EXPECT_THAT(kv_->Do({"SET", "k", "01234567890"}),
              HasSubstr("--kv-max-value-bytes"));
  EXPECT_EQ(kv_->Do({"EXISTS", "k"}), "(integer) 0");
}

TEST_F(KvTest, AWriteWithoutMemoryIsRefusedWithRedisWords) {
  Start({}, [](RuntimeOptions& options) {
    options.core.keyspace.max_memory_bytes = 1;
  });
  std::string answer;
  for (int i = 0; i < 10'000 && answer.find("OOM") == std::string::npos; ++i) {
    answer = kv_->Do({"SET", "k" + std::to_string(i), "v"});
  }
  EXPECT_EQ(answer,
            "(error) OOM command not allowed when used memory > 'maxmemory'.");
  v1::KvSetRequest request;
  request.set_key("x");
  v1::KvDoneResponse response;
  EXPECT_EQ(kv_->Call(&v1::Kv::Stub::Set, request, &response).error_code(),
            StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(KvTest, APopThatWaitsGetsWhatIsPushed) {
  Start();
  std::future<std::string> popped = std::async(std::launch::async, [this] {
    return KvClient(*node_).Do({"BLPOP", "l", "0"});
  });
  ASSERT_TRUE(WaitFor([this] { return Blocked() == 1; }));
  EXPECT_EQ(kv_->Do({"RPUSH", "l", "x"}), "(integer) 1");
  EXPECT_EQ(popped.get(), "1) \"l\"\n2) \"x\"");
}

TEST_F(KvTest, APopWhoseClientHasGoneTakesNothing) {
  Start();
  grpc::ClientContext context;
  std::future<grpc::Status> popped = std::async(std::launch::async, [&] {
    v1::KvExecuteResponse response;
    return KvClient(*node_).stub()->Execute(
        &context, CallOf({{"BLPOP", "l", "0"}}), &response);
  });
  ASSERT_TRUE(WaitFor([this] { return Blocked() == 1; }));
  context.TryCancel();
  EXPECT_EQ(popped.get().error_code(), StatusCode::CANCELLED);
  ASSERT_TRUE(WaitFor([this] { return Blocked() == 0; }));
  kv_->Do({"RPUSH", "l", "x"});
  EXPECT_EQ(kv_->Do({"LLEN", "l"}), "(integer) 1");
}

TEST_F(KvTest, ANodeThatDrainsLeavesNoCallWaiting) {
  Start();
  std::future<grpc::Status> popped = std::async(std::launch::async, [this] {
    KvClient client(*node_);
    v1::KvExecuteResponse response;
    return client.Execute(CallOf({{"BLPOP", "l", "0"}}), &response);
  });
  ASSERT_TRUE(WaitFor([this] { return Blocked() == 1; }));
  node_->runtime().Drain();
  EXPECT_EQ(popped.get().error_code(), StatusCode::UNAVAILABLE);
}

TEST_F(KvTest, StatusAndMembersShowWhoLeads) {
  Start();
  ASSERT_EQ(kv_->Do({"SET", "k", "v"}), "OK");
  const v1::KeyspaceStatus keyspace = node_->Status().keyspace();
  EXPECT_EQ(keyspace.role(), v1::KEYSPACE_ROLE_LEADING);
  EXPECT_EQ(keyspace.leader(), "a");
  EXPECT_EQ(keyspace.keys(0), 1u);
  EXPECT_TRUE(keyspace.alone());
  EXPECT_GT(keyspace.bytes(), 0u);
  Context context;
  v1::MembersResponse members;
  ASSERT_TRUE(node_->Cluster()->Members(&context, {}, &members).ok());
  ASSERT_EQ(members.members_size(), 1);
  EXPECT_EQ(members.members(0).keyspace_role(), v1::KEYSPACE_ROLE_LEADING);
}

TEST_F(KvTest, ExplainShowsVersionsAndWhoWroteThem) {
  Start();
  kv_->Do({"HSET", "h", "f", "v"});
  v1::KvExplainRequest request;
  request.set_key("h");
  v1::KvExplainResponse response;
  ASSERT_TRUE(kv_->Call(&v1::Kv::Stub::Explain, request, &response).ok());
  EXPECT_EQ(response.type(), "hash");
  ASSERT_GE(response.versions_size(), 1);
  bool found = false;
  for (const v1::KvVersion& version : response.versions()) {
    EXPECT_EQ(version.node(), "a");
    EXPECT_TRUE(version.shown());
    found = found || version.what() == "value \"v\"";
  }
  EXPECT_TRUE(found) << response.DebugString();
  request.set_key("absent");
  ASSERT_TRUE(kv_->Call(&v1::Kv::Stub::Explain, request, &response).ok());
  EXPECT_EQ(response.type(), "none");
  EXPECT_EQ(response.versions_size(), 0);
  request.set_limit(1'000'000);
  EXPECT_EQ(kv_->Call(&v1::Kv::Stub::Explain, request, &response).error_code(),
            StatusCode::INVALID_ARGUMENT);
}

}  // namespace
}  // namespace muster::service
