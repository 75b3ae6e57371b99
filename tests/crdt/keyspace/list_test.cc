// Lists: pushes, pops, insertions at any rank; places.
#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "crdt/keyspace/place.h"
#include "gtest/gtest.h"
#include "side.h"

namespace muster::kv {
namespace {

constexpr LifeId kOne{0, 1};
constexpr LifeId kTwo{0, 2};

TEST(PlaceTest, PlacesComeBetweenTheirNeighbours) {
  std::mt19937_64 random(3);
  std::vector<std::string> places = {FirstPlace(kOne)};
  for (int step = 0; step < 3000; ++step) {
    // Crowded at a few spots.
    const size_t at = random() % 3 == 0 ? random() % (places.size() + 1)
                                        : std::min<size_t>(5, places.size());
    const LifeId& pusher = random() % 2 == 0 ? kOne : kTwo;
    std::string place;
    if (at == 0) {
      place = PlaceBefore(places.front(), pusher);
    } else if (at == places.size()) {
      place = PlaceBehind(places.back(), pusher);
    } else {
      place = PlaceBetween(places[at - 1], places[at]);
    }
    ASSERT_TRUE(IsPlace(place));
    places.insert(places.begin() + static_cast<ptrdiff_t>(at), place);
  }
  for (size_t i = 1; i < places.size(); ++i) {
    ASSERT_LT(places[i - 1], places[i]) << i;
  }
}

TEST(PlaceTest, PushesNeverMakePlacesGrow) {
  std::string back = FirstPlace(kOne);
  std::string front = back;
  for (int i = 0; i < 100000; ++i) {
    const std::string behind = PlaceBehind(back, kOne);
    const std::string before = PlaceBefore(front, kOne);
    ASSERT_LT(back, behind);
    ASSERT_LT(before, front);
    back = behind;
    front = before;
  }
  EXPECT_LE(back.size(), 6u);
  EXPECT_LE(front.size(), 6u);
  EXPECT_NE(FirstPlace(kOne), FirstPlace(kTwo));
}

TEST(PlaceTest, InsertionsAtOneSpotGrowByAByteNowAndThen) {
  const std::string first = FirstPlace(kOne);
  const std::string last = PlaceBehind(first, kOne);
  std::string at = first;
  for (int i = 0; i < 10000; ++i) {
    const std::string next = PlaceBetween(at, last);
    ASSERT_LT(at, next);
    ASSERT_LT(next, last);
    at = next;
  }
  EXPECT_LE(at.size(), 100u);
}

TEST(PlaceTest, OnlyTheShortestFormIsAPlace) {
  EXPECT_TRUE(IsPlace("\x80"));
  EXPECT_TRUE(IsPlace("\x80\x01"));
  EXPECT_TRUE(IsPlace("\x7f"));
  EXPECT_TRUE(IsPlace("\x81\x01"));
  for (const std::string& bytes :
       {std::string(), std::string("\x80\x00", 2), std::string("\x81"),
        std::string("\x81\x00", 2), std::string("\x89\x01\x01"),
        std::string("\x10"), std::string("\x7e\xff"),
        std::string(kMaxPlaceBytes + 1, '\x80')}) {
    EXPECT_FALSE(IsPlace(bytes)) << bytes.size();
  }
}

TEST(ListTest, SeveralValuesArePushedOneAfterTheOther) {
  Side a(1);
  a.Run("RPUSH l a b c");
  a.Run("LPUSH l d e");
  EXPECT_EQ(a.Show("l"), "[e, d, a, b, c]");
  a.Run("LPOP l; RPOP l; LSET l 1 A");
  EXPECT_EQ(a.Show("l"), "[d, A, b]");
  a.Run("LPOP l; LPOP l; LPOP l");
  EXPECT_EQ(a.Versions(), "");
}

TEST(ListTest, AValueWithoutExistenceIsNotShown) {
  Side a(1);
  Side b(2);
  a.Run("RPUSH l x");
  b.Join(a);
  a.Run("LSET l 0 y");
  b.Run("LPOP l");
  a.Join(b);
  EXPECT_EQ(a.Show("l"), "-");
  EXPECT_EQ(a.state().Keys(0), 0u);
  EXPECT_NE(a.Versions(), "");
  EXPECT_EQ(a.state().unsettled(), 1u);
  a.Run("SETTLE l");
  EXPECT_EQ(a.Versions(), "");
  EXPECT_EQ(a.state().unsettled(), 0u);
}

TEST(ListTest, ASmallListAndALargeOneAreVectors) {
  for (const size_t most : {size_t{10}, size_t{1500}}) {
    Side a(1);
    Side follower(1);
    std::mt19937_64 random(most);
    std::vector<std::string> model;
    for (size_t step = 0; step < 4 * most; ++step) {
      const std::string value = absl::StrCat("v", step);
      const size_t rank = random() % (model.size() + 1);
      std::string command;
      switch (random() % 8) {
        case 0:
          command = "LPUSH l " + value + " w";
          model.insert(model.begin(), {"w", value});
          break;
        case 1:
        case 2:
          command = "RPUSH l " + value;
          model.push_back(value);
          break;
        case 3:
        case 4:
          if (rank == model.size()) continue;
          command = absl::StrCat("LINSERT l AFTER ", rank, " ", value);
          model.insert(model.begin() + static_cast<ptrdiff_t>(rank) + 1, value);
          break;
        case 5:
          if (rank == model.size()) continue;
          command = absl::StrCat("LSET l ", rank, " ", value);
          model[rank] = value;
          break;
        default:
          if (model.empty()) continue;
          command = "LPOP l";
          model.erase(model.begin());
      }
      follower.Follow(a.Run(command), a);
    }
    EXPECT_EQ(a.Show("l"),
              model.empty() ? "-" : "[" + absl::StrJoin(model, ", ") + "]");
    EXPECT_EQ(follower.Show("l"), a.Show("l"));
    EXPECT_EQ(a.state().Audit(), "");
  }
}

TEST(ListTest, ARenamedListKeepsItsOrderUnderNewDots) {
  Side a(1);
  Side b(2);
  a.Run("RPUSH l a b c; LINSERT l AFTER 0 d; EXPIREAT l 900");
  b.Join(a);
  a.Run("RENAME l m; RPUSH m e");
  EXPECT_EQ(a.Show("l"), "-");
  EXPECT_EQ(a.Show("m"), "[a, d, b, c, e] until 900");
  b.Run("RPUSH l f");
  a.Join(b);
  EXPECT_EQ(a.Show("l"), "[f]");
  EXPECT_EQ(a.Show("m"), "[a, d, b, c, e] until 900");
  EXPECT_EQ(a.state().Audit(), "");
}

}  // namespace
}  // namespace muster::kv
