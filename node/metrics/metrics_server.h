// The HTTP server of a node's metrics: GET /metrics, in Prometheus' text
// format.
//
// Life: Start, before the node takes its own port, so that a port in use ends
// the start early; Serve, once the node has started; destroy, before the
// runtime and the services. Until Serve a scrape gets 404.
//
// Threads: two of its own (of civetweb), which write to no stream of the
// process and touch no core: they ask for copies; see collector.h.
#ifndef MUSTER_NODE_METRICS_METRICS_SERVER_H_
#define MUSTER_NODE_METRICS_METRICS_SERVER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "node/metrics/collector.h"
#include "node/metrics/options.h"

namespace prometheus {
class Exposer;
}

namespace muster::metrics {

class MetricsServer {
 public:
  // Errors: INVALID_ARGUMENT malformed, not IPv4, or not loopback without
  // Options::insecure; UNAVAILABLE the address cannot be listened on, e.g.
  // "--metrics-listen 127.0.0.1:9464: the port is already taken".
  static absl::StatusOr<std::unique_ptr<MetricsServer>> Start(
      const Options& options);
  // Answers the scrapes under way, within Collector::kWait.
  ~MetricsServer();
  MetricsServer(const MetricsServer&) = delete;
  MetricsServer& operator=(const MetricsServer&) = delete;

  // HOST:PORT as bound.
  const std::string& address() const { return address_; }
  void Serve(std::shared_ptr<Collector> collector);

 private:
  MetricsServer();

  std::string address_;
  std::shared_ptr<Collector> collector_;
  std::unique_ptr<prometheus::Exposer> exposer_;
};

}  // namespace muster::metrics

#endif  // MUSTER_NODE_METRICS_METRICS_SERVER_H_
