// How nodes find each other and which links they keep.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/core/membership/member_world.h"

namespace muster::core {
namespace {

using absl::Milliseconds;
using absl::Seconds;
using Kind = MembershipEvent::Kind;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

TEST(MembershipJoinTest, ThreeThatStartTogetherAreWholeWithinASecond) {
  World world(1);
  std::vector<std::string> join = {"a:1", "b:1", "c:1"};
  Process& a = world.Start("a", join);
  Process& b = world.Start("b", join);
  Process& c = world.Start("c", join);
  EXPECT_TRUE(world.RunUntil(
      [&] {
        return world.Whole({&a, &b, &c});
      },
      Seconds(1)));
  for (Process* p : {&a, &b, &c}) {
    EXPECT_EQ(1u, World::CountOf(*p, Kind::kAdmitted, p->life));
    EXPECT_EQ(1u, World::CountOf(*p, Kind::kJoined, p->life));
    EXPECT_THAT(p->membership->Notes(), IsEmpty());
    EXPECT_THAT(p->dial, IsEmpty()) << p->name;
  }
}

TEST(MembershipJoinTest, PeersAreLearntFromPeers) {
  World world(2);
  Process& b = world.Start("b", {});
  Process& a = world.Start("a", {"b:1"});
  Process& c = world.Start("c", {"b:1"});
  Process& d = world.Start("d", {"c:1"});
  EXPECT_TRUE(world.RunUntil(
      [&] {
        return world.Whole({&a, &b, &c, &d});
      },
      Seconds(1)));
}

TEST(MembershipJoinTest, TheHigherNameDialsWhenTheLowerOneCannot) {
  World world(3);
  Process& b = world.Start("b", {});
  Process& c = world.Start("c", {"b:1"});
  ASSERT_TRUE(world.RunUntil(
      [&] {
        return world.Whole({&b, &c});
      },
      Seconds(1)));
  EXPECT_TRUE(b.dial.empty());
  // c is linked by its own dial; when the link goes the lower name, b, dials
  // at once.
  world.Refuse(b, c);
  world.Run(Milliseconds(100));
  EXPECT_THAT(b.dial, Contains("c:1"));
  world.Heal(b, c);
  ASSERT_TRUE(world.RunUntil(
      [&] {
        return world.Whole({&b, &c});
      },
      Seconds(1)));
}

TEST(MembershipJoinTest, AHigherNameWaitsHalfASecondBeforeItDials) {
  World world(4);
  Process& a = world.Start("a", {});
  Process& b = world.Start("b", {"a:1"});
  Process& z = world.Start("z", {"a:1"});
  ASSERT_TRUE(world.RunUntil(
      [&] {
        return world.Whole({&a, &b, &z});
      },
      Seconds(1)));
  Instant lost = world.now().mono;
  world.Refuse(b, z);
  ASSERT_TRUE(
      world.RunUntil([&] { return z.dial.contains("b:1"); }, Seconds(5)));
  absl::Duration waited = world.now().mono - lost;
  EXPECT_GE(waited, Milliseconds(500));
  EXPECT_LE(waited, Milliseconds(600));
}

TEST(MembershipJoinTest, WithoutJoinAddressesItServesAtOnce) {
  World world(5);
  Process& a = world.Start("a", {});
  world.Run(Milliseconds(20));
  EXPECT_TRUE(World::When(a, Kind::kAdmitted, a.life).has_value());
  EXPECT_TRUE(World::When(a, Kind::kJoined, a.life).has_value());
  EXPECT_THAT(a.membership->Notes(), IsEmpty());
}

TEST(MembershipJoinTest, ItServesAloneIfNobodyAnswersAndSaysSo) {
  World world(6);
  Process& a = world.Start("a", {"b:1"});
  Instant start = world.now().mono;
  ASSERT_TRUE(world.RunUntil([&] { return !a.seen.empty(); }, Seconds(5)));
  EXPECT_GE(world.now().mono - start, Seconds(2));
  EXPECT_LE(world.now().mono - start, Milliseconds(2050));
  EXPECT_THAT(a.membership->Notes(), Contains(HasSubstr("alone")));
  EXPECT_TRUE(a.seen.back().event.alone);
  // The search goes on.
  EXPECT_THAT(a.dial, Contains("b:1"));
  Process& b = world.Start("b", {});
  ASSERT_TRUE(world.RunUntil(
      [&] {
        return world.Whole({&a, &b});
      },
      Seconds(1)));
  EXPECT_THAT(a.membership->Notes(), IsEmpty());
}

// What a transport says of a dial that was refused for good.
void Refused(World& world, Process& process, const std::string& address) {
  world.Do(process, [&](Output& out) {
    process.membership->OnRefused(address, "another secret", world.now(), out);
  });
}

TEST(MembershipJoinTest, ANodeThatAllWhoAnswerRefuseEndsAfterTheJoinWait) {
  World world(20);
  Process& b = world.Start("b", {"a:1", "silent:1"});
  world.Run(Milliseconds(100));
  Refused(world, b, "a:1");
  world.Run(Milliseconds(1850));
  EXPECT_FALSE(b.exit.has_value());
  world.Run(Milliseconds(100));
  ASSERT_TRUE(b.exit.has_value());
  EXPECT_EQ(b.exit->code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(b.exit->message()),
              HasSubstr("(a:1: another secret); --join-optional"));
  EXPECT_FALSE(World::When(b, Kind::kAdmitted, b.life).has_value());
  EXPECT_FALSE(World::When(b, Kind::kJoined, b.life).has_value());
}

TEST(MembershipJoinTest, ARefusedNodeServesAloneIfThatIsAllowedAndSaysWhy) {
  World world(21);
  Options options;
  options.join_optional = true;
  Process& b = world.Start("b", {"a:1", "c:1"}, options);
  Refused(world, b, "a:1");
  Refused(world, b, "c:1");
  world.Run(Milliseconds(2050));
  EXPECT_FALSE(b.exit.has_value());
  EXPECT_TRUE(b.seen.back().event.alone);
  EXPECT_THAT(b.membership->Notes(),
              Contains("serving alone: refused by a:1: another secret; c:1: "
                       "another secret"));
  EXPECT_THAT(b.dial, Contains("a:1"));
}

TEST(MembershipJoinTest, OneThatLetsItInIsEnough) {
  World world(22);
  Process& a = world.Start("a", {});
  Process& b = world.Start("b", {"c:1", "a:1"});
  Refused(world, b, "c:1");
  world.Run(Milliseconds(2050));
  EXPECT_FALSE(b.exit.has_value());
  EXPECT_TRUE(world.Whole({&a, &b}));
  EXPECT_TRUE(World::When(b, Kind::kJoined, b.life).has_value());
  EXPECT_THAT(b.membership->Notes(), IsEmpty());
}

TEST(MembershipJoinTest, ANodeThatIsDialledByAPeerMeanwhileIsNotRefused) {
  World world(23);
  Process& b = world.Start("b", {"c:1"});
  Process& a = world.Start("a", {"b:1"});
  Refused(world, b, "c:1");
  world.Run(Milliseconds(2050));
  EXPECT_FALSE(b.exit.has_value());
  EXPECT_TRUE(world.Whole({&a, &b}));
}

TEST(MembershipJoinTest, ANodeThatServesIsNotEndedByARefusal) {
  World world(24);
  Process& a = world.Start("a", {"b:1"});
  world.Run(Milliseconds(2050));
  ASSERT_TRUE(World::When(a, Kind::kJoined, a.life).has_value());
  Refused(world, a, "b:1");
  world.Run(Seconds(5));
  EXPECT_FALSE(a.exit.has_value());
  EXPECT_THAT(a.membership->Notes(),
              Contains("serving alone: refused by b:1: another secret"));
}

TEST(MembershipJoinTest, OneOfTwoJoinAddressesThatIsDeadDelaysJoinedOnly) {
  World world(7);
  Process& a = world.Start("a", {});
  Process& b = world.Start("b", {"a:1", "dead:1"});
  ASSERT_TRUE(world.RunUntil(
      [&] {
        return world.Whole({&a, &b});
      },
      Seconds(1)));
  EXPECT_FALSE(World::When(b, Kind::kJoined, b.life).has_value());
  world.Run(Seconds(2));
  EXPECT_TRUE(World::When(b, Kind::kJoined, b.life).has_value());
  EXPECT_FALSE(b.seen.back().event.alone);
  EXPECT_THAT(b.dial, Contains("dead:1"));
}

TEST(MembershipJoinTest, ALinkToItselfIsClosedForGood) {
  World world(8);
  Options options;
  options.address = "10.0.0.1:7000";
  Process& a = world.Start("a", {"10.0.0.9:7000"}, options);
  world.Run(Milliseconds(30));
  Output out;
  PeerHello hello;
  hello.origin = a.origin();
  hello.address = a.address;
  hello.outbound = true;
  hello.dialed = "10.0.0.9:7000";
  a.membership->OnLinkUp(900, hello, world.now(), out);
  ASSERT_EQ(1u, out.closes.size());
  EXPECT_TRUE(out.closes[0].permanent);
  EXPECT_TRUE(out.frames.empty());
  ASSERT_TRUE(out.dial.has_value());
  EXPECT_THAT(*out.dial, IsEmpty());
  EXPECT_EQ(1u, a.Counter("links_to_self"));
}

TEST(MembershipJoinTest, ANameThatLeadsToItselfIsTriedAgain) {
  World world(9);
  Process& a = world.Start("a", {"all:1"});
  world.Run(Milliseconds(30));
  PeerHello hello{.origin = a.origin(),
                  .address = a.address,
                  .outbound = true,
                  .dialed = "all:1"};
  world.Do(a, [&](Output& out) {
    a.membership->OnLinkUp(900, hello, world.now(), out);
  });
  EXPECT_THAT(a.dial, IsEmpty());
  world.Run(Seconds(1));
  EXPECT_THAT(a.dial, IsEmpty());
  world.Run(Seconds(2));
  EXPECT_THAT(a.dial, Contains("all:1"));
}

TEST(MembershipJoinTest, ADnsNameIsLeftAloneOnceItHasLedToSomebody) {
  World world(10);
  Process& a = world.Start("a", {"all:1"});
  PeerHello hello{.origin = {"b", crdt::Incarnation(5), {1, 2}},
                  .address = "b:1",
                  .outbound = true,
                  .dialed = "all:1"};
  world.Run(Milliseconds(30));
  EXPECT_THAT(a.dial, Contains("all:1"));
  world.Do(a, [&](Output& out) {
    a.membership->OnLinkUp(900, hello, world.now(), out);
  });
  EXPECT_THAT(a.dial, Not(Contains("all:1")));
  world.Do(
      a, [&](Output& out) { a.membership->OnLinkDown(900, world.now(), out); });
  EXPECT_THAT(a.dial, Contains("all:1")) << "no link is left";
}

TEST(MembershipJoinTest, DialsThatCrossEndInOneLinkThatBothUse) {
  for (uint64_t seed = 100; seed < 160; ++seed) {
    World world(seed);
    Process& a = world.Start("a", {"b:1"});
    Process& b = world.Start("b", {"a:1"});
    ASSERT_TRUE(world.RunUntil(
        [&] {
          return world.Whole({&a, &b});
        },
        Seconds(1)))
        << seed;
    world.Run(Seconds(5));
    EXPECT_TRUE(world.Whole({&a, &b})) << seed;
    // At most one of the two was closed, and nothing flaps.
    EXPECT_LE(a.closes + b.closes, 1u) << seed;
  }
}

TEST(MembershipJoinTest, AJoinAddressThatIsAnAliasCausesNoFlapping) {
  World world(11);
  Process& a = world.Start("a", {});
  Options options;
  options.address = "b:1";
  Process& b = world.Start("b", {"a:1"}, options);
  ASSERT_TRUE(world.RunUntil(
      [&] {
        return world.Whole({&a, &b});
      },
      Seconds(1)));
  LinkId before = a.membership->LinkTo(b.life);
  world.Run(Seconds(30));
  EXPECT_EQ(before, a.membership->LinkTo(b.life));
}

TEST(MembershipJoinTest, TheSameSeedGivesTheSameHistory) {
  std::string histories[2];
  for (std::string& history : histories) {
    NetOptions net;
    net.udp_loss = 0.2;
    net.udp_jitter = Milliseconds(100);
    World world(12, net);
    Process& a = world.Start("a", {"b:1"});
    Process& b = world.Start("b", {"c:1"});
    world.Start("c", {"a:1"});
    world.Run(Seconds(5));
    world.Freeze(a);
    world.Run(Seconds(5));
    world.Thaw(a);
    world.Cut(a, b);
    world.Run(Seconds(5));
    history = world.History();
  }
  EXPECT_EQ(histories[0], histories[1]);
  EXPECT_FALSE(histories[0].empty());
}

}  // namespace
}  // namespace muster::core
