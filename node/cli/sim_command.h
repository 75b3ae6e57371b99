// `muster sim`: the simulator, which is a program of its own (muster-sim), so
// that the node's binary contains nothing of it.
#ifndef MUSTER_NODE_CLI_SIM_COMMAND_H_
#define MUSTER_NODE_CLI_SIM_COMMAND_H_

#include <ostream>
#include <string>
#include <vector>

#include "node/cli/exit_code.h"

namespace muster::cli {

// Replaces the process by muster-sim, which stands beside this binary or in its
// build tree. Returns only if there is none, and says so to `err`.
ExitCode RunSim(const std::vector<std::string>& args, std::ostream& err);

}  // namespace muster::cli

#endif  // MUSTER_NODE_CLI_SIM_COMMAND_H_
