#include "node/core/membership/forgotten_lives.h"

#include <gtest/gtest.h>

namespace muster::core {
namespace {

using absl::Seconds;

crdt::LifeId Life(uint64_t number) { return {0, number}; }

TEST(ForgottenLivesTest, RelayedNewsOfAForgottenLifeIsIgnored) {
  ForgottenLives lives;
  lives.Add(Life(1), Instant{0});
  EXPECT_TRUE(lives.Ignores(Life(1), /*shown=*/false));
  EXPECT_FALSE(lives.Ignores(Life(2), /*shown=*/false));
  EXPECT_TRUE(lives.Contains(Life(1)));
}

TEST(ForgottenLivesTest, ASignOfItsOwnLifeEndsItsBeingForgotten) {
  ForgottenLives lives;
  lives.Add(Life(1), Instant{0});
  EXPECT_FALSE(lives.Ignores(Life(1), /*shown=*/true));
  EXPECT_FALSE(lives.Contains(Life(1)));
  EXPECT_FALSE(lives.Ignores(Life(1), /*shown=*/false));
}

TEST(ForgottenLivesTest, ALifeExpiresOnceItWasForgottenForLonger) {
  ForgottenLives lives;
  lives.Add(Life(1), Instant{0});
  lives.Expire(Seconds(10), Instant{0} + Seconds(10));
  EXPECT_TRUE(lives.Contains(Life(1)));
  lives.Expire(Seconds(10), Instant{0} + Seconds(11));
  EXPECT_FALSE(lives.Contains(Life(1)));
}

TEST(ForgottenLivesTest, ALifePastTheLimitTakesThePlaceOfTheOldest) {
  ForgottenLives lives;
  // The oldest is neither the first nor the last by its id.
  lives.Add(Life(500), Instant{0});
  for (uint64_t i = 0; i < ForgottenLives::kMaxLives; ++i) {
    if (i != 500) lives.Add(Life(i), Instant{1});
  }
  EXPECT_TRUE(lives.Contains(Life(500)));
  lives.Add(Life(5000), Instant{2});
  EXPECT_FALSE(lives.Contains(Life(500)));
  EXPECT_TRUE(lives.Contains(Life(0)));
  EXPECT_TRUE(lives.Contains(Life(5000)));
}

}  // namespace
}  // namespace muster::core
