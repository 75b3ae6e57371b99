#include "node/config/suggestion.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace muster {
namespace {

const std::vector<std::string>& Words() {
  static const auto* const kWords = new std::vector<std::string>{
      "serve", "get", "list", "members", "max-connections", "max-slot"};
  return *kWords;
}

TEST(SuggestionTest, TheNearestWordIsMeant) {
  for (const char* slip : {"sevre", "serv", "serves", "sarve", "eserve"}) {
    EXPECT_EQ(Suggestion(slip, Words()), "; did you mean serve?") << slip;
  }
  EXPECT_EQ(Suggestion("gt", Words()), "; did you mean get?");
  EXPECT_EQ(Suggestion("max-conections", Words()),
            "; did you mean max-connections?");
}

TEST(SuggestionTest, AWordThatIsNotFinishedMeansTheShortestThatBeginsSo) {
  EXPECT_EQ(Suggestion("max-conn", Words()), "; did you mean max-connections?");
  EXPECT_EQ(Suggestion("max", Words()), "; did you mean max-slot?");
}

TEST(SuggestionTest, WhatIsLikeNothingGetsNone) {
  for (const char* other : {"", "x", "dance", "tea", "frobnicate", "ma"}) {
    EXPECT_EQ(Suggestion(other, Words()), "") << other;
  }
  EXPECT_EQ(Suggestion("serve", {}), "");
}

}  // namespace
}  // namespace muster
