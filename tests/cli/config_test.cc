// Every option of the table, and everything that can be wrong in a file.
#include "node/config/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "node/config/config_file.h"
#include "node/config/config_table.h"

namespace muster {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

absl::StatusOr<Config> FromText(const std::string& text) {
  Config config;
  const absl::Status status = ApplyConfigText(text, "node.toml", &config);
  if (!status.ok()) return status;
  return config;
}

// Files that are gone when the test is over.
class ConfigTest : public ::testing::Test {
 protected:
  ~ConfigTest() override {
    for (const std::string& path : paths_) std::remove(path.c_str());
  }
  std::string WriteFile(const std::string& text) {
    const std::string path = absl::StrCat(::testing::TempDir(), "/config_test_",
                                          getpid(), "_", paths_.size());
    std::ofstream(path) << text;
    paths_.push_back(path);
    return path;
  }

 private:
  std::vector<std::string> paths_;
};

TEST(ConfigTableTest, NamesAreUniqueAndCarryTheirUnit) {
  std::set<std::string> names;
  for (const ConfigOption& option : ConfigTable()) {
    EXPECT_TRUE(names.insert(option.name).second) << option.name;
    EXPECT_EQ(FindByName(option.name), &option);
    EXPECT_EQ(FindByKey(option.Key()), &option);
    EXPECT_FALSE(option.meaning.empty()) << option.name;
    EXPECT_EQ(option.unit == "ms", absl::EndsWith(option.name, "-ms"))
        << option.name;
  }
}

// A second option bound to the same field would show here, and a default
// outside of its own range.
TEST(ConfigTableTest, EveryOptionTakesItsLimitsAndItsDefaultAndNothingElse) {
  for (const ConfigOption& option : ConfigTable()) {
    SCOPED_TRACE(option.name);
    Config config;
    const ConfigValue by_default = option.get(config);
    if (option.default_text.empty() && ValueText(by_default) != "\"\"") {
      EXPECT_TRUE(PutValue(option, by_default, &config).ok());
    }
    if (option.type != ConfigType::kInteger) continue;
    const auto min = static_cast<int64_t>(option.min);
    const auto max = static_cast<int64_t>(option.max);
    for (const int64_t good : {min, max}) {
      EXPECT_TRUE(PutValue(option, good, &config).ok());
      EXPECT_EQ(std::get<int64_t>(option.get(config)), good);
      const Config fresh;
      for (const ConfigOption& other : ConfigTable()) {
        if (&other == &option) continue;
        EXPECT_EQ(ValueText(other.get(config)), ValueText(other.get(fresh)))
            << other.name;
      }
    }
    for (const int64_t bad : {min - 1, max + 1}) {
      const Config before = config;
      const absl::Status status = PutValue(option, bad, &config);
      EXPECT_THAT(status.message(), HasSubstr(absl::StrCat(min, " to ", max)));
      EXPECT_EQ(option.get(config), option.get(before));
    }
  }
}

TEST_F(ConfigTest, DefaultsStandTogether) {
  EXPECT_TRUE(CheckTogether(Config()).ok());
}

TEST(ConfigFileTest, SetsWhatItNames) {
  const absl::StatusOr<Config> config = FromText(R"(
node = "a"
join = ["10.0.0.2:7400", "peers.example:7400"]
beat_interval_ms = 100
phi_threshold = 6
refused_is_proof = false
max_meta_bytes = 1024
)");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->runtime.core.node, "a");
  EXPECT_THAT(config->runtime.core.join,
              ElementsAre("10.0.0.2:7400", "peers.example:7400"));
  EXPECT_EQ(config->runtime.core.detector.beat_interval,
            absl::Milliseconds(100));
  EXPECT_EQ(config->runtime.core.detector.phi_threshold, 6);
  EXPECT_FALSE(config->runtime.core.detector.refused_is_proof);
  EXPECT_EQ(config->limits.max_meta_bytes, 1024u);
}

struct BadFile {
  const char* text;
  const char* error;
};

class BadFileTest : public ::testing::TestWithParam<BadFile> {};

TEST_P(BadFileTest, IsRefusedWithFileLineKeyValueAndRule) {
  const absl::StatusOr<Config> config = FromText(GetParam().text);
  ASSERT_FALSE(config.ok());
  EXPECT_EQ(config.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(config.status().message()),
              HasSubstr(GetParam().error));
}

INSTANTIATE_TEST_SUITE_P(
    All, BadFileTest,
    ::testing::Values(
        BadFile{"\nbeat_intervall_ms = 250",
                "node.toml:2: beat_intervall_ms = 250: unknown key; did you "
                "mean beat_interval_ms?"},
        BadFile{"colour = \"red\"", "node.toml:1: colour = 'red': unknown key"},
        BadFile{"beat_interval_ms = 5",
                "node.toml:1: beat_interval_ms = 5: must be an integer, 10 to "
                "10000 (ms)"},
        BadFile{"beat_interval_ms = -250", "= -250: must be an integer"},
        BadFile{"beat_interval_ms = 250.5",
                "beat_interval_ms = 250.5: must be an integer"},
        BadFile{"beat_interval_ms = \"250\"",
                "beat_interval_ms = '250': must be an integer"},
        BadFile{"beat_interval_ms = true",
                "beat_interval_ms = true: must be an integer"},
        BadFile{"phi_threshold = 0.5",
                "phi_threshold = 0.5: must be a number, 1 to 30"},
        BadFile{"phi_threshold = nan", "must be a number"},
        BadFile{"refused_is_proof = 1", "must be true or false"},
        BadFile{"refused_is_proof = 1979-05-27", "must be true or false"},
        BadFile{"node = \"\"", "node = '': must be 1 to 64 letters, digits"},
        BadFile{"node = \"a b\"", "node = 'a b': must be 1 to 64 letters"},
        BadFile{"node = 7", "node = 7: must be 1 to 64 letters"},
        BadFile{"listen = \"7400\"",
                "listen = '7400': must be HOST:PORT, the port 0 to 65535"},
        BadFile{"listen = \"a:65536\"", "must be HOST:PORT"},
        BadFile{"listen = \"::1:7400\"",
                "the port 0 to 65535: an IPv6 address stands in brackets; "
                "write [::1]:7400"},
        BadFile{"listen = \"http://a:7400\"", "write a:7400"},
        BadFile{"listen = \" a:7400\"", "write a:7400"},
        BadFile{"listen = \":\"", "must be HOST:PORT"},
        BadFile{"listen = \":65536\"", "must be a number, 0 to 65535"},
        BadFile{"advertise = \"a b\"", "must be HOST or HOST:PORT: it holds"},
        BadFile{"advertise = \"http://a\"", "must be HOST or HOST:PORT"},
        BadFile{"advertise = \":7400\"", "the host is missing"},
        BadFile{"join = [\"a:1\", \"b\"]",
                "the port 1 to 65535: \"b\": the port is missing; write "
                "b:7400"},
        BadFile{"join = [\"\"]", "\"\": it is empty"},
        BadFile{"join = [\"a:0\"]",
                "must be a list, each HOST:PORT, the port 1 to 65535"},
        BadFile{"join = [1, 2]", "must be a list"},
        BadFile{"join = 7400", "must be a list"},
        BadFile{"cluster_secret = \"\"",
                "cluster_secret = (hidden): must be 1 to 1024 bytes"},
        BadFile{"admin_token = \"two words\"",
                "admin_token = (hidden): must be 1 to 1024 printable"},
        BadFile{"log_level = \"loud\"",
                "log_level = 'loud': must be debug, info, warning or error"},
        BadFile{"node = \"a\"\n[detector]\nbeat_interval_ms = 250",
                "node.toml:2: [detector]: unknown table; keys stand at the "
                "top level"},
        BadFile{"node = \"a\"\nnode = \"b\"", "node.toml:2: "},
        BadFile{"node = ", "node.toml:1: "},
        BadFile{"\xff\xfe", "node.toml:1: "}));

TEST(ConfigFileTest, TheFirstFaultOfAFileIsTheOneReported) {
  const absl::StatusOr<Config> config =
      FromText("zebra = 1\napple = 2\nbeat_interval_ms = 1");
  EXPECT_THAT(std::string(config.status().message()),
              HasSubstr("node.toml:1: zebra"));
}

TEST_F(ConfigTest, FlagWinsOverEnvironmentOverFileOverDefault) {
  ConfigSources sources;
  sources.flags = {{"node", "a"}};
  sources.file = WriteFile(
      "node = \"file\"\ncluster_secret = \"file\"\nlog_bytes = 1000000\n");
  sources.variables = {{"cluster-secret", "variable"}};
  absl::StatusOr<Config> config = LoadConfig(sources);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->runtime.core.node, "a");
  EXPECT_EQ(config->runtime.core.replication.log_bytes, 1'000'000u);
  EXPECT_EQ(config->runtime.cluster_secret, "variable");
  EXPECT_EQ(config->runtime.listen, kDefaultAddress);

  sources.flags.emplace_back("cluster-secret", "flag");
  config = LoadConfig(sources);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->runtime.cluster_secret, "flag");
}

TEST_F(ConfigTest, SecretIsReadFromTheFileItNames) {
  ConfigSources sources;
  const std::string path = WriteFile("hush\n");
  sources.flags = {{"node", "a"}, {"cluster-secret", "@" + path}};
  absl::StatusOr<Config> config = LoadConfig(sources);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->runtime.cluster_secret, "hush");

  sources.flags[1].second = "@" + path + ".none";
  config = LoadConfig(sources);
  EXPECT_EQ(config.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(config.status().message()),
              HasSubstr("cluster-secret: " + path + ".none"));

  sources.flags[1].second = "@" + WriteFile(" \n");
  config = LoadConfig(sources);
  EXPECT_THAT(std::string(config.status().message()), HasSubstr("is empty"));
}

TEST_F(ConfigTest, ASecondSecretNeedsAFirst) {
  ConfigSources sources;
  sources.flags = {{"node", "a"},
                   {"cluster-secret", "new"},
                   {"cluster-secret-also", "@" + WriteFile("old\n")}};
  absl::StatusOr<Config> config = LoadConfig(sources);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->runtime.cluster_secret, "new");
  EXPECT_EQ(config->runtime.cluster_secret_also, "old");
  sources.flags.erase(sources.flags.begin() + 1);
  EXPECT_THAT(std::string(LoadConfig(sources).status().message()),
              HasSubstr("--cluster-secret-also (hidden): needs "
                        "--cluster-secret"));
}

TEST_F(ConfigTest, AnAdminTokenIsReadLikeASecret) {
  ConfigSources sources;
  sources.flags = {{"node", "a"}};
  sources.variables = {{"admin-token", "@" + WriteFile("open-sesame\n")}};
  absl::StatusOr<Config> config = LoadConfig(sources);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->admin_token, "open-sesame");

  sources.variables[0].second = "two words";
  EXPECT_EQ(LoadConfig(sources).status().message(),
            "MUSTER_ADMIN_TOKEN: must be 1 to 1024 printable characters of "
            "ASCII without a space, or @FILE");
  sources.variables[0].second = "@" + WriteFile("two words");
  EXPECT_THAT(std::string(LoadConfig(sources).status().message()),
              HasSubstr(" must be 1 to 1024 printable"));
  sources.variables.clear();
  sources.flags.emplace_back("admin-token", "two words");
  EXPECT_EQ(LoadConfig(sources).status().message(),
            "--admin-token (hidden): must be 1 to 1024 printable characters "
            "of ASCII without a space, or @FILE");
}

TEST_F(ConfigTest, ABadFlagIsNamedWithItsValueAndRuleButASecretIsNotShown) {
  ConfigSources sources;
  sources.flags = {{"node", "a"}, {"max-silence-ms", "soon"}};
  EXPECT_EQ(LoadConfig(sources).status().message(),
            "--max-silence-ms soon: must be an integer, 20 to 600000 (ms)");
  sources.flags = {{"node", "a"}, {"cluster-secret", std::string(2000, 'x')}};
  EXPECT_EQ(LoadConfig(sources).status().message(),
            "--cluster-secret (hidden): must be 1 to 1024 bytes, or @FILE");
}

TEST_F(ConfigTest, SwitchesAndNumbersAreReadFromFlags) {
  ConfigSources sources;
  sources.flags = {{"node", "a"},
                   {"insecure-peers", "true"},
                   {"refused-is-proof", "0"},
                   {"phi-threshold", "9.5"}};
  absl::StatusOr<Config> config = LoadConfig(sources);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_TRUE(config->runtime.insecure_peers);
  EXPECT_FALSE(config->runtime.core.detector.refused_is_proof);
  EXPECT_EQ(config->runtime.core.detector.phi_threshold, 9.5);
  EXPECT_EQ(ValueText(FindByName("phi-threshold")->get(*config)), "9.5");

  sources.flags = {{"node", "a"}, {"insecure-peers", "perhaps"}};
  EXPECT_EQ(LoadConfig(sources).status().message(),
            "--insecure-peers perhaps: must be true or false");
  sources.flags = {{"node", "a"}, {"phi-threshold", "0.5"}};
  EXPECT_EQ(LoadConfig(sources).status().message(),
            "--phi-threshold 0.5: must be a number, 1 to 30");
  sources.flags = {{"node", "a"}, {"phi-threshold", "high"}};
  EXPECT_EQ(LoadConfig(sources).status().message(),
            "--phi-threshold high: must be a number, 1 to 30");
}

TEST_F(ConfigTest, AListenAddressWithoutAHostIsEveryAddress) {
  ConfigSources sources;
  sources.flags = {
      {"node", "a"}, {"listen", ":7400"}, {"advertise", "::1"}, {"join", ""}};
  const absl::StatusOr<Config> config = LoadConfig(sources);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->runtime.listen, ":7400");
  EXPECT_EQ(config->runtime.advertise, "::1");
  EXPECT_TRUE(config->runtime.core.join.empty());
  sources.flags.back().second = "a:1,,b:2";
  EXPECT_EQ(LoadConfig(sources).status().message(),
            "--join a:1,,b:2: must be a list, each HOST:PORT, the port 1 to "
            "65535: \"\": it is empty");
}

TEST_F(ConfigTest, ValuesThatContradictEachOtherAreRefused) {
  ConfigSources sources;
  sources.flags = {{"node", "a"}, {"min-silence-ms", "3000"}};
  EXPECT_EQ(LoadConfig(sources).status().message(),
            "--min-silence-ms 3000: must not be above --max-silence-ms, which "
            "is 2000");
}

TEST_F(ConfigTest, AFileThatIsNotThereIsNotFound) {
  ConfigSources sources;
  sources.file = "/nowhere/node.toml";
  const absl::Status status = LoadConfig(sources).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("/nowhere/node.toml"));
}

TEST(ConfigPageTest, TheCommittedPageIsTheOneThatTheTableMakes) {
  std::ifstream in(MUSTER_SOURCE_DIR "/docs/configuration.md");
  std::ostringstream committed;
  committed << in.rdbuf();
  EXPECT_EQ(committed.str(), ConfigPage())
      << "run: muster config-doc > docs/configuration.md";
}

}  // namespace
}  // namespace muster
