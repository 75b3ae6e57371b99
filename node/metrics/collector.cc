#include "node/metrics/collector.h"

#include <atomic>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "node/metrics/metric_table.h"
#include "node/mutex.h"

namespace muster::metrics {
namespace {

// How often a scrape looks whether the loop has answered.
constexpr std::chrono::milliseconds kLook{1};

prometheus::MetricType ToPrometheus(MetricType type) {
  switch (type) {
    case MetricType::kCounter:
      return prometheus::MetricType::Counter;
    case MetricType::kGauge:
      return prometheus::MetricType::Gauge;
    case MetricType::kHistogram:
      break;
  }
  return prometheus::MetricType::Histogram;
}

prometheus::ClientMetric ToPrometheus(const Metric& metric,
                                      const Sample& sample) {
  prometheus::ClientMetric out;
  for (size_t i = 0; i < metric.labels.size(); ++i) {
    out.label.push_back({metric.labels[i], sample.label_values[i]});
  }
  switch (metric.type) {
    case MetricType::kCounter:
      out.counter.value = sample.value;
      break;
    case MetricType::kGauge:
      out.gauge.value = sample.value;
      break;
    case MetricType::kHistogram:
      out.histogram.sample_count = sample.count;
      out.histogram.sample_sum = sample.sum;
      for (const Sample::Bucket& bucket : sample.buckets) {
        out.histogram.bucket.push_back({bucket.count, bucket.upper_bound});
      }
      break;
  }
  return out;
}

}  // namespace

// What HTTP threads and the loop share.
struct Collector::Exchange {
  struct Copy {
    Clock::time_point when;
    Runtime::LoopMeasures measures;
  };
  ~Exchange() { delete given.load(); }

  // Given by the loop and not taken yet. The loop is asked again only after
  // that, so it never finds another one here.
  std::atomic<const Copy*> given{nullptr};

  // The HTTP threads' own.
  Mutex mutex;
  bool asked ABSL_GUARDED_BY(mutex) = false;
  std::shared_ptr<const Copy> last ABSL_GUARDED_BY(mutex);
};

Collector::Collector(Identity identity, Runtime* runtime,
                     const service::ClientServices* services)
    : identity_(std::move(identity)),
      runtime_(runtime),
      services_(services),
      exchange_(std::make_shared<Exchange>()) {}

bool Collector::Exchanged(Clock::time_point began, Snapshot& snapshot) const {
  MutexLock lock(exchange_->mutex);
  if (const Exchange::Copy* given = exchange_->given.exchange(nullptr)) {
    exchange_->last.reset(given);
    exchange_->asked = false;
  }
  if (exchange_->last != nullptr) {
    // The measures, kept by what they are a part of.
    snapshot.loop = {exchange_->last, &exchange_->last->measures};
    snapshot.fresh = exchange_->last->when >= began;
    snapshot.age = absl::FromChrono(Clock::now() - exchange_->last->when);
  }
  if (snapshot.fresh || std::exchange(exchange_->asked, true)) {
    return snapshot.fresh;
  }
  runtime_->Measure([exchange = exchange_](Runtime::LoopMeasures measures) {
    exchange->given = new Exchange::Copy{Clock::now(), std::move(measures)};
  });
  return false;
}

void Collector::AskLoop(Snapshot& snapshot) const {
  const Clock::time_point began = Clock::now();
  while (!Exchanged(began, snapshot) && Clock::now() - began < kWait) {
    std::this_thread::sleep_for(kLook);
  }
  if (snapshot.fresh) snapshot.age = absl::ZeroDuration();
}

Snapshot Collector::Take() const {
  Snapshot snapshot;
  AskLoop(snapshot);
  snapshot.node = identity_.node;
  snapshot.cluster = identity_.cluster;
  snapshot.version = identity_.version;
  snapshot.runtime = runtime_->Stats();
  snapshot.services = services_->queued();
  snapshot.process = MeasureProcess();
  if (snapshot.loop != nullptr) {
    const auto& counters = snapshot.loop->core.status.counters;
    snapshot.counters.insert(counters.begin(), counters.end());
  }
  for (const auto& [name, value] : snapshot.runtime.counters) {
    snapshot.counters[name] = value;
  }
  for (const auto& [name, value] : services_->Counters()) {
    snapshot.counters[name] = value;
  }
  return snapshot;
}

std::vector<prometheus::MetricFamily> Collector::Collect() const {
  const Snapshot snapshot = Take();
  std::vector<prometheus::MetricFamily> families;
  for (const Metric& metric : MetricTable()) {
    const std::vector<Sample> samples = SamplesOf(metric, snapshot);
    if (samples.empty()) continue;
    prometheus::MetricFamily family;
    family.name = metric.name;
    family.help = metric.help;
    family.type = ToPrometheus(metric.type);
    for (const Sample& sample : samples) {
      family.metric.push_back(ToPrometheus(metric, sample));
    }
    families.push_back(std::move(family));
  }
  return families;
}

}  // namespace muster::metrics
