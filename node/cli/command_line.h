// The command line of `muster` as values.
//
//   muster serve --node a --join h1:7400,h2:7400
//   muster list room --at h1:7400 --json
#ifndef MUSTER_NODE_CLI_COMMAND_LINE_H_
#define MUSTER_NODE_CLI_COMMAND_LINE_H_

#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "node/cli/exit_code.h"
#include "node/config/config.h"

namespace muster::cli {

enum class Command {
  kServe,
  kConfigDoc,
  kMetricsDoc,
  kCommandDoc,
  kMembers,
  kList,
  kGet,
  kCount,
  kTopics,
  kTopicsOf,
  kExplain,
  kWatch,
  kTrack,
  kTop,
  kStatus,
  kDrain,
  kEvict,
  kForget,
  kPublish,
  kSubscribe,
  kChannels,
  kKv,
  kKvExplain,
  kSim,
};

struct CommandLine {
  Command command = Command::kServe;

  ConfigSources config;  // serve

  // For all commands of a client.
  std::vector<std::string> at;
  bool json = false;
  std::string admin_token;  // drain, evict, forget; contents of "@FILE".

  std::string topic;
  std::string key;
  std::string prefix;
  std::vector<std::string> topics;  // watch
  std::vector<std::string> keys;    // watch
  bool counts = false;              // watch
  bool entries = false;             // watch
  uint32_t interval_ms = 1000;      // watch --counts
  std::string meta;                 // track
  uint32_t grace_ms = 0;            // track
  std::string reason;               // evict
  std::string node;                 // forget
  std::string channel;              // publish
  std::string payload;              // publish
  std::vector<std::string> names;   // subscribe
  bool patterns = false;            // subscribe: names are patterns
  std::string pattern;              // channels
  bool follow = false;              // members
  bool all = false;                 // members
  bool once = false;                // top
  uint32_t give_up_ms = 0;          // track, watch, members, top,
                                    // subscribe; 0: never
  uint32_t db = 0;                  // kv, kv-explain
  bool at_leader = false;           // kv
  bool atomic = false;              // kv
  std::vector<std::string> rest;    // sim, kv: the command
};

// `muster help COMMAND` is `muster COMMAND --help`. Names are taken literally,
// whatever bytes they hold.
// Help goes to `out`, errors to `err`; both set `*exit` and return no command.
std::optional<CommandLine> ParseCommandLine(int argc, const char* const* argv,
                                            std::ostream& out,
                                            std::ostream& err, ExitCode* exit);

}  // namespace muster::cli

#endif  // MUSTER_NODE_CLI_COMMAND_LINE_H_
