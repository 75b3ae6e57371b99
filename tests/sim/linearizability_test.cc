#include "tests/sim/linearizability.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/sim/rng.h"

namespace muster::sim {
namespace {

using ::testing::HasSubstr;

History Read(const std::string& text) {
  History history;
  EXPECT_EQ(ReadHistory(text, history), "");
  return history;
}
bool IsLinearizable(const std::string& text) { return Judge(Read(text)).ok(); }

// ------------------------------------------------------------------ registers

TEST(LinearizabilityTest, AnEmptyHistoryIsLinearizable) {
  EXPECT_TRUE(IsLinearizable(""));
}

TEST(LinearizabilityTest, AReadSeesTheWriteThatWasAnsweredBefore) {
  EXPECT_TRUE(
      IsLinearizable("1 10 20 SET k a => +OK\n"
                     "2 30 40 GET k => $a\n"));
  EXPECT_FALSE(
      IsLinearizable("1 10 20 SET k a => +OK\n"
                     "2 30 40 GET k => _\n"));
}

TEST(LinearizabilityTest, AReadDuringAWriteSeesEitherValue) {
  for (const char* seen : {"$a", "$b"}) {
    EXPECT_TRUE(IsLinearizable(std::string("1 10 20 SET k a => +OK\n"
                                           "1 30 60 SET k b => +OK\n"
                                           "2 40 50 GET k => ") +
                               seen));
  }
}

TEST(LinearizabilityTest, TwoReadsDuringAWriteDoNotGoBack) {
  EXPECT_FALSE(
      IsLinearizable("1 10 20 SET k a => +OK\n"
                     "1 30 90 SET k b => +OK\n"
                     "2 40 50 GET k => $b\n"
                     "2 60 70 GET k => $a\n"));
}

TEST(LinearizabilityTest, AStaleReadIsFound) {
  EXPECT_FALSE(
      IsLinearizable("1 10 20 SET k a => +OK\n"
                     "1 30 40 SET k b => +OK\n"
                     "2 50 60 GET k => $a\n"));
}

TEST(LinearizabilityTest, OfTwoSetNxOneWins) {
  EXPECT_TRUE(
      IsLinearizable("1 10 40 SET k a NX => +OK\n"
                     "2 20 30 SETNX k b => :0\n"));
  EXPECT_FALSE(
      IsLinearizable("1 10 40 SET k a NX => +OK\n"
                     "2 20 30 SETNX k b => :1\n"));
}

TEST(LinearizabilityTest, EachIncrementGivesAnotherNumber) {
  EXPECT_TRUE(
      IsLinearizable("1 10 40 INCR k => :2\n"
                     "2 20 30 INCR k => :1\n"
                     "3 50 60 INCRBY k 5 => :7\n"));
  EXPECT_FALSE(
      IsLinearizable("1 10 40 INCR k => :1\n"
                     "2 20 30 INCR k => :1\n"));
  EXPECT_FALSE(IsLinearizable("1 10 20 INCR k => :2\n"));
}

TEST(LinearizabilityTest, WhatWasRemovedDoesNotReturn) {
  EXPECT_FALSE(
      IsLinearizable("1 10 20 SET k a => +OK\n"
                     "1 30 40 DEL k => :1\n"
                     "2 50 60 GET k => _\n"
                     "2 70 80 GET k => $a\n"));
}

// --------------------------------------------------------- unknown outcomes

TEST(LinearizabilityTest, AnUnknownWriteTakesEffectLaterOrNever) {
  const std::string write = "1 10 - SET k a => ?\n";
  EXPECT_TRUE(IsLinearizable(write + "2 20 30 GET k => _\n"));
  EXPECT_TRUE(IsLinearizable(write + "2 20 30 GET k => _\n"
                                     "2 900 901 GET k => $a\n"));
}

TEST(LinearizabilityTest, AnUnknownWriteTakesEffectOnceAtMost) {
  EXPECT_FALSE(
      IsLinearizable("1 10 - SET k a => ?\n"
                     "2 20 30 GET k => $a\n"
                     "2 40 50 DEL k => :1\n"
                     "2 60 70 GET k => $a\n"));
  EXPECT_FALSE(
      IsLinearizable("1 10 - INCR k => ?\n"
                     "2 20 30 INCR k => :3\n"));
}

TEST(LinearizabilityTest, AnUnknownWriteTakesNoEffectBeforeItsCall) {
  EXPECT_FALSE(
      IsLinearizable("2 10 20 GET k => $a\n"
                     "1 30 - SET k a => ?\n"));
}

TEST(LinearizabilityTest, ManyUnknownWritesOfOneValueAreJudgedQuickly) {
  std::string text;
  for (int i = 0; i < 30; ++i) text += "1 10 - SET k a => ?\n";
  text += "2 20 30 GET k => $b\n";
  EXPECT_FALSE(IsLinearizable(text));
}

// --------------------------------------------------------------------- queues

TEST(LinearizabilityTest, AQueueGivesItsElementsInOrderAndOnce) {
  const std::string pushes =
      "1 10 20 RPUSH q a => :1\n"
      "1 30 40 RPUSH q b => :2\n";
  EXPECT_TRUE(IsLinearizable(pushes + "2 50 60 LPOP q => $a\n"
                                      "3 70 80 LPOP q => $b\n"
                                      "3 90 95 LPOP q => _\n"));
  EXPECT_FALSE(IsLinearizable(pushes + "2 50 60 LPOP q => $b\n"));
  EXPECT_FALSE(IsLinearizable(pushes + "2 50 80 LPOP q => $a\n"
                                       "3 60 70 LPOP q => $a\n"));
}

TEST(LinearizabilityTest, PopsThatOverlapMayComeInEitherOrder) {
  EXPECT_TRUE(
      IsLinearizable("1 10 20 RPUSH q a b => :2\n"
                     "2 30 60 LPOP q => $b\n"
                     "3 40 50 LPOP q => $a\n"));
}

TEST(LinearizabilityTest, AnEmptyAnswerNeedsAnEmptyMoment) {
  EXPECT_FALSE(
      IsLinearizable("1 10 20 RPUSH q a => :1\n"
                     "2 30 40 LPOP q => _\n"
                     "2 50 60 LPOP q => $a\n"));
}

TEST(LinearizabilityTest, ABlockingPopTakesWhatIsPushedWhileItWaits) {
  EXPECT_TRUE(
      IsLinearizable("1 10 90 BLPOP q 0 => $a\n"
                     "2 40 50 RPUSH q a => :1\n"
                     "3 60 70 LPOP q => _\n"));
  EXPECT_FALSE(
      IsLinearizable("1 10 90 BLPOP q 0 => $a\n"
                     "2 40 50 RPUSH q a => :1\n"
                     "3 60 70 LPOP q => $a\n"));
}

// ----------------------------------------------------------- sets and hashes

TEST(LinearizabilityTest, MembersAreAddedAndRemovedOnce) {
  EXPECT_TRUE(
      IsLinearizable("1 10 20 SADD s a => :1\n"
                     "1 30 40 SADD s a => :0\n"
                     "2 50 60 SISMEMBER s a => :1\n"
                     "2 70 80 SREM s a => :1\n"
                     "2 85 90 SCARD s => :0\n"));
  EXPECT_FALSE(
      IsLinearizable("1 10 40 SADD s a => :1\n"
                     "2 20 30 SADD s a => :1\n"));
}

TEST(LinearizabilityTest, FieldsHoldWhatWasSetLast) {
  EXPECT_TRUE(
      IsLinearizable("1 10 20 HSET h f 1 => :1\n"
                     "1 30 40 HSET h f 2 => :0\n"
                     "1 42 44 HSET h a 3 => :1\n"
                     "2 50 60 HGET h f => $2\n"
                     "2 70 80 HDEL h f => :1\n"
                     "2 90 95 HGET h f => _\n"));
  EXPECT_FALSE(
      IsLinearizable("1 10 20 HSET h f 1 => :1\n"
                     "2 50 60 HGET h f => $2\n"));
}

TEST(LinearizabilityTest, AKeyOfAnotherTypeIsAnError) {
  EXPECT_TRUE(
      IsLinearizable("1 10 20 RPUSH k a => :1\n"
                     "2 30 40 GET k => -WRONGTYPE%20Operation\n"));
}

// ------------------------------------------------------------------- verdicts

TEST(LinearizabilityTest, KeysAreJudgedByThemselves) {
  const Verdict verdict =
      Judge(Read("1 10 20 SET a x => +OK\n"
                 "1 30 40 SET b y => +OK\n"
                 "2 50 60 GET a => $x\n"
                 "2 70 80 GET b => $x\n"));
  EXPECT_EQ(verdict.outcome, Verdict::Outcome::kNot);
  EXPECT_EQ(verdict.key, "b");
  EXPECT_THAT(ToText(verdict), HasSubstr("2 70 80 GET b => $x"));
}

TEST(LinearizabilityTest, TheShortestPrefixIsShownAndFailsToo) {
  const Verdict verdict =
      Judge(Read("1 10 20 SET k a => +OK\n"
                 "2 30 40 GET k => $z\n"
                 "1 35 90 SET k b => +OK\n"
                 "1 95 99 SET k c => +OK\n"));
  ASSERT_EQ(verdict.failing.size(), 3u);
  EXPECT_EQ(ToText(verdict.failing.back()), "2 30 40 GET k => $z");
  EXPECT_EQ(Judge(verdict.failing).outcome, Verdict::Outcome::kNot);
  History before = verdict.failing;
  before.pop_back();
  EXPECT_TRUE(Judge(before).ok());
}

TEST(LinearizabilityTest, TooManyStatesAreNoVerdict) {
  std::string text;
  for (int i = 0; i < 12; ++i) {
    text += "1 10 - RPUSH q v" + std::to_string(i) + " => ?\n";
  }
  text += "2 20 30 LPOP q => $never\n";
  EXPECT_EQ(Judge(Read(text), 1000).outcome, Verdict::Outcome::kTooManyStates);
}

// ----------------------------------------------------------------------- text

TEST(LinearizabilityTest, TextIsReadAsItWasWritten) {
  Operation operation;
  operation.client = 3;
  operation.called = 12;
  operation.answered = 15;
  operation.command = {"SET", std::string("a\0 b%", 5), "", "NX"};
  operation.result = "+OK";
  const std::string text = ToText(operation);
  EXPECT_EQ(text, "3 12 15 SET a%00%20b%25 % NX => +OK");
  EXPECT_EQ(Read("# a comment\n\n" + text + "\n"), History{operation});
  operation.answered = Operation::kUnknown;
  operation.result = "";
  EXPECT_EQ(Read(ToText(operation)), History{operation});
}

TEST(LinearizabilityTest, MalformedLinesAreNamed) {
  const std::vector<std::string> lines = {
      "1 10 20 GET k",           "x 10 20 GET k => _",
      "1 x 20 GET k => _",       "1 10 x GET k => _",
      "1 20 10 GET k => _",      "1 10 20 FLY k => _",
      "1 10 20 SET k => +OK",    "1 10 20 SET k v XX => +OK",
      "1 10 20 GET k => ?",      "1 10 - GET k => _",
      "1 10 20 GET k => text",   "1 10 20 GET k%2 => _",
      "1 10 20 GET k%zz => _",   "1 10 20 GET k => $%q",
      "1 10 20 GET k l m n => _"};
  for (const std::string& line : lines) {
    History history;
    EXPECT_THAT(ReadHistory("# first\n" + line + "\n", history),
                HasSubstr("line 2: "))
        << line;
  }
}

// ------------------------------------------------- beside all permutations

// Whether any order of any choice of the unknown ones explains it: as it is
// defined.
bool ExplainedBySomeOrder(const History& history) {
  std::vector<size_t> order(history.size());
  std::iota(order.begin(), order.end(), 0);
  do {
    // Those behind the first `taken` never take effect.
    for (size_t taken = 0; taken <= order.size(); ++taken) {
      KeyState state;
      bool good = true;
      for (size_t i = 0; i < order.size() && good; ++i) {
        const Operation& operation = history[order[i]];
        if (i >= taken) {
          good = !operation.known();
          continue;
        }
        for (size_t later = i + 1; later < taken; ++later) {
          good = good && history[order[later]].answered >= operation.called;
        }
        const std::string result = Perform(operation.command, state);
        good = good && (!operation.known() || result == operation.result);
      }
      if (good) return true;
    }
  } while (std::next_permutation(order.begin(), order.end()));
  return false;
}

Operation Drawn(Rng& rng, bool queue) {
  Operation operation;
  operation.client = static_cast<int>(rng.Below(3));
  operation.called = rng.Range(0, 20);
  if (!rng.OneIn(5)) operation.answered = operation.called + rng.Range(0, 12);
  const std::string value(1, static_cast<char>('a' + rng.Below(2)));
  using Choice = std::pair<std::vector<std::string>, std::vector<std::string>>;
  const std::vector<Choice> of_register = {
      {{"SET", "k", value}, {"+OK"}},
      {{"GET", "k"}, {"$a", "$b", "_", "$1"}},
      {{"DEL", "k"}, {":0", ":1"}},
      {{"SETNX", "k", value}, {":0", ":1"}}};
  const std::vector<Choice> of_queue = {
      {{"RPUSH", "k", value}, {":1", ":2", ":3"}},
      {{"LPOP", "k"}, {"$a", "$b", "_"}}};
  const Choice choice = rng.Pick(queue ? of_queue : of_register);
  operation.command = choice.first;
  if (operation.known()) operation.result = rng.Pick(choice.second);
  return operation;
}

TEST(LinearizabilityTest, JudgesShortHistoriesAsAllTheirOrdersDo) {
  Rng rng(7);
  int good = 0;
  int bad = 0;
  for (int run = 0; run < 3000; ++run) {
    History history;
    const bool queue = rng.OneIn(2);
    for (int64_t n = rng.Range(1, 5); n > 0; --n) {
      history.push_back(Drawn(rng, queue));
    }
    const bool expected = ExplainedBySomeOrder(history);
    (expected ? good : bad) += 1;
    std::string text;
    for (const Operation& o : history) text += ToText(o) + "\n";
    ASSERT_EQ(Judge(history).ok(), expected) << text;
  }
  EXPECT_GT(good, 300);
  EXPECT_GT(bad, 300);
}

// Runs on a key for itself, and tells of each with times around its moment.
TEST(LinearizabilityTest, WhatOneKeyDidIsLinearizable) {
  Rng rng(11);
  for (int run = 0; run < 200; ++run) {
    History history;
    KeyState state;
    for (int moment = 1; moment <= 60; ++moment) {
      Operation operation = Drawn(rng, run % 2 == 0);
      operation.called = 10 * moment - rng.Range(0, 25);
      operation.answered = 10 * moment + rng.Range(0, 25);
      operation.result = Perform(operation.command, state);
      history.push_back(operation);
    }
    const Verdict verdict = Judge(history);
    ASSERT_TRUE(verdict.ok()) << ToText(verdict);
  }
}

}  // namespace
}  // namespace muster::sim
