// Administrators: entries that are evicted, and names that are forgotten.
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/sim/network.h"
#include "tests/sim/scenario.h"

namespace muster::sim {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Order = Clients::Order;

core::OrderReply Done(Cluster& cluster, const Order& order) {
  const SimTime took = cluster.TimeUntil(
      [&order] { return order.reply.has_value(); }, 10 * kSecond);
  EXPECT_GE(took, 0) << "never answered";
  if (took < 0 || !order.reply->ok()) {
    ADD_FAILURE() << (took < 0 ? "" : order.reply->status().ToString());
    return {};
  }
  return **order.reply;
}

core::OrderReply Evict(Cluster& cluster, int at, const std::string& key) {
  return Done(cluster, cluster.clients.Evict(cluster.node(at), "t", key));
}

TEST(Eviction, RemovesTheEntriesOfAllOwnersAndLeavesTheRest) {
  Cluster cluster(3);
  Session& here = cluster.Open(0, 0, 2);
  Session& there = cluster.Open(1, 10 * kSecond, 2);
  cluster.Settle();
  const core::OrderReply reply = Evict(cluster, 0, "k1");
  EXPECT_EQ(reply.entries, 2u);
  EXPECT_THAT(reply.unreached, IsEmpty());
  cluster.Settle();
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(cluster.Shows(i, "k1")) << i;
    EXPECT_EQ(cluster.Count(i), 2u) << i;
  }
  // Both clients were told, and their sessions live on.
  EXPECT_EQ(here.held.size(), 1u);
  EXPECT_EQ(there.held.size(), 1u);
  EXPECT_FALSE(here.over || there.over);
  // Nothing bans a return.
  cluster.clients.Track(here, "t", "k1");
  cluster.Settle();
  EXPECT_TRUE(cluster.Shows(2, "k1"));
}

TEST(Eviction, OfNobodySaysSo) {
  Cluster cluster(2);
  const core::OrderReply reply = Evict(cluster, 0, "nobody");
  EXPECT_EQ(reply.entries, 0u);
  EXPECT_THAT(reply.unreached, IsEmpty());
}

TEST(Eviction, AnOwnerAloneElsewhereIsAsked) {
  Cluster cluster(3);
  cluster.Open(2, 0, 1);
  cluster.Settle();
  EXPECT_EQ(Evict(cluster, 1, "k0").entries, 1u);
  cluster.Settle();
  EXPECT_EQ(cluster.Count(0), 0u);
}

TEST(Eviction, TakesEntriesInGraceAndAResumeDoesNotBringThemBack) {
  for (int to : {0, 1}) {
    Cluster cluster(2);
    Session& session = cluster.Open(1, 60 * kSecond, 2);
    cluster.Settle();
    cluster.clients.Disconnect(session);
    cluster.Run(kSecond);
    ASSERT_TRUE(cluster.Shows(0, "k0"));
    const Model::Entries held = session.held;
    EXPECT_EQ(Evict(cluster, 0, "k0").entries, 1u);
    cluster.Settle();
    EXPECT_FALSE(cluster.Shows(0, "k0"));
    // Its client has not heard, and names it.
    session.held = held;
    cluster.clients.Resume(session, cluster.node(to), 0);
    cluster.Settle();
    EXPECT_EQ(session.resumes, 1u);
    EXPECT_EQ(session.missing, 0u);
    EXPECT_EQ(session.held.size(), 1u);
    EXPECT_EQ(cluster.Count(0), 1u);
  }
}

TEST(Eviction, NamesAnOwnerThatIsDown) {
  Cluster cluster(3);
  cluster.Open(0, 0, 1);
  cluster.Open(2, 60 * kSecond, 1);
  cluster.Settle();
  cluster.checks.Kill(cluster.node(2));
  cluster.Run(5 * kSecond);
  const core::OrderReply reply = Evict(cluster, 1, "k0");
  EXPECT_EQ(reply.entries, 1u);
  EXPECT_THAT(reply.unreached,
              ElementsAre(HasSubstr("c (10.0.0.3:7000): is down")));
}

TEST(Eviction, NamesAnOwnerThatDoesNotAnswerInTime) {
  Cluster cluster(2);
  cluster.Open(1, 0, 1);
  cluster.Settle();
  cluster.checks.Freeze(cluster.node(1));
  const SimTime begun = cluster.world.now();
  const core::OrderReply reply = Evict(cluster, 0, "k0");
  EXPECT_EQ(reply.entries, 0u);
  EXPECT_THAT(reply.unreached, ElementsAre(HasSubstr("no answer within 2s")));
  EXPECT_LE(cluster.world.now() - begun, 2 * kSecond + 100 * kMillisecond);
  cluster.checks.Thaw(cluster.node(1));
  cluster.Settle();
  // It was only late.
  EXPECT_EQ(cluster.Count(0), 0u);
}

// As nodes of before: see the golden bytes of orders.
TEST(Eviction, NamesAnOwnerOfAVersionThatKnowsNoOrders) {
  Cluster cluster(3);
  cluster.Open(1, 0, 1);
  cluster.Open(2, 0, 1);
  cluster.Settle();
  cluster.node(2).reads_orders = false;
  const core::OrderReply reply = Evict(cluster, 0, "k0");
  EXPECT_EQ(reply.entries, 1u);
  EXPECT_THAT(reply.unreached,
              ElementsAre(HasSubstr("c (10.0.0.3:7000): no answer within 2s; "
                                    "its version may know no such request")));
  // It goes on as if nothing had been said.
  cluster.Settle();
  EXPECT_EQ(cluster.Count(0), 1u);
  EXPECT_EQ(CounterOf(cluster.node(2), "bad_peer_frames"), 0u);
}

TEST(Eviction, NamesAnOwnerThatIsHeardOnlyThroughOthers) {
  Cluster cluster(3);
  cluster.Open(2, 0, 1);
  cluster.Settle();
  cluster.checks.Cut(0, 2, true);
  ASSERT_TRUE(cluster.world.RunUntilTrue(
      [&] {
        for (const core::MemberView& member :
             cluster.node(0).replica().Members(cluster.node(0).Now())) {
          if (member.origin.node == "c") return !member.linked;
        }
        return false;
      },
      20 * kSecond));
  cluster.Run(3 * kSecond);
  ASSERT_EQ(cluster.Living(0), 3u);
  const core::OrderReply reply = Evict(cluster, 0, "k0");
  EXPECT_THAT(reply.unreached, ElementsAre(HasSubstr("no direct link")));
}

TEST(Eviction, OfThousandsOfEntriesOfAKeyHappensInSlices) {
  constexpr int kEach = 1000;
  Cluster cluster(2);
  std::vector<Session*> sessions;
  for (int node = 0; node < 2; ++node) {
    Session& session = cluster.clients.Open(cluster.node(node), true, 0, 0);
    sessions.push_back(&session);
    cluster.Run(kMillisecond);
    for (int i = 0; i < kEach; i += 500) {
      Batch batch;
      batch.allow_duplicate = true;
      for (int n = 0; n < 500; ++n) batch.track.push_back({"t", "bot", "{}"});
      cluster.clients.Apply(session, std::move(batch));
      cluster.Run(50 * kMillisecond);
    }
  }
  cluster.Settle();
  ASSERT_EQ(cluster.Count(0), 2u * kEach);
  Process& at = cluster.node(0);
  const Order& order = cluster.clients.Evict(at, "t", "bot");
  // One step has taken no more than a slice of it.
  EXPECT_FALSE(order.reply.has_value());
  EXPECT_GE(sessions[0]->held.size(), size_t{kEach - 200});
  const core::OrderReply reply = Done(cluster, order);
  EXPECT_EQ(reply.entries, 2u * kEach);
  cluster.Settle();
  EXPECT_EQ(cluster.Count(1), 0u);
  EXPECT_THAT(sessions[1]->held, IsEmpty());
}

// What is asked for meanwhile is not adopted, and not named as missing.
TEST(Eviction, InTheMiddleOfAResumeCountsForIt) {
  constexpr int kEntries = 2000;
  for (int owner : {0, 1}) {
    Cluster cluster(2);
    Session& session = cluster.Open(owner, 10 * kSecond, kEntries);
    cluster.Settle();
    cluster.clients.Resume(session, cluster.node(0), 0);
    const Order& order =
        cluster.clients.Evict(cluster.node(0), "t", absl::StrCat("k", 1999));
    ASSERT_FALSE(session.resumes > 0) << "it is answered later";
    Done(cluster, order);
    cluster.Settle();
    EXPECT_EQ(session.resumes, 1u);
    EXPECT_EQ(session.missing, 0u);
    EXPECT_FALSE(cluster.Shows(1, "k1999"));
    EXPECT_EQ(cluster.Count(1), uint64_t{kEntries - 1});
    EXPECT_EQ(session.held.size(), size_t{kEntries - 1});
  }
}

TEST(Forgetting, IsRefusedForTheLivingAndForTheUnknown) {
  Cluster cluster(2);
  const Order& alive = cluster.clients.Forget(cluster.node(0), "b");
  ASSERT_TRUE(alive.reply.has_value());
  EXPECT_TRUE(absl::IsFailedPrecondition(alive.reply->status()));
  EXPECT_THAT(std::string(alive.reply->status().message()),
              HasSubstr("node b (10.0.0.2:7000) is alive"));
  const Order& self = cluster.clients.Forget(cluster.node(0), "a");
  EXPECT_TRUE(absl::IsFailedPrecondition(self.reply->status()));
  const Order& unknown = cluster.clients.Forget(cluster.node(0), "z");
  EXPECT_TRUE(absl::IsNotFound(unknown.reply->status()));
}

size_t Known(Cluster& cluster, int at) {
  Process& process = cluster.node(at);
  return process.replica().Members(process.Now()).size();
}

TEST(Forgetting, HappensEverywhereWithWhatWasInGrace) {
  Cluster cluster(3);
  cluster.Open(2, 600 * kSecond, 2);
  cluster.Settle();
  cluster.checks.Drain(cluster.node(2));
  cluster.Run(5 * kSecond);
  ASSERT_EQ(cluster.Count(0), 2u);
  ASSERT_EQ(Known(cluster, 1), 3u);
  const core::OrderReply reply =
      Done(cluster, cluster.clients.Forget(cluster.node(0), "c"));
  EXPECT_THAT(reply.unreached, IsEmpty());
  cluster.Run(20 * kSecond);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(Known(cluster, i), 2u) << i;
    EXPECT_EQ(cluster.Count(i), 0u) << i;
    EXPECT_EQ(
        cluster.node(i).replica().Status(cluster.node(i).Now()).streams.size(),
        2u * 2)  // Of each, one of presence and one of interest.
        << i;
  }
}

TEST(Forgetting, IsNotUndoneByANodeThatWasNotReached) {
  Cluster cluster(3);
  cluster.Open(2, 600 * kSecond, 2);
  cluster.Settle();
  cluster.checks.Kill(cluster.node(2));
  cluster.Run(5 * kSecond);
  cluster.checks.Cut(0, 1, true);
  cluster.Run(5 * kSecond);
  Done(cluster, cluster.clients.Forget(cluster.node(0), "c"));
  EXPECT_EQ(Known(cluster, 0), 2u);
  cluster.checks.Mend(0, 1);
  cluster.Run(20 * kSecond);
  EXPECT_EQ(Known(cluster, 1), 3u);  // It has not heard of it.
  EXPECT_EQ(Known(cluster, 0), 2u);
  EXPECT_EQ(cluster.Count(0), 0u);
}

TEST(Forgetting, EndsWhenTheNodeIsHeardAgain) {
  Cluster cluster(3);
  cluster.Open(2, 0, 1);
  cluster.Settle();
  cluster.checks.Freeze(cluster.node(2));
  cluster.Run(6 * kSecond);
  Done(cluster, cluster.clients.Forget(cluster.node(0), "c"));
  EXPECT_EQ(Known(cluster, 0), 2u);
  EXPECT_EQ(Known(cluster, 1), 2u);
  cluster.checks.Thaw(cluster.node(2));
  cluster.Settle(20 * kSecond);
  EXPECT_EQ(Known(cluster, 0), 3u);
  EXPECT_EQ(cluster.Count(0), 1u);
}

TEST(Status, CountsMembersByState) {
  Cluster cluster(3);
  cluster.checks.Kill(cluster.node(2));
  cluster.checks.Drain(cluster.node(1));
  cluster.Run(6 * kSecond);
  using ::testing::Pair;
  Process& at = cluster.node(0);
  EXPECT_THAT(at.replica().Status(at.Now()).members_by_state,
              ElementsAre(Pair("alive", 1u), Pair("suspect", 0u),
                          Pair("down", 1u), Pair("left", 1u)));
}

}  // namespace
}  // namespace muster::sim
