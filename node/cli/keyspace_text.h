// The keyspace's part of `muster status`.
#ifndef MUSTER_NODE_CLI_KEYSPACE_TEXT_H_
#define MUSTER_NODE_CLI_KEYSPACE_TEXT_H_

#include <ostream>

#include "muster/v1/cluster.pb.h"

namespace muster::cli {

// Its rows, and a table of followers if the node leads any. Nothing for a node
// of a version without keys.
void PrintKeyspace(const v1::KeyspaceStatus& keyspace, std::ostream& out);

}  // namespace muster::cli

#endif  // MUSTER_NODE_CLI_KEYSPACE_TEXT_H_
