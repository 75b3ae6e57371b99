#include "node/commands/reply.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace muster::commands {
namespace {

using namespace std::string_literals;
using Kind = Reply::Kind;

std::vector<ReplyNode> NodesOf(const Reply& reply) {
  std::vector<ReplyNode> nodes;
  ReplyReader reader(reply);
  ReplyNode node;
  while (reader.Next(node)) nodes.push_back(node);
  return nodes;
}

template <typename Write>
std::string TextOf(Write write) {
  Reply reply;
  write(reply);
  return ToText(reply);
}

TEST(ReplyTest, NodesAreReadInTheOrderTheyWereWritten) {
  Reply reply;
  reply.Begin(Kind::kArray, 3);
  reply.Bulk("a\0b"s);
  reply.Begin(Kind::kPairs, 2);
  reply.Bulk("m");
  reply.Double(1.5);
  reply.NilArray();
  const std::vector<ReplyNode> nodes = NodesOf(reply);
  ASSERT_EQ(nodes.size(), 6u);
  EXPECT_EQ(nodes[0].kind, Kind::kArray);
  EXPECT_EQ(nodes[0].count, 3u);
  EXPECT_EQ(nodes[1].text, "a\0b"s);
  EXPECT_EQ(nodes[2].kind, Kind::kPairs);
  EXPECT_EQ(nodes[2].count, 2u);
  EXPECT_EQ(nodes[4].kind, Kind::kDouble);
  EXPECT_EQ(nodes[4].number, 1.5);
  EXPECT_EQ(nodes[5].kind, Kind::kNilArray);
}

TEST(ReplyTest, IntegersKeepTheirWholeRange) {
  for (const int64_t value : {int64_t{0}, int64_t{-1}, int64_t{1}, int64_t{300},
                              std::numeric_limits<int64_t>::min(),
                              std::numeric_limits<int64_t>::max()}) {
    Reply reply;
    reply.Integer(value);
    EXPECT_EQ(NodesOf(reply).front().integer, value);
  }
}

TEST(ReplyTest, AnAggregateMayBeToldItsCountAtItsEnd) {
  Reply late;
  const size_t open = late.BeginOpen(Kind::kSet);
  late.Bulk("a");
  late.Bulk("b");
  late.End(open, 2);
  Reply early;
  early.Begin(Kind::kSet, 2);
  early.Bulk("a");
  early.Bulk("b");
  EXPECT_EQ(late, early);
}

TEST(ReplyTest, WhatIsShortNeedsNoAllocation) {
  const size_t own = std::string().capacity();
  Reply reply;
  reply.Ok();
  EXPECT_LE(reply.bytes(), own);
  reply.Clear();
  reply.Integer(std::numeric_limits<int64_t>::min());
  EXPECT_LE(reply.bytes(), own);
}

TEST(ReplyTest, OnlyAnErrorIsAnError) {
  Reply reply;
  EXPECT_FALSE(reply.IsError());
  reply.Simple("ERR");
  EXPECT_FALSE(reply.IsError());
  reply.Clear();
  reply.Error("ERR no such key");
  EXPECT_TRUE(reply.IsError());
}

TEST(ReplyTest, AnErrorIsOneLine) {
  EXPECT_EQ(TextOf([](Reply& r) { r.Error("ERR a\r\nb\nc"); }),
            "(error) ERR a  b c");
}

TEST(ReplyTest, TextIsThatOfRedisCli) {
  EXPECT_EQ(TextOf([](Reply& r) { r.Ok(); }), "OK");
  EXPECT_EQ(TextOf([](Reply& r) { r.Integer(-7); }), "(integer) -7");
  EXPECT_EQ(TextOf([](Reply& r) { r.Nil(); }), "(nil)");
  EXPECT_EQ(TextOf([](Reply& r) { r.NilArray(); }), "(nil)");
  EXPECT_EQ(TextOf([](Reply& r) { r.EmptyArray(); }), "(empty array)");
  EXPECT_EQ(TextOf([](Reply& r) { r.Bulk(""); }), "\"\"");
  EXPECT_EQ(TextOf([](Reply& r) { r.Bulk("a\"\\\n\r\t\a\b\0\x7f\xff"s); }),
            "\"a\\\"\\\\\\n\\r\\t\\a\\b\\x00\\x7f\\xff\"");
}

TEST(ReplyTest, DoublesAreTheBulksOfResp2) {
  EXPECT_EQ(DoubleText(3), "3");
  EXPECT_EQ(DoubleText(0.1), "0.10000000000000001");
  EXPECT_EQ(DoubleText(1e20), "1e+20");
  EXPECT_EQ(DoubleText(INFINITY), "inf");
  EXPECT_EQ(DoubleText(-INFINITY), "-inf");
  EXPECT_EQ(TextOf([](Reply& r) { r.Double(2.5); }), "\"2.5\"");
}

TEST(ReplyTest, NestedArraysAreIndentedByTheirNumbers) {
  Reply reply;
  reply.Begin(Kind::kArray, 2);
  reply.Bulk("0");
  reply.Begin(Kind::kArray, 2);
  reply.Bulk("a");
  reply.Bulk("b");
  EXPECT_EQ(ToText(reply), "1) \"0\"\n2) 1) \"a\"\n   2) \"b\"");
}

TEST(ReplyTest, NumbersOfALongArrayAreAligned) {
  Reply reply;
  reply.Begin(Kind::kArray, 10);
  for (int i = 0; i < 10; ++i) reply.Integer(i);
  const std::string text = ToText(reply);
  EXPECT_EQ(text.substr(0, 14), " 1) (integer) ");
  EXPECT_NE(text.find("\n10) (integer) 9"), std::string::npos);
}

}  // namespace
}  // namespace muster::commands
