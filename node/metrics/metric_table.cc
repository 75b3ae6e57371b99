#include "node/metrics/metric_table.h"

#include <set>

#include "node/metrics/metric_rows.h"

namespace muster::metrics {
namespace {

// Counters of `status` that no row names.
void ReadUnlisted(const Snapshot& snapshot, Samples& out) {
  static const auto* const kListed = [] {
    auto* listed = new std::set<std::string>();
    for (const Metric& metric : MetricTable()) {
      for (const Metric::Source& source : metric.sources) {
        listed->insert(source.counter);
      }
    }
    return listed;
  }();
  for (const auto& [name, value] : snapshot.counters) {
    if (kListed->count(name) == 0) out.Add({name}, static_cast<double>(value));
  }
}

std::vector<Metric> BuildTable() {
  std::vector<Metric> table;
  const auto add = [&table](const char* group, std::vector<Metric> rows) {
    for (Metric& row : rows) {
      row.group = group;
      table.push_back(std::move(row));
    }
  };
  add("The node", NodeRows());
  add("What it holds", LoadRows());
  add("The loop and its queues", LoopRows());
  add("Memory", MemoryRows());
  add("Connections", ConnectionRows());
  add("Refusals and errors", RefusalRows());
  add("Membership", MembershipRows());
  add("Membership", BeatRows());
  add("Links", LinkRows());
  add("Links", TrafficRows());
  add("Replication", ReplicationRows());
  add("Replication", TransferRows());
  add("Sessions", EndingRows());
  add("Watches", WatchRows());
  add("Pub/sub", PubSubRows());
  add("Keys", KeyspaceRows());
  add("Keys", KeyLoadRows());
  add("Keys", KeyCallRows());
  add("Others",
      {Gauge("muster_unlisted",
             "A counter of `muster status` that has no metric of its own.",
             "Any: a fault of this version, please report it.")
           .Labels({"counter"})
           .By(ReadUnlisted)});
  return table;
}

}  // namespace

const char* TypeName(MetricType type) {
  switch (type) {
    case MetricType::kCounter:
      return "counter";
    case MetricType::kGauge:
      return "gauge";
    case MetricType::kHistogram:
      break;
  }
  return "histogram";
}

const std::vector<Metric>& MetricTable() {
  static const auto* const kTable = new std::vector<Metric>(BuildTable());
  return *kTable;
}

std::vector<Sample> SamplesOf(const Metric& metric, const Snapshot& snapshot) {
  Samples samples;
  if (metric.read != nullptr) metric.read(snapshot, samples);
  if (metric.read_loop != nullptr && snapshot.loop != nullptr) {
    metric.read_loop(*snapshot.loop, samples);
  }
  for (const Metric::Source& source : metric.sources) {
    const auto it = snapshot.counters.find(source.counter);
    if (it == snapshot.counters.end()) continue;
    std::vector<std::string> label_values;
    if (!metric.labels.empty()) label_values.push_back(source.label_value);
    samples.Add(std::move(label_values), static_cast<double>(it->second));
  }
  return samples.Take();
}

}  // namespace muster::metrics
