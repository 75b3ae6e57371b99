// What the cases cannot say: waiting, limits, and where Muster is not Redis.
#include "node/commands/execute.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "node/commands/command.h"
#include "node/commands/reply.h"
#include "tests/commands/node_side.h"

namespace muster::commands {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

class ExecuteTest : public testing::Test {
 protected:
  std::string Run(const std::vector<std::string>& args) {
    return side_.Run(0, args);
  }
  std::optional<Wait> Call(const std::vector<std::string>& args, Reply& reply) {
    reply.Clear();
    return side_.Call(args, reply);
  }
  // REQUIRES: it waits.
  Wait WaitOf(const std::vector<std::string>& args) {
    Reply reply;
    std::optional<Wait> wait = Call(args, reply);
    EXPECT_TRUE(wait.has_value()) << ToText(reply);
    EXPECT_TRUE(reply.empty());
    return wait.value_or(Wait());
  }

  NodeSide side_;
};

TEST_F(ExecuteTest, APopOfNothingWaitsForItsKeysUntilItsDeadline) {
  const Wait wait = WaitOf({"BLPOP", "a", "b", "1.5"});
  ASSERT_EQ(wait.keys.size(), 2u);
  EXPECT_EQ(wait.keys[0].key, "a");
  EXPECT_EQ(wait.keys[1].key, "b");
  EXPECT_EQ(wait.until.at_ms, side_.env().now.value + 1500);
  EXPECT_EQ(wait.at_deadline.kind(), Reply::Kind::kNilArray);
}

TEST_F(ExecuteTest, ATimeoutOfZeroIsForEver) {
  EXPECT_FALSE(WaitOf({"BRPOP", "a", "0"}).until.IsSet());
}

TEST_F(ExecuteTest, ATimeoutIsRoundedUpToMilliseconds) {
  EXPECT_EQ(WaitOf({"BRPOP", "a", "0.0001"}).until.at_ms,
            side_.env().now.value + 1);
}

TEST_F(ExecuteTest, AMoveWaitsForItsSourceAlone) {
  const Wait wait = WaitOf({"BLMOVE", "a", "b", "LEFT", "RIGHT", "0"});
  ASSERT_EQ(wait.keys.size(), 1u);
  EXPECT_EQ(wait.keys[0].key, "a");
}

TEST_F(ExecuteTest, ASortedSetPopWaits) {
  EXPECT_EQ(WaitOf({"BZPOPMIN", "z", "0"}).keys.size(), 1u);
}

TEST_F(ExecuteTest, WhatIsWokenPassesOverKeysOfAnotherType) {
  Run({"SET", "text", "v"});
  Reply reply;
  EXPECT_FALSE(Call({"BLPOP", "text", "l", "0"}, reply).has_value());
  EXPECT_TRUE(reply.IsError());
  side_.env().blocking = Blocking::kWoken;
  EXPECT_TRUE(Call({"BLPOP", "text", "l", "0"}, reply).has_value());
  Run({"RPUSH", "l", "a"});
  EXPECT_FALSE(Call({"BLPOP", "text", "l", "0"}, reply).has_value());
  EXPECT_EQ(ToText(reply), "1) \"l\"\n2) \"a\"");
}

TEST_F(ExecuteTest, AKeyAboveTheLimitIsRefusedByCommandsOfAnyKind) {
  side_.env().limits.max_key_bytes = 4;
  EXPECT_EQ(Run({"SET", "four", "v"}), "OK");
  const std::string error =
      "(error) ERR key of 5 bytes exceeds the limit of 4 (--kv-max-key-bytes)";
  EXPECT_EQ(Run({"SET", "fives", "v"}), error);
  EXPECT_EQ(Run({"GET", "fives"}), error);
  EXPECT_EQ(Run({"MSET", "a", "1", "fives", "2"}), error);
  EXPECT_EQ(Run({"EXISTS", "a"}), "(integer) 0");
}

TEST_F(ExecuteTest, AValueAboveTheLimitIsRefused) {
  side_.env().limits.max_value_bytes = 8;
  EXPECT_EQ(Run({"SET", "k", "12345678"}), "OK");
  EXPECT_EQ(Run({"SET", "k", "123456789"}),
            "(error) ERR value of 9 bytes exceeds the limit of 8 "
            "(--kv-max-value-bytes)");
  EXPECT_EQ(Run({"HSET", "h", "123456789", "v"}),
            "(error) ERR value of 9 bytes exceeds the limit of 8 "
            "(--kv-max-value-bytes)");
  EXPECT_EQ(Run({"APPEND", "k", "9"}),
            "(error) ERR value of 9 bytes exceeds the limit of 8 "
            "(--kv-max-value-bytes)");
  EXPECT_EQ(Run({"GET", "k"}), "\"12345678\"");
}

TEST_F(ExecuteTest, AMutationAboveTheLimitIsUndone) {
  side_.env().limits.max_mutation_bytes = 100;
  EXPECT_THAT(
      Run({"MSET", "a", std::string(60, 'x'), "b", std::string(60, 'x')}),
      HasSubstr("exceeds the limit of 100 (--kv-max-mutation-bytes)"));
  EXPECT_EQ(Run({"DBSIZE"}), "(integer) 0");
}

TEST_F(ExecuteTest, ATransactionAboveTheLimitIsUndoneAsAWhole) {
  side_.env().limits.max_mutation_bytes = 100;
  Run({"MULTI"});
  Run({"SELECT", "1"});
  Run({"SET", "a", std::string(60, 'x')});
  Run({"SET", "b", std::string(60, 'x')});
  EXPECT_THAT(Run({"EXEC"}), HasSubstr("(--kv-max-mutation-bytes)"));
  EXPECT_EQ(Run({"SET", "c", "1"}), "OK");
  EXPECT_EQ(side_.state().Keys(0), 1u);
  EXPECT_EQ(side_.state().Keys(1), 0u);
}

TEST_F(ExecuteTest, WithoutMemoryOnlyWhatNeedsSomeIsRefused) {
  Run({"SET", "k", "v"});
  side_.env().out_of_memory = true;
  EXPECT_EQ(Run({"SET", "k", "w"}),
            "(error) OOM command not allowed when used memory > 'maxmemory'.");
  EXPECT_EQ(Run({"GET", "k"}), "\"v\"");
  EXPECT_EQ(Run({"DEL", "k"}), "(integer) 1");
}

TEST_F(ExecuteTest, WithoutMemoryATransactionThatNeedsSomeIsRefused) {
  Run({"MULTI"});
  Run({"DEL", "k"});
  Run({"SET", "k", "w"});
  side_.env().out_of_memory = true;
  EXPECT_EQ(Run({"EXEC"}),
            "(error) EXECABORT Transaction discarded because of previous "
            "errors.");
}

TEST_F(ExecuteTest, AnEmptyCommandIsAnError) {
  Reply reply;
  EXPECT_EQ(Check({}, side_.env(), reply), nullptr);
  EXPECT_TRUE(reply.IsError());
}

TEST_F(ExecuteTest, OneSeedGivesOneAnswer) {
  NodeSide other;
  for (int i = 0; i < 100; ++i) {
    const std::vector<std::string> add = {"SADD", "s", std::to_string(i)};
    EXPECT_EQ(Run(add), other.Run(0, add));
  }
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(Run({"SPOP", "s"}), other.Run(0, {"SPOP", "s"}));
  }
}

TEST_F(ExecuteTest, AScanVisitsEachOfManyKeysOnce) {
  for (int i = 0; i < 500; ++i) Run({"SET", "k" + std::to_string(i), "v"});
  std::string cursor = "0";
  std::multiset<std::string> seen;
  do {
    Reply reply;
    Call({"SCAN", cursor, "COUNT", "7"}, reply);
    ReplyReader reader(reply);
    ReplyNode node;
    reader.Next(node);
    reader.Next(node);
    cursor = std::string(node.text);
    reader.Next(node);
    while (reader.Next(node)) seen.emplace(node.text);
  } while (cursor != "0");
  EXPECT_EQ(seen.size(), 500u);
  EXPECT_EQ(std::set<std::string>(seen.begin(), seen.end()).size(), 500u);
}

TEST_F(ExecuteTest, ARandomKeyMayBeAnyKey) {
  for (int i = 0; i < 4; ++i) Run({"SET", "k" + std::to_string(i), "v"});
  std::set<std::string> seen;
  for (int i = 0; i < 1000 && seen.size() < 4; ++i) {
    seen.insert(Run({"RANDOMKEY"}));
  }
  EXPECT_EQ(seen.size(), 4u);
}

TEST_F(ExecuteTest, ADistinctSampleHasEachMemberAtMostOnce) {
  for (int i = 0; i < 20; ++i) Run({"SADD", "s", "m" + std::to_string(i)});
  for (int count = 1; count <= 20; ++count) {
    Reply reply;
    Call({"SRANDMEMBER", "s", std::to_string(count)}, reply);
    ReplyReader reader(reply);
    ReplyNode node;
    reader.Next(node);
    EXPECT_EQ(node.count, static_cast<uint32_t>(count));
    std::set<std::string> members;
    while (reader.Next(node)) members.emplace(node.text);
    EXPECT_EQ(members.size(), static_cast<size_t>(count));
  }
}

TEST_F(ExecuteTest, AWatchedKeyThatWasMadeAndRemovedHasChanged) {
  for (const bool early : {true, false}) {
    const std::string key = early ? "first" : "later";
    Run({"WATCH", key});
    side_.Run(1, {"SET", key, "v"});
    side_.Run(1, {"DEL", key});
    Run({"MULTI"});
    Run({"SET", key, "mine"});
    EXPECT_EQ(Run({"EXEC"}), "(nil)") << key;
    EXPECT_EQ(Run({"GET", key}), "(nil)") << key;
  }
}

TEST_F(ExecuteTest, AWatchedAbsentKeyIsUnchangedByWritesToOthers) {
  Run({"SET", "k", "v"});
  Run({"DEL", "k"});
  for (const bool again : {false, true}) {
    Run({"WATCH", "k", "absent"});
    side_.Run(1, {"SET", "other", "v"});
    side_.Run(1, {"SADD", "set", "m"});
    Run({"MULTI"});
    Run({"SET", "other", again ? "x" : "y"});
    EXPECT_EQ(Run({"EXEC"}), "1) OK");
  }
}

TEST_F(ExecuteTest, AWatchedKeyThatIsRemovedOrFlushedHasChanged) {
  for (const std::vector<std::string>& removal :
       {std::vector<std::string>{"DEL", "k"}, {"FLUSHDB"}}) {
    Run({"SET", "k", "v"});
    Run({"WATCH", "k"});
    side_.Run(1, removal);
    Run({"MULTI"});
    Run({"SET", "k", "mine"});
    EXPECT_EQ(Run({"EXEC"}), "(nil)");
  }
}

TEST_F(ExecuteTest, ARangeOfAnySizeIsRemovedByOneOp) {
  std::vector<std::string> push = {"RPUSH", "l"};
  std::vector<std::string> add = {"ZADD", "z"};
  for (int i = 0; i < 3000; ++i) {
    push.push_back("v");
    add.push_back(std::to_string(i));
    add.push_back("m" + std::to_string(i));
  }
  Run(push);
  Run(add);
  side_.env().limits.max_mutation_bytes = 400;
  EXPECT_EQ(Run({"LTRIM", "l", "1000", "-1000"}), "OK");
  EXPECT_EQ(Run({"LLEN", "l"}), "(integer) 1001");
  EXPECT_EQ(Run({"LREM", "l", "500", "v"}), "(integer) 500");
  EXPECT_EQ(Run({"LLEN", "l"}), "(integer) 501");
  EXPECT_THAT(Run({"RPOP", "l", "400"}), HasSubstr("400) \"v\""));
  EXPECT_THAT(Run({"ZPOPMIN", "z", "1000"}), HasSubstr("\"m999\""));
  EXPECT_THAT(Run({"ZPOPMAX", "z", "1000"}), HasSubstr("\"m2000\""));
  EXPECT_EQ(Run({"ZCARD", "z"}), "(integer) 1000");
  EXPECT_EQ(side_.Audit(), "");
}

}  // namespace
}  // namespace muster::commands
