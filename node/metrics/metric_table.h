// Every metric of a node: its name, type, labels and meaning, when to act on
// it, and where its values come from.
//
//   Counter("muster_rebases_sent_total", "Full transfers …", "Grows for …")
//       .From("rebases_out")
//
// The exposition, docs/metrics.md and the tests of alert rules and dashboard
// are made from this table. A counter of `status` that no row names is exported
// as muster_unlisted{counter="NAME"}; a test fails if there is one.
//
// Names follow Prometheus: `muster_` first, base units (seconds, bytes) last,
// `_total` after the unit of a counter; what every process has is called
// `process_…`, as by other exporters.
#ifndef MUSTER_NODE_METRICS_METRIC_TABLE_H_
#define MUSTER_NODE_METRICS_METRIC_TABLE_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "node/core/histogram.h"
#include "node/metrics/snapshot.h"

namespace muster::metrics {

enum class MetricType { kCounter, kGauge, kHistogram };
const char* TypeName(MetricType type);

// One line of a metric, or the lines of a histogram.
struct Sample {
  // As many as the metric has labels.
  std::vector<std::string> label_values;
  double value = 0;
  // Of a histogram: upper bounds in seconds, and how many lie at or below each.
  struct Bucket {
    double upper_bound;
    uint64_t count;
  };
  std::vector<Bucket> buckets;
  uint64_t count = 0;
  double sum = 0;
};

// What the rows write to.
class Samples {
 public:
  void Add(double value) { all_.push_back({.value = value}); }
  void Add(absl::Duration time) { Add(absl::ToDoubleSeconds(time)); }
  void Add(std::vector<std::string> label_values, double value) {
    all_.push_back({std::move(label_values), value});
  }
  template <size_t kBounds>
  void Add(const core::Histogram<kBounds>& histogram) {
    Sample sample;
    for (size_t i = 0; i < kBounds; ++i) {
      sample.count += histogram.counts()[i];
      sample.buckets.push_back(
          {static_cast<double>(histogram.bounds()[i]) / 1e6, sample.count});
    }
    sample.count += histogram.counts()[kBounds];
    sample.sum = static_cast<double>(histogram.sum_us()) / 1e6;
    all_.push_back(std::move(sample));
  }

  std::vector<Sample> Take() { return std::move(all_); }

 private:
  std::vector<Sample> all_;
};

struct Metric {
  using Read = void (*)(const Snapshot&, Samples&);
  using ReadLoop = void (*)(const Runtime::LoopMeasures&, Samples&);
  // A counter of `status`, and the value of the label for it, if there is one.
  struct Source {
    std::string counter;
    std::string label_value;
  };

  std::string name;
  MetricType type = MetricType::kGauge;
  std::string help;  // What it means: a sentence or more.
  std::string act;   // When to act, and how.
  std::string group;
  std::vector<std::string> labels;
  std::vector<Source> sources;
  Read read = nullptr;
  ReadLoop read_loop = nullptr;

  // ---- for the rows ----
  Metric From(std::string counter, std::string label_value = "") && {
    sources.push_back({std::move(counter), std::move(label_value)});
    return std::move(*this);
  }
  Metric Labels(std::vector<std::string> names) && {
    labels = std::move(names);
    return std::move(*this);
  }
  Metric By(Read f) && {
    read = f;
    return std::move(*this);
  }
  // Of what the loop has measured; nothing until it has answered once.
  Metric ByLoop(ReadLoop f) && {
    read_loop = f;
    return std::move(*this);
  }
};

// In the order of docs/metrics.md.
const std::vector<Metric>& MetricTable();

// All values of one metric; none, if nothing of it has been measured.
std::vector<Sample> SamplesOf(const Metric& metric, const Snapshot& snapshot);

// The page docs/metrics.md.
std::string MetricsPage();

}  // namespace muster::metrics

#endif  // MUSTER_NODE_METRICS_METRIC_TABLE_H_
