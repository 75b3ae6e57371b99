// Interest as a kind of stream: deltas, rebases and look-ups.
#include "node/core/pubsub/interest_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "crdt/interest.h"
#include "tests/core/stream/toy_kind.h"

namespace muster::core {
namespace {

using crdt::Seq;
using testing::ElementsAre;

// A node's table with interest as its only kind.
struct Holder {
  Holder() {
    streams.AddKind(kToyKind, crdt::InterestGrammar(), interest, 1 << 20);
  }
  Stream& Add(uint64_t life, bool own) {
    crdt::Origin origin{"n" + std::to_string(life), crdt::Incarnation(life),
                        crdt::LifeId{0, life}};
    return streams.Add(origin, kToyKind, own, Instant{1});
  }
  std::string Counts() const {
    std::string text;
    for (const auto& channel : interest.Channels("*", "", 1000).channels) {
      text += std::string(channel.name) + "=" +
              std::to_string(channel.subscribers) + " ";
    }
    return text;
  }

  StreamTable streams;
  InterestState interest{streams, kToyKind};
};

// What a rebase of the stream would bring a node that stands at `have`, given
// to another one; as rebase.h does it.
void Rebase(Holder& from, Stream& source, Holder& to, Stream& copy, Seq have) {
  ++copy.round;
  const auto walk = from.interest.Elements(source);
  const auto merge = to.interest.Rebase(copy);
  walk->Restart();
  merge->Restart();
  while (auto elements = walk->Next({have, source.vv, 200})) {
    RebaseFrame frame;
    frame.kind = elements->kind;
    frame.count = elements->count;
    frame.payload = std::make_shared<const std::string>(elements->payload);
    if (frame.kind == RebaseFrame::Kind::kKeep) {
      NameProgress progress;
      size_t steps = 1000;
      ASSERT_EQ(merge->Keep(frame, progress, steps),
                ElementMerge::Outcome::kDone);
    } else {
      Seq last;
      ASSERT_TRUE(merge->Put(frame, last));
    }
  }
  merge->Restart();
  while (!merge->Sweep()) continue;
  copy.vv = source.vv;
}

class InterestStateTest : public testing::Test {
 protected:
  void Write(const std::string& name, uint64_t subscribers,
             bool pattern = false) {
    a_.interest.Write(own_, {pattern, name, subscribers});
  }
  // All that the copy has not applied yet.
  void SendDelta() {
    crdt::MutationLog::Cursor cursor{copy_.vv};
    while (auto run =
               a_.streams.log(kToyKind).Read(own_.idx, cursor, 1 << 16)) {
      absl::string_view bytes = run->bytes;
      const Seq end(run->first.value + run->count);
      ASSERT_TRUE(b_.interest.ApplyRun(copy_, bytes, run->first, end));
    }
  }
  void ExpectEqual() {
    EXPECT_EQ(b_.interest.Digest(copy_), a_.interest.Digest(own_));
    EXPECT_EQ(b_.Counts(), a_.Counts());
    EXPECT_EQ(a_.interest.set().Audit(), "");
    EXPECT_EQ(b_.interest.set().Audit(), "");
  }

  Holder a_;
  Holder b_;
  Stream& own_ = a_.Add(1, true);
  Stream& copy_ = b_.Add(1, false);
};

TEST_F(InterestStateTest, ChangesReachACopyByDeltas) {
  Write("news", 1);
  Write("n*", 1, true);
  Write("news", 3);
  Write("gone", 1);
  Write("gone", 0);
  SendDelta();
  ExpectEqual();
  EXPECT_EQ(b_.Counts(), "news=3 ");
  const InterestState::Match match = b_.interest.MatchOf("news");
  EXPECT_EQ(match.subscriptions, 4u);
  ASSERT_EQ(match.nodes.size(), 1u);
  EXPECT_EQ(match.nodes[0].first, &copy_);
  EXPECT_THAT(b_.interest.TakeMoved(), ElementsAre(crdt::LifeId{0, 1}));
  EXPECT_EQ(b_.interest.PatternCount(), 1u);
}

TEST_F(InterestStateTest, WhatCameAndWentBeforeItWasSaidIsNotSaid) {
  Write("flash", 0);
  EXPECT_EQ(own_.vv, Seq());
}

// Random histories, of which the copy misses some by deltas and has a rebase
// instead.
TEST_F(InterestStateTest, ARebaseMakesACopyEqualWhateverItMissed) {
  std::mt19937_64 random(5);
  for (int round = 0; round < 60; ++round) {
    for (int i = 0; i < 30; ++i) {
      Write("c" + std::to_string(random() % 40), random() % 4,
            random() % 3 == 0);
    }
    const Seq have = random() % 4 == 0 ? Seq() : copy_.vv;
    if (random() % 2 == 0) {
      SendDelta();
    } else {
      Rebase(a_, own_, b_, copy_, have);
    }
    ExpectEqual();
  }
}

TEST_F(InterestStateTest, AHiddenStreamCountsForNothing) {
  Write("news", 2);
  SendDelta();
  ASSERT_TRUE(copy_.visibility.OnGone());
  EXPECT_EQ(b_.interest.Subscribers("news"), 0u);
  EXPECT_EQ(b_.interest.MatchOf("news").subscriptions, 0u);
  EXPECT_EQ(b_.Counts(), "");
  EXPECT_FALSE(b_.interest.HasWanted(copy_));
}

TEST_F(InterestStateTest, ADroppedStreamIsForgottenInSlices) {
  for (int i = 0; i < 300; ++i) Write("c" + std::to_string(i), 1);
  SendDelta();
  b_.streams.Drop(copy_);
  EXPECT_TRUE(b_.interest.RunJob());
  while (b_.interest.RunJob()) continue;
  EXPECT_TRUE(b_.interest.set().channels().empty());
  EXPECT_FALSE(b_.interest.has_work());
}

TEST_F(InterestStateTest, ChannelsComeInPagesAndByPattern) {
  for (const char* name : {"a1", "a2", "b1"}) Write(name, 1);
  InterestState::Page page = a_.interest.Channels("a*", "", 1);
  ASSERT_EQ(page.channels.size(), 1u);
  EXPECT_TRUE(page.more);
  page = a_.interest.Channels("a*", std::string(page.next), 5);
  ASSERT_EQ(page.channels.size(), 1u);
  EXPECT_EQ(page.channels[0].name, "a2");
  EXPECT_FALSE(page.more);
}

}  // namespace
}  // namespace muster::core
