#include "crdt/glob.h"

#include <gtest/gtest.h>

#include <string>

namespace muster::crdt {
namespace {

using namespace std::string_literals;

TEST(GlobTest, APlainPatternMatchesItselfAlone) {
  EXPECT_TRUE(GlobMatch("news", "news"));
  EXPECT_FALSE(GlobMatch("news", "new"));
  EXPECT_FALSE(GlobMatch("news", "newss"));
  EXPECT_FALSE(GlobMatch("news", "News"));
  EXPECT_TRUE(GlobMatch("", ""));
  EXPECT_FALSE(GlobMatch("", "a"));
}

TEST(GlobTest, AStarMatchesAnyBytesAndNone) {
  EXPECT_TRUE(GlobMatch("*", ""));
  EXPECT_TRUE(GlobMatch("*", "anything"));
  EXPECT_TRUE(GlobMatch("h*llo", "hllo"));
  EXPECT_TRUE(GlobMatch("h*llo", "heeello"));
  EXPECT_FALSE(GlobMatch("h*llo", "heeell"));
  EXPECT_TRUE(GlobMatch("a*b*c", "a-b-b-c"));
  EXPECT_FALSE(GlobMatch("a*b*c", "a-c-b"));
  EXPECT_TRUE(GlobMatch("**a**", "bab"));
  EXPECT_TRUE(GlobMatch("*ab", "aab"));
}

TEST(GlobTest, AQuestionMarkMatchesOneByte) {
  EXPECT_TRUE(GlobMatch("h?llo", "hello"));
  EXPECT_FALSE(GlobMatch("h?llo", "hllo"));
  EXPECT_TRUE(GlobMatch("??", "ab"));
  EXPECT_FALSE(GlobMatch("??", "a"));
}

TEST(GlobTest, AClassMatchesOneOfItsBytes) {
  EXPECT_TRUE(GlobMatch("h[ae]llo", "hallo"));
  EXPECT_FALSE(GlobMatch("h[ae]llo", "hillo"));
  EXPECT_TRUE(GlobMatch("h[a-c]llo", "hbllo"));
  EXPECT_TRUE(GlobMatch("h[c-a]llo", "hbllo"));
  EXPECT_FALSE(GlobMatch("h[a-c]llo", "hdllo"));
  EXPECT_TRUE(GlobMatch("h[^e]llo", "hallo"));
  EXPECT_FALSE(GlobMatch("h[^e]llo", "hello"));
  EXPECT_FALSE(GlobMatch("h[^e]llo", "hllo"));
}

TEST(GlobTest, ABackslashTakesTheNextByteAsItIs) {
  EXPECT_TRUE(GlobMatch("a\\*b", "a*b"));
  EXPECT_FALSE(GlobMatch("a\\*b", "axb"));
  EXPECT_TRUE(GlobMatch("[\\]]", "]"));
  EXPECT_TRUE(GlobMatch("a\\", "a\\"));
}

TEST(GlobTest, AnOpenClassEndsWithThePattern) {
  EXPECT_TRUE(GlobMatch("a[bc", "ab"));
  EXPECT_FALSE(GlobMatch("a[bc", "ad"));
  EXPECT_FALSE(GlobMatch("a[", "ab"));
  EXPECT_FALSE(GlobMatch("a[]", "ab"));
}

TEST(GlobTest, NamesArePlainBytes) {
  EXPECT_TRUE(GlobMatch("a?b"s, "a\0b"s));
  EXPECT_TRUE(GlobMatch("\xff*"s, "\xff\xfe"s));
  EXPECT_TRUE(GlobMatch("[\x80-\xff]"s, "\xc3"s));
}

// A matcher that tries every length of every star would take 2^40 steps.
TEST(GlobTest, ManyStarsCostNoMoreThanPatternTimesText) {
  std::string pattern;
  for (int i = 0; i < 40; ++i) pattern += "*a";
  const std::string text(4000, 'a');
  EXPECT_TRUE(GlobMatch(pattern, text));
  EXPECT_FALSE(GlobMatch(pattern + "b", text));
}

}  // namespace
}  // namespace muster::crdt
