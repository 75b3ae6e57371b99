// The table of metrics, by itself and against a node that runs.
#include "node/metrics/metric_table.h"

#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/service/test_node.h"

namespace muster::metrics {
namespace {

using ::testing::MatchesRegex;
using ::testing::Not;

TEST(MetricTableTest, NamesAreUniqueAndFollowPrometheus) {
  std::set<std::string> names;
  for (const Metric& metric : MetricTable()) {
    EXPECT_TRUE(names.insert(metric.name).second) << metric.name;
    EXPECT_THAT(metric.name, MatchesRegex("(muster|process)_[a-z0-9_]+"));
    EXPECT_EQ(absl::EndsWith(metric.name, "_total"),
              metric.type == MetricType::kCounter)
        << metric.name;
    EXPECT_THAT(metric.name, Not(MatchesRegex(".*_(ms|us|milliseconds|"
                                              "microseconds|kilobytes).*")));
    for (const std::string& label : metric.labels) {
      EXPECT_THAT(label, MatchesRegex("[a-z_]+")) << metric.name;
    }
  }
}

TEST(MetricTableTest, EveryMetricSaysWhatItMeansAndWhenToAct) {
  for (const Metric& metric : MetricTable()) {
    EXPECT_TRUE(absl::EndsWith(metric.help, ".")) << metric.name;
    EXPECT_FALSE(metric.act.empty()) << metric.name;
    EXPECT_FALSE(metric.group.empty()) << metric.name;
    const bool has_values = metric.read != nullptr ||
                            metric.read_loop != nullptr ||
                            !metric.sources.empty();
    EXPECT_TRUE(has_values) << metric.name;
  }
}

TEST(MetricTableTest, SeveralCountersOfOneMetricDifferInItsLabel) {
  for (const Metric& metric : MetricTable()) {
    std::set<std::string> values;
    for (const Metric::Source& source : metric.sources) {
      EXPECT_TRUE(values.insert(source.label_value).second)
          << metric.name << " " << source.label_value;
      EXPECT_EQ(source.label_value.empty(), metric.labels.empty())
          << metric.name;
    }
  }
}

// A counter that is new in `status` needs a row; one that is gone must leave
// the table.
TEST(MetricTableTest, TheCountersOfStatusAndThoseOfTheTableAreTheSame) {
  service::TestNode node("a");
  ASSERT_TRUE(node.WaitReady());
  std::set<std::string> shown;
  const v1::StatusResponse status = node.Status();
  for (const auto& [name, value] : status.counters()) {
    shown.insert(name);
  }
  std::set<std::string> listed;
  for (const Metric& metric : MetricTable()) {
    for (const Metric::Source& source : metric.sources) {
      EXPECT_TRUE(listed.insert(source.counter).second)
          << source.counter << " is in two rows";
    }
  }
  EXPECT_EQ(shown, listed);
}

TEST(MetricTableTest, ACounterWithoutARowIsExportedByItsName) {
  Snapshot snapshot;
  snapshot.counters = {{"deltas_in", 3}, {"something_new", 7}};
  int rows = 0;
  for (const Metric& metric : MetricTable()) {
    for (const Sample& sample : SamplesOf(metric, snapshot)) {
      if (metric.name == "muster_deltas_received_total") {
        EXPECT_EQ(sample.value, 3);
        ++rows;
      } else if (metric.name == "muster_unlisted") {
        EXPECT_EQ(sample.label_values,
                  std::vector<std::string>{"something_new"});
        EXPECT_EQ(sample.value, 7);
        ++rows;
      }
    }
  }
  EXPECT_EQ(rows, 2);
}

// Prometheus takes only one of two lines with the same labels.
TEST(MetricTableTest, TwoLinksToOneNameAreOneLine) {
  Runtime::LoopMeasures loop;
  loop.core.links = {{"b", 1, absl::Milliseconds(20), 70},
                     {"b", 2, absl::Milliseconds(10), 90}};
  int rows = 0;
  for (const Metric& metric : MetricTable()) {
    const bool round_trip = metric.name == "muster_link_round_trip_seconds";
    if (!round_trip && metric.name != "muster_link_unacked_bytes") continue;
    Samples samples;
    metric.read_loop(loop, samples);
    const std::vector<Sample> all = samples.Take();
    ASSERT_EQ(all.size(), 1u) << metric.name;
    EXPECT_EQ(all[0].value, round_trip ? 0.02 : 90) << metric.name;
    ++rows;
  }
  EXPECT_EQ(rows, 2);
}

TEST(MetricsPageTest, TheCommittedPageIsTheOneThatTheTableMakes) {
  std::ifstream in(MUSTER_SOURCE_DIR "/docs/metrics.md");
  std::ostringstream committed;
  committed << in.rdbuf();
  EXPECT_EQ(committed.str(), MetricsPage())
      << "run: muster metrics-doc > docs/metrics.md";
}

}  // namespace
}  // namespace muster::metrics
