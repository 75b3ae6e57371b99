#include "node/core/keyspace/kv_waiters.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "node/core/keyspace/kv_seen_calls.h"
#include "node/core/keyspace/kv_served_pops.h"

namespace muster::core {
namespace {

KvRequest Request(uint64_t node, KvCallId call) { return {{node, 1}, call}; }

KvWaiters::Waiter Waiter(uint64_t ticket, const std::vector<std::string>& keys,
                         uint64_t until_ms = 0) {
  KvWaiters::Waiter waiter;
  waiter.call.ticket = ticket;
  for (const std::string& key : keys) waiter.wait.keys.push_back({0, key});
  waiter.wait.until.at_ms = until_ms;
  return waiter;
}

TEST(KvWaiters, WakesInTheOrderOfTickets) {
  KvWaiters waiters;
  waiters.Add(Request(1, 1), Waiter(20, {"q"}));
  waiters.Add(Request(2, 1), Waiter(10, {"q", "r"}));
  waiters.Add(Request(3, 1), Waiter(5, {"s"}));
  EXPECT_FALSE(waiters.TakeWoken().has_value());
  waiters.Wake(0, "q");
  EXPECT_EQ(waiters.TakeWoken(), Request(2, 1));
  EXPECT_EQ(waiters.TakeWoken(), Request(1, 1));
  EXPECT_FALSE(waiters.TakeWoken().has_value());
  waiters.Wake(1, "q");
  EXPECT_FALSE(waiters.TakeWoken().has_value());
}

TEST(KvWaiters, ForgetsWhatIsRemoved) {
  KvWaiters waiters;
  waiters.Add(Request(1, 1), Waiter(1, {"q"}, 50));
  waiters.Add(Request(1, 2), Waiter(2, {"q"}));
  waiters.Add(Request(2, 1), Waiter(3, {"q"}));
  waiters.Wake(0, "q");
  EXPECT_TRUE(waiters.Remove(Request(1, 1)));
  EXPECT_FALSE(waiters.Remove(Request(1, 1)));
  EXPECT_FALSE(waiters.FirstDue(kv::Time(100)).has_value());
  waiters.RemoveOf({1, 1});
  EXPECT_EQ(waiters.size(), 1u);
  EXPECT_EQ(waiters.TakeWoken(), Request(2, 1));
  EXPECT_FALSE(waiters.TakeWoken().has_value());
}

TEST(KvWaiters, TellsWhoseTimeIsOver) {
  KvWaiters waiters;
  waiters.Add(Request(1, 1), Waiter(1, {"q"}, 100));
  waiters.Add(Request(1, 2), Waiter(2, {"q"}, 50));
  EXPECT_FALSE(waiters.FirstDue(kv::Time(49)).has_value());
  EXPECT_EQ(waiters.FirstDue(kv::Time(50)), Request(1, 2));
}

TEST(KvSeenCalls, SeesEachOnceAndOldOnesAsSeen) {
  KvSeenCalls seen;
  EXPECT_TRUE(seen.Add(7));
  EXPECT_TRUE(seen.Add(3));
  EXPECT_FALSE(seen.Add(7));
  for (KvCallId id = 100; id < 100 + KvSeenCalls::kKept; ++id) {
    EXPECT_TRUE(seen.Add(id));
  }
  EXPECT_FALSE(seen.Add(7));
  EXPECT_FALSE(seen.Add(5));
}

TEST(KvServedPops, KeepTheLatest) {
  KvServedPops pops;
  for (KvCallId id = 1; id <= KvServedPops::kKept + 1; ++id) {
    pops.Add({Request(1, id), {}, crdt::Seq(id), {}});
  }
  EXPECT_EQ(pops.Find(Request(1, 1)), nullptr);
  ASSERT_NE(pops.Find(Request(1, 2)), nullptr);
  EXPECT_EQ(pops.Find(Request(1, 2))->seq, crdt::Seq(2));
  EXPECT_EQ(pops.All().size(), KvServedPops::kKept);
}

TEST(KvServedPops, KeepNoMoreThanTheirBytes) {
  KvServedPops pops;
  for (KvCallId id = 1; id <= 20; ++id) {
    KvServed served{Request(1, id), {}, crdt::Seq(id), {}};
    served.replies.Bulk(std::string(64 << 10, 'x'));
    pops.Add(served);
  }
  EXPECT_EQ(pops.All().size(), 3u);
}

}  // namespace
}  // namespace muster::core
