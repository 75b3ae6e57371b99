// Keys of many rows: how they are found must not show.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "crdt/presence_store.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace muster::crdt {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAreArray;

class PresenceCrowdTest : public testing::Test {
 protected:
  PresenceCrowdTest() {
    store_.SetTime(1'000'000);
    stream_ = store_.AddStream(7);
    session_ = store_.PutSession(stream_, ElementId(1), Seq(1), {});
  }
  RowIdx AddShown(absl::string_view topic, absl::string_view key) {
    const uint64_t seq = next_seq_++;
    RowIdx row = store_.AddEntry(session_, ElementId(seq), Seq(seq),
                                 {ElementId(1), topic, key, "", {}});
    store_.Show(row);
    return row;
  }
  std::vector<RowIdx> Pair(absl::string_view topic, absl::string_view key) {
    std::vector<RowIdx> rows;
    for (RowIdx i = store_.keys().FirstOfPair(topic, key); i != kNone;
         i = store_.keys().NextOfPair(i)) {
      rows.push_back(i);
    }
    return rows;
  }

  PresenceStore store_{12345};
  StreamIdx stream_ = kNone;
  SessionIdx session_ = kNone;
  uint64_t next_seq_ = 2;
};

// Below the size of a crowd and above it.
TEST_F(PresenceCrowdTest, APairIsWalkedFromStampToStamp) {
  for (const size_t each : {3, 40}) {
    const std::string key = absl::StrCat("bot", each);
    std::vector<RowIdx> shown;
    std::vector<RowIdx> hidden;
    for (size_t n = 0; n < each; ++n) {
      shown.push_back(AddShown("room", key));
      hidden.push_back(AddShown("room", key));
      store_.Hide(hidden.back());
      AddShown("other", key);
    }
    const auto walk = [&](bool of_shown) {
      std::vector<RowIdx> rows;
      uint64_t stamp = 0;
      for (RowIdx i = store_.keys().PairRowAfter("room", key, of_shown, stamp);
           i != kNone;
           i = store_.keys().PairRowAfter("room", key, of_shown, stamp)) {
        rows.push_back(i);
        stamp = store_.stamp(i);
      }
      return rows;
    };
    EXPECT_EQ(walk(true), shown) << each;
    EXPECT_EQ(walk(false), hidden) << each;
    EXPECT_EQ(store_.keys().PairRowAfter("nowhere", key, true, 0), kNone);
    EXPECT_EQ(store_.keys().PairRowAfter("room", "nobody", true, 0), kNone);
  }
}

TEST_F(PresenceCrowdTest, AKeyOfManyRowsIsFoundAsOneOfFewUntilTheLastHasGone) {
  constexpr size_t kTopics = 40;
  constexpr size_t kEach = 3;
  std::vector<std::vector<RowIdx>> rows(kTopics);
  for (size_t n = 0; n < kEach; ++n) {
    for (size_t t = 0; t < kTopics; ++t) {
      rows[t].push_back(AddShown(absl::StrCat("room", t), "bot"));
      ASSERT_EQ(store_.Audit(), "") << t;
    }
  }
  EXPECT_EQ(store_.shown_keys(), kTopics);
  for (size_t t = 0; t < kTopics; ++t) {
    EXPECT_THAT(Pair(absl::StrCat("room", t), "bot"),
                UnorderedElementsAreArray(rows[t]));
  }
  EXPECT_THAT(Pair("room8", "bo"), IsEmpty());
  EXPECT_THAT(Pair("room", "bot"), IsEmpty());
  for (size_t t = 0; t < kTopics; ++t) {
    for (RowIdx row : rows[t]) {
      store_.RemoveEntry(row);
      ASSERT_EQ(store_.Audit(), "") << t;
    }
    EXPECT_THAT(Pair(absl::StrCat("room", t), "bot"), IsEmpty());
  }
  EXPECT_EQ(store_.shown_keys(), 0u);
  RowIdx alone = AddShown("room", "bot");
  EXPECT_THAT(Pair("room", "bot"), ElementsAre(alone));
  EXPECT_EQ(store_.Audit(), "");
}

TEST_F(PresenceCrowdTest, EntriesOfAPairAreCountedAlikeInACrowdAndOutOfOne) {
  std::vector<RowIdx> room;
  std::vector<RowIdx> hall;
  for (uint32_t n = 1; n <= 30; ++n) {
    room.push_back(AddShown("room", "bot"));
    EXPECT_EQ(store_.keys().EntriesOfPair(room.back()), n);
    if (n % 3 == 0) {
      hall.push_back(AddShown("hall", "bot"));
      EXPECT_EQ(store_.keys().EntriesOfPair(hall.back()), n / 3);
    }
  }
  for (uint32_t left = 30; left > 0; --left) {
    store_.Hide(room[left - 1]);
    EXPECT_EQ(store_.keys().EntriesOfPair(room[left - 1]), left - 1);
    EXPECT_EQ(store_.keys().EntriesOfPair(hall[0]), 10u);
    ASSERT_EQ(store_.Audit(), "") << left;
  }
  RowIdx back = room[7];
  store_.Show(back);
  EXPECT_EQ(store_.keys().EntriesOfPair(back), 1u);
  RowIdx other = AddShown("room", "bo");
  EXPECT_EQ(store_.keys().EntriesOfPair(other), 1u);
  store_.Hide(other);
  EXPECT_EQ(store_.keys().EntriesOfPair(other), 0u);
}

TEST_F(PresenceCrowdTest, ATakeOverLeavesTheNumberOfEntriesAsItIs) {
  for (int n = 0; n < 20; ++n) {
    const RowIdx row = AddShown("room", "bot");
    const RowIdx copy = AddShown("room", "bot");
    store_.Hide(copy);
    const uint32_t before = store_.keys().EntriesOfPair(row);
    store_.Transfer(row, copy);
    EXPECT_EQ(store_.keys().EntriesOfPair(copy), before);
    ASSERT_EQ(store_.Audit(), "");
  }
}

TEST_F(PresenceCrowdTest, ShownRowsOfACrowdComeFirstAndAKeyIsCountedOnce) {
  std::vector<RowIdx> rows;
  for (int i = 0; i < 50; ++i) rows.push_back(AddShown("room", "guest"));
  EXPECT_EQ(store_.shown_keys(), 1u);
  for (int i = 0; i < 49; ++i) store_.Hide(rows[i]);
  EXPECT_EQ(store_.shown_keys(), 1u);
  EXPECT_EQ(Pair("room", "guest").front(), rows[49]);
  store_.Transfer(rows[49], rows[20]);
  EXPECT_EQ(Pair("room", "guest").front(), rows[20]);
  EXPECT_EQ(store_.shown_keys(), 1u);
  EXPECT_EQ(store_.Audit(), "");
  store_.Hide(rows[20]);
  EXPECT_EQ(store_.shown_keys(), 0u);
  EXPECT_THAT(Pair("room", "guest"), UnorderedElementsAreArray(rows));
  EXPECT_EQ(store_.Audit(), "");
}

TEST_F(PresenceCrowdTest, TheRowsOfAKeyAreInTheOrderOfTopicsThenStamps) {
  for (size_t each : {size_t{1}, size_t{10}}) {  // A few, then a crowd.
    const std::string key = absl::StrCat("key", each);
    std::vector<std::vector<RowIdx>> rows(5);
    for (size_t n = 0; n < each; ++n) {
      for (size_t t : {3, 0, 4, 1, 2}) {
        rows[t].push_back(AddShown(absl::StrCat("room", t), key));
      }
    }
    for (RowIdx row : rows[1]) store_.Hide(row);
    const KeyCount count = store_.keys().CountOf(key);
    EXPECT_EQ(count.entries, 4 * each);
    EXPECT_EQ(count.topics, 4u);
    for (size_t t : {0, 2, 3, 4}) {
      const std::string topic = absl::StrCat("room", t);
      uint64_t stamp = 0;
      for (RowIdx row : rows[t]) {
        EXPECT_EQ(store_.keys().RowAfter(key, topic, stamp), row);
        stamp = store_.stamp(row);
      }
      const RowIdx next =
          store_.keys().RowAfter(key, topic, KeyIndex::kWholeTopic);
      EXPECT_EQ(store_.keys().RowAfter(key, topic, stamp), next);
      if (t == 4) {
        EXPECT_EQ(next, kNone);
      } else {
        EXPECT_EQ(store_.topic(next), absl::StrCat("room", t + 1));
        EXPECT_EQ(store_.shown(next), t != 0);
      }
    }
    EXPECT_EQ(store_.keys().CountOf("nobody").entries, 0u);
    EXPECT_EQ(store_.Audit(), "");
  }
}

}  // namespace
}  // namespace muster::crdt
