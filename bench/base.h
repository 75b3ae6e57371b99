// What every benchmark needs: a clock, samples with percentiles, a way to
// give up, and waiting for a condition.
//
// Latencies are kept as a raw array of nanoseconds and sorted when a
// percentile is asked for: nothing is lost in buckets.
#ifndef MUSTER_BENCH_BASE_H_
#define MUSTER_BENCH_BASE_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace muster::bench {

// Nanoseconds of the monotonic clock.
using Nanos = int64_t;
Nanos Clock();
// Of the processor time of this thread: what others do meanwhile is not in it.
Nanos ThreadClock();

inline double Millis(Nanos ns) { return static_cast<double>(ns) / 1e6; }
inline double Micros(Nanos ns) { return static_cast<double>(ns) / 1e3; }

// Prints `why` on stderr and exits with 1. Nodes that were started die with
// the program. For what makes a measurement worthless.
[[noreturn]] void Die(absl::string_view why);

// Not thread-safe.
class Samples {
 public:
  void Add(Nanos sample);
  void Add(const Samples& others);
  size_t size() const { return values_.size(); }
  // `percent` of 50 is the median; the nearest rank, so it is a real sample.
  // REQUIRES: at least one sample.
  Nanos Percentile(double percent);
  // How many are more than `limit`.
  size_t Above(Nanos limit) const;
  // "p50 0.12  p99 0.80  max 1.20 ms (1000)", or "none".
  std::string Summary();

 private:
  std::vector<Nanos> values_;
  bool sorted_ = true;
};

double Median(std::vector<double> values);

// Polls `done` every `pause`; dies with `what` after `limit`. Returns when it
// was found true.
Nanos WaitUntil(absl::string_view what, absl::Duration limit,
                const std::function<bool()>& done,
                absl::Duration pause = absl::Milliseconds(1));

}  // namespace muster::bench

#endif  // MUSTER_BENCH_BASE_H_
