// kv, kv-explain.
#include <algorithm>
#include <iostream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "muster/client/kv.h"
#include "node/cli/client_command.h"
#include "node/cli/json.h"
#include "node/cli/kv_text.h"
#include "node/cli/text.h"
#include "node/commands/command.h"

namespace muster::cli {
namespace {

using Words = client::Kv::Words;

// It only reads, so it may be sent twice.
bool OnlyReads(const Words& words) {
  const commands::Command* command = commands::FindCommand(words[0]);
  return command != nullptr && !command->Has(commands::kWrite);
}

// Runs commands at a node, one after the other, and prints their answers.
class KvRunner {
 public:
  explicit KvRunner(const ClientCommand& command)
      : command_(command),
        kv_(&command.connection, {.at_leader = command.line.at_leader}),
        on_interrupt_(command.interrupt, [this] { kv_.Cancel(); }),
        db_(command.line.db) {}

  ExitCode Run(const Words& words) {
    const ExitCode code = Execute({words}, /*atomic=*/false);
    if (code == kDone && words.size() == 2 &&
        absl::EqualsIgnoreCase(words[0], "SELECT")) {
      // The node knows no connection that could remember it.
      absl::SimpleAtoi(words[1], &db_);
    }
    return code;
  }

  // One after the other. The gravest of the exit codes.
  ExitCode RunLines(std::istream& in) {
    ExitCode code = kDone;
    std::string line;
    while (Prompt(), std::getline(in, line)) {
      const std::optional<Words> words = Split(line);
      if (!words.has_value()) {
        code = std::max(code, kAnswerIsNo);
      } else if (!words->empty()) {
        code = std::max(code, Run(*words));
      }
      if (code == kUnreachable || interrupted_) break;
    }
    return code;
  }

  // As one transaction.
  ExitCode RunAtOnce(std::istream& in) {
    std::vector<Words> all;
    std::string line;
    while (std::getline(in, line)) {
      std::optional<Words> words = Split(line);
      if (!words.has_value()) return kAnswerIsNo;
      if (!words->empty()) all.push_back(*std::move(words));
    }
    return all.empty() ? kDone : Execute(all, /*atomic=*/true);
  }

 private:
  void Prompt() {
    if (!command_.in_is_terminal || !command_.out_is_terminal) return;
    const client::Connection& connection = command_.connection;
    command_.out << connection.address(connection.preferred());
    if (db_ != 0) command_.out << '[' << db_ << ']';
    command_.out << "> " << std::flush;
  }

  std::optional<Words> Split(const std::string& line) {
    std::optional<Words> words = SplitLine(line);
    if (!words.has_value()) command_.err << "Invalid argument(s)" << std::endl;
    return words;
  }

  ExitCode Execute(const std::vector<Words>& all, bool atomic) {
    v1::KvExecuteRequest request;
    bool repeat = true;
    for (const Words& words : all) {
      request.add_commands()->mutable_args()->Add(words.begin(), words.end());
      repeat = repeat && OnlyReads(words);
    }
    request.set_atomic(atomic);
    request.mutable_options()->set_db(db_);
    // A pop may wait for ever.
    const absl::StatusOr<v1::KvExecuteResponse> response =
        kv_.Execute(std::move(request),
                    {.timeout = absl::InfiniteDuration(), .repeat = repeat});
    if (absl::IsCancelled(response.status())) {
      command_.err << "muster: interrupted" << std::endl;
      interrupted_ = true;
      return kAnswerIsNo;
    }
    if (!response.ok()) return Report(response.status(), command_.err);
    ExitCode code = kDone;
    for (const v1::KvValue& value : response->values()) {
      code = std::max(code, Print(value));
    }
    return code;
  }

  ExitCode Print(const v1::KvValue& value) {
    const bool is_error = value.kind_case() == v1::KvValue::kError;
    if (command_.line.json) {
      command_.out << ValueJson(value) << std::endl;
    } else {
      (is_error ? command_.err : command_.out) << ValueText(value) << std::endl;
    }
    return is_error ? kAnswerIsNo : kDone;
  }

  const ClientCommand& command_;
  client::Kv kv_;
  const OnInterrupt on_interrupt_;
  uint32_t db_;
  bool interrupted_ = false;
};

std::string DotText(const v1::KvVersion& version) {
  return absl::StrCat(version.life_id().substr(0, 8), ":", version.seq(), ".",
                      version.index());
}

std::string TimeText(uint64_t ms) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%E3S",
                          absl::FromUnixMillis(static_cast<int64_t>(ms)),
                          absl::LocalTimeZone());
}

void PrintExplained(const v1::KvExplainResponse& response, std::ostream& out) {
  out << "type " << response.type() << ", bucket " << response.bucket();
  if (response.due_ms() != 0) {
    out << ", expires " << TimeText(response.due_ms());
  }
  out << '\n';
  if (response.versions().empty()) return;
  using Align = TextTable::Align;
  TextTable table({Align::kLeft, Align::kLeft, Align::kLeft, Align::kLeft,
                   Align::kLeft, Align::kLeft});
  table.AddRow({"ELEMENT", "SHOWN", "WRITTEN AT", "UNDER", "DOT", "WHAT"});
  for (const v1::KvVersion& version : response.versions()) {
    table.AddRow({version.element(), version.shown() ? "yes" : "no",
                  version.stamp_ms() == 0 ? "-" : TimeText(version.stamp_ms()),
                  version.node().empty() ? "-" : version.node(),
                  DotText(version), version.what()});
  }
  table.Print(out);
  if (response.more()) out << "there are more versions\n";
}

}  // namespace

ExitCode RunKv(const ClientCommand& command) {
  if (command.line.atomic && !command.line.rest.empty()) {
    command.err << "muster: kv: --atomic takes its commands from standard "
                   "input; leave the command out\n";
    return kBadUsage;
  }
  KvRunner runner(command);
  if (!command.line.rest.empty()) return runner.Run(command.line.rest);
  return command.line.atomic ? runner.RunAtOnce(std::cin)
                             : runner.RunLines(std::cin);
}

ExitCode RunKvExplain(const ClientCommand& command) {
  v1::KvExplainRequest request;
  request.set_db(command.line.db);
  request.set_key(command.line.key);
  v1::KvExplainResponse response;
  const absl::Status status =
      command.connection.Call(&v1::Kv::Stub::Explain, request, &response);
  if (!status.ok()) return Report(status, command.err);
  if (command.line.json) {
    command.out << ToJson(response) << '\n';
  } else {
    PrintExplained(response, command.out);
  }
  return response.versions().empty() ? kAnswerIsNo : kDone;
}

}  // namespace muster::cli
