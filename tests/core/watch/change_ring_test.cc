#include "node/core/watch/change_ring.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace muster::core {
namespace {

Change Join(absl::string_view topic, absl::string_view key,
            absl::string_view meta, uint64_t stamp = 1) {
  Change change;
  change.topic = topic;
  change.key = key;
  change.meta = meta;
  change.ref = {1, crdt::ElementId(stamp), crdt::Seq(stamp)};
  change.stamp = stamp;
  return change;
}

TEST(ChangeRingTest, CountersGoUpFromTwoSoThatOneIsBeforeTheFirst) {
  ChangeRing ring({.max_changes = 8, .max_bytes = 4096});
  EXPECT_EQ(ring.last(), 1u);
  EXPECT_TRUE(ring.Reaches(1));
  EXPECT_FALSE(ring.Reaches(0));
  EXPECT_FALSE(ring.Reaches(2));
  EXPECT_EQ(ring.Append(Join("t", "k", "m")), 2u);
  EXPECT_TRUE(ring.Reaches(1));
  EXPECT_TRUE(ring.Reaches(2));
}

TEST(ChangeRingTest, ChangesAreHeldAsCopies) {
  ChangeRing ring({.max_changes = 8, .max_bytes = 4096});
  std::string meta = "before";
  Change update = Join("room", "ann", meta, 17);
  update.kind = Change::Kind::kUpdate;
  update.ref_prev = {9, crdt::ElementId(8), crdt::Seq(7)};
  ring.Append(Join("t", "", ""));
  ring.Append(update);
  meta = "after!";
  const Change held = ring.At(3);
  EXPECT_EQ(held.kind, Change::Kind::kUpdate);
  EXPECT_EQ(held.topic, "room");
  EXPECT_EQ(held.key, "ann");
  EXPECT_EQ(held.meta, "before");
  EXPECT_EQ(held.ref, update.ref);
  EXPECT_EQ(held.ref_prev, update.ref_prev);
  EXPECT_EQ(held.stamp, 17u);
  EXPECT_EQ(ring.At(2).meta, "");
}

TEST(ChangeRingTest, TheOldestGoPastTheNumberOfChanges) {
  ChangeRing ring({.max_changes = 100, .max_bytes = 1 << 20});
  for (int i = 0; i < 250; ++i) {
    ring.Append(Join("t", absl::StrCat("k", i), "m"));
  }
  EXPECT_EQ(ring.last(), 251u);
  EXPECT_EQ(ring.first(), 152u);
  EXPECT_TRUE(ring.Reaches(151));
  EXPECT_FALSE(ring.Reaches(150));
  for (uint64_t c = ring.first(); c <= ring.last(); ++c) {
    EXPECT_EQ(ring.At(c).key, absl::StrCat("k", c - 2));
  }
}

TEST(ChangeRingTest, TheOldestGoPastTheBytes) {
  ChangeRing ring({.max_changes = 1000, .max_bytes = 100'000});
  for (int i = 0; i < 500; ++i) {
    ring.Append(Join("t", "k", std::string(10'000, 'a' + i % 26)));
    EXPECT_LE(ring.last() - ring.first() + 1, 10u);
  }
  EXPECT_EQ(ring.At(ring.last()).meta[0], 'a' + 499 % 26);
  // The chunk being filled, the one being emptied, a spare one, the records.
  EXPECT_LE(ring.bytes(), 3 * (256u << 10) + 64 * 128);
}

TEST(ChangeRingTest, TheLastChangeStaysHoweverLargeItIs) {
  ChangeRing ring({.max_changes = 10, .max_bytes = 1000});
  ring.Append(Join("t", "k", "small"));
  ring.Append(Join("t", "k", std::string(500'000, 'x')));
  EXPECT_EQ(ring.first(), ring.last());
  EXPECT_EQ(ring.At(ring.last()).meta.size(), 500'000u);
  ring.Append(Join("t", "k", "small again"));
  EXPECT_EQ(ring.At(ring.last()).meta, "small again");
  EXPECT_LT(ring.bytes(), 500'000u) << "the memory of the large one is gone";
}

TEST(ChangeRingTest, WhatIsPinnedStaysUntilItIsUnpinned) {
  ChangeRing ring({.max_changes = 10, .max_bytes = 1 << 20});
  for (int i = 0; i < 20; ++i) ring.Append(Join("t", "k", "m"));
  const uint64_t pinned = ring.Append(Join("t", "pinned", "m"));
  ring.Pin(pinned);
  for (int i = 0; i < 1000; ++i) ring.Append(Join("t", "k", "m"));
  EXPECT_EQ(ring.first(), pinned);
  EXPECT_EQ(ring.At(pinned).key, "pinned");
  ring.Unpin();
  EXPECT_EQ(ring.last() - ring.first() + 1, 10u);
}

TEST(ChangeRingTest, SkippedChangesAreCountedAndNotReached) {
  ChangeRing ring({.max_changes = 10, .max_bytes = 1 << 20});
  for (int i = 0; i < 5; ++i) ring.Skip();
  EXPECT_EQ(ring.last(), 6u);
  EXPECT_FALSE(ring.Reaches(5));
  EXPECT_TRUE(ring.Reaches(6));
  EXPECT_EQ(ring.bytes(), 0u);
  EXPECT_EQ(ring.Append(Join("t", "k", "m")), 7u);
  EXPECT_TRUE(ring.Reaches(6));
}

}  // namespace
}  // namespace muster::core
