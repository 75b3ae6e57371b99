// muster: a presence cluster node and its client, in one binary.
#include <google/protobuf/stubs/logging.h>
#include <unistd.h>

#include <iostream>
#include <optional>

#include "node/cli/client_command.h"
#include "node/cli/command_line.h"
#include "node/cli/sim_command.h"
#include "node/commands/command_page.h"
#include "node/config/config.h"
#include "node/metrics/metric_table.h"
#include "node/serve.h"

namespace {

using muster::cli::ClientCommand;
using muster::cli::Command;
using muster::cli::ExitCode;

ExitCode RunClient(const muster::cli::CommandLine& line) {
  // It would print a line of its own for a name that is not UTF-8, before the
  // node's answer.
  google::protobuf::SetLogHandler(nullptr);
  // Before the connection, which starts threads.
  muster::cli::Interrupt interrupt;
  muster::client::ConnectionOptions options;
  options.addresses = line.at;
  options.bearer_token = line.admin_token;
  muster::client::Connection connection(options);
  const ClientCommand command{line,
                              connection,
                              std::cout,
                              std::cerr,
                              interrupt,
                              isatty(STDIN_FILENO) == 1,
                              isatty(STDOUT_FILENO) == 1};
  switch (line.command) {
    case Command::kMembers:
      return RunMembers(command);
    case Command::kList:
      return RunList(command);
    case Command::kGet:
      return RunGet(command);
    case Command::kCount:
      return RunCount(command);
    case Command::kTopics:
      return RunTopics(command);
    case Command::kTopicsOf:
      return RunTopicsOf(command);
    case Command::kExplain:
      return RunExplain(command);
    case Command::kPublish:
      return RunPublish(command);
    case Command::kSubscribe:
      return RunSubscribe(command);
    case Command::kChannels:
      return RunChannels(command);
    case Command::kKv:
      return RunKv(command);
    case Command::kKvExplain:
      return RunKvExplain(command);
    case Command::kWatch:
      return RunWatch(command);
    case Command::kTrack:
      return RunTrack(command);
    case Command::kTop:
      return RunTop(command);
    case Command::kStatus:
      return RunStatus(command);
    case Command::kDrain:
      return RunDrain(command);
    case Command::kEvict:
      return RunEvict(command);
    case Command::kForget:
      return RunForget(command);
    case Command::kServe:
    case Command::kConfigDoc:
    case Command::kMetricsDoc:
    case Command::kCommandDoc:
    case Command::kSim:
      break;
  }
  return muster::cli::kBadUsage;
}

}  // namespace

int main(int argc, char** argv) {
  ExitCode exit = muster::cli::kDone;
  const std::optional<muster::cli::CommandLine> line =
      muster::cli::ParseCommandLine(argc, argv, std::cout, std::cerr, &exit);
  if (!line.has_value()) return exit;
  switch (line->command) {
    case Command::kServe:
      return muster::RunServe(line->config, std::cout);
    case Command::kConfigDoc:
      std::cout << muster::ConfigPage();
      return exit;
    case Command::kMetricsDoc:
      std::cout << muster::metrics::MetricsPage();
      return exit;
    case Command::kCommandDoc:
      std::cout << muster::commands::CommandPage();
      return exit;
    case Command::kSim:
      return muster::cli::RunSim(line->rest, std::cerr);
    default:
      return RunClient(*line);
  }
}
