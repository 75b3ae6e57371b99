// Leaving and forgetting: nothing stays of those who went.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/core/membership/lone_member.h"
#include "tests/core/membership/member_world.h"

namespace muster::core {
namespace {

using absl::Milliseconds;
using absl::Minutes;
using absl::Seconds;
using Kind = MembershipEvent::Kind;
using ::testing::Contains;
using ::testing::IsEmpty;
using ::testing::Not;

class MembershipForgetTest : public LoneMember {
 protected:
  explicit MembershipForgetTest(Options options = Named("a"))
      : LoneMember(options) {}
  // Ticks that are far apart would be stalls.
  void RunSlowly(absl::Duration time) {
    for (Instant end = at_ + time; at_ < end;) {
      at_ = at_ + Milliseconds(200);
      Tick();
      out_ = {};
    }
  }
};

TEST_F(MembershipForgetTest, ASilentMemberIsForgottenAfterTwentyMinutes) {
  a_.OnLinkUp(1, Hello("b", 2), now(), out_);
  a_.OnFrameBeat(1, 1, now(), out_);
  a_.OnLinkDown(1, now(), out_);
  RunSlowly(Minutes(20) - Seconds(1));
  EXPECT_EQ(2u, a_.View(now()).size());
  EXPECT_EQ(1u, Seen(Kind::kDown, 2));
  EXPECT_EQ(0u, Seen(Kind::kForgotten, 2));
  RunSlowly(Seconds(3));
  EXPECT_EQ(1u, Seen(Kind::kForgotten, 2));
  EXPECT_EQ(1u, a_.View(now()).size());
  EXPECT_EQ(absl::InfiniteDuration(), a_.AgeOf(kB, now()));
}

TEST_F(MembershipForgetTest, DownMembersAreDialledUntilTheyAreForgotten) {
  a_.OnLinkUp(1, Hello("b", 2), now(), out_);
  a_.OnFrameBeat(1, 1, now(), out_);
  out_ = {};
  a_.OnLinkDown(1, now(), out_);
  ASSERT_TRUE(out_.dial.has_value());
  EXPECT_THAT(*out_.dial, Contains("b:1"));
  RunSlowly(Minutes(20) - Seconds(1));
  out_ = {};
  Run(Seconds(3));
  ASSERT_TRUE(out_.dial.has_value());
  EXPECT_THAT(*out_.dial, IsEmpty());
}

TEST_F(MembershipForgetTest, AForgottenMemberReturnsOnALinkThatStayedOpen) {
  a_.OnLinkUp(1, Hello("b", 2), now(), out_);
  a_.OnFrameBeat(1, 1, now(), out_);
  RunSlowly(Minutes(21));
  EXPECT_EQ(1u, Seen(Kind::kForgotten, 2));
  EXPECT_EQ(nullptr, a_.OriginOf(1));
  // It may have waited on its way since then; the next one has not.
  a_.OnFrameBeat(1, 2, now(), out_);
  EXPECT_FALSE(a_.IsAlive(kB));
  Run(Milliseconds(250));
  a_.OnFrameBeat(1, 3, now(), out_);
  EXPECT_TRUE(a_.IsAlive(kB));
  EXPECT_EQ(1u, a_.LinkTo(kB));
  EXPECT_EQ(2u, Seen(Kind::kLinked, 2));
}

TEST_F(MembershipForgetTest, TenThousandRestartsLeaveNothingBehind) {
  uint64_t most = 0;
  PeerHello hello = Hello("b", 2);
  for (uint64_t i = 1; i <= 10'000; ++i) {
    hello.origin.life = {i + 1, 7};
    hello.origin.incarnation = crdt::Incarnation(i);
    a_.OnLinkUp(i, hello, now(), out_);
    a_.OnFrameBeat(i, 1, now(), out_);
    a_.OnLinkDown(i, now(), out_);
    Run(Milliseconds(10));
    most = std::max<uint64_t>(
        most, Counter("members_ended") - Counter("members_forgotten"));
    out_ = {};
  }
  EXPECT_EQ(9'999u, Counter("members_ended"));
  EXPECT_EQ(0u, Counter("members_refused"));
  EXPECT_LT(most, 1024u);
  EXPECT_EQ(2u, a_.View(now()).size());
  RunSlowly(Minutes(21));
  EXPECT_EQ(10'000u, Counter("members_forgotten"));
  EXPECT_EQ(1u, a_.View(now()).size());
  // The name, too: a low incarnation is as good as any again.
  hello.origin.life = kB;
  hello.origin.incarnation = crdt::Incarnation(1);
  a_.OnLinkUp(20'000, hello, now(), out_);
  EXPECT_EQ(20'000u, a_.LinkTo(kB));
}

TEST_F(MembershipForgetTest, ANameIsForgottenByRequestOnceItIsDown) {
  a_.OnLinkUp(1, Hello("b", 2), now(), out_);
  a_.OnFrameBeat(1, 1, now(), out_);
  EXPECT_TRUE(absl::IsFailedPrecondition(a_.ForgetName("b", now(), out_)));
  EXPECT_TRUE(absl::IsFailedPrecondition(a_.ForgetName("a", now(), out_)));
  EXPECT_TRUE(absl::IsNotFound(a_.ForgetName("c", now(), out_)));
  a_.OnLinkDown(1, now(), out_);
  Run(Seconds(6));
  ASSERT_EQ(1u, Seen(Kind::kDown, 2));
  EXPECT_EQ(absl::OkStatus(), a_.ForgetName("b", now(), out_));
  EXPECT_EQ(1u, Seen(Kind::kForgotten, 2));
  EXPECT_EQ(1u, a_.View(now()).size());
  EXPECT_TRUE(a_.WasForgotten(kB));
  EXPECT_TRUE(absl::IsNotFound(a_.ForgetName("b", now(), out_)));
}

TEST_F(MembershipForgetTest, WhatOthersSayDoesNotBringAForgottenNameBack) {
  a_.OnLinkUp(1, Hello("b", 2), now(), out_);
  a_.OnFrameBeat(1, 1, now(), out_);
  a_.OnLinkDown(1, now(), out_);
  Run(Seconds(6));
  ASSERT_EQ(absl::OkStatus(), a_.ForgetName("b", now(), out_));
  a_.OnLinkUp(2, Hello("c", 3), now(), out_);
  a_.OnFrameBeat(2, 1, now(), out_);
  MembersFrame down = Members("b", 2, 1, Seconds(6));
  down.members[0].state = MemberState::kDown;
  a_.OnMembers(2, down, now(), out_);
  EXPECT_EQ(2u, a_.View(now()).size());  // a and c.
  // Nor for as long as they may say so.
  uint64_t beat = 1;
  RunWithBeats(2, beat, Minutes(19));
  a_.OnMembers(2, down, now(), out_);
  EXPECT_EQ(2u, a_.View(now()).size());
  // A sign of its life does.
  a_.OnLinkUp(3, Hello("b", 2), now(), out_);
  a_.OnFrameBeat(3, 2, now(), out_);
  EXPECT_TRUE(a_.IsAlive(kB));
  EXPECT_FALSE(a_.WasForgotten(kB));
}

class ForgetfulCluster : public MembershipForgetTest {
 protected:
  ForgetfulCluster() : MembershipForgetTest(Forgetful()) {}
  static Options Forgetful() {
    Options options = Named("a");
    options.detector.forget = Seconds(30);
    return options;
  }
};

TEST_F(ForgetfulCluster, TenThousandNamesThatComeAndGoLeaveNothingBehind) {
  uint64_t seen = 0;
  for (uint64_t i = 1; i <= 10'000; ++i) {
    PeerHello hello = Hello(absl::StrCat("n", i), i + 1);
    a_.OnLinkUp(i, hello, now(), out_);
    a_.OnFrameBeat(i, 1, now(), out_);
    a_.OnLeaving(i, now(), out_);
    a_.OnLinkDown(i, now(), out_);
    if (i % 1000 == 0) RunSlowly(Seconds(32));
    out_ = {};
    seen += a_.TakeEvents().size();
  }
  EXPECT_EQ(10'000u, Counter("members_forgotten"));
  EXPECT_EQ(0u, Counter("members_refused"));
  EXPECT_EQ(1u, a_.View(now()).size());
  EXPECT_GT(seen, 50'000u);
}

class SmallCluster : public MembershipForgetTest {
 protected:
  SmallCluster() : MembershipForgetTest(Small()) {}
  static Options Small() {
    Options options = Named("a");
    options.max_members = 3;
    return options;
  }
};

TEST_F(SmallCluster, AFurtherMemberIsRefusedAndCounted) {
  a_.OnLinkUp(1, Hello("b", 2), now(), out_);
  a_.OnLinkUp(2, Hello("c", 3), now(), out_);
  out_ = {};
  a_.OnLinkUp(3, Hello("d", 4), now(), out_);
  ASSERT_EQ(1u, out_.closes.size());
  EXPECT_EQ(3u, out_.closes[0].link);
  EXPECT_EQ("the cluster is full: max_members is 3, refused d",
            out_.closes[0].reason);
  EXPECT_EQ(nullptr, a_.OriginOf(3));
  a_.OnMembers(1, Members("e", 5, 1, {}), now(), out_);
  EXPECT_EQ(2u, Counter("members_refused"));
  EXPECT_EQ(3u, a_.View(now()).size());
}

TEST_F(SmallCluster, ANewLifeTakesTheRowOfTheOneThatEndedFirst) {
  for (uint64_t i = 1; i <= 5; ++i) {
    PeerHello hello = Hello("b", 10 + i);
    hello.origin.incarnation = crdt::Incarnation(i);
    a_.OnLinkUp(i, hello, now(), out_);
    Run(Milliseconds(20));
  }
  EXPECT_EQ(1u, Seen(Kind::kForgotten, 11));
  EXPECT_EQ(1u, Seen(Kind::kForgotten, 13));
  EXPECT_EQ(0u, Seen(Kind::kForgotten, 14));
  EXPECT_EQ(5u, a_.LinkTo({15, 15}));
  a_.OnLinkUp(6, Hello("c", 3), now(), out_);
  EXPECT_EQ(6u, a_.LinkTo(kC));
}

// ------------------------------------------------------------------ leaving

TEST_F(MembershipForgetTest, WhoLeavesIsNotDialledAndDoesNotComeBackByABeat) {
  a_.OnLinkUp(1, Hello("b", 2), now(), out_);
  a_.OnFrameBeat(1, 1, now(), out_);
  a_.OnLeaving(1, now(), out_);
  EXPECT_EQ(1u, Seen(Kind::kLeft, 2));
  EXPECT_FALSE(a_.IsAlive(kB));
  EXPECT_EQ(1u, a_.LinkTo(kB)) << "its last words are still heard";
  a_.OnFrameBeat(1, 2, now(), out_);
  EXPECT_FALSE(a_.IsAlive(kB));
  out_ = {};
  a_.OnLinkDown(1, now(), out_);
  Run(Seconds(5));
  EXPECT_TRUE(out_.probes.empty());
  EXPECT_FALSE(out_.dial.has_value() && !out_.dial->empty());
  EXPECT_EQ(0u, Seen(Kind::kDown, 2));
  // A new life is another matter.
  PeerHello next = Hello("b", 4);
  next.origin.incarnation = crdt::Incarnation(6);
  a_.OnLinkUp(2, next, now(), out_);
  a_.OnFrameBeat(2, 1, now(), out_);
  EXPECT_TRUE(a_.IsAlive({4, 4}));
}

TEST_F(MembershipForgetTest, LeavingTellsAllAndStopsDialling) {
  a_.OnLinkUp(1, Hello("b", 2), now(), out_);
  a_.OnMembers(1, Members("c", 3, 70, {}), now(), out_);
  EXPECT_THAT(*out_.dial, Contains("c:1"));
  out_ = {};
  const uint64_t beat = a_.BeatOn(1);
  a_.Leave(now(), out_);
  ASSERT_TRUE(out_.dial.has_value());
  EXPECT_THAT(*out_.dial, IsEmpty());
  ASSERT_EQ(1u, out_.frames.size());
  EXPECT_EQ(beat + 1, out_.frames[0].frame.beat) << "it lived until now";
  EXPECT_TRUE(std::holds_alternative<LeavingFrame>(out_.frames[0].frame.body));
}

TEST(MembershipLeaveTest, ALeaverIsGoneAtOnceAlsoWhereItWasNotLinked) {
  World world(5);
  Process& a = world.Start("a", {});
  Process& b = world.Start("b", {"a:1"});
  Process& c = world.Start("c", {"b:1"});
  world.Refuse(a, c);
  ASSERT_TRUE(world.RunUntil(
      [&] {
        return a.membership->IsAlive(c.life) && c.membership->IsAlive(a.life);
      },
      Seconds(3)));
  Instant left = world.now().mono;
  world.Leave(c);
  ASSERT_TRUE(world.RunUntil(
      [&] { return World::When(a, Kind::kLeft, c.life).has_value(); },
      Milliseconds(100)));
  EXPECT_TRUE(World::When(b, Kind::kLeft, c.life, left).has_value());
  world.Kill(c);
  world.Run(Seconds(5));
  EXPECT_EQ(0u, a.Counter("downs") + b.Counter("downs"));
  EXPECT_THAT(a.dial, Not(Contains("c:1")));
}

}  // namespace
}  // namespace muster::core
