#include "node/cli/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "node/config/config_table.h"

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
    unsetenv(kAdminTokenVariable);
  }
};

TEST_F(CommandLineTest, SimHandsOnWhateverFollows) {
  const Parsed parsed = Parse({"sim", "--seed", "7", "--trace", "--help"});
  ASSERT_TRUE(parsed.line.has_value()) << parsed.err;
  EXPECT_EQ(parsed.line->command, Command::kSim);
  EXPECT_THAT(parsed.line->rest,
              ElementsAre("--seed", "7", "--trace", "--help"));
}

TEST_F(CommandLineTest, KvTakesTheWordsOfItsCommandAsTheyAre) {
  Parsed parsed = Parse(
      {"kv", "LRANGE", "l", "0", "-1", "--at", "h:1", "--json", "--db=3"});
  ASSERT_TRUE(parsed.line.has_value()) << parsed.err;
  EXPECT_EQ(parsed.line->command, Command::kKv);
  EXPECT_THAT(parsed.line->rest, ElementsAre("LRANGE", "l", "0", "-1"));
  EXPECT_THAT(parsed.line->at, ElementsAre("h:1"));
  EXPECT_TRUE(parsed.line->json);
  EXPECT_EQ(parsed.line->db, 3u);
  EXPECT_FALSE(parsed.line->at_leader);
  parsed = Parse({"kv", "--leader", "SET", "[a,b]", "++", "", "--x", "-h"});
  ASSERT_TRUE(parsed.line.has_value()) << parsed.err;
  EXPECT_TRUE(parsed.line->at_leader);
  EXPECT_THAT(parsed.line->rest,
              ElementsAre("SET", "[a,b]", "++", "", "--x", "-h"));
}

TEST_F(CommandLineTest, WordsOfKvBehindTwoDashesAreNoFlags) {
  const Parsed parsed =
      Parse({"kv", "--db", "1", "--", "SET", "--at", "--json", "--"});
  ASSERT_TRUE(parsed.line.has_value()) << parsed.err;
  EXPECT_THAT(parsed.line->rest, ElementsAre("SET", "--at", "--json", "--"));
  EXPECT_FALSE(parsed.line->json);
  EXPECT_EQ(parsed.line->db, 1u);
}

TEST_F(CommandLineTest, KvWithoutACommandReadsLines) {
  const Parsed parsed = Parse({"kv", "--atomic"});
  ASSERT_TRUE(parsed.line.has_value()) << parsed.err;
  EXPECT_TRUE(parsed.line->atomic);
  EXPECT_TRUE(parsed.line->rest.empty());
}

TEST_F(CommandLineTest, KvRefusesUnknownFlagsBeforeItsCommandAndDatabases) {
  Parsed parsed = Parse({"kv", "--ledaer", "GET", "k"});
  EXPECT_EQ(parsed.exit, kBadUsage);
  EXPECT_THAT(parsed.err, HasSubstr("--ledaer: unknown flag of kv"));
  parsed = Parse({"kv", "GET", "k", "--db", "16"});
  EXPECT_EQ(parsed.exit, kBadUsage);
  parsed = Parse({"kv", "--help"});
  EXPECT_EQ(parsed.exit, kDone);
  EXPECT_THAT(parsed.out, HasSubstr("redis-cli"));
}

TEST_F(CommandLineTest, KvExplainTakesAKeyOfAnyName) {
  const Parsed parsed = Parse({"kv-explain", "[a,b]", "--db", "2"});
  ASSERT_TRUE(parsed.line.has_value()) << parsed.err;
  EXPECT_EQ(parsed.line->key, "[a,b]");
  EXPECT_EQ(parsed.line->db, 2u);
}

TEST_F(CommandLineTest, ServeHandsItsFlagsOnAsTextInTheOrderOfTheTable) {
  const Parsed parsed =
      Parse({"serve", "--join", "h1:7400,h2:7400", "--node", "a", "--join", "",
             "--join", "h3:7400", "--insecure-peers",
             "--refused-is-proof=false", "--config", "node.toml"});
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
        "drain", "evict", "forget", "help"}) {
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

TEST_F(CommandLineTest, TheAdminTokenComesFromTheFlagAFileOrTheEnvironment) {
  EXPECT_EQ(Parse({"drain"}).line->admin_token, "");
  setenv(kAdminTokenVariable, "from-variable", 1);
  EXPECT_EQ(Parse({"drain"}).line->admin_token, "from-variable");
  EXPECT_EQ(Parse({"count"}).line->admin_token, "");
  const std::string path =
      ::testing::TempDir() + "/admin_token_" + std::to_string(getpid());
  std::ofstream(path) << "from-file\n";
  const std::string at_path = "@" + path;
  EXPECT_EQ(
      Parse({"drain", "--admin-token", at_path.c_str()}).line->admin_token,
      "from-file");
  std::remove(path.c_str());
  const Parsed gone = Parse({"drain", "--admin-token", at_path.c_str()});
  EXPECT_EQ(gone.exit, kBadUsage);
  EXPECT_THAT(gone.err, HasSubstr("admin-token: " + path));
  const Parsed bad = Parse({"drain", "--admin-token", "two words"});
  EXPECT_EQ(bad.exit, kBadUsage);
  EXPECT_THAT(bad.err, HasSubstr("admin-token (hidden): must be"));
}

TEST_F(CommandLineTest, ServeTakesSecretsFromTheEnvironment) {
  setenv(kSecretVariable, "hush", 1);
  setenv(kAdminTokenVariable, "", 1);
  EXPECT_THAT(Parse({"serve"}).line->config.variables,
              ElementsAre(Pair("cluster-secret", "hush")));
}

TEST_F(CommandLineTest, CommandsTakeWhatTheyNeed) {
  const Parsed track =
      Parse({"track", "room", "u1", "--meta", "{}", "--grace-ms", "5000"});
  ASSERT_TRUE(track.line.has_value()) << track.err;
  EXPECT_EQ(track.line->topic, "room");
  EXPECT_EQ(track.line->key, "u1");
  EXPECT_EQ(track.line->meta, "{}");
  EXPECT_EQ(track.line->grace_ms, 5000u);

  const Parsed evict =
      Parse({"evict", "room", "u1", "--reason", "a long story"});
  ASSERT_TRUE(evict.line.has_value()) << evict.err;
  EXPECT_EQ(evict.line->command, Command::kEvict);
  EXPECT_EQ(evict.line->topic, "room");
  EXPECT_EQ(evict.line->key, "u1");
  EXPECT_EQ(evict.line->reason, "a long story");
  EXPECT_EQ(Parse({"evict", "room"}).exit, kBadUsage);

  const Parsed forget = Parse({"forget", "b"});
  ASSERT_TRUE(forget.line.has_value()) << forget.err;
  EXPECT_EQ(forget.line->command, Command::kForget);
  EXPECT_EQ(forget.line->node, "b");
  EXPECT_EQ(Parse({"forget"}).exit, kBadUsage);
  EXPECT_EQ(Parse({"forget", ""}).exit, kBadUsage);
  EXPECT_TRUE(Parse({"members", "--all"}).line->all);

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

TEST_F(CommandLineTest, NamesAreTakenAsTheyAreGiven) {
  EXPECT_THAT(Parse({"watch", "[a,b]", "++", "{}", "[]", "a,b"}).line->topics,
              ElementsAre("[a,b]", "++", "{}", "[]", "a,b"));
  EXPECT_THAT(Parse({"watch", "--key", "a,b", "--key=[c,d]", "--key", "-e",
                     "--keys", "f,g"})
                  .line->keys,
              ElementsAre("a,b", "[c,d]", "-e", "f", "g"));
  const Parsed track = Parse({"track", "[a,b]", "[u]", "--meta", "[1,2]"});
  ASSERT_TRUE(track.line.has_value()) << track.err;
  EXPECT_EQ(track.line->topic, "[a,b]");
  EXPECT_EQ(track.line->key, "[u]");
  EXPECT_EQ(track.line->meta, "[1,2]");
  EXPECT_EQ(Parse({"list", "[a,b]"}).line->topic, "[a,b]");
  EXPECT_EQ(Parse({"list", "++"}).line->topic, "++");
  EXPECT_EQ(Parse({"topics", "[a,b]"}).line->prefix, "[a,b]");
  EXPECT_EQ(Parse({"count", "--key", "[a,b]"}).line->key, "[a,b]");
  EXPECT_EQ(Parse({"watch", "--prefix", "[a]"}).line->prefix, "[a]");
  const Parsed evict = Parse(
      {"evict", "[a]", "[u]", "--reason", "[spam]", "--admin-token", "[t]"});
  ASSERT_TRUE(evict.line.has_value()) << evict.err;
  EXPECT_EQ(evict.line->reason, "[spam]");
  EXPECT_EQ(evict.line->admin_token, "[t]");
  EXPECT_EQ(Parse({"forget", "[a]"}).line->node, "[a]");
  EXPECT_THAT(Parse({"serve", "--cluster-secret", "[a,b]"}).line->config.flags,
              ElementsAre(Pair("cluster-secret", "[a,b]")));
  EXPECT_THAT(Parse({"sim", "[a,b]", "++"}).line->rest,
              ElementsAre("[a,b]", "++"));
}

TEST_F(CommandLineTest, HelpOfACommandIsTheSameEitherWay) {
  const Parsed help = Parse({"help"});
  EXPECT_EQ(help.exit, kDone);
  EXPECT_EQ(help.out, Parse({"--help"}).out);
  EXPECT_THAT(help.out, HasSubstr("muster help COMMAND"));
  // Not watch: CLI11 lists what excludes a flag in the order of its pointers.
  for (const char* command : {"serve", "list", "help"}) {
    const Parsed of_command = Parse({"help", command});
    EXPECT_EQ(of_command.exit, kDone);
    EXPECT_EQ(of_command.out, Parse({command, "--help"}).out);
    EXPECT_THAT(of_command.out,
                HasSubstr(std::string("Usage: muster ") + command));
  }
}

TEST_F(CommandLineTest, WhatFollowsLooksForANodeForEverUnlessTold) {
  for (const std::vector<const char*>& command :
       std::vector<std::vector<const char*>>{{"watch", "room"},
                                             {"track", "room", "u1"},
                                             {"members", "--follow"},
                                             {"top"}}) {
    EXPECT_EQ(Parse(command).line->give_up_ms, 0u) << command[0];
    std::vector<const char*> told = command;
    told.insert(told.end(), {"--give-up-ms", "2500"});
    EXPECT_EQ(Parse(told).line->give_up_ms, 2500u) << command[0];
  }
}

TEST_F(CommandLineTest, ABadAddressOfTheEnvironmentIsSaidToComeFromThere) {
  setenv("MUSTER_AT", "::1:7502", 1);
  const Parsed parsed = Parse({"count"});
  EXPECT_EQ(parsed.exit, kBadUsage);
  EXPECT_EQ(parsed.err,
            "muster: MUSTER_AT: \"::1:7502\" is not HOST:PORT: an IPv6 address "
            "stands in brackets; write [::1]:7502\n");
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
       "--at: \"nonsense\" is not HOST:PORT: the port is missing; write "
       "nonsense:7400"},
      {{"list", "room", "--at", "h:0"}, "\"h:0\" is not HOST:PORT"},
      {{"list", "room", "--at", "::1:7502"}, "write [::1]:7502"},
      {{"list", "room", "--at", "http://h:1"}, "write h:1"},
      {{"list", "room", "--at", "h:1, g:2"}, "write g:2"},
      {{"list", "room", "--at", "h:1,,g:2"}, "it is empty"},
      {{"--", "x"}, "\"x\": unknown command"},
      {{"-"}, "unknown flag"},
      {{"---"}, "unknown flag"},
      {{"sevre"}, "\"sevre\": unknown command; did you mean serve?"},
      {{"sevre", "--help"}, "did you mean serve?"},
      {{"help", "sevre"}, "did you mean serve?"},
      {{"wach", "room", "--json"},
       "\"wach\": unknown command; did you mean "
       "watch?"},
      {{"--versoin"}, "--versoin: unknown flag; did you mean --version?"},
      {{"serve", "--nod", "a"},
       "--nod: unknown flag of serve; did you mean --node?"},
      {{"serve", "--max-conn=5"}, "did you mean --max-connections?"},
      {{"list", "--jsn"}, "--jsn: unknown flag of list; did you mean --json?"},
      {{"track", "room", "u1", "--grace", "5"}, "did you mean --grace-ms?"},
      {{"list", "--", "-t", "-u"}, "list: \"-u\" is one word too many"},
      {{"members", "--give-up-ms", "5"}, "--follow"},
      {{"watch", "room", "--give-up-ms", "86400001"}, "give-up-ms"},
      {{"watch", "room", "--key", "u1"}, "--key"},
      {{"watch", "--prefix", "r", "--key", "u1"}, "--key"},
      {{"watch", "--key", ""}, "--key: a name may not be empty"},
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
