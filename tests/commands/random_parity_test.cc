// Random commands on few keys, of all types and often of the wrong one: the
// handlers and a real Redis must answer alike.
#include <gtest/gtest.h>

#include <cstdint>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "node/commands/command.h"
#include "node/commands/random.h"
#include "tests/commands/case_file.h"
#include "tests/commands/node_side.h"
#include "tests/commands/redis_side.h"

namespace muster::commands {
namespace {

constexpr int kCommands = 6000;
constexpr int kAuditEvery = 500;

// What stands for a "$" and its letter is drawn by Word. Left out: what is a
// matter of chance (SPOP) or of the moment (TTL).
constexpr absl::string_view kTemplates[] = {
    "SET $k $v",
    "SET $k $v NX",
    "SET $k $v XX GET",
    "SET $k $v EXAT $t",
    "SET $k $v KEEPTTL",
    "SET $k $n",
    "SETNX $k $v",
    "GET $k",
    "GETSET $k $v",
    "GETDEL $k",
    "GETEX $k EXAT $t",
    "GETEX $k PERSIST",
    "STRLEN $k",
    "APPEND $k $v",
    "MGET $k $k $k",
    "MSET $k $v $k $n",
    "MSETNX $k $v $k $v",
    "INCR $k",
    "DECR $k",
    "INCRBY $k $n",
    "DECRBY $k $n",
    "INCRBYFLOAT $k $x",
    "HSET $k $f $v",
    "HSET $k $f $n $f $v $f $x",
    "HSETNX $k $f $v",
    "HGET $k $f",
    "HMGET $k $f $f",
    "HGETALL $k",
    "HKEYS $k",
    "HVALS $k",
    "HLEN $k",
    "HEXISTS $k $f",
    "HSTRLEN $k $f",
    "HDEL $k $f $f",
    "HINCRBY $k $f $n",
    "HINCRBYFLOAT $k $f $x",
    "SADD $k $f",
    "SADD $k $f $f $n",
    "SREM $k $f $f",
    "SMEMBERS $k",
    "SISMEMBER $k $f",
    "SMISMEMBER $k $f $f",
    "SCARD $k",
    "SMOVE $k $k $f",
    "SINTER $k $k",
    "SUNION $k $k $k",
    "SDIFF $k $k",
    "RPUSH $k $f",
    "RPUSH $k $f $f $f",
    "LPUSH $k $f $f",
    "LPUSHX $k $f",
    "RPUSHX $k $f",
    "LPOP $k",
    "RPOP $k",
    "LPOP $k $c",
    "RPOP $k $c",
    "LLEN $k",
    "LRANGE $k $i $i",
    "LINDEX $k $i",
    "LSET $k $i $f",
    "LREM $k $i $f",
    "LTRIM $k 1 -1",
    "LTRIM $k 0 -$c",
    "LINSERT $k BEFORE $f $v",
    "LINSERT $k AFTER $f $v",
    "LMOVE $k $k LEFT RIGHT",
    "LMOVE $k $k RIGHT RIGHT",
    "RPOPLPUSH $k $k",
    "BLPOP $k $k 0.001",
    "BRPOP $k 0.001",
    "BLMOVE $k $k LEFT LEFT 0.001",
    "ZADD $k $x $f",
    "ZADD $k $x $f $x $f $n $f",
    "ZADD $k NX CH $x $f $x $f",
    "ZADD $k GT $x $f",
    "ZADD $k LT CH $x $f",
    "ZADD $k XX $x $f",
    "ZADD $k INCR $x $f",
    "ZINCRBY $k $x $f",
    "ZREM $k $f $f",
    "ZSCORE $k $f",
    "ZMSCORE $k $f $f",
    "ZRANK $k $f",
    "ZREVRANK $k $f",
    "ZCARD $k",
    "ZCOUNT $k $x $x",
    "ZCOUNT $k ($x +inf",
    "ZRANGE $k $i $i WITHSCORES",
    "ZRANGE $k $i $i REV",
    "ZRANGE $k $x $x BYSCORE LIMIT $i $c",
    "ZRANGE $k ($x -inf BYSCORE REV LIMIT $c $c WITHSCORES",
    "ZREVRANGE $k $i $i",
    "ZRANGEBYSCORE $k -inf $x",
    "ZPOPMIN $k",
    "ZPOPMAX $k $c",
    "BZPOPMIN $k 0.001",
    "DEL $k",
    "UNLINK $k $k",
    "EXISTS $k $k",
    "TYPE $k",
    "EXPIREAT $k $t",
    "EXPIREAT $k $t GT",
    "PEXPIREAT $k 1",
    "PEXPIRETIME $k",
    "PERSIST $k",
    "RENAME $k $k",
    "RENAMENX $k $k",
    "COPY $k $k",
    "COPY $k $k REPLACE",
    "KEYS *",
    "SCAN 0 COUNT 1000",
    "DBSIZE"};
constexpr absl::string_view kValues[] = {
    "", "text", "0", "10", "-3", "3.0", "1e3", " 1", "007", "\x00\xff\r\n"};
constexpr absl::string_view kIntegers[] = {"0",
                                           "1",
                                           "-1",
                                           "7",
                                           "1000000",
                                           "-250",
                                           "9223372036854775807",
                                           "-9223372036854775808",
                                           "9223372036854775808",
                                           "1.5",
                                           "x"};
constexpr absl::string_view kScores[] = {"0",    "1",    "2",   "-1.5", "0.1",
                                         "3.25", "1e10", "inf", "-inf", "x"};

template <size_t N>
std::string OneOf(const absl::string_view (&words)[N], Random& random) {
  return std::string(words[random.Below(N)]);
}

// Mostly one of the keys of the command's family, so that these grow.
std::string Key(absl::string_view command, Random& random) {
  const uint64_t family = static_cast<uint64_t>(FindCommand(command)->family);
  return absl::StrCat("key", random.Below(10) > 0 ? family : random.Below(7),
                      random.Below(2));
}

std::string Word(absl::string_view command, char kind, Random& random) {
  switch (kind) {
    case 'k':
      return Key(command, random);
    case 'f':  // A field, a member, an element: enough for large keys.
      return absl::StrCat(random.Below(2) == 0 ? "f" : "", random.Below(200));
    case 'v':
      return OneOf(kValues, random);
    case 'n':
      return OneOf(kIntegers, random);
    case 'x':
      return OneOf(kScores, random);
    case 't':
      return absl::StrCat(4'102'444'800 + random.Below(4));
    case 'c':
      return absl::StrCat(random.Below(4));
    default:
      return absl::StrCat(static_cast<int64_t>(random.Below(9)) - 4);
  }
}

std::vector<std::string> DrawCommand(Random& random) {
  const absl::string_view pattern =
      kTemplates[random.Below(std::size(kTemplates))];
  std::vector<std::string> args;
  for (const absl::string_view word : absl::StrSplit(pattern, ' ')) {
    const size_t at = word.find('$');
    args.push_back(at == absl::string_view::npos
                       ? std::string(word)
                       : absl::StrCat(word.substr(0, at),
                                      Word(args[0], word[at + 1], random)));
  }
  return args;
}

// As in the cases: elements in any order, where Redis has none.
Step::Match MatchOf(absl::string_view name) {
  if (name == "HGETALL") return Step::Match::kUnorderedPairs;
  for (const absl::string_view unordered :
       {"HKEYS", "HVALS", "SMEMBERS", "SINTER", "SUNION", "SDIFF", "KEYS",
        "SCAN", "EXEC"}) {
    if (name == unordered) return Step::Match::kUnordered;
  }
  return Step::Match::kExact;
}

class RandomParityTest : public testing::TestWithParam<uint64_t> {
 protected:
  // Whether both answer alike.
  bool Same(const std::vector<std::string>& args) {
    Step step;
    step.line = ++commands_;
    step.text = absl::StrCat(" ", absl::StrJoin(args, " "));
    step.match = MatchOf(args[0]);
    step.expected = absl::StrSplit(redis_.Run(0, args), '\n');
    const std::string mismatch = Mismatch(step, node_.Run(0, args));
    EXPECT_EQ(mismatch, "") << "seed " << GetParam();
    return mismatch.empty();
  }

  bool Atomic(Random& random) {
    bool same = Same({"MULTI"});
    for (uint64_t left = random.Below(5); left > 0; --left) {
      same = Same(DrawCommand(random)) && same;
    }
    return Same({"EXEC"}) && same;
  }

  RedisSide redis_;
  NodeSide node_;
  size_t commands_ = 0;
};

TEST_P(RandomParityTest, HandlersAndRedisAnswerAlike) {
  ASSERT_TRUE(redis_.Start()) << "redis-server (package redis-server)";
  redis_.Reset();
  node_.RehearseAll();
  Random random(GetParam());
  for (int i = 0; i < kCommands; ++i) {
    // Keys grow, and begin anew now and then.
    if (random.Below(3000) == 0) {
      ASSERT_TRUE(Same({"FLUSHALL"}));
    }
    if (random.Below(20) == 0) {
      ASSERT_TRUE(Atomic(random));
    } else {
      ASSERT_TRUE(Same(DrawCommand(random)));
    }
    if (i % kAuditEvery == 0) {
      ASSERT_EQ(node_.Audit(), "");
    }
  }
  EXPECT_EQ(node_.Audit(), "") << "seed " << GetParam();
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomParityTest,
                         testing::Range(uint64_t{1}, uint64_t{4}));

}  // namespace
}  // namespace muster::commands
