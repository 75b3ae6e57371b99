#include "bench/base.h"

#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"

namespace muster::bench {

namespace {

Nanos Read(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

}  // namespace

Nanos Clock() { return Read(CLOCK_MONOTONIC); }
Nanos ThreadClock() { return Read(CLOCK_THREAD_CPUTIME_ID); }

void Die(absl::string_view why) {
  std::fflush(stdout);
  std::fprintf(stderr, "bench: %.*s\n", static_cast<int>(why.size()),
               why.data());
  std::_Exit(1);
}

void Samples::Add(Nanos sample) {
  values_.push_back(sample);
  sorted_ = false;
}

void Samples::Add(const Samples& others) {
  values_.insert(values_.end(), others.values_.begin(), others.values_.end());
  sorted_ = false;
}

Nanos Samples::Percentile(double percent) {
  if (values_.empty()) Die("a percentile of no samples");
  if (!sorted_) std::sort(values_.begin(), values_.end());
  sorted_ = true;
  const double rank = std::ceil(percent / 100 * values_.size());
  return values_[rank < 1 ? 0 : static_cast<size_t>(rank) - 1];
}

size_t Samples::Above(Nanos limit) const {
  return std::count_if(values_.begin(), values_.end(),
                       [limit](Nanos value) { return value > limit; });
}

std::string Samples::Summary() {
  if (values_.empty()) return "none";
  return absl::StrFormat("p50 %.2f  p99 %.2f  max %.2f ms (%d)",
                         Millis(Percentile(50)), Millis(Percentile(99)),
                         Millis(Percentile(100)), values_.size());
}

double Median(std::vector<double> values) {
  if (values.empty()) Die("a median of no values");
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  if (values.size() % 2 == 1) return values[middle];
  return (values[middle - 1] + values[middle]) / 2;
}

Nanos WaitUntil(absl::string_view what, absl::Duration limit,
                const std::function<bool()>& done, absl::Duration pause) {
  const Nanos give_up = Clock() + absl::ToInt64Nanoseconds(limit);
  for (;;) {
    if (done()) return Clock();
    if (Clock() > give_up) {
      Die(absl::StrCat("waited ", absl::FormatDuration(limit), " for ", what));
    }
    absl::SleepFor(pause);
  }
}

}  // namespace muster::bench
