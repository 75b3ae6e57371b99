// The failure detector: how long a peer may be silent before it is suspected,
// by phi accrual over the gaps between the advances of its beat number.
//
// The last 100 gaps give a normal distribution (mean, sigma, the latter at
// least `min_sigma`). phi(t) = -log10 P(gap > t): at threshold 8 a silence is
// suspected once it is a one in 10^8 event, 5.61 sigma above the mean. The
// outcome is clamped to [min_silence, max_silence], because a bad series must
// neither make a node nervous nor blind.
//
//   gaps 250 ms, sigma 100 ms   ->  250 + 5.61 * 100 =  811 ms -> 1.0 s
//   gaps 500 ms, sigma 200 ms   ->  500 + 5.61 * 200 = 1622 ms -> 1.6 s
//
// Also here: StallWatch, by which a node that did not run blames itself.
//
// Source: Hayashibara et al., The phi accrual failure detector (2004). We
// deviate in that the threshold is turned into a time once a beat, so that
// judging costs one comparison.
//
// Pure values; every function is total. GapWindow: O(1) an Add, 424 bytes.
#ifndef MUSTER_NODE_CORE_MEMBERSHIP_FAILURE_DETECTOR_H_
#define MUSTER_NODE_CORE_MEMBERSHIP_FAILURE_DETECTOR_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"
#include "node/core/options.h"
#include "node/core/time.h"

namespace muster::core {

// The last gaps between a peer's beats. Invariant: `sum_` and `squares_` are
// those of the gaps held.
class GapWindow {
 public:
  static constexpr size_t kGaps = 100;
  // A longer gap counts as this: it was an outage, not a rhythm.
  static constexpr absl::Duration kLongest = absl::Seconds(10);

  void Add(absl::Duration gap);
  size_t size() const { return size_; }
  // REQUIRES: size() > 0.
  absl::Duration Mean() const;
  absl::Duration Sigma() const;

 private:
  std::array<uint32_t, kGaps> gaps_us_ = {};
  size_t next_ = 0;
  size_t size_ = 0;
  uint64_t sum_ = 0;
  uint64_t squares_ = 0;
};

class FailureDetector {
 public:
  explicit FailureDetector(const DetectorOptions& options);

  // -log10 of the probability that a live peer is silent for longer.
  double Phi(const GapWindow& gaps, absl::Duration silence) const;
  // The silence at which phi reaches the threshold, clamped. `stream_only`:
  // the peer's beats come by no datagram.
  absl::Duration SuspectAfter(const GapWindow& gaps, bool stream_only) const;

 private:
  struct Normal {
    absl::Duration mean;
    absl::Duration sigma;
  };
  Normal Fit(const GapWindow& gaps) const;

  const DetectorOptions options_;
  // The threshold as a distance from the mean, in sigmas.
  const double sigmas_;
};

// Notices that this node itself did not run (SIGSTOP, a suspended machine, a
// starved process), from the time between two calls into it.
//
// After a stall the node is *settling* until two ticks and kSettle have passed.
// Input read then may have waited for as long as the stall, so `InputDelay` is
// added to its age, and no peer is judged. After a pause, which is shorter, the
// node reads its waiting input before it judges a peer: the first tick judges
// none.
//
// An overloaded node never stands still, and yet its input has waited, in one
// queue with its ticks. One tick waits at a time, so the input read now came
// after the tick before the last.
class StallWatch {
 public:
  // Far above the tick period of 10 ms.
  static constexpr absl::Duration kStall = absl::Milliseconds(200);
  static constexpr absl::Duration kPause = absl::Milliseconds(40);
  static constexpr absl::Duration kSettle = absl::Milliseconds(50);

  explicit StallWatch(Instant now)
      : last_(now), ticked_(now), ticked_before_(now) {}
  // At every call. The stall that has just ended, or zero.
  absl::Duration OnCall(Instant now);
  // At every tick, after OnCall.
  void Tick(Instant now);
  bool settling() const { return ticks_left_ > 0 || unread_; }
  // Input that waited during a stall is still to be read.
  bool stalled() const { return delay_ > absl::ZeroDuration(); }
  // How long input may have waited at most; 0 if that is nothing unusual.
  absl::Duration InputDelay() const { return std::max(delay_, backlog_); }

 private:
  Instant last_;
  Instant ticked_;
  Instant ticked_before_;
  Instant resumed_;
  int ticks_left_ = 0;
  bool paused_ = false;  // Since the last tick.
  bool unread_ = false;
  absl::Duration delay_;
  absl::Duration backlog_;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_MEMBERSHIP_FAILURE_DETECTOR_H_
