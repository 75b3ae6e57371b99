// Buckets as parts: whole, in order, bounded; malformed parts; the cursor.
#include "crdt/keyspace/exchange.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "side.h"

namespace muster::kv {
namespace {

uint32_t BucketOfKey(const std::string& key) {
  return BucketOf(HashOf({0, key}));
}

std::vector<std::string> Parts(const Keyspace& state, uint32_t bucket,
                               size_t max_bytes) {
  BucketReader reader(state);
  std::vector<std::string> parts;
  std::string part;
  while (reader.Next(bucket, max_bytes, part)) parts.push_back(part);
  return parts;
}

Side Filled() {
  Side a(1);
  Side b(2);
  b.Run("HSET h f 1; INCRBY n 4");
  a.Join(b);
  a.Run("HSET h f 2; HSET h g x; INCRBY n 3; RPUSH l a b; SADD s m");
  b.Run("HSET h f 3; EXPIREAT h 900; ZADD z 1 m; LPUSH l c");
  a.Join(b);
  for (int i = 0; i < 200; ++i) a.Run(absl::StrCat("SADD s member", i));
  return a;
}

TEST(ExchangeTest, PartsOfAnySizeCarryEverything) {
  const Side a = Filled();
  for (const size_t bytes : {size_t{1}, size_t{100}, size_t{64} << 10}) {
    Side other(3);
    other.state() = Exchanged(a.state(), bytes);
    EXPECT_EQ(other.Versions(), a.Versions());
    EXPECT_EQ(other.state().digests().all(), a.state().digests().all());
    EXPECT_EQ(other.state().context(), a.state().context());
    EXPECT_EQ(other.state().Audit(), "");
  }
}

TEST(ExchangeTest, APartIsBounded) {
  const Side a = Filled();
  const auto parts = Parts(a.state(), BucketOfKey("s"), 300);
  EXPECT_GT(parts.size(), 5u);
  for (const std::string& part : parts) EXPECT_LE(part.size(), 305u);
}

TEST(ExchangeTest, WhatIsBehindTheCursorIsNotSentAgain) {
  Side a = Filled();
  const uint32_t bucket = BucketOfKey("s");
  BucketReader reader(a.state());
  std::string part;
  ASSERT_TRUE(reader.Next(bucket, 1000, part));
  Keyspace collected;
  BucketWriter writer(collected);
  writer.Add(part);
  a.Run("SADD s a-first; SADD s z-last; SREM s member99");
  while (reader.Next(bucket, 1000, part)) {
    ASSERT_TRUE(ValidatePart(part, bucket));
    writer.Add(part);
  }
  Entry entry;
  const KeyView view = collected.Find({0, "s"}, Time());
  EXPECT_FALSE(view.Get("a-first", entry));
  EXPECT_TRUE(view.Get("z-last", entry));
  EXPECT_FALSE(view.Get("member99", entry));
}

TEST(ExchangeTest, AReaderThatGoesToAnotherBucketBeginsIt) {
  const Side a = Filled();
  BucketReader reader(a.state());
  std::string part;
  ASSERT_TRUE(reader.Next(BucketOfKey("s"), 100, part));
  ASSERT_TRUE(reader.Next(BucketOfKey("h"), 1 << 20, part));
  EXPECT_EQ(part, Parts(a.state(), BucketOfKey("h"), 1 << 20).front());
  EXPECT_FALSE(reader.Next(BucketOfKey("h"), 1 << 20, part));
}

TEST(ExchangeTest, MalformedPartsAreRefused) {
  const Side a = Filled();
  for (const char* key : {"h", "n", "l", "z"}) {
    const uint32_t bucket = BucketOfKey(key);
    const std::string part = Parts(a.state(), bucket, 1 << 20).front();
    ASSERT_TRUE(ValidatePart(part, bucket));
    EXPECT_FALSE(ValidatePart(part, (bucket + 1) % kBuckets)) << "not its own";
    EXPECT_FALSE(ValidatePart(part + part, bucket)) << "lives twice";
    EXPECT_FALSE(ValidatePart("", bucket));
    // No part of it but whole elements is one.
    for (size_t size = 0; size < part.size(); ++size) {
      Keyspace collected;
      if (!ValidatePart(part.substr(0, size), bucket)) continue;
      BucketWriter(collected).Add(part.substr(0, size));
      EXPECT_EQ(collected.Audit(), "");
      EXPECT_NE(collected.digests().all(), a.state().digests().bucket(bucket));
    }
    // A byte that is another makes no part, or one that can be added.
    for (size_t i = 0; i < part.size(); ++i) {
      for (const int change : {1, 0x80, 0xff}) {
        std::string other = part;
        other[i] = static_cast<char>(other[i] ^ change);
        if (!ValidatePart(other, bucket)) continue;
        Keyspace collected;
        BucketWriter(collected).Add(other);
        EXPECT_EQ(collected.Audit(), "");
      }
    }
  }
}

TEST(ExchangeTest, ElementsOutOfOrderAreRefused) {
  Side a(1);
  a.Run("HSET h a 1; HSET h b 2");
  const uint32_t bucket = BucketOfKey("h");
  const std::string part = Parts(a.state(), bucket, 1 << 20).front();
  std::string swapped = part;
  const size_t first = part.find(
      "\x01"
      "a");
  const size_t second = part.find(
      "\x01"
      "b");
  ASSERT_NE(first, part.npos);
  std::swap(swapped[first + 1], swapped[second + 1]);
  EXPECT_FALSE(ValidatePart(swapped, bucket));
  swapped[second + 1] = 'b';
  EXPECT_FALSE(ValidatePart(swapped, bucket)) << "one element twice";
}

TEST(ExchangeTest, GroupsTellWhereStatesDiffer) {
  Side a = Filled();
  Side b(9);
  b.Join(a);
  b.Run("SET differs x");
  const uint32_t bucket = BucketOfKey("differs");
  for (uint32_t group = 0; group < kGroups; ++group) {
    EXPECT_EQ(
        a.state().digests().group(group) == b.state().digests().group(group),
        group != bucket / kBucketsPerGroup);
  }
  a.state().JoinBucket(b.state(), bucket);
  EXPECT_EQ(a.state().digests().all(), b.state().digests().all());
  EXPECT_NE(a.state().context(), b.state().context()) << "Cover comes last";
  a.state().Cover(b.state().context());
  EXPECT_EQ(a.state().context().digest(), b.state().context().digest());
}

TEST(ContextTest, ADroppedLifeIsUnseen) {
  Context context;
  context.Cover({0, 1}, Seq(5));
  const uint64_t digest = context.digest();
  context.Cover({0, 2}, Seq(7));
  context.Cover({0, 2}, Seq(3));
  EXPECT_EQ(context.Of({0, 2}), Seq(7));
  EXPECT_TRUE(context.Covers({{0, 2}, Seq(7), 9}));
  EXPECT_FALSE(context.Covers({{0, 2}, Seq(8), 0}));
  Context other;
  other.Cover({0, 2}, Seq(7));
  EXPECT_TRUE(context.Contains(other));
  EXPECT_FALSE(other.Contains(context));
  context.Drop({0, 2});
  EXPECT_EQ(context.digest(), digest);
  EXPECT_FALSE(context.Covers({{0, 2}, Seq(1), 0}));
}

}  // namespace
}  // namespace muster::kv
