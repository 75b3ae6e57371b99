#include "node/cli/command_line.h"

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <map>
#include <memory>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "muster/client/connection.h"
#include "node/config_table.h"

namespace muster::cli {
namespace {

constexpr char kAbout[] =
    "A presence cluster node, and its client.\n\n"
    "Exit codes: 0 done, 1 the answer is no (not found, refused), 2 bad "
    "usage,\n3 no node can be reached.";

// Collects what CLI11 fills in, then makes a CommandLine of it.
class Parser {
 public:
  Parser() : app_(kAbout, "muster") {
    app_.require_subcommand(0, 1);
    app_.set_version_flag("--version", MUSTER_VERSION);
    app_.get_formatter()->column_width(34);
    AddServe();
    AddClusterCommands();
    AddReadCommands();
    AddWatch();
    AddTrack();
    AddSim();
  }

  CLI::App& app() { return app_; }

  // After CLI11 has parsed.
  absl::StatusOr<CommandLine> Take() {
    bool found = false;
    for (const auto& [sub, command] : commands_) {
      if (!sub->parsed()) continue;
      line_.command = command;
      found = true;
    }
    if (!found) {
      return absl::InvalidArgumentError(
          "a command is required; muster --help lists them");
    }
    if (line_.command == Command::kServe) return TakeServe();
    if (line_.command == Command::kSim) return TakeSim();
    absl::StatusOr<std::vector<std::string>> at =
        client::ParseAddresses(Addresses());
    if (!at.ok()) return at.status();
    line_.at = *std::move(at);
    absl::Status status = CheckNames();
    status.Update(TakeKeys());
    status.Update(CheckScope());
    if (!status.ok()) return status;
    return line_;
  }

 private:
  CLI::App* Add(Command command, const char* name, const char* about) {
    CLI::App* sub = app_.add_subcommand(name, about);
    commands_.emplace(sub, command);
    return sub;
  }

  CLI::App* AddClient(Command command, const char* name, const char* about) {
    CLI::App* sub = Add(command, name, about);
    sub->add_option("--at", at_,
                    "Nodes to ask, tried in order; also in the environment "
                    "as MUSTER_AT")
        ->type_name("HOST:PORT[,HOST:PORT…]")
        ->default_str(kDefaultAddress)
        ->expected(1)
        ->allow_extra_args(false)
        ->take_last();
    return sub;
  }

  CLI::App* AddPrinting(Command command, const char* name, const char* about) {
    CLI::App* sub = AddClient(command, name, about);
    sub->add_flag("--json", line_.json, "One JSON object a line");
    return sub;
  }

  void AddServe() {
    CLI::App* sub = Add(Command::kServe, "serve", "Run a node");
    sub->add_option("--config", line_.config.file, "Read a TOML file first")
        ->type_name("FILE");
    for (const ConfigOption& option : ConfigTable()) {
      std::vector<std::string>& texts = flags_[option.name];
      const std::string about = absl::StrCat(
          option.meaning, " [", option.RangeText(),
          option.unit.empty() ? "" : absl::StrCat(" ", option.unit),
          "; default ", option.DefaultText(), "]");
      CLI::Option* flag =
          option.type == ConfigType::kBool
              ? sub->add_flag("--" + option.name, texts, about)
              : sub->add_option("--" + option.name, texts, about)
                    ->type_name(absl::AsciiStrToUpper(option.TypeText()));
      flag->group(option.group);
      if (option.type == ConfigType::kBool) continue;
      flag->expected(1)->allow_extra_args(false);
      if (option.type == ConfigType::kList) {
        flag->take_all();
      } else {
        flag->take_last();
      }
    }
    Add(Command::kConfigDoc, "config-doc",
        "Print docs/configuration.md, which is made from the flags of serve");
    Add(Command::kMetricsDoc, "metrics-doc",
        "Print docs/metrics.md, which is made from the table of metrics");
  }

  void AddClusterCommands() {
    AddPrinting(Command::kMembers, "members", "The nodes, as one of them sees")
        ->add_flag("--follow", line_.follow,
                   "Then each change, until interrupted");
    AddPrinting(Command::kStatus, "status", "How a node is doing");
    AddClient(Command::kDrain, "drain",
              "Make a node tell its clients to move, and exit. --at names that "
              "node\nand no other");
    AddClient(Command::kTop, "top",
              "Live view: members, entries, rates, lag, busiest topics")
        ->add_flag("--once", line_.once, "Print one frame and exit");
  }

  void AddReadCommands() {
    CLI::App* sub =
        AddPrinting(Command::kList, "list", "All entries of a topic");
    Topic(sub)->required();
    sub = AddPrinting(Command::kGet, "get", "The entries of a key in a topic");
    Topic(sub)->required();
    Key(sub)->required();
    sub = AddPrinting(Command::kCount, "count",
                      "The number of entries: of all, of a topic or of a key");
    CLI::Option* topic = Topic(sub);
    Name(sub->add_option("--key", line_.key,
                         "Entries of this key in all topics"))
        ->type_name("KEY")
        ->excludes(topic);
    sub = AddPrinting(Command::kTopics, "topics",
                      "Topics with their numbers of entries and of keys");
    sub->add_option("prefix", line_.prefix, "Only topics that start with it");
    sub = AddPrinting(Command::kTopicsOf, "topics-of",
                      "The topics in which a key is present");
    Key(sub)->required();
    sub = AddPrinting(Command::kExplain, "explain",
                      "All that a node knows of a key in a topic, and why it "
                      "is or is not shown");
    Topic(sub)->required();
    Key(sub)->required();
  }

  void AddWatch() {
    CLI::App* sub =
        AddPrinting(Command::kWatch, "watch",
                    "What is present, then every change, until interrupted.\n"
                    "= was there, + joined, ~ updated, - left");
    CLI::Option* topics =
        Name(sub->add_option("topics", line_.topics, "Topics to watch"));
    CLI::Option* prefix =
        Name(sub->add_option("--prefix", line_.prefix,
                             "Every topic that starts with it"))
            ->type_name("PREFIX");
    // Split by TakeKeys: CLI11 takes the next word for a list that is empty.
    CLI::Option* keys =
        sub->add_option("--keys", keys_, "Every entry of these keys")
            ->type_name("KEY[,KEY…]")
            ->expected(1)
            ->allow_extra_args(false)
            ->take_all();
    prefix->excludes(topics)->excludes(keys);
    keys->excludes(topics);
    sub->add_flag("--counts", line_.counts, "Only the numbers of entries");
    sub->add_option("--interval-ms", line_.interval_ms,
                    "At most one message of counts in this time")
        ->check(CLI::Range(100, 60'000))
        ->capture_default_str();
  }

  void AddTrack() {
    CLI::App* sub = AddClient(
        Command::kTrack, "track",
        "Be present until interrupted. Without TOPIC and KEY, reads lines\n"
        "topic<TAB>key<TAB>meta from standard input and holds them all.");
    CLI::Option* topic = Topic(sub);
    CLI::Option* key = Key(sub);
    topic->needs(key);
    sub->add_option("--meta", line_.meta, "Shown with the entry")
        ->type_name("JSON")
        ->needs(key);
    sub->add_option("--grace-ms", line_.grace_ms,
                    "How long entries stay when their node is gone")
        ->check(CLI::Range(0, 600'000))
        ->capture_default_str();
  }

  // The simulator is a program of its own, with flags of its own.
  void AddSim() {
    Add(Command::kSim, "sim",
        "Run the simulator: whole clusters in simulated time, with every "
        "fault\nthat a seed brings; muster sim --seed 7 --trace")
        ->prefix_command()
        ->set_help_flag();
  }

  // What it takes must not be empty: that is not the same as not given.
  CLI::Option* Name(CLI::Option* option) {
    names_.push_back(option);
    return option;
  }
  CLI::Option* Topic(CLI::App* sub) {
    return Name(sub->add_option("topic", line_.topic, "Topic"));
  }
  CLI::Option* Key(CLI::App* sub) {
    return Name(sub->add_option("key", line_.key, "Key"));
  }

  std::string Addresses() const {
    if (!at_.empty()) return at_.back();
    const char* variable = std::getenv("MUSTER_AT");
    return variable != nullptr ? variable : kDefaultAddress;
  }

  absl::StatusOr<CommandLine> TakeServe() {
    for (const ConfigOption& option : ConfigTable()) {
      const std::vector<std::string>& texts = flags_[option.name];
      if (texts.empty()) continue;
      std::string text = texts.back();
      if (option.type == ConfigType::kList) text = absl::StrJoin(texts, ",");
      line_.config.flags.emplace_back(option.name, std::move(text));
    }
    if (const char* secret = std::getenv(kSecretVariable)) {
      line_.config.secret_variable = secret;
    }
    return line_;
  }

  absl::StatusOr<CommandLine> TakeSim() {
    line_.rest = app_.get_subcommand("sim")->remaining();
    return line_;
  }

  static absl::Status EmptyName(const std::string& what) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, ": a name may not be empty"));
  }

  absl::Status CheckNames() const {
    for (const CLI::Option* option : names_) {
      for (const std::string& name : option->results()) {
        if (name.empty()) return EmptyName(option->get_name());
      }
    }
    return absl::OkStatus();
  }

  absl::Status TakeKeys() {
    for (const std::string& list : keys_) {
      for (std::string& key :
           std::vector<std::string>(absl::StrSplit(list, ','))) {
        if (key.empty()) return EmptyName("--keys");
        line_.keys.push_back(std::move(key));
      }
    }
    return absl::OkStatus();
  }

  absl::Status CheckScope() const {
    if (line_.command == Command::kWatch && line_.topics.empty() &&
        line_.prefix.empty() && line_.keys.empty()) {
      return absl::InvalidArgumentError(
          "watch: nothing to watch; give topics, --prefix or --keys");
    }
    if (line_.command == Command::kDrain && line_.at.size() != 1) {
      return absl::InvalidArgumentError(
          absl::StrCat("drain: ", line_.at.size(),
                       " addresses are given (--at or MUSTER_AT); name only "
                       "the node that is to go"));
    }
    return absl::OkStatus();
  }

  CLI::App app_;
  std::map<CLI::App*, Command> commands_;
  std::map<std::string, std::vector<std::string>> flags_;
  std::vector<std::string> at_;  // The last one given counts.
  std::vector<std::string> keys_;
  std::vector<const CLI::Option*> names_;
  CommandLine line_;
};

}  // namespace

std::optional<CommandLine> ParseCommandLine(int argc, const char* const* argv,
                                            std::ostream& out,
                                            std::ostream& err, ExitCode* exit) {
  Parser parser;
  try {
    parser.app().parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = parser.app().exit(error, out, err);
    *exit = code == 0 ? kDone : kBadUsage;
    return std::nullopt;
  }
  absl::StatusOr<CommandLine> line = parser.Take();
  if (line.ok()) return *std::move(line);
  err << "muster: " << line.status().message() << '\n';
  *exit = kBadUsage;
  return std::nullopt;
}

}  // namespace muster::cli
