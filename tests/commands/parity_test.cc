// The cases of cases/*.txt, answered by the handlers of node/commands and by a
// real Redis: both must say what stands there.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/commands/case_file.h"
#include "tests/commands/node_side.h"
#include "tests/commands/redis_side.h"
#include "tests/commands/side.h"

namespace muster::commands {
namespace {

std::vector<std::string> CaseFiles() {
  std::vector<std::string> names;
  for (const auto& file :
       std::filesystem::directory_iterator(MUSTER_COMMAND_CASES)) {
    if (file.path().extension() == ".txt") {
      names.push_back(file.path().stem().string());
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<Case> Load(const std::string& name) {
  std::ifstream file(std::string(MUSTER_COMMAND_CASES) + "/" + name + ".txt");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  absl::StatusOr<std::vector<Case>> cases = ParseCases(text);
  EXPECT_TRUE(cases.ok()) << name << ".txt: " << cases.status();
  return cases.ok() ? *std::move(cases) : std::vector<Case>();
}

void Play(const Case& one, Side& side) {
  side.Reset();
  for (const Step& step : one.steps) {
    if (step.later_ms > 0) {
      side.Later(step.later_ms);
      continue;
    }
    EXPECT_EQ(Mismatch(step, side.Run(step.connection, step.args)), "")
        << one.title;
  }
  EXPECT_EQ(side.Audit(), "") << one.title;
}

class ParityTest : public testing::TestWithParam<std::string> {};

TEST_P(ParityTest, TheHandlersAnswerAsTheCasesSay) {
  const std::vector<Case> cases = Load(GetParam());
  ASSERT_FALSE(cases.empty());
  NodeSide side;
  for (const Case& one : cases) Play(one, side);
}

TEST_P(ParityTest, RedisAnswersAsTheCasesSay) {
  RedisSide side;
  ASSERT_TRUE(side.Start()) << "redis-server (package redis-server)";
  for (const Case& one : Load(GetParam())) Play(one, side);
}

INSTANTIATE_TEST_SUITE_P(Cases, ParityTest, testing::ValuesIn(CaseFiles()),
                         [](const testing::TestParamInfo<std::string>& info) {
                           return info.param;
                         });

TEST(CaseFileTest, AnUnorderedAnswerMatchesInAnyOrder) {
  const absl::StatusOr<std::vector<Case>> cases = ParseCases(
      "== a\n>~ SMEMBERS s\n1) \"b\"\n2) \"a\"\n"
      ">~2 HGETALL h\n1) \"f\"\n2) \"1\"\n3) \"g\"\n4) \"2\"\n");
  ASSERT_TRUE(cases.ok()) << cases.status();
  const std::vector<Step>& steps = cases->front().steps;
  EXPECT_EQ(Mismatch(steps[0], "1) \"a\"\n2) \"b\""), "");
  EXPECT_NE(Mismatch(steps[0], "1) \"a\"\n2) \"c\""), "");
  EXPECT_NE(Mismatch(steps[0], "1) \"a\""), "");
  EXPECT_EQ(Mismatch(steps[1], "1) \"g\"\n2) \"2\"\n3) \"f\"\n4) \"1\""), "");
  EXPECT_NE(Mismatch(steps[1], "1) \"g\"\n2) \"1\"\n3) \"f\"\n4) \"2\""), "");
}

TEST(CaseFileTest, AGlobMatchesLineByLine) {
  const absl::StatusOr<std::vector<Case>> cases =
      ParseCases("== a\n>* PTTL k\n(integer) 9*\n");
  ASSERT_TRUE(cases.ok()) << cases.status();
  const Step& step = cases->front().steps.front();
  EXPECT_EQ(Mismatch(step, "(integer) 99"), "");
  EXPECT_NE(Mismatch(step, "(integer) 100"), "");
  EXPECT_NE(Mismatch(step, "(integer) 99\n(integer) 99"), "");
}

TEST(CaseFileTest, WordsAreReadAsRedisCliReadsThem) {
  const absl::StatusOr<std::vector<Case>> cases =
      ParseCases("== a\n2> SET \"k \\x00\\xff\\n\\\"\" \"\"\nOK\n");
  ASSERT_TRUE(cases.ok()) << cases.status();
  const Step& step = cases->front().steps.front();
  EXPECT_EQ(step.connection, 1u);
  EXPECT_THAT(step.args,
              testing::ElementsAre("SET", std::string("k \0\xff\n\"", 6), ""));
}

TEST(CaseFileTest, WhatIsNoCaseIsRefusedWithItsLine) {
  EXPECT_EQ(ParseCases("> GET k\n").status().message(),
            "line 1: no case has begun (== TITLE)");
  EXPECT_EQ(ParseCases("== a\nOK\n").status().message(),
            "line 2: an answer without its command");
  EXPECT_EQ(ParseCases("== a\n> GET k\n\n> GET l\nOK\n").status().message(),
            "line 2: a command without its answer");
  EXPECT_EQ(ParseCases("== a\n> GET \"k\n").status().message(),
            "line 2: no command");
  EXPECT_EQ(ParseCases("== a\n@ later soon\n").status().message(),
            "line 2: no number of milliseconds");
}

}  // namespace
}  // namespace muster::commands
