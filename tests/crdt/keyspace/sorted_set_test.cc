// Sorted sets: by score and member, ranks and counts, small and large.
#include <cmath>
#include <random>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "side.h"

namespace muster::kv {
namespace {

using Model = std::set<std::pair<int, std::string>>;

void ExpectEqual(const KeyView& view, const Model& model) {
  ASSERT_EQ(view.size(), model.size());
  uint64_t rank = 0;
  auto at = model.begin();
  view.Walk(0, KeyView::Direction::kUp, [&](const Entry& entry) {
    EXPECT_EQ(entry.score, at->first);
    EXPECT_EQ(entry.name, at->second);
    EXPECT_EQ(view.RankOf(at->second), rank);
    ++rank;
    return ++at != model.end();
  });
  EXPECT_EQ(rank, model.size());
  auto back = model.rbegin();
  view.Walk(model.size() - 1, KeyView::Direction::kDown, [&](const Entry& e) {
    EXPECT_EQ(e.name, back->second);
    return ++back != model.rend();
  });
  EXPECT_EQ(back, model.rend());
  for (int score = -1; score < 12; ++score) {
    const auto below = [&](int limit) {
      return static_cast<uint64_t>(
          std::distance(model.begin(), model.lower_bound({limit, ""})));
    };
    EXPECT_EQ(view.CountBelow(score, false), below(score));
    EXPECT_EQ(view.CountBelow(score, true), below(score + 1));
  }
}

TEST(SortedSetTest, MembersAreByScoreThenByName) {
  Side a(1);
  a.Run("ZADD z 2 b; ZADD z 1 c; ZADD z 2 a; ZADD z -3 d");
  EXPECT_EQ(a.Show("z"), "(-3 d, 1 c, 2 a, 2 b)");
  const KeyView view = a.state().Find({0, "z"}, Time());
  EXPECT_EQ(view.RankOf("a"), 2u);
  EXPECT_EQ(view.RankOf("nobody"), std::nullopt);
  Entry entry;
  EXPECT_TRUE(view.At(3, entry));
  EXPECT_EQ(entry.name, "b");
  EXPECT_FALSE(view.At(4, entry));
}

TEST(SortedSetTest, InfiniteScoresAreTheEnds) {
  Side a(1);
  const Context base;
  Transaction tx(a.state(), {base, a.life(), Seq(1)}, Stamp(1), Time());
  tx.PutScore({0, "z"}, "low", -INFINITY);
  tx.PutScore({0, "z"}, "high", INFINITY);
  tx.PutScore({0, "z"}, "mid", 0.5);
  tx.Commit();
  EXPECT_EQ(a.Show("z"), "(-inf low, 0.5 mid, inf high)");
  const KeyView view = a.state().Find({0, "z"}, Time());
  EXPECT_EQ(view.CountBelow(-INFINITY, false), 0u);
  EXPECT_EQ(view.CountBelow(-INFINITY, true), 1u);
  EXPECT_EQ(view.CountBelow(INFINITY, false), 2u);
  EXPECT_EQ(view.CountBelow(INFINITY, true), 3u);
}

TEST(SortedSetTest, ASmallOneAndALargeOneAreSetsOfPairs) {
  for (const int members : {8, 1000}) {
    Side a(1);
    std::mt19937_64 random(members);
    Model model;
    std::map<std::string, int> scores;
    for (int step = 0; step < 3 * members; ++step) {
      const auto n = static_cast<int>(random() % members);
      const std::string member = absl::StrCat("m", n);
      const auto score = static_cast<int>(random() % 10);
      const auto old = scores.find(member);
      if (old != scores.end()) model.erase({old->second, member});
      if (random() % 4 == 0) {
        a.Run("ZREM z " + member);
        scores.erase(member);
      } else {
        a.Run(absl::StrCat("ZADD z ", score, " ", member));
        scores[member] = score;
        model.insert({score, member});
      }
    }
    ExpectEqual(a.state().Find({0, "z"}, Time()), model);
    EXPECT_EQ(a.state().Audit(), "");
  }
}

}  // namespace
}  // namespace muster::kv
