#include "node/core/membership/failure_detector.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "crdt/mutant.h"

namespace muster::core {
namespace {

// P(X > mean + sigmas * sigma) for a normal X.
double Tail(double sigmas) { return 0.5 * std::erfc(sigmas / std::sqrt(2.0)); }

// The distance from the mean at which phi is `threshold`.
double SigmasOf(double threshold) {
  double low = -10;
  double high = 38;  // Tail is the smallest double there.
  double wanted = std::pow(10, -threshold);
  for (int i = 0; i < 100; ++i) {
    double middle = (low + high) / 2;
    (Tail(middle) > wanted ? low : high) = middle;
  }
  return high;
}

// Whether the node takes no notice that it did not run, as a mutant does not.
bool IsBlind() { return crdt::Mutated(crdt::Mutant::kBlamesOthersAfterStall); }

}  // namespace

void GapWindow::Add(absl::Duration gap) {
  gap = std::clamp(gap, absl::ZeroDuration(), kLongest);
  uint64_t us = absl::ToInt64Microseconds(gap);
  if (size_ == kGaps) {
    uint64_t old = gaps_us_[next_];
    sum_ -= old;
    squares_ -= old * old;
  } else {
    ++size_;
  }
  gaps_us_[next_] = static_cast<uint32_t>(us);
  sum_ += us;
  squares_ += us * us;
  next_ = (next_ + 1) % kGaps;
}

absl::Duration GapWindow::Mean() const {
  return absl::Microseconds(sum_ / size_);
}

absl::Duration GapWindow::Sigma() const {
  double mean = static_cast<double>(sum_) / size_;
  double variance = static_cast<double>(squares_) / size_ - mean * mean;
  return absl::Microseconds(std::sqrt(std::max(variance, 0.0)));
}

FailureDetector::FailureDetector(const DetectorOptions& options)
    : options_(options), sigmas_(SigmasOf(options.phi_threshold)) {}

FailureDetector::Normal FailureDetector::Fit(const GapWindow& gaps) const {
  if (gaps.size() == 0) return {options_.beat_interval, options_.min_sigma};
  return {gaps.Mean(), std::max(gaps.Sigma(), options_.min_sigma)};
}

double FailureDetector::Phi(const GapWindow& gaps,
                            absl::Duration silence) const {
  Normal fit = Fit(gaps);
  return -std::log10(Tail(absl::FDivDuration(silence - fit.mean, fit.sigma)));
}

absl::Duration FailureDetector::SuspectAfter(const GapWindow& gaps,
                                             bool stream_only) const {
  Normal fit = Fit(gaps);
  absl::Duration ceiling =
      stream_only ? options_.max_silence_stream_only : options_.max_silence;
  absl::Duration silence = fit.mean + sigmas_ * fit.sigma;
  return std::max(std::min(silence, ceiling), options_.min_silence);
}

absl::Duration StallWatch::OnCall(Instant now) {
  const absl::Duration gap = now - std::exchange(last_, now);
  if (IsBlind()) return absl::ZeroDuration();
  const bool behind =
      std::max(now - ticked_, ticked_ - ticked_before_) > kStall;
  backlog_ = behind ? now - ticked_before_ : absl::ZeroDuration();
  paused_ |= gap > kPause;
  if (gap <= kStall) return absl::ZeroDuration();
  resumed_ = now;
  ticks_left_ = 2;
  delay_ = gap;
  return gap;
}

void StallWatch::Tick(Instant now) {
  // Not twice in turn: the ticks may always be far apart.
  unread_ = std::exchange(paused_, false) && !unread_;
  ticked_before_ = std::exchange(ticked_, now);
  if (ticks_left_ == 0) return;
  if (ticks_left_ == 1 && now - resumed_ < kSettle) return;
  if (--ticks_left_ == 0) delay_ = absl::ZeroDuration();
}

}  // namespace muster::core
