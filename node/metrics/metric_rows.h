// The rows of the metric table, by group. Internal to node/metrics/.
#ifndef MUSTER_NODE_METRICS_METRIC_ROWS_H_
#define MUSTER_NODE_METRICS_METRIC_ROWS_H_

#include <utility>
#include <vector>

#include "node/metrics/metric_table.h"

namespace muster::metrics {

inline Metric Row(MetricType type, std::string name, std::string help,
                  std::string act) {
  Metric metric;
  metric.type = type;
  metric.name = std::move(name);
  metric.help = std::move(help);
  metric.act = std::move(act);
  return metric;
}
inline Metric Counter(std::string name, std::string help, std::string act) {
  return Row(MetricType::kCounter, std::move(name), std::move(help),
             std::move(act));
}
inline Metric Gauge(std::string name, std::string help, std::string act) {
  return Row(MetricType::kGauge, std::move(name), std::move(help),
             std::move(act));
}
inline Metric Distribution(std::string name, std::string help,
                           std::string act) {
  return Row(MetricType::kHistogram, std::move(name), std::move(help),
             std::move(act));
}

inline double Number(uint64_t value) { return static_cast<double>(value); }

// Where nothing is to be done about a value by itself.
inline constexpr char kContext[] = "–";

std::vector<Metric> NodeRows();
std::vector<Metric> LoadRows();
std::vector<Metric> LoopRows();
std::vector<Metric> MemoryRows();
std::vector<Metric> ConnectionRows();
std::vector<Metric> RefusalRows();
std::vector<Metric> MembershipRows();
std::vector<Metric> BeatRows();
std::vector<Metric> LinkRows();
std::vector<Metric> TrafficRows();
std::vector<Metric> ReplicationRows();
std::vector<Metric> TransferRows();
std::vector<Metric> EndingRows();
std::vector<Metric> WatchRows();
std::vector<Metric> PubSubRows();
std::vector<Metric> KeyspaceRows();
std::vector<Metric> KeyLoadRows();
std::vector<Metric> KeyCallRows();

}  // namespace muster::metrics

#endif  // MUSTER_NODE_METRICS_METRIC_ROWS_H_
