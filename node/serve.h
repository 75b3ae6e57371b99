// `muster serve`: one node, from its configuration to its end.
#ifndef MUSTER_NODE_SERVE_H_
#define MUSTER_NODE_SERVE_H_

#include <ostream>

#include "node/cli/exit_code.h"
#include "node/config/config.h"

namespace muster {

// Prints `ready node=a grpc=HOST:PORT` on `out` once the port listens, and
// returns when the node has drained (kDone) or cannot run (kAnswerIsNo). Logs
// and complaints go to standard error.
cli::ExitCode RunServe(const ConfigSources& sources, std::ostream& out);

}  // namespace muster

#endif  // MUSTER_NODE_SERVE_H_
