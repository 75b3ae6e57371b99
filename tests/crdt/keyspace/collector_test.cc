// An exchange while the source goes on writing: what was collected is the
// source's state, and what is joined the join of the two.
#include "crdt/keyspace/collector.h"

#include <string>
#include <vector>

#include "crdt/keyspace/exchange.h"
#include "gtest/gtest.h"
#include "random_commands.h"
#include "side.h"

namespace muster::kv {
namespace {

std::vector<uint32_t> Differing(const Keyspace& a, const Keyspace& b) {
  std::vector<uint32_t> buckets;
  for (uint32_t i = 0; i < kBuckets; ++i) {
    if (a.digests().bucket(i) != b.digests().bucket(i)) buckets.push_back(i);
  }
  return buckets;
}

// One exchange of `source` into `own`, and what the source writes meanwhile.
class Exchange {
 public:
  Exchange(Side& own, Side& source, uint64_t seed)
      : commands_(seed), own_(own), source_(source) {}

  // False: a flush made it start over.
  bool Run(uint64_t now) {
    const Context base = source_.state().context();
    Collector collector(own_.state(), Differing(own_.state(), source_.state()),
                        base);
    BucketReader reader(source_.state());
    std::string part;
    while (!collector.IsWhole()) {
      if (commands_.Below(2) == 0) {
        source_.set_now(now);
        const std::string mutation = source_.Run(commands_.Next(now));
        if (!mutation.empty() &&
            collector.Apply(mutation, {base, source_.life(), source_.seq()}) ==
                Collector::Outcome::kStartOver) {
          return false;
        }
        continue;
      }
      const auto again = collector.FirstAgain();
      if (again.has_value() && commands_.Below(2) == 0) {
        collector.AddAgain(*again,
                           ReadKey(source_.state(), again->name(), 100));
      } else if (const auto bucket = collector.bucket()) {
        if (reader.Next(*bucket, commands_.Below(300), part)) {
          EXPECT_TRUE(ValidatePart(part, *bucket));
          collector.Add(part);
        } else {
          collector.End();
        }
      }
    }
    EXPECT_EQ(collector.state().Audit(), "");
    for (const uint32_t bucket : collector.buckets()) {
      EXPECT_EQ(collector.state().digests().bucket(bucket),
                source_.state().digests().bucket(bucket));
    }
    EXPECT_EQ(collector.state().context(), source_.state().context());
    for (const uint32_t bucket : collector.buckets()) {
      own_.state().JoinBucket(collector.state(), bucket);
    }
    own_.state().Cover(collector.state().context());
    return true;
  }

 private:
  RandomCommands commands_;
  Side& own_;
  Side& source_;
};

class CollectorTest : public testing::TestWithParam<uint64_t> {};

TEST_P(CollectorTest, WhatIsCollectedUnderWritesIsTheSourcesState) {
  RandomCommands commands(GetParam());
  Side own(1);
  Side source(2);
  uint64_t now = 100;
  for (int round = 0; round < 8; ++round) {
    for (int i = 0; i < 12; ++i) {
      Side& side = commands.Below(3) == 0 ? own : source;
      side.set_now(now += commands.Below(4));
      side.Run(commands.Next(now));
    }
    Side before(3);
    before.Join(own);
    Exchange exchange(own, source, GetParam() * 100 + round);
    while (!exchange.Run(now)) continue;
    // As if the two had been joined at one moment.
    before.Join(source);
    ASSERT_EQ(own.Versions(), before.Versions()) << round;
    ASSERT_EQ(own.state().digests().all(), before.state().digests().all());
    ASSERT_EQ(own.state().context(), before.state().context());
    ASSERT_EQ(own.state().Audit(), "");
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, CollectorTest,
                         testing::Range<uint64_t>(1, 201));

}  // namespace
}  // namespace muster::kv
