// What a scrape is answered with: a snapshot of the node as rows of the table.
//
//   HTTP thread --Runtime::Measure--> loop: copies what it has counted
//        \-- waits, at most kWait <-------/
//
// A loop that hangs holds a scrape up for kWait and no longer: then the last
// copy is shown, with muster_scrape_fresh 0. At most one copy is asked for at a
// time, however many scrapes wait for it.
//
// Threads: any. The loop hands the copy over by writing a pointer, without a
// lock; HTTP threads look for it every millisecond.
#ifndef MUSTER_NODE_METRICS_COLLECTOR_H_
#define MUSTER_NODE_METRICS_COLLECTOR_H_

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "node/metrics/snapshot.h"
#include "node/runtime/runtime.h"
#include "node/service/client_services.h"

namespace muster::metrics {

// The names that muster_build_info shows.
struct Identity {
  std::string node;
  std::string cluster;
  std::string version;
};

class Collector final : public prometheus::Collectable {
 public:
  static constexpr std::chrono::milliseconds kWait{1000};

  // Both outlive the collector, and have been started.
  Collector(Identity identity, Runtime* runtime,
            const service::ClientServices* services);

  Snapshot Take() const;
  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  struct Exchange;

  using Clock = std::chrono::steady_clock;

  // Fills in what is of the loop.
  void AskLoop(Snapshot& snapshot) const;
  // Takes what the loop has given, or asks it; whether that was made since
  // `began`.
  bool Exchanged(Clock::time_point began, Snapshot& snapshot) const;

  const Identity identity_;
  Runtime* const runtime_;
  const service::ClientServices* const services_;
  // Kept by the task on the loop, too.
  const std::shared_ptr<Exchange> exchange_;
};

}  // namespace muster::metrics

#endif  // MUSTER_NODE_METRICS_COLLECTOR_H_
