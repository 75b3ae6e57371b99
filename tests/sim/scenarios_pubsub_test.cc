// Pub/sub over chains, deaths, freezes and heals. See tests/sim/subscribers.h
// for what is checked at every message.
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/sim/scenario.h"

namespace muster::sim {
namespace {

using Name = PubSubModel::Name;

class PubSubScenario : public ::testing::Test {
 protected:
  explicit PubSubScenario(int nodes = 3) : cluster_(nodes) {
    subscribers().Watch();
  }
  Subscribers& subscribers() { return cluster_.checks.subscribers(); }
  Subscriber& Subscribe(int node, const std::string& name,
                        bool pattern = false) {
    Subscriber& subscriber =
        subscribers().Open(cluster_.node(node), true, {Name{pattern, name}});
    EXPECT_GE(cluster_.TimeUntil([&] { return !subscriber.answers.empty(); },
                                 kSecond),
              0);
    return subscriber;
  }
  void Publish(int node, const std::string& channel) {
    subscribers().Publish(cluster_.node(node), {channel});
  }
  uint64_t Counted(int node, const std::string& channel) {
    return cluster_.node(node).replica().Subscribers(channel);
  }
  // In milliseconds until the subscriber has been given so many.
  SimTime UntilGiven(const Subscriber& subscriber, uint64_t messages) {
    return cluster_.TimeUntil([&] { return subscriber.messages >= messages; },
                              3 * kSecond);
  }

  Cluster cluster_;
};

class PubSubOfFour : public PubSubScenario {
 protected:
  PubSubOfFour() : PubSubScenario(4) {}
};

TEST_F(PubSubScenario, AMessageComesInAFewTransits) {
  Subscriber& subscriber = Subscribe(2, "news");
  Subscriber& pattern = Subscribe(1, "n*", true);
  Publish(0, "news");
  EXPECT_LE(UntilGiven(subscriber, 1), 2 * kMillisecond);
  EXPECT_EQ(pattern.messages, 1u);
  EXPECT_EQ(subscriber.missed, 0u);
}

// a - b - c, and nothing between a and c.
TEST_F(PubSubScenario, AMessageGoesAlongAChain) {
  cluster_.checks.Cut(0, 2, false);
  cluster_.Run(10 * kSecond);
  Subscriber& at_c = Subscribe(2, "news");
  Subscriber& at_a = Subscribe(0, "news");
  for (int n = 0; n < 10; ++n) {
    Publish(0, "news");
    Publish(2, "news");
    cluster_.Run(kMillisecond);
  }
  EXPECT_GE(UntilGiven(at_c, 20), 0);
  EXPECT_GE(UntilGiven(at_a, 20), 0);
  EXPECT_EQ(at_c.missed + at_a.missed, 0u);
  EXPECT_EQ(Counted(0, "news"), 2u);
  EXPECT_EQ(Counted(2, "news"), 2u);
}

// d hangs at c alone: a and b, which have its stream, know of each other that
// they do, and neither is a way to d.
TEST_F(PubSubOfFour, TwoThatHaveAStreamAreNoWayToItsOrigin) {
  Subscriber& at_d = Subscribe(3, "news");
  cluster_.checks.Cut(0, 3, true);
  cluster_.checks.Cut(1, 3, true);
  cluster_.Run(10 * kSecond);
  for (int n = 1; n <= 5; ++n) {
    Publish(0, "news");
    Publish(1, "news");
    cluster_.Run(100 * kMillisecond);
  }
  EXPECT_GE(UntilGiven(at_d, 10), 0);
  EXPECT_EQ(at_d.missed, 0u);
}

TEST_F(PubSubScenario, ADeadNodesSubscribersCountForNothing) {
  Subscribe(2, "news");
  Subscriber& stays = Subscribe(1, "news");
  EXPECT_EQ(Counted(0, "news"), 2u);
  cluster_.checks.Kill(cluster_.node(2));
  cluster_.Run(kSecond);
  EXPECT_EQ(Counted(0, "news"), 1u);
  Publish(0, "news");
  EXPECT_GE(UntilGiven(stays, 1), 0);
}

TEST_F(PubSubScenario, AFrozenNodeCountsForNothingAndThenAgain) {
  Subscriber& frozen = Subscribe(2, "news");
  cluster_.checks.Freeze(cluster_.node(2));
  cluster_.Run(3 * kSecond);
  EXPECT_EQ(Counted(0, "news"), 0u);
  // A subscribe does not wait for it.
  Subscriber& other = Subscribe(1, "news");
  Publish(0, "news");
  EXPECT_GE(UntilGiven(other, 1), 0);
  cluster_.checks.Thaw(cluster_.node(2));
  cluster_.Settle();
  EXPECT_EQ(Counted(0, "news"), 2u);
  cluster_.Run(6 * kSecond);
  Publish(0, "news");
  EXPECT_GE(UntilGiven(other, 2), 0);
  EXPECT_GE(UntilGiven(frozen, 1), 0);
}

TEST_F(PubSubScenario, EachSideOfACutHasItsOwnAndAHealJoinsThem) {
  Subscriber& here = Subscribe(0, "news");
  Subscriber& there = Subscribe(2, "news");
  cluster_.checks.Cut(0, 2, false);
  cluster_.checks.Cut(0, 1, false);
  cluster_.Run(5 * kSecond);
  EXPECT_EQ(Counted(0, "news"), 1u);
  EXPECT_EQ(Counted(1, "news"), 1u);
  Publish(0, "news");
  Publish(1, "news");
  Publish(1, "news");
  EXPECT_GE(UntilGiven(there, 2), 0);
  EXPECT_EQ(here.messages, 1u);
  cluster_.checks.Mend(0, 2);
  cluster_.checks.Mend(0, 1);
  cluster_.Settle();
  subscribers().Round();
  EXPECT_EQ(Counted(1, "news"), 2u);
  // Nothing of the other side comes later, nor counts as lost.
  EXPECT_EQ(here.messages, 4u);
  EXPECT_EQ(there.messages, 5u);
  EXPECT_EQ(here.missed + there.missed, 0u);
}

// What is on a link that breaks is lost, and told with what comes next.
TEST_F(PubSubScenario, ALossIsToldToWhoeverAskedForGaps) {
  Subscriber& subscriber = Subscribe(2, "news");
  Subscriber& unasked =
      subscribers().Open(cluster_.node(2), false, {Name{false, "news"}});
  cluster_.Run(100 * kMillisecond);
  cluster_.world.network().drop = [](int, int to, const core::Frame& frame) {
    const auto* routed = std::get_if<core::RoutedFrame>(&frame.body);
    return to == 2 && routed != nullptr &&
           std::holds_alternative<core::MailFrame>(routed->body);
  };
  // Not one that must arrive: nobody else knows of the drop.
  subscribers().set_hostile(true);
  for (int n = 0; n < 3; ++n) Publish(0, "news");
  cluster_.Run(kSecond);
  cluster_.world.network().drop = nullptr;
  Publish(0, "news");
  EXPECT_GE(UntilGiven(subscriber, 1), 0);
  EXPECT_EQ(subscriber.missed, 3u);
  EXPECT_EQ(unasked.messages, 1u);
  EXPECT_EQ(unasked.missed, 0u);
}

// b sees a again before it has heard of it what a's clients subscribe to. The
// subscribe of then is answered when b counts it.
TEST_F(PubSubScenario, ASubscribeThatIsAnsweredAfterAHealIsShownEverywhere) {
  Subscriber& before = Subscribe(0, "news");
  cluster_.checks.Cut(0, 1, true);
  cluster_.checks.Cut(0, 2, true);
  cluster_.Run(5 * kSecond);
  EXPECT_EQ(Counted(1, "news"), 0u);
  cluster_.checks.Mend(0, 1);
  cluster_.checks.Mend(0, 2);
  const auto sees_b = [this] {
    Process& a = cluster_.node(0);
    for (const core::MemberView& m : a.replica().Members(a.Now())) {
      if (m.origin.node != "b") continue;
      return m.linked && m.state == core::MemberState::kAlive;
    }
    return false;
  };
  ASSERT_GE(cluster_.TimeUntil(sees_b, 3 * kSecond), 0);
  subscribers().Change(before, {}, {Name{false, "other"}});
  ASSERT_GE(cluster_.TimeUntil(
                [&] {
                  return before.answers.contains({false, "other"});
                },
                3 * kSecond),
            0);
  EXPECT_EQ(Counted(1, "other"), 1u);
  EXPECT_EQ(Counted(1, "news"), 1u);
}

// A member that is forgotten and comes back as the life that it was: what it
// had sent before is not missing.
TEST_F(PubSubScenario, WhatAForgottenMemberHadSentIsNotMissing) {
  Subscriber& subscriber = Subscribe(0, "news");
  for (int n = 0; n < 5; ++n) Publish(2, "news");
  EXPECT_GE(UntilGiven(subscriber, 5), 0);
  cluster_.checks.Freeze(cluster_.node(2));
  cluster_.Run(4 * kSecond);
  const auto& order = cluster_.clients.Forget(cluster_.node(0), "c");
  cluster_.Run(kSecond);
  ASSERT_TRUE(order.reply.has_value() && order.reply->ok());
  cluster_.checks.Thaw(cluster_.node(2));
  cluster_.Settle();
  cluster_.Run(6 * kSecond);
  Publish(2, "news");
  EXPECT_GE(UntilGiven(subscriber, 6), 0);
  EXPECT_EQ(subscriber.missed, 0u);
}

// A node of the version before: no frame that it cannot read (P9), nobody waits
// for it, and presence works.
TEST_F(PubSubScenario, ANodeOfBeforeIsAskedForNothingAndNotWaitedFor) {
  cluster_.checks.Kill(cluster_.node(2));
  cluster_.Run(kSecond);
  cluster_.Start(2).feature_level = core::kRoutedLevel - 1;
  cluster_.Settle();
  Subscriber& subscriber = Subscribe(0, "news");
  Publish(1, "news");
  EXPECT_GE(UntilGiven(subscriber, 1), 0);
  cluster_.Open(2, 0, 3);
  cluster_.Settle();
  EXPECT_TRUE(cluster_.Shows(0, "k0"));
  EXPECT_EQ(Counted(2, "news"), 0u);
}

}  // namespace
}  // namespace muster::sim
