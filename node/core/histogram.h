// How often a time fell between two bounds: what a Prometheus histogram shows.
//
//   bounds 10 us, 20 us, 50 us     Observe(15 us)     counts 0, 1, 0, 0
//
// A count is of the times above the bound before it and at most its own; the
// last count, which has no bound, of all above. So a cumulative count is the
// sum of those up to it.
//
// A plain value: the thread that observes owns it, and others are given a copy.
// Cost: Observe one comparison a bound that is passed, so the bounds begin near
// the times that are common; no allocation. Bytes: 8 a bound, and 24.
#ifndef MUSTER_NODE_CORE_HISTOGRAM_H_
#define MUSTER_NODE_CORE_HISTOGRAM_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"

namespace muster::core {

template <size_t kBounds>
class Histogram {
 public:
  using Bounds = std::array<int64_t, kBounds>;

  // In microseconds, ascending. `bounds` outlives the histogram and its copies.
  explicit constexpr Histogram(const Bounds& bounds) : bounds_(&bounds) {}

  void Observe(int64_t us) {
    size_t i = 0;
    while (i < kBounds && us > (*bounds_)[i]) ++i;
    ++counts_[i];
    sum_us_ += us;
  }
  void Observe(absl::Duration time) {
    Observe(absl::ToInt64Microseconds(time));
  }

  const Bounds& bounds() const { return *bounds_; }
  const std::array<uint64_t, kBounds + 1>& counts() const { return counts_; }
  int64_t sum_us() const { return sum_us_; }

 private:
  const Bounds* bounds_;
  std::array<uint64_t, kBounds + 1> counts_{};
  int64_t sum_us_ = 0;
};

// For what a loop does: from 10 us to 1 s.
inline constexpr std::array<int64_t, 14> kStepBounds = {
    10,    20,    50,     100,    200,     500,     1'000,
    2'000, 5'000, 10'000, 50'000, 100'000, 500'000, 1'000'000};
using StepTimes = Histogram<kStepBounds.size()>;

// For how long it takes to notice that a node has died: 0.1 to 30 s.
inline constexpr std::array<int64_t, 13> kDeathBounds = {
    100'000,   200'000,    300'000,   400'000,   500'000,
    750'000,   1'000'000,  1'500'000, 2'000'000, 2'500'000,
    5'000'000, 10'000'000, 30'000'000};
using DeathTimes = Histogram<kDeathBounds.size()>;

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_HISTOGRAM_H_
