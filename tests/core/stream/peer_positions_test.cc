#include "node/core/stream/peer_positions.h"

#include "gtest/gtest.h"

namespace muster::core {
namespace {

using crdt::Seq;
using crdt::StreamKind;

Stream At(StreamIdx idx, StreamKind kind = StreamKind::kPresence) {
  Stream stream;
  stream.idx = idx;
  stream.kind = kind;
  return stream;
}

TEST(PeerPositionsTest, HoldsTheLastThatWasToldOfEachStream) {
  PeerPositions positions;
  EXPECT_FALSE(positions.Has(At(5)));
  EXPECT_TRUE(positions.Set(At(5), {Seq(7), true, false}));
  EXPECT_FALSE(positions.Set(At(5), {Seq(9), false, true}));
  const auto told = positions.Find(At(5));
  ASSERT_TRUE(told.has_value());
  EXPECT_EQ(told->seq, Seq(9));
  EXPECT_FALSE(told->wanted);
  EXPECT_TRUE(told->rebasing);
  EXPECT_FALSE(positions.Has(At(5, StreamKind::kInterest)));
  EXPECT_FALSE(positions.Has(At(4)));
}

TEST(PeerPositionsTest, AgesAreKeptToTenMillisecondsAndElevenMinutes) {
  PeerPositions positions;
  positions.Set(At(1), {Seq(7), false, false, absl::Milliseconds(1237)});
  positions.Set(At(2), {Seq(7), false, false, absl::InfiniteDuration()});
  EXPECT_EQ(positions.Find(At(1))->age, absl::Milliseconds(1230));
  EXPECT_EQ(positions.Find(At(2))->age, absl::Milliseconds(655'350));
}

TEST(PeerPositionsTest, AStreamIsNewAgainOnceItIsForgotten) {
  PeerPositions positions;
  positions.Set(At(0), {Seq(7)});
  positions.Forget(At(0));
  positions.Forget(At(9));
  EXPECT_FALSE(positions.Has(At(0)));
  EXPECT_TRUE(positions.Set(At(0), {Seq(1)}));
}

TEST(PeerPositionsTest, WhatFullPositionsDoNotNameInAnyPartIsForgotten) {
  PeerPositions positions;
  for (StreamIdx idx = 0; idx < 4; ++idx) positions.Set(At(idx), {Seq(1)});
  positions.BeginFull();
  EXPECT_TRUE(positions.in_full());
  positions.Set(At(0), {Seq(1)});
  // Until all parts are here nothing is.
  EXPECT_TRUE(positions.Has(At(3)));
  positions.Set(At(2), {Seq(2)});
  positions.EndFull();
  EXPECT_FALSE(positions.in_full());
  EXPECT_TRUE(positions.Has(At(0)));
  EXPECT_FALSE(positions.Has(At(1)));
  EXPECT_TRUE(positions.Has(At(2)));
  EXPECT_FALSE(positions.Has(At(3)));
}

TEST(PeerPositionsTest, IsCaughtUpWithWhereTheLowestThatWasToldIsHere) {
  PeerPositions positions;
  const auto up_to = [&](uint64_t seq) {
    return positions.CaughtUp(
        [seq](StreamKind, StreamIdx) { return Seq(seq); });
  };
  positions.Set(At(3), {Seq(7), /*wanted=*/true});
  positions.Set(At(1), {Seq(50), /*wanted=*/false});
  EXPECT_FALSE(up_to(6));
  EXPECT_TRUE(up_to(7));
  // What came since is not waited for; what was given up neither.
  positions.Set(At(3), {Seq(20), true});
  EXPECT_TRUE(up_to(7));
  positions.Set(At(3), {Seq(4), true});
  EXPECT_TRUE(up_to(4));
  EXPECT_FALSE(up_to(3));
}

TEST(PeerPositionsTest, NothingIsWaitedForAfterCatchingUp) {
  PeerPositions positions;
  positions.Set(At(3), {Seq(7), true});
  positions.StopCatchingUp();
  positions.Set(At(4), {Seq(7), true});
  EXPECT_TRUE(positions.CaughtUp([](StreamKind, StreamIdx) { return Seq(); }));
  EXPECT_EQ(positions.Find(At(3))->seq, Seq(7));
}

}  // namespace
}  // namespace muster::core
