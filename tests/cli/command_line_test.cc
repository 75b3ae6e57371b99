#include "node/cli/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

#include "node/config_table.h"

namespace muster::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

struct Parsed {
  std::optional<CommandLine> line;
  ExitCode exit = kDone;
  std::string out;
  std::string err;
};

Parsed Parse(std::vector<const char*> args) {
  args.insert(args.begin(), "muster");
  std::ostringstream out;
  std::ostringstream err;
  Parsed parsed;
  parsed.line = ParseCommandLine(static_cast<int>(args.size()), args.data(),
                                 out, err, &parsed.exit);
  parsed.out = out.str();
  parsed.err = err.str();
  return parsed;
}

class CommandLineTest : public ::testing::Test {
 protected:
  void SetUp() override {
    unsetenv("MUSTER_AT");
    unsetenv(kSecretVariable);
  }
};

TEST_F(CommandLineTest, SimHandsOnWhateverFollows) {
  const Parsed parsed = Parse({"sim", "--seed", "7", "--trace", "--help"});
  ASSERT_TRUE(parsed.line.has_value()) << parsed.err;
  EXPECT_EQ(parsed.line->command, Command::kSim);
  EXPECT_THAT(parsed.line->rest,
              ElementsAre("--seed", "7", "--trace", "--help"));
}

TEST_F(CommandLineTest, ServeHandsItsFlagsOnAsTextInTheOrderOfTheTable) {
  const Parsed parsed =
      Parse({"serve", "--join", "h1:7400,h2:7400", "--node", "a", "--join",
             "h3:7400", "--insecure-peers", "--refused-is-proof=false",
             "--config", "node.toml"});
  ASSERT_TRUE(parsed.line.has_value()) << parsed.err;
  EXPECT_EQ(parsed.line->command, Command::kServe);
  EXPECT_EQ(parsed.line->config.file, "node.toml");
  EXPECT_THAT(
      parsed.line->config.flags,
      ElementsAre(Pair("node", "a"), Pair("join", "h1:7400,h2:7400,h3:7400"),
                  Pair("insecure-peers", "true"),
                  Pair("refused-is-proof", "false")));
}

TEST_F(CommandLineTest, EveryOptionOfTheTableIsAFlagAndInTheHelp) {
  const Parsed help = Parse({"serve", "--help"});
  EXPECT_FALSE(help.line.has_value());
  EXPECT_EQ(help.exit, kDone);
  for (const ConfigOption& option : ConfigTable()) {
    EXPECT_THAT(help.out, HasSubstr("--" + option.name));
  }
}

TEST_F(CommandLineTest, EveryCommandHasHelp) {
  for (const char* command :
       {"serve", "config-doc", "metrics-doc", "members", "list", "get", "count",
        "topics", "topics-of", "explain", "watch", "track", "top", "status",
        "drain"}) {
    const Parsed help = Parse({command, "--help"});
    EXPECT_FALSE(help.line.has_value());
    EXPECT_EQ(help.exit, kDone) << command;
    EXPECT_THAT(help.out, HasSubstr("Usage"));
  }
}

TEST_F(CommandLineTest, AddressesComeFromTheFlagOrTheEnvironmentOrAreLocal) {
  EXPECT_THAT(Parse({"count"}).line->at, ElementsAre("127.0.0.1:7400"));
  setenv("MUSTER_AT", "e1:1,e2:2", 1);
  EXPECT_THAT(Parse({"count"}).line->at, ElementsAre("e1:1", "e2:2"));
  EXPECT_THAT(Parse({"count", "--at", "f:3"}).line->at, ElementsAre("f:3"));
}

TEST_F(CommandLineTest, CommandsTakeWhatTheyNeed) {
  const Parsed track =
      Parse({"track", "room", "u1", "--meta", "{}", "--grace-ms", "5000"});
  ASSERT_TRUE(track.line.has_value()) << track.err;
  EXPECT_EQ(track.line->topic, "room");
  EXPECT_EQ(track.line->key, "u1");
  EXPECT_EQ(track.line->meta, "{}");
  EXPECT_EQ(track.line->grace_ms, 5000u);

  const Parsed watch = Parse({"watch", "a", "b", "--counts", "--json"});
  ASSERT_TRUE(watch.line.has_value()) << watch.err;
  EXPECT_THAT(watch.line->topics, ElementsAre("a", "b"));
  EXPECT_TRUE(watch.line->counts);
  EXPECT_TRUE(watch.line->json);

  EXPECT_THAT(Parse({"watch", "--keys", "u1,u2"}).line->keys,
              ElementsAre("u1", "u2"));
  EXPECT_EQ(Parse({"count", "--key", "u1"}).line->key, "u1");
  EXPECT_TRUE(Parse({"track"}).line->topic.empty());
}

TEST_F(CommandLineTest, AtTakesOneValueWhereverItStands) {
  const Parsed watch = Parse({"watch", "--at", "f:3,g:4", "room", "hall"});
  ASSERT_TRUE(watch.line.has_value()) << watch.err;
  EXPECT_THAT(watch.line->at, ElementsAre("f:3", "g:4"));
  EXPECT_THAT(watch.line->topics, ElementsAre("room", "hall"));

  const Parsed track = Parse({"track", "--at", "f:3", "room", "u1"});
  ASSERT_TRUE(track.line.has_value()) << track.err;
  EXPECT_EQ(track.line->topic, "room");
  EXPECT_EQ(track.line->key, "u1");

  const Parsed topics = Parse({"topics", "--at", "f:3", "ro"});
  ASSERT_TRUE(topics.line.has_value()) << topics.err;
  EXPECT_EQ(topics.line->prefix, "ro");

  const Parsed count = Parse({"count", "--at=f:3", "room"});
  ASSERT_TRUE(count.line.has_value()) << count.err;
  EXPECT_EQ(count.line->topic, "room");
  EXPECT_THAT(count.line->at, ElementsAre("f:3"));

  EXPECT_THAT(Parse({"count", "--at", "f:3", "--at", "g:4"}).line->at,
              ElementsAre("g:4"));
}

TEST_F(CommandLineTest, KeysTakesOneListAtATime) {
  const Parsed parsed =
      Parse({"watch", "--keys", "u1,u2", "--at", "f:3", "--keys", "-u3"});
  ASSERT_TRUE(parsed.line.has_value()) << parsed.err;
  EXPECT_THAT(parsed.line->keys, ElementsAre("u1", "u2", "-u3"));
  EXPECT_THAT(parsed.line->at, ElementsAre("f:3"));
}

TEST_F(CommandLineTest, AfterTwoDashesNamesMayBeginWithOne) {
  const Parsed list = Parse({"list", "--at", "f:3", "--", "-t"});
  ASSERT_TRUE(list.line.has_value()) << list.err;
  EXPECT_EQ(list.line->topic, "-t");
  const Parsed get = Parse({"get", "--json", "--", "-t", "--at"});
  ASSERT_TRUE(get.line.has_value()) << get.err;
  EXPECT_EQ(get.line->topic, "-t");
  EXPECT_EQ(get.line->key, "--at");
  EXPECT_THAT(Parse({"watch", "--at", "f:3", "--", "-a", "b"}).line->topics,
              ElementsAre("-a", "b"));
}

TEST_F(CommandLineTest, DrainIsForOneNodeAndSaysSo) {
  EXPECT_THAT(Parse({"drain", "--help"}).out, HasSubstr("and no other"));
  EXPECT_EQ(Parse({"drain", "--at", "f:3"}).exit, kDone);
  setenv("MUSTER_AT", "e1:1,e2:2", 1);
  const Parsed parsed = Parse({"drain"});
  EXPECT_EQ(parsed.exit, kBadUsage);
  EXPECT_THAT(parsed.err, HasSubstr("drain: 2 addresses are given"));
}

struct BadLine {
  std::vector<const char*> args;
  const char* complaint;
};

TEST_F(CommandLineTest, BadUsageIsExitCodeTwoWithAReason) {
  const BadLine kBad[] = {
      {{}, "a command is required"},
      {{"dance"}, "dance"},
      {{"list"}, "topic"},
      {{"get", "room"}, "key"},
      {{"list", "room", "surplus"}, "surplus"},
      {{"list", "room", "--at", "nonsense"},
       "\"nonsense\" is not an address; it must be HOST:PORT"},
      {{"list", "room", "--at", "h:0"}, "\"h:0\" is not an address"},
      {{"list", "room", "--at", ""}, "at"},
      {{"count", "room", "--key", "u1"}, "--key"},
      {{"watch"}, "nothing to watch"},
      {{"watch", "room", "--prefix", "r"}, "--prefix"},
      {{"watch", "room", "--counts", "--interval-ms", "99"}, "interval-ms"},
      {{"track", "room"}, "key"},
      {{"track", "room", "u1", "--grace-ms", "600001"}, "grace-ms"},
      {{"serve", "--no-such-flag", "1"}, "no-such-flag"},
      {{"serve", "--node"}, "--node"},
      {{"serve", "--node", "a", "bogus"}, "bogus"},
      {{"serve", "--join", "127.0.0.1:1", "bogus"}, "bogus"},
      {{"list", ""}, "topic: a name may not be empty"},
      {{"get", "room", ""}, "key: a name may not be empty"},
      {{"count", ""}, "topic: a name may not be empty"},
      {{"count", "--key", ""}, "--key: a name may not be empty"},
      {{"topics-of", ""}, "key: a name may not be empty"},
      {{"track", "", ""}, "topic: a name may not be empty"},
      {{"track", "room", ""}, "key: a name may not be empty"},
      {{"watch", "room", ""}, "topics: a name may not be empty"},
      {{"watch", "--prefix", ""}, "--prefix: a name may not be empty"},
      {{"watch", "--keys", ","}, "--keys: a name may not be empty"},
      {{"watch", "--keys", "u1,,u2"}, "--keys: a name may not be empty"},
      {{"watch", "--keys", ",", "--at", "f:3"}, "--keys: a name may not"},
  };
  for (const BadLine& bad : kBad) {
    const Parsed parsed = Parse(bad.args);
    SCOPED_TRACE(parsed.err);
    EXPECT_FALSE(parsed.line.has_value());
    EXPECT_EQ(parsed.exit, kBadUsage);
    EXPECT_THAT(parsed.err, HasSubstr(bad.complaint));
    EXPECT_EQ(parsed.out, "");
  }
}

TEST(ExitCodeTest, SaysWhetherTheAnswerIsNoOrNobodyAnswered) {
  EXPECT_EQ(ExitCodeOf(absl::OkStatus()), 0);
  EXPECT_EQ(ExitCodeOf(absl::NotFoundError("")), 1);
  EXPECT_EQ(ExitCodeOf(absl::ResourceExhaustedError("")), 1);
  EXPECT_EQ(ExitCodeOf(absl::InvalidArgumentError("")), 2);
  EXPECT_EQ(ExitCodeOf(absl::UnavailableError("")), 3);
  EXPECT_EQ(ExitCodeOf(absl::DeadlineExceededError("")), 3);
}

}  // namespace
}  // namespace muster::cli
