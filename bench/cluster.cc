#include "bench/cluster.h"

#include <cstdio>

namespace muster::bench {

std::unique_ptr<Node> StartNode(const Settings& settings,
                                const std::string& name,
                                const std::vector<const Node*>& others) {
  NodeOptions options;
  options.binary = settings.binary;
  options.name = name;
  options.flags = settings.flags;
  for (const Node* other : others) {
    options.join.push_back(other->process.address());
  }
  return std::make_unique<Node>(options);
}

Pair::Pair(const Settings& settings)
    : a(StartNode(settings, "a", {})), b(StartNode(settings, "b", {a.get()})) {
  WaitLinked({&a->client, &b->client});
}

void Progress(absl::string_view what) {
  std::fprintf(stderr, "%.*s\n", static_cast<int>(what.size()), what.data());
}

}  // namespace muster::bench
