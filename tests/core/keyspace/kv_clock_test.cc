#include "node/core/keyspace/kv_clock.h"

#include <gtest/gtest.h>

namespace muster::core {
namespace {

Now At(int64_t mono_us, int64_t wall_us) { return {{mono_us}, wall_us}; }

TEST(KvClock, BeginsWithTheWallClockAndGoesOnWithTheMonotonicOne) {
  KvClock clock;
  clock.SetTime(At(5, 1'000'000));
  EXPECT_EQ(clock.now_us(), 1'000'000u);
  clock.SetTime(At(1005, 9'000'000));
  EXPECT_EQ(clock.now_us(), 1'001'000u);
}

TEST(KvClock, TakesTheLeadersTimeFromTheFastestFrame) {
  KvClock clock;
  clock.SetTime(At(0, 0));
  clock.Follow();
  clock.SetTime(At(1000, 0));
  clock.Heard(50'000);  // It took 900 us.
  EXPECT_EQ(clock.now_us(), 50'000u);
  clock.SetTime(At(2000, 0));
  clock.Heard(51'900);  // It took none.
  EXPECT_EQ(clock.now_us(), 51'900u);
  clock.SetTime(At(3000, 0));
  clock.Heard(52'000);
  EXPECT_EQ(clock.now_us(), 52'900u);
}

TEST(KvClock, ForgetsWhatItMeasuredLongAgo) {
  KvClock clock;
  clock.SetTime(At(0, 0));
  clock.Follow();
  clock.Heard(100'000);
  const int64_t minute = 60'000'000;
  for (int i = 1; i <= 3; ++i) {
    clock.SetTime(At(i * minute, 0));
    // The leader's clock goes slower than this one.
    clock.Heard(static_cast<uint64_t>(100'000 + i * (minute - 1000)));
  }
  EXPECT_LT(clock.now_us(), static_cast<uint64_t>(100'000 + 3 * minute - 999));
}

TEST(KvClock, GivesStampsThatNeverGoBack) {
  KvClock clock;
  clock.SetTime(At(0, 5'000'000));
  const kv::Stamp first = clock.NextStamp();
  const kv::Stamp second = clock.NextStamp();
  EXPECT_EQ(first, kv::StampAt(5000, 0));
  EXPECT_EQ(second, kv::StampAt(5000, 1));
  clock.Follow();
  clock.Heard(1'000'000);  // Another leader, whose clock is behind.
  EXPECT_GT(clock.NextStamp(), second);
}

}  // namespace
}  // namespace muster::core
