// All that one scrape shows, as values: made by Collector, read by the rows of
// the metric table.
#ifndef MUSTER_NODE_METRICS_SNAPSHOT_H_
#define MUSTER_NODE_METRICS_SNAPSHOT_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "node/runtime/core_port.h"
#include "node/runtime/runtime.h"
#include "node/service/client_services.h"

namespace muster::metrics {

// Of this process, as the system tells; 0 where it does not.
struct ProcessMeasures {
  uint64_t resident_bytes = 0;
  uint64_t virtual_bytes = 0;
  uint64_t open_files = 0;
  uint64_t max_files = 0;
  uint64_t threads = 0;
  double cpu_seconds = 0;
};
ProcessMeasures MeasureProcess();

struct Snapshot {
  std::string node;
  std::string cluster;
  std::string version;

  // Of the loop, or null if it has never answered; `fresh` if it did so for
  // this scrape, else `age` is how long ago that was.
  std::shared_ptr<const Runtime::LoopMeasures> loop;
  bool fresh = false;
  absl::Duration age;

  // Of now, whether or not the loop answers.
  RuntimeStats runtime;
  service::ClientServices::Queued services;
  ProcessMeasures process;
  // All counters of `status`, by name.
  std::map<std::string, uint64_t> counters;
};

}  // namespace muster::metrics

#endif  // MUSTER_NODE_METRICS_SNAPSHOT_H_
