#include "node/service/kv_requests.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "muster/v1/kv.pb.h"
#include "node/service/kv_typed.h"

namespace muster::service {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

using Words = std::vector<std::string>;

v1::KvExecuteRequest Request(const std::vector<Words>& commands) {
  v1::KvExecuteRequest request;
  for (const Words& words : commands) {
    request.add_commands()->mutable_args()->Add(words.begin(), words.end());
  }
  return request;
}

absl::StatusOr<KvPlan> Decode(const v1::KvExecuteRequest& request,
                              const Limits& limits = {}) {
  return DecodeExecute(request.SerializeAsString(), limits);
}

// What is wrong with it.
std::string Fault(const v1::KvExecuteRequest& request,
                  const Limits& limits = {}) {
  const absl::Status status = Decode(request, limits).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  return std::string(status.message());
}

std::vector<Words> CommandsOf(const core::KvCall& call) {
  std::vector<Words> all;
  commands::CommandReader reader(call.commands);
  std::vector<absl::string_view> argv;
  while (reader.Next(argv)) all.emplace_back(argv.begin(), argv.end());
  return all;
}

TEST(KvRequestsTest, ACallHasItsCommandsAndOptions) {
  v1::KvExecuteRequest request = Request({{"SET", "k", "v"}, {"get", "k"}});
  request.mutable_options()->set_db(15);
  request.mutable_options()->set_at_leader(true);
  const auto plan = Decode(request);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_THAT(CommandsOf(plan->call), ElementsAre(ElementsAre("SET", "k", "v"),
                                                  ElementsAre("get", "k")));
  EXPECT_EQ(plan->call.db, 15);
  EXPECT_TRUE(plan->call.leader_reads);
  EXPECT_FALSE(plan->only_reads);
  EXPECT_TRUE(Decode(Request({{"GET", "k"}, {"PING"}}))->only_reads);
}

TEST(KvRequestsTest, ErrorsNameTheFieldTheValueAndTheRule) {
  EXPECT_EQ(Fault({}), "commands is empty; it must have at least 1");
  EXPECT_EQ(Fault(Request({{"PING"}, {}})),
            "commands[1].args is empty; it must have the command's name");
  v1::KvExecuteRequest request = Request({{"PING"}});
  request.mutable_options()->set_db(16);
  EXPECT_EQ(Fault(request), "options.db is 16; it must be 0 to 15");
  request = Request({{"PING"}});
  request.mutable_options()->mutable_min_position()->set_term(1);
  EXPECT_EQ(Fault(request),
            "options.min_position.leader is 0 bytes; it must be 16");
  request = Request({{"PING"}});
  request.add_watched()->set_key("k");
  EXPECT_EQ(Fault(request), "watched has 1; it is of an atomic call only");
  request.set_atomic(true);
  request.mutable_watched(0)->set_db(99);
  EXPECT_EQ(Fault(request), "watched[0].db is 99; it must be 0 to 15");
  EXPECT_THAT(DecodeExecute("\xff", {}).status().message(),
              HasSubstr("no KvExecuteRequest"));
}

TEST(KvRequestsTest, ErrorsOfLimitsNameTheFlag) {
  Limits limits;
  limits.kv_max_commands = 2;
  EXPECT_EQ(Fault(Request({{"PING"}, {"PING"}, {"PING"}}), limits),
            "commands has 3; the limit is 2 (--kv-max-commands)");
  limits.kv_max_args = 3;
  EXPECT_EQ(Fault(Request({{"DEL", "1", "2", "3"}}), limits),
            "commands[0].args has 4; the limit is 3 (--kv-max-args)");
  limits.kv_max_call_bytes = 10;
  EXPECT_EQ(Fault(Request({{"SET", "k", "123456"}}), limits),
            "the commands are 14 bytes; the limit is 10 (--kv-max-call-bytes)");
  limits.max_message_bytes = 4;
  EXPECT_THAT(Fault(Request({{"PING"}}), limits),
              HasSubstr("--max-message-bytes"));
}

TEST(KvRequestsTest, ACommandThatWaitsIsAloneUnlessAtomic) {
  EXPECT_TRUE(Decode(Request({{"BLPOP", "l", "0"}})).ok());
  v1::KvExecuteRequest request = Request({{"PING"}, {"blpop", "l", "0"}});
  EXPECT_EQ(Fault(request),
            "commands[1] is BLPOP, which waits; it must be the only command of "
            "its call, unless the call is atomic");
  request.set_atomic(true);
  EXPECT_TRUE(Decode(request).ok());
}

TEST(KvRequestsTest, ATransactionWithAnUnfitCommandIsRefusedAsAWhole) {
  v1::KvExecuteRequest request = Request({{"PING"}, {"NOSUCH", "x"}});
  EXPECT_TRUE(Decode(request).ok()) << "else it answers an error value";
  request.set_atomic(true);
  EXPECT_EQ(Fault(request), "commands[1]: ERR unknown command \"NOSUCH\"");
  request = Request({{"GET"}});
  request.set_atomic(true);
  EXPECT_EQ(Fault(request),
            "commands[0]: ERR wrong number of arguments for 'get' command");
}

TEST(KvRequestsTest, AWrongCallOfAStreamIsAnAnswer) {
  v1::KvRequest request;
  request.set_number(7);
  auto decoded = DecodeStreamRequest(request.SerializeAsString(), {});
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->number, 7u);
  EXPECT_TRUE(absl::IsInvalidArgument(decoded->plan.status()));
  EXPECT_FALSE(DecodeStreamRequest("\xff", {}).ok());
}

TEST(KvRequestsTest, ErrorsOfCommandsAreStatuses) {
  const auto code = [](const char* text) { return StatusOfError(text).code(); };
  using Code = absl::StatusCode;
  EXPECT_EQ(code("WRONGTYPE Operation against a key holding the wrong kind of "
                 "value"),
            Code::kFailedPrecondition);
  EXPECT_EQ(code("ERR value is not an integer or out of range"),
            Code::kFailedPrecondition);
  EXPECT_EQ(code("ERR hash value is not an integer"),
            Code::kFailedPrecondition);
  EXPECT_EQ(code("ERR increment or decrement would overflow"),
            Code::kFailedPrecondition);
  EXPECT_EQ(code("OOM command not allowed when used memory > 'maxmemory'."),
            Code::kResourceExhausted);
  EXPECT_EQ(code("ERR timeout is negative"), Code::kInvalidArgument);
  EXPECT_EQ(code("ERR invalid expire time in 'setex' command"),
            Code::kInvalidArgument);
  EXPECT_EQ(StatusOfError("ERR x").message(), "ERR x");
}

TEST(KvRequestsTest, ATooLargeAnswerSaysThatTheCommandsWereExecuted) {
  Limits limits;
  limits.kv_max_answer_bytes = 10;
  core::KvAnswer answer;
  answer.replies.Bulk("0123456789");
  const absl::Status status = StatusOfAnswer(answer, false, limits);
  EXPECT_TRUE(absl::IsResourceExhausted(status));
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("(--kv-max-answer-bytes); the commands were executed"));
}

TEST(KvRequestsTest, AnErrorOfAWholeTransactionIsAStatus) {
  core::KvAnswer answer;
  answer.replies.Error("ERR mutation of 9 bytes exceeds the limit of 8");
  EXPECT_TRUE(absl::IsInvalidArgument(StatusOfAnswer(answer, true, {})));
  EXPECT_TRUE(StatusOfAnswer(answer, false, {}).ok());
}

// Each typed call names a command that the table knows, and its method once.
TEST(KvTypedTest, EveryTypedCallIsAMethodOfTheProtoAndACommandOfTheTable) {
  const google::protobuf::ServiceDescriptor* service =
      v1::KvExecuteRequest::descriptor()->file()->FindServiceByName("Kv");
  ASSERT_NE(service, nullptr);
  std::vector<std::string> methods = {"Execute", "Stream", "Versions",
                                      "Explain"};
  for (const KvTypedCall& call : KvTypedCalls()) {
    EXPECT_NE(commands::FindCommand(call.command), nullptr) << call.command;
    methods.push_back(std::string(call.method).substr(14));
    EXPECT_EQ("/muster.v1.Kv/" + methods.back(), call.method);
  }
  std::vector<std::string> declared;
  for (int i = 0; i < service->method_count(); ++i) {
    declared.push_back(service->method(i)->name());
  }
  EXPECT_THAT(methods, testing::UnorderedElementsAreArray(declared));
}

}  // namespace
}  // namespace muster::service
