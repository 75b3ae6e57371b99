// What clients are promised of their calls: order, limits, positions, policies.
#include "node/core/keyspace/kv_calls.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/core/keyspace/kv_cluster.h"

namespace muster::core {
namespace {

KvCall Call(const std::vector<std::vector<absl::string_view>>& commands) {
  KvCall call;
  for (const auto& argv : commands) call.commands.Add(argv);
  return call;
}

class KvCallsTest : public testing::Test {
 protected:
  void Start(int nodes, KeyspaceOptions options = {}) {
    cluster_.emplace(nodes, options);
    ASSERT_TRUE(cluster_->RunUntil([&] { return cluster_->IsSettled(); }));
    leader_ = cluster_->Leader();
    other_ = (leader_ + 1) % nodes;
  }
  std::string Do(int node, KvCall call) {
    return AnswerOf(node, cluster_->Send(node, std::move(call)));
  }
  // Once it is there; "" if it has not come by then.
  std::string AnswerOf(int node, KvCallId id,
                       absl::Duration patience = absl::Seconds(15)) {
    cluster_->RunUntil([&] { return !cluster_->Answer(node, id).empty(); },
                       patience);
    return cluster_->Answer(node, id);
  }

  std::optional<KvCluster> cluster_;
  int leader_ = 0;
  int other_ = 0;
};

TEST_F(KvCallsTest, ACallOfManyCommandsIsAnsweredAsOne) {
  Start(3);
  KvCall call =
      Call({{"SET", "k", "v"}, {"GET", "k"}, {"NOSUCH"}, {"INCR", "n"}});
  const KvCallId id = cluster_->Send(other_, call);
  cluster_->RunFor(absl::Milliseconds(50));
  EXPECT_EQ(cluster_->Answer(other_, id), "OK");
  EXPECT_EQ(cluster_->Do(other_, "GET n"), "\"1\"");
}

TEST_F(KvCallsTest, CallsOfOneConnectionReadTheirOwnWrites) {
  Start(3);
  for (int i = 0; i < 50; ++i) {
    cluster_->Send(other_, absl::StrCat("SET k ", i), 1);
    const KvCallId read = cluster_->Send(other_, "GET k", 1);
    if (i % 3 == 0) cluster_->RunFor(absl::Milliseconds(1));
    ASSERT_TRUE(cluster_->RunUntil(
        [&] { return !cluster_->Answer(other_, read).empty(); }));
    EXPECT_EQ(cluster_->Answer(other_, read), absl::StrCat("\"", i, "\""));
  }
}

TEST_F(KvCallsTest, NothingFollowsAPopThatWaitsOnItsConnection) {
  Start(3);
  const KvCallId pop = cluster_->Send(other_, "BLPOP q 0", 1);
  const KvCallId next = cluster_->Send(other_, "PING", 1);
  const KvCallId elsewhere = cluster_->Send(other_, "PING", 2);
  cluster_->RunFor(absl::Milliseconds(100));
  EXPECT_EQ(cluster_->Answer(other_, next), "");
  EXPECT_EQ(cluster_->Answer(other_, elsewhere), "PONG");
  EXPECT_EQ(cluster_->Do(leader_, "RPUSH q a"), "(integer) 1");
  cluster_->RunFor(absl::Milliseconds(50));
  EXPECT_EQ(cluster_->Answer(other_, pop), "1) \"q\"\n2) \"a\"");
  EXPECT_EQ(cluster_->Answer(other_, next), "PONG");
}

TEST_F(KvCallsTest, AWithdrawnPopTakesNothing) {
  Start(3);
  const KvCallId pop = cluster_->Send(other_, "BLPOP q 0");
  cluster_->RunFor(absl::Milliseconds(50));
  cluster_->node(other_).Withdraw(pop);
  cluster_->RunFor(absl::Milliseconds(50));
  EXPECT_EQ(cluster_->Do(leader_, "RPUSH q a"), "(integer) 1");
  EXPECT_EQ(cluster_->Do(leader_, "LLEN q"), "(integer) 1");
  EXPECT_EQ(cluster_->node(other_).Status().blocked, 0u);
}

TEST_F(KvCallsTest, AnAnswerThatIsLostIsAskedFor) {
  Start(3);
  cluster_->Cut(leader_, other_);
  const KvCallId id = cluster_->Send(other_, "INCR n");
  ASSERT_TRUE(cluster_->RunUntil(
      [&] { return cluster_->Do(leader_, "GET n") == "\"1\""; }));
  cluster_->Heal();
  EXPECT_EQ(AnswerOf(other_, id, absl::Seconds(2)), "(integer) 1");
  EXPECT_EQ(cluster_->Do(leader_, "GET n"), "\"1\"");
}

TEST_F(KvCallsTest, ACallThatIsLostIsNotExecuted) {
  Start(3);
  cluster_->Cut(other_, leader_);
  const KvCallId id = cluster_->Send(other_, "INCR n");
  cluster_->RunFor(absl::Milliseconds(50));
  cluster_->Heal();
  EXPECT_EQ(AnswerOf(other_, id, absl::Seconds(2)), "UNAVAILABLE");
  EXPECT_EQ(cluster_->Do(leader_, "GET n"), "(nil)");
}

TEST_F(KvCallsTest, ANodeThatLeavesLearnsWhatBecameOfItsPops) {
  Start(3);
  const KvCallId served = cluster_->Send(other_, "BLPOP q 0");
  const KvCallId waits = cluster_->Send(other_, "BLPOP other 0");
  cluster_->RunFor(absl::Milliseconds(50));
  cluster_->Cut(leader_, other_);
  EXPECT_EQ(cluster_->Do(leader_, "RPUSH q a"), "(integer) 1");
  cluster_->node(other_).RefuseAll();
  cluster_->Heal();
  EXPECT_EQ(AnswerOf(other_, served), "1) \"q\"\n2) \"a\"");
  EXPECT_EQ(AnswerOf(other_, waits), "UNAVAILABLE");
}

TEST_F(KvCallsTest, ACopyThatComesToALeavingLeaderIsNotRunByTheNext) {
  // A refused call is sent again after 10 ms: at any moment of that.
  for (int delay = 0; delay < 12; ++delay) {
    Start(3);
    cluster_->Cut(leader_, other_);  // The answer is lost.
    const KvCallId id = cluster_->Send(other_, "INCR n");
    ASSERT_TRUE(cluster_->RunUntil(
        [&] { return cluster_->Do(leader_, "GET n") == "\"1\""; }));
    cluster_->Heal();
    ReplicatedKeyspace& leader = cluster_->node(leader_);
    leader.Drain();
    cluster_->RunFor(absl::Milliseconds(delay));
    KvForward copy;
    copy.term = leader.Status().position.term;
    copy.call = id;
    copy.commands.Add({"INCR", "n"});
    leader.OnFrame(KvCluster::LifeOf(other_, 1), copy);
    EXPECT_EQ(AnswerOf(other_, id), "ABORTED") << delay;
    ASSERT_TRUE(cluster_->RunUntil([&] { return leader.IsDrained(); }));
    EXPECT_EQ(cluster_->Do(other_, "GET n"), "\"1\"") << delay;
  }
}

TEST_F(KvCallsTest, AnAtomicCallSeesWhetherItsKeysHaveChanged) {
  Start(3);
  EXPECT_EQ(cluster_->Do(other_, "SET k 1"), "OK");
  KvCall call = Call({{"SET", "k", "2"}, {"GET", "k"}});
  call.atomic = true;
  call.watched = cluster_->node(other_).Watch({{0, "k"}});
  EXPECT_EQ(Do(other_, call), "1) OK\n2) \"2\"");
  EXPECT_EQ(Do(other_, call), "(nil)");
}

TEST_F(KvCallsTest, AReadWaitsForAPosition) {
  Start(3);
  EXPECT_EQ(cluster_->Do(leader_, "SET k v"), "OK");
  KvCall call = Call({{"GET", "k"}});
  call.min_position = cluster_->node(leader_).position();
  EXPECT_EQ(Do(other_, call), "\"v\"");
  call.min_position.seq = call.min_position.seq.Next();
  const KvCallId id = cluster_->Send(other_, call);
  cluster_->RunFor(absl::Milliseconds(200));
  EXPECT_EQ(cluster_->Answer(other_, id), "");
  EXPECT_EQ(cluster_->Do(leader_, "SET k w"), "OK");
  cluster_->RunFor(absl::Milliseconds(50));
  EXPECT_EQ(cluster_->Answer(other_, id), "\"w\"");
  call.min_position.term.number += 1000;
  EXPECT_EQ(Do(other_, call), "UNAVAILABLE");
}

TEST_F(KvCallsTest, PastTheirLimitsCallsAreRefused) {
  KeyspaceOptions options;
  options.max_blocked = 2;
  Start(2, options);
  cluster_->Send(other_, "BLPOP a 0");
  cluster_->Send(other_, "BLPOP b 0");
  EXPECT_EQ(cluster_->Do(other_, "BLPOP c 0"), "RESOURCE_EXHAUSTED");
  EXPECT_EQ(cluster_->Do(other_, "PING"), "PONG");
  const std::string large(2 << 20, 'x');
  KvCall call = Call({{"SET", "k", large}});
  EXPECT_EQ(Do(other_, call), "INVALID_ARGUMENT");
}

TEST_F(KvCallsTest, MemoryThatIsFullRefusesWrites) {
  KeyspaceOptions options;
  options.max_memory_bytes = 1;
  Start(1, options);
  EXPECT_EQ(cluster_->Do(0, "SET first v"), "OK");
  EXPECT_EQ(cluster_->Do(0, "SET k v"),
            "(error) OOM command not allowed when used memory > 'maxmemory'.");
  EXPECT_EQ(cluster_->Do(0, "GET k"), "(nil)");
}

TEST_F(KvCallsTest, AnAnswerThatFitsNoFrameIsRefusedAndNothingIsDone) {
  Start(3);
  const std::string value(400 << 10, 'x');
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(Do(leader_, Call({{"RPUSH", "l", value}})),
              absl::StrCat("(integer) ", i + 1));
  }
  EXPECT_EQ(cluster_->Do(other_, "LPOP l 2").substr(0, 18),
            "(error) ERR answer");
  EXPECT_EQ(cluster_->Do(other_, "LLEN l"), "(integer) 2");
}

TEST_F(KvCallsTest, AWriteWaitsForAMajorityIfThatIsThePolicy) {
  KeyspaceOptions options;
  options.ack = KvAckPolicy::kMajority;
  options.wait = absl::Seconds(1);
  Start(3, options);
  EXPECT_EQ(cluster_->Do(other_, "SET k v"), "OK");
  EXPECT_EQ(cluster_->Do(leader_, "SET k w"), "OK");
  for (int n = 0; n < 3; ++n) {
    if (n != leader_) cluster_->Freeze(n);
  }
  EXPECT_EQ(cluster_->Do(leader_, "SET k x"), "ABORTED");
}

TEST_F(KvCallsTest, AFrameThatComesTwiceIsExecutedOnce) {
  Start(3);
  cluster_->doubled = 1;
  for (int i = 1; i <= 50; ++i) {
    EXPECT_EQ(cluster_->Do(other_, "INCR n"), absl::StrCat("(integer) ", i));
  }
}

TEST_F(KvCallsTest, ACallWithoutALeaderIsRefusedAfterItsTime) {
  KeyspaceOptions options;
  options.wait = absl::Milliseconds(700);
  Start(2, options);
  cluster_->node(leader_).Drain();
  cluster_->node(other_).Drain();
  cluster_->RunFor(absl::Seconds(2));
  EXPECT_EQ(cluster_->Do(other_, "SET k v"), "UNAVAILABLE");
  EXPECT_EQ(cluster_->Do(other_, "GET k"), "(nil)");
}

TEST_F(KvCallsTest, AReadAtTheLeaderSeesWhatWasWrittenElsewhere) {
  Start(3);
  const int third = 3 - leader_ - other_;
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(cluster_->Do(other_, absl::StrCat("SET k ", i)), "OK");
    KvCall call = Call({{"GET", "k"}});
    call.leader_reads = true;
    EXPECT_EQ(Do(third, call), absl::StrCat("\"", i, "\""));
  }
}

TEST(KvClockRule, ANodeWhoseWallClockIsOffDoesNotLead) {
  KvCluster cluster(0);
  cluster.wall_off[0] = absl::Minutes(1);
  // The first would lead: it is the oldest.
  for (int n = 0; n < 3; ++n) cluster.Start(n);
  ASSERT_TRUE(cluster.RunUntil([&] { return cluster.IsSettled(); }))
      << cluster.Describe();
  EXPECT_NE(cluster.Leader(), 0);
}

TEST(KvEmptyNode, DoesNotLeadWhereAnotherHasKeys) {
  KvCluster cluster(3);
  ASSERT_TRUE(cluster.RunUntil([&] { return cluster.IsSettled(); }));
  EXPECT_EQ(cluster.Do(0, "SET k v"), "OK");
  cluster.RunFor(absl::Seconds(1));
  // Two restart at once, empty; the third has the key.
  for (int n = 0; n < 2; ++n) cluster.Kill(n);
  for (int n = 0; n < 2; ++n) cluster.Start(n);
  ASSERT_TRUE(cluster.RunUntil([&] { return cluster.IsSettled(); }))
      << cluster.Describe();
  EXPECT_EQ(cluster.Do(0, "GET k"), "\"v\"");
}

}  // namespace
}  // namespace muster::core
