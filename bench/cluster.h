// A few nodes on this machine, each with a client, and what the benchmarks
// have in common: a loaded pair of nodes.
#ifndef MUSTER_BENCH_CLUSTER_H_
#define MUSTER_BENCH_CLUSTER_H_

#include <memory>
#include <string>
#include <vector>

#include "bench/loader.h"
#include "bench/node_client.h"
#include "bench/node_process.h"

namespace muster::bench {

// What every benchmark is told on its command line.
struct Settings {
  std::string binary;              // Path of `muster`.
  std::vector<std::string> flags;  // Further flags of `muster serve`.
  size_t runs = 3;
  size_t connections = 1;       // Of the client that loads.
  size_t per_session = 10;      // Entries of a session of the load.
  size_t window = 4;            // Messages in flight on each stream.
  std::vector<size_t> entries;  // Sizes to measure.
  absl::Duration duration = absl::Seconds(10);  // Of a steady phase.
  std::vector<std::string> attacks;  // Of `hostile`; none: all of them.
};

struct Node {
  explicit Node(const NodeOptions& options)
      : process(options), client(process.address()) {}
  NodeProcess process;
  NodeClient client;
};

// Starts a node that joins `others`.
std::unique_ptr<Node> StartNode(const Settings& settings,
                                const std::string& name,
                                const std::vector<const Node*>& others);

// Nodes a and b, linked and empty.
struct Pair {
  explicit Pair(const Settings& settings);
  std::unique_ptr<Node> a;
  std::unique_ptr<Node> b;
};

// Says on stderr what is going on.
void Progress(absl::string_view what);

}  // namespace muster::bench

#endif  // MUSTER_BENCH_CLUSTER_H_
