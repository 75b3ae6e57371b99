#include "node/core/stream/pump_queue.h"

#include <vector>

#include "gtest/gtest.h"

namespace muster::core {
namespace {

using crdt::Seq;
using Links = std::vector<LinkId>;

constexpr size_t kAll = 100;

class PumpQueueTest : public testing::Test {
 protected:
  PumpQueueTest() {
    stream_.origin.life = {1, 1};
    other_.origin.life = {2, 2};
  }
  Stream stream_;
  Stream other_;
  PumpQueue queue_;
};

TEST_F(PumpQueueTest, ReadyLinksAreTakenOnceInTheOrderOfTheirNumbers) {
  for (const LinkId link : {3, 1, 2, 1}) queue_.Ready(link);
  EXPECT_EQ(queue_.Take(kAll), (Links{1, 2, 3}));
  EXPECT_TRUE(queue_.empty());
  EXPECT_EQ(queue_.Take(kAll), Links{});
}

TEST_F(PumpQueueTest, WhereTheyAreManyLinksTakeTurns) {
  for (const LinkId link : {1, 2, 3, 4, 5}) queue_.Ready(link);
  EXPECT_EQ(queue_.Take(2), (Links{1, 2}));
  for (const LinkId link : {1, 2}) queue_.Ready(link);
  EXPECT_EQ(queue_.Take(2), (Links{3, 4}));
  EXPECT_EQ(queue_.Take(2), (Links{5, 1}));
  EXPECT_EQ(queue_.Take(2), (Links{2}));
}

TEST_F(PumpQueueTest, ALinkThatWaitsForItsTimeIsReadyOnceAtTheEarliest) {
  queue_.At(1, Instant{50});
  queue_.At(1, Instant{30});
  queue_.At(1, Instant{40});
  queue_.MakeDue(Instant{29});
  EXPECT_TRUE(queue_.empty());
  queue_.MakeDue(Instant{30});
  EXPECT_EQ(queue_.Take(kAll), Links{1});
  queue_.MakeDue(Instant{60});
  EXPECT_TRUE(queue_.empty());
}

TEST_F(PumpQueueTest, ALogWakesThoseThatWaitForWhatItHasAndNobodyElse) {
  queue_.WakeAt(stream_, 1, Seq(4), Seq(5));
  queue_.WakeAt(stream_, 2, Seq(4), Seq(9));
  queue_.WakeAt(other_, 3, Seq(4), Seq(5));
  queue_.OnLog(stream_.id(), Seq(0), Seq(4));
  EXPECT_TRUE(queue_.empty());
  queue_.OnLog(stream_.id(), Seq(0), Seq(6));
  EXPECT_EQ(queue_.Take(kAll), Links{1});
  queue_.OnLog(stream_.id(), Seq(0), Seq(8));
  EXPECT_TRUE(queue_.empty());
  queue_.OnLog(stream_.id(), Seq(0), Seq(9));
  EXPECT_EQ(queue_.Take(kAll), Links{2});
}

TEST_F(PumpQueueTest, ALogThatHasPassedWhereALinkStandsWakesIt) {
  queue_.WakeAt(stream_, 1, Seq(4), Seq(100));
  queue_.WakeAt(stream_, 2, Seq(6), Seq(100));
  queue_.OnLog(stream_.id(), Seq(4), Seq(50));
  EXPECT_TRUE(queue_.empty());
  queue_.OnLog(stream_.id(), Seq(5), Seq(51));
  EXPECT_EQ(queue_.Take(kAll), Links{1});
}

TEST_F(PumpQueueTest, WhatIsServedNoMoreWakesNobody) {
  queue_.WakeAt(stream_, 1, Seq(4), Seq(5));
  queue_.WakeAt(stream_, 2, Seq(4), Seq(5));
  queue_.WakeAt(other_, 3, Seq(4), Seq(5));
  queue_.Unserve(stream_.id(), 1);
  queue_.Drop(other_.id());
  queue_.WakeAll(stream_.id());
  queue_.WakeAll(other_.id());
  EXPECT_EQ(queue_.Take(kAll), Links{2});
}

TEST_F(PumpQueueTest, ALinkThatIsGoneIsNeitherReadyNorDue) {
  queue_.Ready(1);
  queue_.At(1, Instant{30});
  queue_.Remove(1);
  queue_.MakeDue(Instant{40});
  EXPECT_TRUE(queue_.empty());
}

}  // namespace
}  // namespace muster::core
