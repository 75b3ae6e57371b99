// The parts that all client commands share: the command line, the connection,
// and the output streams.
#ifndef MUSTER_NODE_CLI_CLIENT_COMMAND_H_
#define MUSTER_NODE_CLI_CLIENT_COMMAND_H_

#include <ostream>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "muster/client/connection.h"
#include "node/cli/command_line.h"
#include "node/cli/exit_code.h"
#include "node/cli/interrupt.h"

namespace muster::cli {

struct ClientCommand {
  const CommandLine& line;
  client::Connection& connection;
  std::ostream& out;
  std::ostream& err;
  Interrupt& interrupt;
  // Whether standard input, and `out`, are a terminal: a person, not a script.
  bool in_is_terminal = false;
  bool out_is_terminal = false;
};

// How long to look for a node that was lost.
inline absl::Duration GiveUp(const CommandLine& line) {
  return line.give_up_ms == 0 ? absl::InfiniteDuration()
                              : absl::Milliseconds(line.give_up_ms);
}

// Prints the error, if there is one, and returns its exit code.
inline ExitCode Report(const absl::Status& status, std::ostream& err) {
  if (!status.ok()) err << "muster: " << status.message() << '\n';
  return ExitCodeOf(status);
}

// node/cli/read_commands.cc
ExitCode RunList(const ClientCommand& command);
ExitCode RunGet(const ClientCommand& command);
ExitCode RunCount(const ClientCommand& command);
ExitCode RunTopics(const ClientCommand& command);
ExitCode RunTopicsOf(const ClientCommand& command);
ExitCode RunExplain(const ClientCommand& command);

// node/cli/cluster_commands.cc
ExitCode RunMembers(const ClientCommand& command);
ExitCode RunStatus(const ClientCommand& command);
ExitCode RunDrain(const ClientCommand& command);

// node/cli/admin_commands.cc
ExitCode RunEvict(const ClientCommand& command);
ExitCode RunForget(const ClientCommand& command);

// node/cli/pubsub_commands.cc
ExitCode RunPublish(const ClientCommand& command);
ExitCode RunChannels(const ClientCommand& command);

// node/cli/kv_commands.cc
ExitCode RunKv(const ClientCommand& command);
ExitCode RunKvExplain(const ClientCommand& command);

// These run until interrupted.
ExitCode RunSubscribe(const ClientCommand& command);
ExitCode RunWatch(const ClientCommand& command);
ExitCode RunTrack(const ClientCommand& command);
ExitCode RunTop(const ClientCommand& command);

}  // namespace muster::cli

#endif  // MUSTER_NODE_CLI_CLIENT_COMMAND_H_
