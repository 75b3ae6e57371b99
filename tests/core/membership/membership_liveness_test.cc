// Who is alive: frozen, killed, cut off, and nodes that were not running
// themselves. Times are those of docs/architecture.md.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "node/core/membership/failure_detector.h"
#include "tests/core/membership/member_world.h"

namespace muster::core {
namespace {

using absl::Milliseconds;
using absl::Seconds;
using Kind = MembershipEvent::Kind;
using ::testing::Contains;
using ::testing::HasSubstr;

// Three linked nodes.
struct Three {
  explicit Three(uint64_t seed, NetOptions net = {}, Options options = {})
      : world(seed, net),
        a(world.Start("a", {"b:1", "c:1"}, options)),
        b(world.Start("b", {"a:1", "c:1"}, options)),
        c(world.Start("c", {"a:1", "b:1"}, options)) {
    EXPECT_TRUE(world.RunUntil(
        [&] {
          return world.Whole({&a, &b, &c});
        },
        Seconds(5)));
    world.Run(Seconds(10));
  }
  // How long after `since` both a and b have c for down; infinite if not.
  absl::Duration DownAfter(Instant since) {
    bool down = world.RunUntil(
        [&] {
          return World::When(a, Kind::kDown, c.life, since) &&
                 World::When(b, Kind::kDown, c.life, since);
        },
        Seconds(10));
    return down ? world.now().mono - since : absl::InfiniteDuration();
  }
  uint64_t Downs() const {
    return a.Counter("downs") + b.Counter("downs") + c.Counter("downs");
  }
  World world;
  Process& a;
  Process& b;
  Process& c;
};

TEST(MembershipLivenessTest, AFrozenNodeIsDownWithin2500Milliseconds) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Three three(seed);
    Instant since = three.world.now().mono;
    three.world.Freeze(three.c);
    absl::Duration took = three.DownAfter(since);
    EXPECT_LE(took, Milliseconds(2500)) << seed;
    EXPECT_GE(took, Milliseconds(1250)) << seed;
    EXPECT_TRUE(World::When(three.a, Kind::kSuspect, three.c.life, since));
    // Down closes nothing.
    EXPECT_NE(0u, three.a.membership->LinkTo(three.c.life));
  }
}

TEST(MembershipLivenessTest, AFrozenNodeIsDownInTimeWithLossAndJitterToo) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    NetOptions net;
    net.udp_loss = 0.1;
    net.udp_jitter = Milliseconds(200);
    Three three(seed, net);
    Instant since = three.world.now().mono;
    three.world.Freeze(three.c);
    // Datagrams on their way count from when they arrive.
    EXPECT_LE(three.DownAfter(since), Milliseconds(2700)) << seed;
  }
}

TEST(MembershipLivenessTest, AThawedNodeIsBackWithHalfASecondOnItsOldLinks) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    Three three(seed);
    LinkId link = three.a.membership->LinkTo(three.c.life);
    three.world.Freeze(three.c);
    three.world.Run(Seconds(10));
    Instant thawed = three.world.now().mono;
    three.world.Thaw(three.c);
    ASSERT_TRUE(three.world.RunUntil(
        [&] {
          return three.world.Whole({&three.a, &three.b, &three.c});
        },
        Milliseconds(500)))
        << seed;
    three.world.Run(Seconds(5));
    EXPECT_EQ(link, three.a.membership->LinkTo(three.c.life)) << seed;
    // It blames itself: it never held the others for dead.
    EXPECT_EQ(0u, three.c.Counter("downs")) << seed;
    EXPECT_EQ(0u, three.c.Counter("suspicions")) << seed;
    EXPECT_EQ(1u, three.c.Counter("stalls")) << seed;
    EXPECT_TRUE(World::When(three.a, Kind::kAlive, three.c.life, thawed));
  }
}

TEST(MembershipLivenessTest, AKilledNodeIsDownWithinHalfASecond) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Three three(seed);
    Instant since = three.world.now().mono;
    three.world.Kill(three.c);
    absl::Duration took = three.DownAfter(since);
    EXPECT_LE(took, Milliseconds(500)) << seed;
    EXPECT_EQ(1u, three.a.Counter("downs_by_refusal")) << seed;
    three.world.Run(Seconds(5));
    EXPECT_EQ(1u, World::CountOf(three.a, Kind::kDown, three.c.life)) << seed;
  }
}

TEST(MembershipLivenessTest, WithoutRefusalAsProofAKilledNodeIsDownBySilence) {
  Options options;
  options.detector.refused_is_proof = false;
  Three three(1, {}, options);
  Instant since = three.world.now().mono;
  three.world.Kill(three.c);
  absl::Duration took = three.DownAfter(since);
  EXPECT_GE(took, Seconds(1));
  EXPECT_LE(took, Milliseconds(2500));
  EXPECT_EQ(0u, three.a.Counter("connect_probes"));
}

TEST(MembershipLivenessTest, NobodyIsDownWhileSomebodyInTheMiddleHearsBoth) {
  for (bool reset : {false, true}) {
    for (bool udp : {true, false}) {
      NetOptions net;
      net.udp_blocked = !udp;
      Three three(7, net);
      if (reset) {
        three.world.Refuse(three.a, three.c);
      } else {
        three.world.Cut(three.a, three.c);
      }
      three.world.Run(Seconds(60));
      EXPECT_EQ(0u, three.Downs()) << "reset " << reset << ", udp " << udp;
      EXPECT_TRUE(three.a.membership->IsAlive(three.c.life));
      three.world.Heal(three.a, three.c);
      EXPECT_TRUE(three.world.RunUntil(
          [&] {
            return three.world.Whole({&three.a, &three.b, &three.c});
          },
          Seconds(udp ? 2 : 6)))
          << "reset " << reset << ", udp " << udp;
      EXPECT_EQ(0u, three.Downs());
    }
  }
}

TEST(MembershipLivenessTest, BothSidesOfACutHoldEachOtherForDownAndHeal) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    Three three(seed);
    Instant since = three.world.now().mono;
    three.world.Cut(three.a, three.c);
    three.world.Cut(three.b, three.c);
    EXPECT_LE(three.DownAfter(since), Milliseconds(2500));
    three.world.Run(Seconds(30));
    EXPECT_EQ(2u, three.c.Counter("downs"));
    three.world.Heal(three.a, three.c);
    three.world.Heal(three.b, three.c);
    // Long before the hanging links would move again by themselves.
    EXPECT_TRUE(three.world.RunUntil(
        [&] {
          return three.world.Whole({&three.a, &three.b, &three.c});
        },
        Seconds(2)))
        << seed;
  }
}

TEST(MembershipLivenessTest, WhereUdpIsBlockedTheStreamAloneServes) {
  NetOptions net;
  net.udp_blocked = true;
  Three three(9, net);
  three.world.Run(Seconds(30));
  EXPECT_EQ(0u, three.Downs());
  EXPECT_THAT(three.a.membership->Notes(), Contains(HasSubstr("UDP from c")));
  Instant since = three.world.now().mono;
  three.world.Freeze(three.c);
  EXPECT_LE(three.DownAfter(since), Milliseconds(4500));
  three.world.Thaw(three.c);
  EXPECT_TRUE(three.world.RunUntil(
      [&] {
        return three.world.Whole({&three.a, &three.b, &three.c});
      },
      Milliseconds(500)));
  three.world.net().udp_blocked = false;
  three.world.Run(Seconds(1));
  EXPECT_TRUE(three.a.membership->Notes().empty());
}

TEST(MembershipLivenessTest, UnavailableUdpIsANote) {
  World world(1);
  Process& a = world.Start("a", {});
  a.membership->OnUdpUnavailable("bind: permission denied");
  EXPECT_THAT(a.membership->Notes(),
              Contains(HasSubstr("bind: permission denied")));
}

}  // namespace
}  // namespace muster::core
