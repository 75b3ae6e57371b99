#include "node/core/watch/watch_diff.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace muster::core {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Kind = Change::Kind;

crdt::Ref R(uint64_t n) { return {1, crdt::ElementId(n), crdt::Seq(n)}; }

Change Make(Kind kind, uint64_t ref, uint64_t prev = 0,
            absl::string_view topic = "t", absl::string_view meta = "m") {
  Change change;
  change.kind = kind;
  change.topic = topic;
  change.key = "k";
  change.meta = meta;
  change.ref = R(ref);
  if (prev != 0) change.ref_prev = R(prev);
  return change;
}

class WatchDiffTest : public testing::Test {
 protected:
  WatchBatches Build(std::initializer_list<Change> changes) {
    for (const Change& change : changes) builder_.Add(change);
    return builder_.Finish(99);
  }
  DiffBuilder builder_{{3, 4}};
};

TEST_F(WatchDiffTest, ChangesOfOneEntryStayInOnePartInOrder) {
  const WatchBatches parts =
      Build({Make(Kind::kJoin, 1), Make(Kind::kUpdate, 2, 1),
             Make(Kind::kUpdate, 3, 2), Make(Kind::kLeave, 3)});
  ASSERT_EQ(parts.size(), 1u);
  ASSERT_EQ(parts[0]->diffs.size(), 1u);
  const TopicDiff& diff = parts[0]->diffs[0];
  ASSERT_EQ(diff.joins.size(), 1u);
  ASSERT_EQ(diff.updates.size(), 2u);
  EXPECT_EQ(diff.updates[0].ref_prev, R(1));
  EXPECT_EQ(diff.updates[1].ref_prev, R(2));
  ASSERT_EQ(diff.leaves.size(), 1u);
  EXPECT_EQ(diff.leaves[0].ref, R(3));
}

TEST_F(WatchDiffTest, ARefThatComesBackAfterItLeftBeginsAPart) {
  const WatchBatches parts =
      Build({Make(Kind::kLeave, 1), Make(Kind::kJoin, 1)});
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(parts[0]->diffs[0].leaves.size(), 1u);
  EXPECT_EQ(parts[1]->diffs[0].joins.size(), 1u);
}

TEST_F(WatchDiffTest, ARefThatComesBackAfterItWasReplacedBeginsAPart) {
  EXPECT_EQ(Build({Make(Kind::kUpdate, 2, 1), Make(Kind::kJoin, 1)}).size(),
            2u);
}

TEST_F(WatchDiffTest, AnUpdateToARefThatLeftBeginsAPart) {
  EXPECT_EQ(Build({Make(Kind::kLeave, 1), Make(Kind::kUpdate, 1, 5)}).size(),
            2u);
}

TEST_F(WatchDiffTest, OtherRefsOfTheSameKeyShareAPart) {
  EXPECT_EQ(Build({Make(Kind::kLeave, 1), Make(Kind::kJoin, 2)}).size(), 1u);
}

TEST_F(WatchDiffTest, OnlyTheLastPartHasTheVersion) {
  const WatchBatches parts =
      Build({Make(Kind::kLeave, 1), Make(Kind::kJoin, 1)});
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(parts[0]->version_counter, 0u);
  EXPECT_EQ(parts[1]->version_counter, 99u);
  EXPECT_EQ(parts[1]->version_life, (crdt::LifeId{3, 4}));
}

TEST_F(WatchDiffTest, PartsAreClosedAt64KiB) {
  const std::string meta(1000, 'x');
  for (uint64_t i = 1; i <= 500; ++i) {
    builder_.Add(Make(Kind::kJoin, i, 0, "t", meta));
  }
  const WatchBatches parts = builder_.Finish(99);
  EXPECT_EQ(parts.size(), 8u);
  size_t joins = 0;
  for (const auto& part : parts) {
    EXPECT_LE(part->arena.used(), kWatchBatchBytes + 1000);
    joins += part->diffs[0].joins.size();
  }
  EXPECT_EQ(joins, 500u);
}

TEST_F(WatchDiffTest, SmallEntriesCloseAPartToo) {
  for (uint64_t i = 1; i <= 5000; ++i) {
    builder_.Add(Make(Kind::kJoin, i, 0, "t", ""));
  }
  EXPECT_GE(builder_.Finish(99).size(), 3u);
}

TEST_F(WatchDiffTest, TopicsComeInTheOrderOfTheirFirstChange) {
  const WatchBatches parts =
      Build({Make(Kind::kJoin, 1, 0, "z"), Make(Kind::kJoin, 2, 0, "a"),
             Make(Kind::kJoin, 3, 0, "z"), Make(Kind::kJoin, 4, 0, "m"),
             Make(Kind::kLeave, 2, 0, "a")});
  ASSERT_EQ(parts.size(), 1u);
  ASSERT_EQ(parts[0]->diffs.size(), 3u);
  EXPECT_EQ(parts[0]->diffs[0].topic, "z");
  EXPECT_EQ(parts[0]->diffs[0].joins.size(), 2u);
  EXPECT_EQ(parts[0]->diffs[1].topic, "a");
  EXPECT_EQ(parts[0]->diffs[1].leaves.size(), 1u);
  EXPECT_EQ(parts[0]->diffs[2].topic, "m");
}

// ---- keys

Change Key(Kind kind, uint64_t ref, uint32_t entries,
           absl::string_view key = "k") {
  Change change = Make(kind, ref);
  change.key = key;
  change.key_entries = entries;
  return change;
}

// "k=2", "k=1 first", "k=0 last", of all topics of a part.
std::vector<std::string> KeysOf(const WatchBatch& part) {
  std::vector<std::string> texts;
  for (const TopicDiff& diff : part.diffs) {
    for (const KeyChange& key : diff.keys) {
      texts.push_back(absl::StrCat(key.key, "=", key.entries,
                                   key.first_in ? " first" : "",
                                   key.last_out ? " last" : ""));
    }
  }
  return texts;
}

TEST_F(WatchDiffTest, AKeyThatIsTrackedAgainIsNoChangeOfTheKey) {
  builder_.Tell({WatchDetail::kEntriesAndKeys, true});
  const WatchBatches parts =
      Build({Key(Kind::kLeave, 1, 0), Key(Kind::kJoin, 2, 1)});
  ASSERT_EQ(parts.size(), 1u);
  EXPECT_EQ(parts[0]->diffs[0].joins.size(), 1u);
  EXPECT_EQ(parts[0]->diffs[0].leaves.size(), 1u);
  EXPECT_THAT(KeysOf(*parts[0]), IsEmpty());
}

TEST_F(WatchDiffTest, ADiffTellsOfKeysAsAWholeInItsLastPart) {
  builder_.Tell({WatchDetail::kEntriesAndKeys, true});
  const WatchBatches parts =
      Build({Key(Kind::kLeave, 1, 0), Key(Kind::kJoin, 5, 1, "new"),
             Key(Kind::kLeave, 8, 0, "gone"), Key(Kind::kJoin, 1, 1),
             Key(Kind::kJoin, 6, 2), Key(Kind::kJoin, 7, 2, "new")});
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_THAT(KeysOf(*parts[0]), IsEmpty());
  EXPECT_THAT(KeysOf(*parts[1]),
              ElementsAre("k=2", "new=2 first", "gone=0 last"));
}

TEST_F(WatchDiffTest, OnlyKeysAreToldOfIfNoMoreIsWanted) {
  builder_.Tell({WatchDetail::kKeys, true});
  const WatchBatches parts =
      Build({Key(Kind::kLeave, 1, 0), Key(Kind::kJoin, 1, 1),
             Make(Kind::kUpdate, 2, 1), Key(Kind::kLeave, 2, 0),
             Key(Kind::kLeave, 9, 3, "many")});
  ASSERT_EQ(parts.size(), 1u);
  ASSERT_EQ(parts[0]->diffs.size(), 1u);
  EXPECT_TRUE(parts[0]->diffs[0].joins.empty());
  EXPECT_TRUE(parts[0]->diffs[0].updates.empty());
  EXPECT_TRUE(parts[0]->diffs[0].leaves.empty());
  EXPECT_THAT(KeysOf(*parts[0]), ElementsAre("k=0 last", "many=3"));
}

TEST_F(WatchDiffTest, OfKeysThatHaveNotChangedAPartIsLeftForItsVersionOnly) {
  const auto unchanged = {Key(Kind::kLeave, 1, 0), Key(Kind::kJoin, 2, 1)};
  builder_.Tell({WatchDetail::kKeys, true});
  const WatchBatches parts = Build(unchanged);
  ASSERT_EQ(parts.size(), 1u);
  EXPECT_TRUE(parts[0]->diffs.empty());
  EXPECT_EQ(parts[0]->version_counter, 99u);
  builder_.Tell({WatchDetail::kKeys, false});
  for (const Change& change : unchanged) builder_.Add(change);
  EXPECT_TRUE(builder_.Finish(0).empty());
}

TEST_F(WatchDiffTest, UntilAStateIsCompleteNothingComesInOrGoes) {
  builder_.Tell({WatchDetail::kKeys, false});
  WatchBatches parts =
      Build({Key(Kind::kJoin, 1, 1), Key(Kind::kLeave, 2, 0, "other")});
  ASSERT_EQ(parts.size(), 1u);
  EXPECT_THAT(KeysOf(*parts[0]), ElementsAre("k=1", "other=0"));
  builder_.Tell({WatchDetail::kEntriesAndKeys, false});
  parts = Build({Key(Kind::kJoin, 1, 1)});
  ASSERT_EQ(parts.size(), 1u);
  EXPECT_EQ(parts[0]->diffs[0].joins.size(), 1u);
  EXPECT_THAT(KeysOf(*parts[0]), IsEmpty());
}

TEST_F(WatchDiffTest, AReplayOfNothingIsOneEmptyPart) {
  builder_.CompleteReplay();
  const WatchBatches parts = builder_.Finish(5);
  ASSERT_EQ(parts.size(), 1u);
  EXPECT_TRUE(parts[0]->state_complete);
  EXPECT_FALSE(parts[0]->reset);
  EXPECT_TRUE(parts[0]->diffs.empty());
  EXPECT_EQ(parts[0]->version_counter, 5u);
  EXPECT_TRUE(builder_.Finish(6).empty()) << "it has begun anew";
}

}  // namespace
}  // namespace muster::core
