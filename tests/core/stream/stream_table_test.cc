#include "node/core/stream/stream_table.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/core/stream/toy_kind.h"

namespace muster::core {
namespace {

using crdt::Seq;
using crdt::StreamKind;

constexpr Instant kStart{5'000'000};

crdt::Origin Named(const std::string& name, uint64_t life) {
  return {name, crdt::Incarnation(1), {life, life}};
}

// Two kinds: the toy, and the toy once more in the place of presence.
class StreamTableTest : public testing::Test {
 protected:
  StreamTableTest() {
    table_.AddKind(kToyKind, ToyGrammar(), toys_, 1 << 20);
    table_.AddKind(StreamKind::kPresence, ToyGrammar(), others_, 4 << 10);
    table_.SetTime({kStart, 1}, absl::ZeroDuration());
  }
  Stream& Add(uint64_t life, StreamKind kind) {
    return table_.Add(Named("n", life), kind, /*own=*/false, kStart);
  }
  std::vector<crdt::StreamId> Ids() const {
    std::vector<crdt::StreamId> ids;
    table_.ForEach([&](const Stream& stream) { ids.push_back(stream.id()); });
    return ids;
  }

  StreamTable table_;
  ToyState toys_{table_};
  ToyState others_{table_};
};

TEST_F(StreamTableTest, AStreamIsFoundFromAddUntilDrop) {
  const crdt::StreamId id{{3, 3}, kToyKind};
  EXPECT_EQ(table_.Find(id), nullptr);
  Stream& stream = Add(3, kToyKind);
  EXPECT_EQ(table_.Find(id), &stream);
  EXPECT_EQ(stream.id(), id);
  EXPECT_EQ(stream.learnt, kStart);
  EXPECT_EQ(table_.Find({{3, 3}, StreamKind::kPresence}), nullptr);
  table_.Drop(stream);
  EXPECT_EQ(table_.Find(id), nullptr);
  EXPECT_EQ(table_.size(), 0u);
}

TEST_F(StreamTableTest, StreamsAreVisitedInTheOrderOfTheirIds) {
  Add(2, kToyKind);
  Add(1, kToyKind);
  Add(2, StreamKind::kPresence);
  const std::vector<crdt::StreamId> expected = {
      {{1, 1}, kToyKind}, {{2, 2}, StreamKind::kPresence}, {{2, 2}, kToyKind}};
  EXPECT_EQ(Ids(), expected);
}

TEST_F(StreamTableTest, ThoseOfOneLifeAreVisitedWhateverTheirKind) {
  Add(1, kToyKind);
  Add(2, kToyKind);
  Add(2, StreamKind::kPresence);
  Add(3, StreamKind::kPresence);
  int visits = 0;
  table_.ForEachOf({2, 2}, [&](Stream& stream) {
    EXPECT_EQ(stream.origin.life, (crdt::LifeId{2, 2}));
    ++visits;
  });
  EXPECT_EQ(visits, 2);
}

TEST_F(StreamTableTest, IndicesAreByKindAndFreeOnceTheStateHasForgotten) {
  Stream& a = Add(1, kToyKind);
  Stream& b = Add(1, StreamKind::kPresence);
  EXPECT_EQ(a.idx, 0u);
  EXPECT_EQ(b.idx, 0u);
  table_.Drop(a);
  EXPECT_EQ(Add(2, kToyKind).idx, 1u) << "the first is being forgotten";
  toys_.RunJobs();
  EXPECT_EQ(Add(3, kToyKind).idx, 0u);
}

TEST_F(StreamTableTest, ABurstOfOneKindPushesNothingOfAnotherOutOfItsLog) {
  Stream& quiet = Add(1, kToyKind);
  Stream& busy = Add(1, StreamKind::kPresence);
  toys_.Put(quiet, "one");
  for (int i = 0; i < 10'000; ++i) others_.Put(busy, "many");
  EXPECT_FALSE(table_.log(busy.kind).Reaches(busy.idx, Seq(0)));
  EXPECT_TRUE(table_.log(quiet.kind).Reaches(quiet.idx, Seq(0)));
  EXPECT_EQ(table_.log_bytes(),
            table_.log(busy.kind).bytes() + table_.log(quiet.kind).bytes());
}

TEST_F(StreamTableTest, OnlyKindsThatWereAddedAreKnown) {
  StreamTable table;
  EXPECT_FALSE(table.Knows(kToyKind));
  EXPECT_FALSE(table.Knows(static_cast<StreamKind>(200)));
  ToyState state(table);
  table.AddKind(kToyKind, ToyGrammar(), state, 1000);
  EXPECT_TRUE(table.Knows(kToyKind));
  EXPECT_FALSE(table.Knows(StreamKind::kPresence));
  EXPECT_DEATH(table.AddKind(kToyKind, ToyGrammar(), state, 1000), "Knows");
  EXPECT_DEATH(table.Add(Named("n", 1), StreamKind::kPresence, false, kStart),
               "Knows");
}

TEST_F(StreamTableTest, LivedTimeStandsStillWhileTheProcessDoes) {
  const int64_t before = table_.lived_us();
  table_.SetTime({kStart + absl::Seconds(1), 1}, absl::ZeroDuration());
  EXPECT_EQ(table_.lived_us(), before + 1'000'000);
  table_.SetTime({kStart + absl::Seconds(61), 1}, absl::Seconds(60));
  EXPECT_EQ(table_.lived_us(), before + 1'000'000);
  EXPECT_EQ(table_.now().mono, kStart + absl::Seconds(61));
}

}  // namespace
}  // namespace muster::core
