// The keyspace of one node, and of several.
#include "node/core/keyspace/replicated_keyspace.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/core/keyspace/kv_cluster.h"

namespace muster::core {
namespace {

TEST(OneNode, AnswersCommands) {
  KvCluster cluster(1);
  EXPECT_EQ(cluster.Do(0, "SET k v"), "OK");
  EXPECT_EQ(cluster.Do(0, "GET k"), "\"v\"");
  EXPECT_EQ(cluster.Do(0, "INCR n"), "(integer) 1");
  EXPECT_EQ(cluster.Do(0, "LPOP k"),
            "(error) WRONGTYPE Operation against a key holding the wrong kind "
            "of value");
  EXPECT_EQ(cluster.Leader(), 0);
}

TEST(OneNode, ServesPopsInTheOrderInWhichTheyCame) {
  KvCluster cluster(1);
  EXPECT_EQ(cluster.Do(0, "PING"), "PONG");
  const KvCallId first = cluster.Send(0, "BLPOP q 0");
  cluster.RunFor(absl::Milliseconds(10));
  const KvCallId second = cluster.Send(0, "BLPOP q 0");
  cluster.RunFor(absl::Milliseconds(10));
  EXPECT_EQ(cluster.Answer(0, first), "");
  EXPECT_EQ(cluster.Do(0, "RPUSH q a b"), "(integer) 2");
  cluster.RunFor(absl::Milliseconds(20));
  EXPECT_EQ(cluster.Answer(0, first), "1) \"q\"\n2) \"a\"");
  EXPECT_EQ(cluster.Answer(0, second), "1) \"q\"\n2) \"b\"");
}

TEST(OneNode, EndsAPopAtItsDeadline) {
  KvCluster cluster(1);
  const KvCallId pop = cluster.Send(0, "BLPOP q 0.2");
  cluster.RunFor(absl::Milliseconds(150));
  EXPECT_EQ(cluster.Answer(0, pop), "");
  cluster.RunFor(absl::Milliseconds(100));
  EXPECT_EQ(cluster.Answer(0, pop), "(nil)");
}

TEST(ThreeNodes, HaveOneLeaderAndAnswerAlike) {
  KvCluster cluster(3);
  ASSERT_TRUE(cluster.RunUntil([&] { return cluster.IsSettled(); }))
      << cluster.Describe();
  for (int n = 0; n < 3; ++n) {
    EXPECT_EQ(cluster.Do(n, "INCR n"), absl::StrCat("(integer) ", n + 1));
    EXPECT_EQ(cluster.Do(n, "GET n"), absl::StrCat("\"", n + 1, "\""));
  }
  ASSERT_TRUE(cluster.RunUntil([&] { return cluster.IsSettled(); }))
      << cluster.Describe();
}

TEST(ThreeNodes, GoOnWhenTheLeaderIsKilled) {
  KvCluster cluster(3);
  ASSERT_TRUE(cluster.RunUntil([&] { return cluster.IsSettled(); }));
  const int leader = cluster.Leader();
  const int other = (leader + 1) % 3;
  EXPECT_EQ(cluster.Do(other, "SET k v"), "OK");
  cluster.Kill(leader);
  const absl::Duration killed = cluster.time();
  // What is called once the link is seen to be gone waits for the next leader.
  cluster.RunFor(absl::Milliseconds(10));
  EXPECT_EQ(cluster.Do(other, "SET k w"), "OK") << cluster.Describe();
  EXPECT_LT(cluster.time() - killed, absl::Seconds(1));
  cluster.Start(leader);
  ASSERT_TRUE(cluster.RunUntil([&] { return cluster.IsSettled(); }))
      << cluster.Describe();
  EXPECT_EQ(cluster.Do(leader, "GET k"), "\"w\"");
}

TEST(ThreeNodes, JoinBothSidesOfACut) {
  KvCluster cluster(3);
  ASSERT_TRUE(cluster.RunUntil([&] { return cluster.IsSettled(); }));
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(cluster.Do(0, absl::StrCat("SET k", i, " v")), "OK");
  }
  EXPECT_EQ(cluster.Do(0, "INCRBY n 5"), "(integer) 5");
  cluster.CutBoth(0, 1);
  cluster.CutBoth(0, 2);
  cluster.RunFor(absl::Seconds(4));
  EXPECT_EQ(cluster.Do(1, "INCRBY n 10"), "(integer) 15") << cluster.Describe();
  EXPECT_EQ(cluster.Do(0, "INCRBY n 100"), "(integer) 105")
      << cluster.Describe();
  EXPECT_EQ(cluster.Do(0, "DEL k3"), "(integer) 1");
  EXPECT_EQ(cluster.Do(2, "SET k4 w"), "OK");
  cluster.Heal();
  ASSERT_TRUE(cluster.RunUntil([&] { return cluster.IsSettled(); }))
      << cluster.Describe();
  EXPECT_EQ(cluster.Do(2, "GET n"), "\"115\"");
  EXPECT_EQ(cluster.Do(1, "GET k3"), "(nil)");
  EXPECT_EQ(cluster.Do(0, "GET k4"), "\"w\"");
}

TEST(ThreeNodes, GoOnWhenTheLeaderIsFrozen) {
  KvCluster cluster(3);
  ASSERT_TRUE(cluster.RunUntil([&] { return cluster.IsSettled(); }));
  const int leader = cluster.Leader();
  const int other = (leader + 1) % 3;
  EXPECT_EQ(cluster.Do(other, "SET k v"), "OK");
  cluster.Freeze(leader);
  const absl::Duration frozen = cluster.time();
  std::string answer;
  while (answer != "OK") {
    answer = cluster.Do(other, "SET k w");
    ASSERT_LT(cluster.time() - frozen, absl::Seconds(20)) << answer << "\n"
                                                          << cluster.Describe();
  }
  EXPECT_LT(cluster.time() - frozen, absl::Milliseconds(6500));
  cluster.Thaw(leader);
  ASSERT_TRUE(cluster.RunUntil([&] { return cluster.IsSettled(); }))
      << cluster.Describe();
}

TEST(ThreeNodes, KeepAPopWaitingOverALeadersDeath) {
  KvCluster cluster(3);
  ASSERT_TRUE(cluster.RunUntil([&] { return cluster.IsSettled(); }));
  const int leader = cluster.Leader();
  const int a = (leader + 1) % 3;
  const int b = (leader + 2) % 3;
  const KvCallId first = cluster.Send(a, "BLPOP q 0");
  cluster.RunFor(absl::Milliseconds(20));
  const KvCallId second = cluster.Send(b, "BLPOP q 0");
  cluster.RunFor(absl::Milliseconds(20));
  cluster.Kill(leader);
  cluster.RunFor(absl::Seconds(1));
  EXPECT_EQ(cluster.Do(a, "RPUSH q x"), "(integer) 1") << cluster.Describe();
  cluster.RunFor(absl::Milliseconds(50));
  EXPECT_EQ(cluster.Answer(a, first), "1) \"q\"\n2) \"x\"");
  EXPECT_EQ(cluster.Answer(b, second), "");
  EXPECT_EQ(cluster.Do(b, "RPUSH q y"), "(integer) 1");
  cluster.RunFor(absl::Milliseconds(50));
  EXPECT_EQ(cluster.Answer(b, second), "1) \"q\"\n2) \"y\"");
}

TEST(ThreeNodes, HandTheLeadOverWhenTheLeaderDrains) {
  KvCluster cluster(3);
  ASSERT_TRUE(cluster.RunUntil([&] { return cluster.IsSettled(); }));
  const int leader = cluster.Leader();
  const int other = (leader + 1) % 3;
  EXPECT_EQ(cluster.Do(other, "SET k v"), "OK");
  cluster.node(leader).Drain();
  const absl::Duration drained = cluster.time();
  EXPECT_EQ(cluster.Do(other, "INCR n"), "(integer) 1") << cluster.Describe();
  EXPECT_LT(cluster.time() - drained, absl::Milliseconds(300));
  EXPECT_TRUE(
      cluster.RunUntil([&] { return cluster.node(leader).IsDrained(); }));
  EXPECT_NE(cluster.Leader(), leader);
}

TEST(ThreeNodes, RemoveWhatIsDueOnlyWhileAllAnswer) {
  KvCluster cluster(3);
  ASSERT_TRUE(cluster.RunUntil([&] { return cluster.IsSettled(); }));
  EXPECT_EQ(cluster.Do(0, "SET k v PX 300"), "OK");
  cluster.RunFor(absl::Seconds(1));
  for (int n = 0; n < 3; ++n) {
    EXPECT_EQ(cluster.node(n).state().Keys(0), 0u) << n;
  }
  EXPECT_EQ(cluster.Do(0, "SET k v PX 3000"), "OK");
  const int leader = cluster.Leader();
  const int silent = (leader + 1) % 3;
  cluster.Freeze(silent);
  cluster.RunFor(absl::Seconds(5));
  EXPECT_EQ(cluster.Do(leader, "GET k"), "(nil)");
  EXPECT_EQ(cluster.node(leader).state().Keys(0), 1u);
}

}  // namespace
}  // namespace muster::core
