// Where a node serves its metrics.
#ifndef MUSTER_NODE_METRICS_OPTIONS_H_
#define MUSTER_NODE_METRICS_OPTIONS_H_

#include <string>

namespace muster::metrics {

struct Options {
  // HOST:PORT, of IPv4; port 0 takes a free one. Empty: metrics are not served.
  std::string listen;
  // Lets `listen` be an address that is not loopback.
  bool insecure = false;
};

}  // namespace muster::metrics

#endif  // MUSTER_NODE_METRICS_OPTIONS_H_
