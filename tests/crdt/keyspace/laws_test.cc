// The laws of the join, and the keyspace against a naive model, in random
// histories of three and four sides with repeated cuts.
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "crdt/keyspace/place.h"
#include "gtest/gtest.h"
#include "model.h"
#include "random_commands.h"
#include "side.h"

namespace muster::kv {
namespace {

using kv_model::Model;

// A line of Side::Versions without what the version holds: key, element, dot
// and kind.
std::set<std::string> Identities(const std::string& versions) {
  std::set<std::string> ids;
  for (absl::string_view line : absl::StrSplit(versions, '\n')) {
    const std::vector<absl::string_view> halves = absl::StrSplit(line, " | ");
    if (halves.size() < 2) continue;
    const std::vector<absl::string_view> words = absl::StrSplit(halves[1], ' ');
    ids.insert(absl::StrCat(halves[0], "|", words[0], " ", words[2]));
  }
  return ids;
}

// The places of what a mutation pushed, by the indexes of the items.
std::map<uint64_t, std::string> PlacesOf(absl::string_view mutation,
                                         const LifeId& pusher) {
  std::map<uint64_t, std::string> places;
  MutationReader reader;
  if (!reader.Take(mutation)) return places;
  Op op;
  while (reader.Next(op)) {
    if (op.kind != Op::Kind::kPush) continue;
    std::string place(op.place);
    for (uint32_t i = 0; i < op.width; ++i) {
      places[op.index + i] = place;
      place =
          op.front ? PlaceBefore(place, pusher) : PlaceBehind(place, pusher);
    }
  }
  return places;
}

class LawsTest : public testing::TestWithParam<uint64_t> {
 protected:
  uint64_t Below(uint64_t limit) { return commands_.Below(limit); }
  // One mutation of a side and its model; notes what it removed.
  void Run(size_t i);
  void Start(size_t sides) {
    for (size_t i = 0; i < sides; ++i) {
      sides_.push_back(std::make_unique<Side>(i + 1));
      followers_.push_back(std::make_unique<Side>(i + 1));
      models_.emplace_back(i + 1);
    }
  }
  void Meet(size_t i, size_t j);
  void Compare(size_t i);
  void History(size_t sides, int steps);
  // The keys that are to be settled are those that hide anything.
  void ExpectAllSettles(Side& side);

  RandomCommands commands_{GetParam()};
  uint64_t now_ = 100;
  std::vector<std::unique_ptr<Side>> sides_;
  std::vector<std::unique_ptr<Side>> followers_;
  std::vector<Model> models_;
  std::set<std::string> removed_;
};

void LawsTest::Run(size_t i) {
  Side& side = *sides_[i];
  const std::string commands = commands_.Next(now_);
  // Equal stamps on two sides, too.
  if (Below(4) == 0) --Side::stamp;
  const uint64_t stamp = Side::stamp;
  now_ += Below(5);
  side.set_now(now_);
  followers_[i]->set_now(now_);
  const std::set<std::string> before = Identities(side.Versions());
  const std::string mutation = side.Run(commands);
  if (!mutation.empty()) followers_[i]->Follow(mutation, side);
  const std::set<std::string> after = Identities(side.Versions());
  for (const std::string& id : before) {
    if (after.count(id) == 0) removed_.insert(id);
  }
  const auto places = PlacesOf(mutation, side.life());
  models_[i].Run(commands, stamp, now_, places);
  SCOPED_TRACE(commands);
  Compare(i);
}

void LawsTest::Compare(size_t i) {
  sides_[i]->set_now(now_);
  ASSERT_EQ(sides_[i]->Versions(), models_[i].Held());
  ASSERT_EQ(sides_[i]->ShowAll(), models_[i].Shown(now_));
  ASSERT_EQ(sides_[i]->state().digests().all(),
            followers_[i]->state().digests().all());
}

void LawsTest::Meet(size_t i, size_t j) {
  sides_[i]->Join(*sides_[j]);
  models_[i].Join(models_[j]);
  followers_[i]->state() = Exchanged(sides_[i]->state(), 1 + Below(2000));
  ASSERT_EQ(sides_[i]->state().Audit(), "");
  ASSERT_EQ(followers_[i]->state().Audit(), "");
  Compare(i);
}

void LawsTest::History(size_t sides, int steps) {
  Start(sides);
  for (int step = 0; step < steps; ++step) {
    const size_t i = Below(sides);
    if (Below(6) == 0) {
      const size_t j = (i + 1 + Below(sides - 1)) % sides;
      Meet(i, j);
      if (Below(2) == 0) Meet(j, i);
    } else {
      Run(i);
    }
    if (HasFatalFailure()) return;
  }
}

void LawsTest::ExpectAllSettles(Side& side) {
  const std::string shown = side.ShowAll();
  while (const auto key = side.state().FirstUnsettled()) {
    side.Run("SETTLE " + key->key);
    ASSERT_EQ(side.ShowAll(), shown) << key->key;
    ASSERT_NE(side.state().FirstUnsettled(), key);
  }
  const std::string settled = side.Versions();
  side.Run("SETTLE k; SETTLE l; SETTLE m");
  ASSERT_EQ(side.Versions(), settled);
  ASSERT_EQ(side.state().Audit(), "");
}

TEST_P(LawsTest, TheKeyspaceHoldsAndShowsWhatTheModelDoes) {
  History(3 + GetParam() % 2, 150);
}

TEST_P(LawsTest, JoinIsAssociativeCommutativeAndIdempotent) {
  History(3, 40);
  if (HasFatalFailure()) return;
  const auto joined = [this](std::vector<size_t> order) {
    Keyspace state = Exchanged(sides_[order[0]]->state(), 500);
    for (size_t i = 1; i < order.size(); ++i) {
      state.Join(sides_[order[i]]->state());
    }
    EXPECT_EQ(state.Audit(), "");
    return state;
  };
  const Keyspace abc = joined({0, 1, 2});
  Keyspace a_bc = Exchanged(sides_[0]->state(), 500);
  a_bc.Join(joined({1, 2}));
  Keyspace again = joined({0, 1, 2});
  again.Join(joined({1, 0}));
  again.Join(abc);
  const Keyspace acb = joined({0, 2, 1});
  const Keyspace cba = joined({2, 1, 0});
  for (const Keyspace* other :
       {&std::as_const(a_bc), &acb, &cba, &std::as_const(again)}) {
    ASSERT_EQ(other->digests().all(), abc.digests().all());
    ASSERT_EQ(other->context(), abc.context());
    ASSERT_EQ(other->context().digest(), abc.context().digest());
    for (uint32_t bucket = 0; bucket < kBuckets; ++bucket) {
      ASSERT_EQ(other->digests().bucket(bucket), abc.digests().bucket(bucket));
    }
  }
  // Equal digests, and equal states behind them.
  Side one(8);
  Side two(9);
  one.state() = Exchanged(abc, 100);
  two.state() = Exchanged(cba, 1 << 20);
  EXPECT_EQ(one.Versions(), two.Versions());
  EXPECT_EQ(one.ShowAll(), two.ShowAll());
}

TEST_P(LawsTest, WhatWasRemovedWhereItWasSeenNeverReturns) {
  History(4, 80);
  if (HasFatalFailure()) return;
  for (int round = 0; round < 2; ++round) {
    for (size_t i = 0; i < 4; ++i) Meet(i, (i + 1) % 4);
    for (size_t i = 4; i-- > 0;) Meet(i, (i + 3) % 4);
  }
  for (size_t i = 0; i < 4; ++i) {
    for (const std::string& id : Identities(sides_[i]->Versions())) {
      EXPECT_EQ(removed_.count(id), 0u) << id;
    }
    EXPECT_EQ(sides_[i]->Versions(), sides_[0]->Versions());
  }
}

TEST_P(LawsTest, EqualDigestsMeanEqualStates) {
  std::map<uint64_t, std::string> by_digest;
  Start(2);
  for (int step = 0; step < 60; ++step) {
    const size_t i = Below(2);
    Below(5) == 0 ? Meet(i, 1 - i) : Run(i);
    if (HasFatalFailure()) return;
    const std::string versions = sides_[i]->Versions();
    const auto [at, added] =
        by_digest.emplace(sides_[i]->state().digests().all(), versions);
    ASSERT_EQ(at->second, versions);
  }
}

TEST_P(LawsTest, AnAbandonedTransactionChangesNothing) {
  Start(2);
  for (int step = 0; step < 60; ++step) {
    const size_t i = Below(2);
    Below(5) == 0 ? Meet(i, 1 - i) : Run(i);
    if (HasFatalFailure()) return;
    const std::string before = sides_[i]->Versions();
    sides_[i]->TryRun(commands_.Next(now_));
    ASSERT_EQ(sides_[i]->Versions(), before);
    ASSERT_EQ(sides_[i]->state().Audit(), "");
  }
  ExpectAllSettles(*sides_[0]);
}

TEST_P(LawsTest, SettlingShowsTheSameAndLeavesNothingHidden) {
  History(3, 60);
  if (HasFatalFailure()) return;
  Meet(0, 1);
  Meet(0, 2);
  Side& a = *sides_[0];
  a.set_now(0);
  const std::string shown = a.ShowAll();
  ExpectAllSettles(a);
  // The other sides' states are in it already: nothing comes back.
  a.Join(*sides_[1]);
  EXPECT_EQ(a.ShowAll(), shown);
}

INSTANTIATE_TEST_SUITE_P(Seeds, LawsTest, testing::Range<uint64_t>(1, 61));

}  // namespace
}  // namespace muster::kv
