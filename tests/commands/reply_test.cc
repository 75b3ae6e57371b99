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

TEST(ReplyTest, AStatusIsOneLine) {
  EXPECT_EQ(TextOf([](Reply& r) { r.Simple("a\r\nb"); }), "a  b");
}

// One value of each kind, as an aggregate of another has it.
Reply EveryKind() {
  Reply reply;
  reply.Begin(Kind::kArray, 8);
  reply.Ok();
  reply.Error("ERR no");
  reply.Integer(-300);
  reply.Bulk("a\r\nb");
  reply.Nil();
  reply.NilArray();
  reply.Begin(Kind::kMap, 2);
  reply.Bulk("f");
  reply.Begin(Kind::kSet, 0);
  reply.Begin(Kind::kPairs, 2);
  reply.Bulk("m");
  reply.Double(1.5);
  return reply;
}

TEST(ReplyTest, TheBytesAreTheirs) {
  EXPECT_EQ(EveryKind().encoded(),
            "\x07\x08\0\0\0"
            "\x00\x02OK"
            "\x01\x06"
            "ERR no"
            "\x02\xd7\x04"
            "\x03\x04"
            "a\r\nb"
            "\x04\x05"
            "\x08\x02\0\0\0"
            "\x03\x01"
            "f"
            "\x09\0\0\0\0"
            "\x0a\x02\0\0\0"
            "\x03\x01m"
            "\x06\0\0\0\0\0\0\xf8\x3f"s);
}

TEST(ReplyTest, ForeignBytesAreSoManyWholeValues) {
  Reply two = EveryKind();
  two.Integer(7);
  EXPECT_EQ(two.CountValues(), 2u);
  const auto back = Reply::FromBytes(two.encoded(), 2);
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(*back, two);
  EXPECT_FALSE(Reply::FromBytes(two.encoded(), 1).has_value());
  EXPECT_FALSE(Reply::FromBytes(two.encoded(), 3).has_value());
  const std::string one = EveryKind().encoded();
  for (size_t size = 0; size < one.size(); ++size) {
    EXPECT_FALSE(Reply::FromBytes(one.substr(0, size), 1).has_value()) << size;
  }
  EXPECT_TRUE(Reply::FromBytes("", 0).has_value());
  EXPECT_EQ(Reply().CountValues(), 0u);
}

TEST(ReplyTest, ForeignBytesThatNoDoorCouldWriteAreRefused) {
  const std::vector<std::string> bad = {
      "\x0b"s,                      // No kind.
      "\xff"s,                      // No kind.
      "\x00\x03\x61\x0d\x62"s,      // A status of two lines.
      "\x01\x03\x61\x0a\x62"s,      // An error of two lines.
      "\x03\x81\x00\x61"s,          // A size that is not in its shortest form.
      "\x02\x80\x00"s,              // An integer that is not, either.
      "\x08\x01\0\0\0\x04"s,        // Half an entry of a map.
      "\x0a\x01\0\0\0\x04"s,        // A member without a score.
      "\x07\xff\xff\xff\xff\x04"s,  // More children than there are.
  };
  for (const std::string& bytes : bad) {
    EXPECT_FALSE(Reply::FromBytes(bytes, 1).has_value());
  }
}

TEST(ReplyTest, ForeignBytesAreNestedToALimit) {
  const auto nested = [](size_t depth) {
    Reply reply;
    for (size_t i = 0; i < depth; ++i) reply.Begin(Kind::kArray, 1);
    reply.Nil();
    return reply.encoded();
  };
  EXPECT_TRUE(Reply::FromBytes(nested(Reply::kMaxDepth), 1).has_value());
  EXPECT_FALSE(Reply::FromBytes(nested(Reply::kMaxDepth + 1), 1).has_value());
  // One after the other is not one in the other.
  std::string flat;
  for (size_t i = 0; i < 3 * Reply::kMaxDepth; ++i) flat += nested(1);
  EXPECT_TRUE(
      Reply::FromBytes(flat, uint32_t{3 * Reply::kMaxDepth}).has_value());
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
