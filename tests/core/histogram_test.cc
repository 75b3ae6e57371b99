#include "node/core/histogram.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace muster::core {
namespace {

using ::testing::ElementsAre;

constexpr std::array<int64_t, 3> kBounds = {10, 20, 50};

TEST(HistogramTest, ATimeIsCountedAtTheFirstBoundThatIsNotBelowIt) {
  Histogram<3> histogram(kBounds);
  for (int64_t us : {0, 10, 11, 20, 50, 51, 1'000'000}) histogram.Observe(us);
  EXPECT_THAT(histogram.counts(), ElementsAre(2, 2, 1, 2));
  EXPECT_EQ(histogram.sum_us(), 1'000'142);
}

TEST(HistogramTest, ACopyKeepsWhatWasCountedByThen) {
  Histogram<3> histogram(kBounds);
  histogram.Observe(absl::Microseconds(15));
  const Histogram<3> copy = histogram;
  histogram.Observe(absl::Milliseconds(15));
  EXPECT_THAT(copy.counts(), ElementsAre(0, 1, 0, 0));
  EXPECT_EQ(copy.bounds(), kBounds);
}

TEST(HistogramTest, TheBoundsOfTheCoreAscend) {
  EXPECT_TRUE(std::is_sorted(kStepBounds.begin(), kStepBounds.end()));
  EXPECT_TRUE(std::is_sorted(kDeathBounds.begin(), kDeathBounds.end()));
}

}  // namespace
}  // namespace muster::core
