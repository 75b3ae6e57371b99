// Time as the core sees it: a value handed in with every step.
#ifndef MUSTER_NODE_CORE_TIME_H_
#define MUSTER_NODE_CORE_TIME_H_

#include <compare>
#include <cstdint>

#include "absl/time/time.h"

namespace muster::core {

// A point on the monotonic clock, suspends included (CLOCK_BOOTTIME), in
// microseconds since an arbitrary start.
struct Instant {
  int64_t us = 0;
  auto operator<=>(const Instant&) const = default;
};
inline Instant operator+(Instant t, absl::Duration d) {
  return {t.us + absl::ToInt64Microseconds(d)};
}
inline Instant operator-(Instant t, absl::Duration d) {
  return {t.us - absl::ToInt64Microseconds(d)};
}
inline absl::Duration operator-(Instant a, Instant b) {
  return absl::Microseconds(a.us - b.us);
}
inline constexpr Instant kNever{INT64_MAX};
// Before any that a clock shows, and differences to it do not overflow.
inline constexpr Instant kLongAgo{INT64_MIN / 4};

// Both clocks at one moment. The wall clock may jump; it only names
// incarnations and is shown to people.
struct Now {
  Instant mono;
  int64_t wall_us = 0;  // Unix time.
};

// The latest beat number of an origin that is known of.
struct LastBeat {
  uint64_t number = 0;
  Instant at{0};      // When it advanced to it, by the teller's age of it.
  bool late = false;  // It waited on its way: `at` is the earliest it may be.
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_TIME_H_
