// A node in this process and what a scrape of it shows.
#ifndef MUSTER_TESTS_METRICS_METRICS_NODE_H_
#define MUSTER_TESTS_METRICS_METRICS_NODE_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "node/metrics/collector.h"
#include "tests/service/test_node.h"

namespace muster::metrics {

class MetricsNode : public service::TestNode {
 public:
  explicit MetricsNode(const std::string& name,
                       std::vector<std::string> join = {})
      : TestNode(name, std::move(join)),
        collector_(std::make_shared<Collector>(Identity{name, "muster", "test"},
                                               &runtime(), &services())) {}

  const std::shared_ptr<Collector>& collector() const { return collector_; }

  // The value of the line with these label values, as the loop has it now; -1
  // if there is none.
  double Value(const std::string& name, std::vector<std::string> labels = {}) {
    Families families;
    EXPECT_TRUE(service::WaitFor([&] {
      families = collector_->Collect();
      return Find(families, "muster_scrape_fresh", {}) == 1;
    }));
    return Find(families, name, labels);
  }

 private:
  using Families = std::vector<prometheus::MetricFamily>;

  static double Find(const Families& families, const std::string& name,
                     const std::vector<std::string>& labels) {
    for (const prometheus::MetricFamily& family : families) {
      if (family.name != name) continue;
      for (const prometheus::ClientMetric& metric : family.metric) {
        std::vector<std::string> values;
        for (const auto& label : metric.label) values.push_back(label.value);
        if (values != labels) continue;
        return family.type == prometheus::MetricType::Counter
                   ? metric.counter.value
                   : metric.gauge.value;
      }
    }
    return -1;
  }

  std::shared_ptr<Collector> collector_;
};

}  // namespace muster::metrics

#endif  // MUSTER_TESTS_METRICS_METRICS_NODE_H_
