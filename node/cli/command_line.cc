#include "node/cli/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "muster/client/address.h"
#include "node/cli/words.h"
#include "node/config/config_table.h"
#include "node/config/suggestion.h"

namespace muster::cli {
namespace {

constexpr char kAbout[] =
    "A presence cluster node, and its client.\n\n"
    "Exit codes: 0 done, 1 the answer is no (not found, refused), 2 bad "
    "usage,\n3 no node can be reached.";
constexpr char kAtVariable[] = "MUSTER_AT";
constexpr int kMaxGiveUpMs = 86'400'000;

// Holds the values that CLI11 fills in, then makes a CommandLine of them.
class Parser {
 public:
  Parser() : app_(kAbout, "muster") {
    app_.require_subcommand(0, 1);
    app_.set_version_flag("--version", MUSTER_VERSION);
    app_.get_formatter()->column_width(34);
    app_.add_subcommand("help", "The same as COMMAND --help");
    AddServe();
    AddClusterCommands();
    AddReadCommands();
    AddWatch();
    AddPubSub();
    AddKv();
    AddTrack();
    AddSim();
    // Last: commands would take it over.
    app_.footer("muster help COMMAND: all about one of them");
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
          "a command is required; muster help lists them");
    }
    if (line_.command == Command::kServe) return TakeServe();
    if (line_.command == Command::kSim) return TakeSim();
    absl::Status status = TakeAddresses();
    if (!status.ok()) return status;
    UnguardNames();
    status = CheckNames();
    status.Update(TakeKeys());
    status.Update(TakeAdminToken());
    status.Update(CheckScope());
    if (!status.ok()) return status;
    return line_;
  }

  // An error that names the first unknown command, flag or word; "" if all are
  // known. With `only_flags`, commands and flags alone are checked.
  std::string Unknown(bool only_flags) {
    for (const std::string& word : app_.remaining()) {
      if (word == "--") continue;
      if (absl::StartsWith(word, "-")) return UnknownFlag(word, &app_);
      return UnknownCommand(word);
    }
    const std::vector<CLI::App*> parsed = app_.get_subcommands();
    if (parsed.empty() || parsed[0]->get_prefix_command()) return "";
    bool flags_may_come = true;
    for (const std::string& word : parsed[0]->remaining()) {
      if (flags_may_come && word.size() > 1 && word[0] == '-' && word != "--") {
        return UnknownFlag(word, parsed[0]);
      }
      if (word == "--") {
        flags_may_come = false;
      } else if (!only_flags) {
        return absl::StrCat(parsed[0]->get_name(), ": \"", word,
                            "\" is one word too many");
      }
    }
    return "";
  }

 private:
  std::string UnknownCommand(const std::string& word) const {
    std::vector<std::string> names = {"help"};
    for (const auto& [sub, command] : commands_) {
      names.push_back(sub->get_name());
    }
    std::sort(names.begin(), names.end());
    return absl::StrCat("\"", word, "\": unknown command",
                        Suggestion(word, names), "\nmuster help lists them");
  }

  static std::string UnknownFlag(absl::string_view word, const CLI::App* app) {
    word = word.substr(0, word.find('='));
    std::vector<std::string> names;
    for (const CLI::Option* option : app->get_options()) {
      const std::vector<std::string>& more = option->get_lnames();
      names.insert(names.end(), more.begin(), more.end());
    }
    const absl::string_view bare =
        word.substr(std::min(word.find_first_not_of('-'), word.size()));
    const bool main = app->get_parent() == nullptr;
    return absl::StrCat(
        word, ": unknown flag", main ? "" : " of ", main ? "" : app->get_name(),
        absl::StrReplaceAll(Suggestion(bare, names), {{"mean ", "mean --"}}),
        "\nmuster help", main ? "" : " ", main ? "" : app->get_name(),
        " lists them");
  }

  CLI::App* Add(Command command, const char* name, const char* about) {
    CLI::App* sub = app_.add_subcommand(name, about);
    commands_.emplace(sub, command);
    return sub;
  }

  CLI::App* AddClient(Command command, const char* name, const char* about) {
    CLI::App* sub = Add(command, name, about);
    sub->add_option("--at", at_,
                    absl::StrCat("Nodes to ask, tried in order; also in the "
                                 "environment as ",
                                 kAtVariable))
        ->type_name("HOST:PORT[,HOST:PORT…]")
        ->default_str(kDefaultAddress)
        ->expected(1)
        ->allow_extra_args(false)
        ->take_last();
    return sub;
  }

  // For commands that go on until interrupted.
  CLI::Option* AddGiveUp(CLI::App* sub) {
    return sub
        ->add_option("--give-up-ms", line_.give_up_ms,
                     "Without a node for this long, end with exit code 3; 0: "
                     "look for one for ever")
        ->check(CLI::Range(0, kMaxGiveUpMs))
        ->capture_default_str();
  }

  // A command that a node accepts only from its operator.
  CLI::App* AddAdmin(Command command, const char* name, const char* about) {
    CLI::App* sub = AddClient(command, name, about);
    sub->add_option("--admin-token", line_.admin_token,
                    "The node's --admin-token, if it has one; also in the "
                    "environment as MUSTER_ADMIN_TOKEN")
        ->type_name("TOKEN|@FILE")
        ->expected(1)
        ->allow_extra_args(false)
        ->take_last();
    admin_.insert(command);
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
    Add(Command::kCommandDoc, "command-doc",
        "Print docs/commands.md, which is made from the table of commands");
  }

  void AddClusterCommands() {
    CLI::App* members =
        AddPrinting(Command::kMembers, "members",
                    "The nodes that are alive, as one of them sees");
    AddGiveUp(members)->needs(members->add_flag(
        "--follow", line_.follow,
        "Then each change, until interrupted; a node that goes down or leaves "
        "gets one last line, unless with --all"));
    members->add_flag("--all", line_.all,
                      "Those that are down or have left, too: each is "
                      "remembered for 20 minutes");
    AddPrinting(Command::kStatus, "status", "How a node is doing");
    AddAdmin(Command::kDrain, "drain",
             "Make a node tell its clients to move, and exit. --at names that "
             "node\nand no other");
    CLI::App* evict = AddAdmin(
        Command::kEvict, "evict",
        "Remove all entries of a key in a topic, whoever holds them. Their "
        "sessions\nstay, and their clients are told; nothing keeps them from "
        "tracking it again");
    Topic(evict)->required();
    Key(evict)->required();
    evict
        ->add_option("--reason", line_.reason,
                     "For the clients that hold the entries; at most 1,024 "
                     "bytes")
        ->type_name("TEXT");
    CLI::App* forget = AddAdmin(
        Command::kForget, "forget",
        "Forget a node that is down or has left, with the entries of its "
        "sessions in\ngrace, at once instead of after 20 minutes");
    Name(forget->add_option("node", line_.node, "Its name"))->required();
    CLI::App* top = AddClient(Command::kTop, "top",
                              "Live view: members, entries, rates, lag, "
                              "busiest topics; q ends it");
    AddGiveUp(top)->excludes(
        top->add_flag("--once", line_.once, "Print one frame and exit"));
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
                    "= was there, + joined, ~ updated or replaced, - left; "
                    "a line a key and batch,\nwith (N) where the key has N "
                    "entries, or (N left)");
    CLI::Option* topics =
        Name(sub->add_option("topics", line_.topics, "Topics to watch"));
    CLI::Option* prefix =
        Name(sub->add_option("--prefix", line_.prefix,
                             "Every topic that starts with it"))
            ->type_name("PREFIX");
    CLI::Option* key = Name(sub->add_option(
        "--key", line_.keys, "Every entry of this key; may be repeated"));
    key->type_name("KEY");
    // Split by TakeKeys: CLI11 takes the next word for a list that is empty.
    CLI::Option* keys = sub->add_option(
        "--keys", keys_, "The same of several, separated by commas");
    keys->type_name("KEY[,KEY…]");
    for (CLI::Option* option : {key, keys}) {
      option->expected(1)->allow_extra_args(false)->take_all();
      option->excludes(topics)->excludes(prefix);
    }
    prefix->excludes(topics);
    CLI::Option* counts =
        sub->add_flag("--counts", line_.counts, "Only the numbers of entries");
    sub->add_flag("--entries", line_.entries,
                  "A line an entry and change (--json always has these)")
        ->excludes(counts);
    sub->add_option("--interval-ms", line_.interval_ms,
                    "At most one message of counts in this time")
        ->check(CLI::Range(100, 60'000))
        ->capture_default_str();
    AddGiveUp(sub);
  }

  void AddPubSub() {
    CLI::App* sub = AddPrinting(
        Command::kPublish, "publish",
        "Send a message to whoever subscribes now, at any node; prints how "
        "many\nsubscriptions it met");
    Name(sub->add_option("channel", line_.channel, "The channel"))->required();
    Name(sub->add_option("payload", line_.payload, "The message"))->required();
    sub = AddPrinting(
        Command::kSubscribe, "subscribe",
        "Messages of channels, until interrupted: a line each, the channel, a "
        "tab and\nthe message");
    Name(sub->add_option("channels", line_.names, "Channels"))->required();
    sub->add_flag("--pattern", line_.patterns,
                  "They are patterns: * any bytes, ? one, [abc] one of these, "
                  "\\ before what is meant literally");
    AddGiveUp(sub);
    sub = AddPrinting(Command::kChannels, "channels",
                      "Channels with subscribers, and how many, of the whole "
                      "cluster");
    Name(sub->add_option("pattern", line_.pattern, "Only those that match it"));
  }

  // The words of the command are taken out before: TakeKvCommand.
  void AddKv() {
    CLI::App* sub = AddPrinting(
        Command::kKv, "kv",
        "Run a command on keys, such as SET k v, and print its answer as\n"
        "redis-cli does: muster kv LRANGE jobs 0 -1. Without a command, a "
        "line of\nstandard input is one. Exit code 1: a command answered an "
        "error.\nWhat follows -- are no flags of muster");
    Database(sub);
    sub->add_flag("--leader", line_.at_leader,
                  "Ask the leader, also for what only reads");
    sub->add_flag("--atomic", line_.atomic,
                  "All lines of standard input are one transaction");
    sub = AddPrinting(Command::kKvExplain, "kv-explain",
                      "All that a node knows of a key on which commands act: "
                      "versions, who\nwrote them, and which are shown");
    sub->add_option("key", line_.key, "Key")->required();
    Database(sub);
  }

  void Database(CLI::App* sub) {
    sub->add_option("--db", line_.db, "The database")
        ->check(CLI::Range(0, 15))
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
                    "How long entries stay when this program or its node is "
                    "gone; they leave up to 3 s after that")
        ->check(CLI::Range(0, 600'000))
        ->capture_default_str();
    AddGiveUp(sub);
  }

  // The simulator is a program of its own, with flags of its own.
  void AddSim() {
    Add(Command::kSim, "sim",
        "Run the simulator: whole clusters in simulated time, with every "
        "fault\nthat a seed brings; muster sim --seed 7 --trace")
        ->prefix_command()
        ->set_help_flag();
  }

  // The option's value must not be empty: an empty name is not a missing one.
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

  absl::Status TakeAddresses() {
    const char* variable = std::getenv(kAtVariable);
    std::string text = kDefaultAddress;
    if (!at_.empty()) {
      text = Unguarded(at_.back());
    } else if (variable != nullptr) {
      text = variable;
    }
    absl::StatusOr<std::vector<std::string>> at = client::ParseAddresses(
        text, at_.empty() && variable != nullptr ? kAtVariable : "--at");
    if (at.ok()) line_.at = *std::move(at);
    return at.status();
  }

  void UnguardNames() {
    for (std::string* name :
         {&line_.topic, &line_.key, &line_.prefix, &line_.meta, &line_.node,
          &line_.reason, &line_.admin_token}) {
      *name = Unguarded(std::move(*name));
    }
    for (std::vector<std::string>* names :
         {&line_.topics, &line_.keys, &keys_}) {
      for (std::string& name : *names) name = Unguarded(std::move(name));
    }
  }

  absl::StatusOr<CommandLine> TakeServe() {
    for (const ConfigOption& option : ConfigTable()) {
      std::vector<std::string>& texts = flags_[option.name];
      if (texts.empty()) continue;
      std::string text = texts.back();
      if (option.type == ConfigType::kList) {
        std::erase(texts, "");  // A list of none.
        text = absl::StrJoin(texts, ",");
      }
      line_.config.flags.emplace_back(option.name, Unguarded(std::move(text)));
    }
    line_.config.file = Unguarded(std::move(line_.config.file));
    for (const ConfigOption& option : ConfigTable()) {
      if (option.variable.empty()) continue;
      const char* text = std::getenv(option.variable.c_str());
      if (text == nullptr || *text == '\0') continue;
      line_.config.variables.emplace_back(option.name, text);
    }
    return line_;
  }

  absl::Status TakeAdminToken() {
    if (!admin_.contains(line_.command)) return absl::OkStatus();
    std::string& token = line_.admin_token;
    const char* variable = std::getenv(kAdminTokenVariable);
    if (token.empty() && variable != nullptr) token = variable;
    if (token.empty()) return absl::OkStatus();
    absl::StatusOr<std::string> read = ReadSecret("admin-token", token);
    if (!read.ok()) return read.status();
    token = *std::move(read);
    if (IsBearerToken(token)) return absl::OkStatus();
    return absl::InvalidArgumentError(
        "admin-token (hidden): must be 1 to 1024 printable characters of "
        "ASCII without a space, or @FILE");
  }

  absl::StatusOr<CommandLine> TakeSim() {
    for (std::string& word : app_.get_subcommand("sim")->remaining()) {
      line_.rest.push_back(Unguarded(std::move(word)));
    }
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
          "watch: nothing to watch; give topics, --prefix, --key or --keys");
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
  std::set<Command> admin_;
  CommandLine line_;
};

// Prints why there is no command to run: help was asked for, or the command
// line is wrong. An unknown word is named before an argument that is missing
// because of it.
ExitCode Explain(Parser& parser, const CLI::ParseError& error,
                 std::ostream& out, std::ostream& err) {
  const auto is = [&error](CLI::ExitCodes code) {
    return error.get_exit_code() == static_cast<int>(code);
  };
  // A request for a command's help is answered whatever else the line holds.
  const bool help =
      is(CLI::ExitCodes::Success) && !parser.app().get_subcommands().empty();
  const std::string unknown =
      help ? ""
           : parser.Unknown(/*only_flags=*/!is(CLI::ExitCodes::ExtrasError));
  if (!unknown.empty()) {
    err << "muster: " << Unguarded(unknown) << '\n';
    return kBadUsage;
  }
  std::ostringstream text;
  const int code = parser.app().exit(error, out, text);
  err << Unguarded(text.str());
  return code == 0 ? kDone : kBadUsage;
}

}  // namespace

std::optional<CommandLine> ParseCommandLine(int argc, const char* const* argv,
                                            std::ostream& out,
                                            std::ostream& err, ExitCode* exit) {
  Parser parser;
  std::vector<std::string> words = WordsOf(argc, argv);
  std::vector<std::string> command = TakeKvCommand(words);
  for (std::string& word : words) word = Guarded(std::move(word));
  std::reverse(words.begin(), words.end());  // As CLI11 wants them.
  try {
    parser.app().parse(std::move(words));
  } catch (const CLI::ParseError& error) {
    *exit = Explain(parser, error, out, err);
    return std::nullopt;
  }
  absl::StatusOr<CommandLine> line = parser.Take();
  if (line.ok()) {
    if (line->command == Command::kKv) line->rest = std::move(command);
    return *std::move(line);
  }
  err << "muster: " << line.status().message() << '\n';
  *exit = kBadUsage;
  return std::nullopt;
}

}  // namespace muster::cli
