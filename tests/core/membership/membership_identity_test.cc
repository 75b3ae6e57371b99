// One name, several lives: admission, names in use, lives that meet, ended.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/core/membership/lone_member.h"
#include "tests/core/membership/member_world.h"

namespace muster::core {
namespace {

using absl::Milliseconds;
using absl::Seconds;
using Kind = MembershipEvent::Kind;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

Options At(const std::string& address) {
  Options options;
  options.address = address;
  return options;
}

class MembershipIdentityTest : public ::testing::Test {
 protected:
  MembershipIdentityTest()
      : world_(77),
        a_(world_.Start("a", {"b:1", "c:1"})),
        b_(world_.Start("b", {"a:1", "c:1"})),
        c_(world_.Start("c", {"a:1", "b:1"})) {
    EXPECT_TRUE(world_.RunUntil(
        [&] {
          return world_.Whole({&a_, &b_, &c_});
        },
        Seconds(3)));
    world_.Run(Seconds(3));
  }
  World world_;
  Process& a_;
  Process& b_;
  Process& c_;
};

TEST_F(MembershipIdentityTest,
       ASecondNodeUnderANameInUseExitsAndChangesNothing) {
  std::vector<size_t> seen = {a_.seen.size(), b_.seen.size(), c_.seen.size()};
  Process& second = world_.Start("a", {"b:1", "c:1"}, At("other:1"));
  ASSERT_TRUE(world_.RunUntil([&] { return !second.running; }, Seconds(2)));
  EXPECT_EQ(absl::StatusCode::kAlreadyExists, second.exit->code());
  EXPECT_EQ("node name a is in use by a:1", second.exit->message());
  EXPECT_EQ(0u, second.origin().incarnation.value);
  world_.Run(Seconds(10));
  EXPECT_TRUE(world_.Whole({&a_, &b_, &c_}));
  EXPECT_EQ(seen[0], a_.seen.size());
  EXPECT_EQ(seen[1], b_.seen.size());
  EXPECT_EQ(seen[2], c_.seen.size());
}

TEST_F(MembershipIdentityTest,
       ItSaysSoAlsoWhenItJoinsTheVeryNodeItCollidesWith) {
  Process& second = world_.Start("a", {"a:1"}, At("other:1"));
  ASSERT_TRUE(world_.RunUntil([&] { return !second.running; }, Seconds(2)));
  EXPECT_EQ(absl::StatusCode::kAlreadyExists, second.exit->code());
  EXPECT_TRUE(a_.running);
}

TEST_F(MembershipIdentityTest, BeatsAloneShowThatANameIsInUse) {
  // It cannot reach a's address; the others hear a.
  Process& second = world_.Start("a", {"b:1"}, At("other:1"));
  world_.Cut(second, a_);
  ASSERT_TRUE(world_.RunUntil([&] { return !second.running; }, Seconds(2)));
  EXPECT_EQ(absl::StatusCode::kAlreadyExists, second.exit->code());
}

TEST_F(MembershipIdentityTest,
       AKilledNodeReturnsUnderItsNameAndEndsItsOldLife) {
  world_.Kill(a_);
  Instant killed = world_.now().mono;
  Process& again = world_.Start("a", {"b:1", "c:1"});
  ASSERT_TRUE(world_.RunUntil(
      [&] {
        return world_.Whole({&again, &b_, &c_});
      },
      Seconds(3)))
      << world_.log();
  EXPECT_LE(world_.now().mono - killed, Milliseconds(2000));
  EXPECT_GT(again.origin().incarnation, a_.origin().incarnation);
  EXPECT_EQ(1u, World::CountOf(b_, Kind::kEnded, a_.life));
  EXPECT_FALSE(b_.membership->IsAlive(a_.life));
  // Its old life cannot return.
  world_.Do(b_, [&](Output& out) {
    b_.membership->OnDatagram({a_.origin(), 100000, {}, {}}, world_.now(), out);
  });
  EXPECT_FALSE(b_.membership->IsAlive(a_.life));
}

TEST_F(MembershipIdentityTest, AfterALeaveOrOnceItIsDownANameIsFreeAtOnce) {
  world_.Leave(a_);
  world_.Run(Milliseconds(100));
  world_.Kill(a_);
  Process& again = world_.Start("a", {"b:1", "c:1"});
  ASSERT_TRUE(world_.RunUntil(
      [&] {
        return world_.Whole({&again, &b_, &c_});
      },
      Milliseconds(500)))
      << world_.log();
  world_.Run(Seconds(5));
  world_.Kill(again);
  world_.Run(Seconds(1));
  Process& third = world_.Start("a", {"b:1", "c:1"});
  ASSERT_TRUE(world_.RunUntil(
      [&] {
        return world_.Whole({&third, &b_, &c_});
      },
      Milliseconds(500)));
}

TEST_F(MembershipIdentityTest, AFrozenLifeThatWasReplacedEndsWhenItThaws) {
  world_.Freeze(a_);
  world_.Run(Seconds(5));
  Process& again = world_.Start("a", {"b:1", "c:1"}, At("other:1"));
  ASSERT_TRUE(world_.RunUntil(
      [&] {
        return world_.Whole({&again, &b_, &c_});
      },
      Seconds(3)))
      << world_.log();
  world_.Thaw(a_);
  ASSERT_TRUE(world_.RunUntil([&] { return !a_.running; }, Seconds(3)))
      << world_.log();
  EXPECT_EQ(absl::StatusCode::kAborted, a_.exit->code());
  EXPECT_THAT(std::string(a_.exit->message()), HasSubstr("other:1"));
  EXPECT_TRUE(world_.Whole({&again, &b_, &c_}));
}

TEST_F(MembershipIdentityTest, OfTwoLivesThatMeetAfterAHealTheLowerEnds) {
  for (Process* p : {&b_, &c_}) world_.Cut(a_, *p);
  world_.Run(Seconds(5));
  Process& other = world_.Start("a", {"b:1", "c:1"}, At("other:1"));
  world_.Cut(other, a_);
  ASSERT_TRUE(world_.RunUntil(
      [&] {
        return world_.Whole({&other, &b_, &c_});
      },
      Seconds(3)));
  uint64_t incarnation = a_.origin().incarnation.value;
  world_.Run(Seconds(5));
  for (Process* p : {&b_, &c_, &other}) world_.Heal(a_, *p);
  ASSERT_TRUE(world_.RunUntil([&] { return !a_.running; }, Seconds(8)))
      << world_.log();
  EXPECT_EQ(absl::StatusCode::kAborted, a_.exit->code());
  EXPECT_EQ(incarnation, a_.origin().incarnation.value);
  EXPECT_TRUE(other.running);
  EXPECT_TRUE(world_.Whole({&other, &b_, &c_}));
}

TEST_F(MembershipIdentityTest, TwoNewNodesOfOneNameDoNotBothStay) {
  Process& one = world_.Start("d", {"b:1"}, At("one:1"));
  Process& two = world_.Start("d", {"c:1"}, At("two:1"));
  world_.Run(Seconds(10));
  EXPECT_NE(one.running, two.running) << world_.log();
  EXPECT_TRUE(world_.Whole({&a_, &b_, &c_, one.running ? &one : &two}));
}

// ------------------------------------------------ what a peer may claim

class Newcomer : public LoneMember {
 protected:
  Newcomer() : LoneMember(Joining()) {}
  static Options Joining() {
    Options options = Named("a");
    options.join = {"b:1"};
    return options;
  }
  // b, which dialled us, knows another life of "a".
  void ToldOfRival(MemberState state, absl::Duration age, uint64_t beat = 70) {
    PeerHello hello = Hello("b", 2);
    a_.OnLinkUp(1, hello, now(), out_);
    a_.OnFrameBeat(1, 1, now(), out_);
    MembersFrame frame = Members("b", 2, 1, {});
    frame.members.push_back({.origin = {"a", crdt::Incarnation(50), kRival},
                             .address = "old:1",
                             .state = state,
                             .beat = beat,
                             .age = age});
    frame.your_highest = crdt::Incarnation(90);
    a_.OnMembers(1, frame, now(), out_);
  }
  static constexpr crdt::LifeId kRival{9, 9};
};

TEST_F(Newcomer, IsNotAdmittedAndSendsNoBeatsBeforeAPeerHasAnswered) {
  EXPECT_EQ(0u, a_.self().incarnation.value);
  a_.OnLinkUp(1, Hello("b", 2), now(), out_);
  Run(Milliseconds(1900));
  EXPECT_EQ(0u, a_.self().incarnation.value);
  EXPECT_EQ(nullptr, a_.OriginOf(1));
  EXPECT_TRUE(out_.beats.empty());
  EXPECT_EQ(0u, Seen(Kind::kLinked, 2));
}

TEST_F(Newcomer, TakesAnIncarnationAboveWhatPeersRememberWhateverItsClock) {
  PeerHello hello = Hello("b", 2);
  a_.OnLinkUp(1, hello, now(), out_);
  a_.OnFrameBeat(1, 1, now(), out_);
  MembersFrame frame = Members("b", 2, 1, {});
  frame.your_highest = crdt::Incarnation(90);
  out_ = {};
  a_.OnMembers(1, frame, now(), out_);
  EXPECT_EQ(91u, a_.self().incarnation.value);  // The wall clock says 1.
  // The announcement goes first.
  ASSERT_FALSE(out_.frames.empty());
  auto& told = std::get<MembersFrame>(out_.frames[0].frame.body);
  EXPECT_EQ(a_.self(), told.members.at(0).origin);
  auto events = a_.TakeEvents();
  std::vector<Kind> kinds;
  for (auto& event : events) {
    if (event.kind != Kind::kAlive) kinds.push_back(event.kind);
  }
  EXPECT_THAT(kinds, ::testing::ElementsAre(Kind::kAdmitted, Kind::kLinked,
                                            Kind::kJoined));
}

TEST_F(Newcomer, WaitsFor1500MillisecondsForARivalThatWasAliveJustNow) {
  ToldOfRival(MemberState::kAlive, Milliseconds(100));
  ASSERT_EQ(1u, out_.hello_probes.size());
  EXPECT_EQ("old:1", out_.hello_probes[0].address);
  a_.OnHelloProbe(out_.hello_probes[0].token, {}, now(), out_);
  Run(Milliseconds(1400));
  EXPECT_EQ(0u, a_.self().incarnation.value);
  Run(Milliseconds(200));
  EXPECT_EQ(91u, a_.self().incarnation.value);
  EXPECT_FALSE(out_.exit.has_value());
}

TEST_F(Newcomer, StaleNumbersOfARivalThatDiedAreNoLife) {
  ToldOfRival(MemberState::kAlive, Milliseconds(100));
  Run(Milliseconds(200));
  // Others knew later beats, all of them from before we came.
  a_.OnBeatReport(1, {kRival, 71, Milliseconds(280)}, now(), out_);
  a_.OnBeatReport(1, {kRival, 72, Milliseconds(250)}, now(), out_);
  a_.OnBeatReport(1, {kRival, 73, Milliseconds(220)}, now(), out_);
  Run(Milliseconds(1500));
  EXPECT_FALSE(out_.exit.has_value());
  EXPECT_NE(0u, a_.self().incarnation.value);
}

TEST_F(Newcomer, TwoAdvancesSinceItCameAreLife) {
  ToldOfRival(MemberState::kDown, Seconds(100));
  Run(Milliseconds(300));
  a_.OnBeatReport(1, {kRival, 71, Milliseconds(10)}, now(), out_);
  EXPECT_FALSE(out_.exit.has_value());
  Run(Milliseconds(250));
  a_.OnBeatReport(1, {kRival, 72, Milliseconds(10)}, now(), out_);
  ASSERT_TRUE(out_.exit.has_value());
  EXPECT_EQ("node name a is in use by old:1", out_.exit->message());
}

TEST_F(Newcomer, AsksItsPeersForTheRivalsBeatsWhileItChecks) {
  ToldOfRival(MemberState::kAlive, Milliseconds(100));
  Run(Seconds(1));
  size_t asks = 0;
  for (const SendFrame& frame : out_.frames) {
    auto* ask = std::get_if<AskFrame>(&frame.frame.body);
    if (ask != nullptr && ask->life == kRival) ++asks;
  }
  EXPECT_GE(asks, 4u);
}

class MembershipClaimsTest : public LoneMember {
 protected:
  // A later life of our name.
  static MembersFrame OtherLife(uint64_t beat) {
    MembersFrame frame;
    frame.members.push_back(
        {.origin = {"a", crdt::Incarnation(1 << 30), {9, 9}},
         .address = "other:1",
         .beat = beat});
    return frame;
  }
};

TEST_F(MembershipClaimsTest,
       AClaimOfALaterLifeOfOurNameIsNotBelievedWithoutProof) {
  a_.OnLinkUp(1, Hello("b", 2), now(), out_);
  uint64_t b = 0;
  RunWithBeats(1, b, Seconds(1));
  MembersFrame lie;
  lie.members.push_back({.origin = {"a", crdt::Incarnation(1 << 30), {9, 9}},
                         .address = "lie:1",
                         .beat = 3});
  out_ = {};
  a_.OnMembers(1, lie, now(), out_);
  ASSERT_EQ(1u, out_.hello_probes.size());
  a_.OnHelloProbe(out_.hello_probes[0].token, {}, now(), out_);
  RunWithBeats(1, b, Seconds(5));
  EXPECT_FALSE(out_.exit.has_value());
  EXPECT_EQ(1u, a_.LinkTo(kB));
  EXPECT_THAT(a_.Notes(), Contains(HasSubstr("lie:1")));
  RunWithBeats(1, b, absl::Minutes(21));
  EXPECT_THAT(a_.Notes(), Not(Contains(HasSubstr("lie:1"))));
}

TEST_F(MembershipClaimsTest, ASilentRivalThatBeatsAgainIsCheckedAgain) {
  a_.OnLinkUp(1, Hello("b", 2), now(), out_);
  uint64_t b = 0;
  RunWithBeats(1, b, Seconds(1));
  out_ = {};
  a_.OnMembers(1, OtherLife(3), now(), out_);
  ASSERT_EQ(1u, out_.hello_probes.size());
  RunWithBeats(1, b, Seconds(2));
  // The cut that kept it from being heard is over.
  a_.OnBeatReport(1, {{9, 9}, 40, {}}, now(), out_);
  RunWithBeats(1, b, Milliseconds(500));
  EXPECT_EQ(1u, out_.hello_probes.size());
  a_.OnBeatReport(1, {{9, 9}, 42, {}}, now(), out_);
  RunWithBeats(1, b, Milliseconds(500));
  ASSERT_EQ(2u, out_.hello_probes.size());
  EXPECT_FALSE(out_.exit.has_value());
  a_.OnBeatReport(1, {{9, 9}, 44, {}}, now(), out_);
  RunWithBeats(1, b, Milliseconds(500));
  a_.OnBeatReport(1, {{9, 9}, 46, {}}, now(), out_);
  ASSERT_TRUE(out_.exit.has_value());
  EXPECT_EQ(absl::StatusCode::kAborted, out_.exit->code());
}

TEST_F(MembershipClaimsTest, ASilentRivalThatIsToldOfAgainIsCheckedInTheEnd) {
  a_.OnLinkUp(1, Hello("b", 2), now(), out_);
  uint64_t b = 0;
  RunWithBeats(1, b, Seconds(1));
  out_ = {};
  a_.OnMembers(1, OtherLife(3), now(), out_);
  RunWithBeats(1, b, Seconds(2));
  // Too soon after it was found silent; and nobody says it twice.
  a_.OnMembers(1, OtherLife(33), now(), out_);
  RunWithBeats(1, b, Seconds(4));
  EXPECT_EQ(1u, out_.hello_probes.size());
  RunWithBeats(1, b, Seconds(1));
  ASSERT_EQ(2u, out_.hello_probes.size());
  // Once.
  RunWithBeats(1, b, Seconds(30));
  EXPECT_EQ(2u, out_.hello_probes.size());
  EXPECT_FALSE(out_.exit.has_value());
}

TEST_F(MembershipClaimsTest,
       APeerThatIsNotAdmittedIsNobodyUntilItAnnouncesItself) {
  PeerHello hello = Hello("b", 2);
  hello.origin.incarnation = {};
  a_.OnLinkUp(1, hello, now(), out_);
  a_.OnFrameBeat(1, 1, now(), out_);
  EXPECT_EQ(nullptr, a_.OriginOf(1));
  EXPECT_EQ(1u, a_.View(now()).size());
  a_.OnMembers(1, Members("b", 2, 1, {}), now(), out_);
  ASSERT_NE(nullptr, a_.OriginOf(1));
  EXPECT_EQ(Hello("b", 2).origin, *a_.OriginOf(1));
  EXPECT_EQ(1u, a_.LinkTo(kB));
}

TEST_F(MembershipClaimsTest, ALifeCannotBeTakenByAnotherNameOrIncarnation) {
  a_.OnLinkUp(1, Hello("b", 2), now(), out_);
  a_.OnLinkUp(2, Hello("c", 3), now(), out_);
  MembersFrame lie = Members("x", 2, 99, {});  // b's life.
  a_.OnMembers(2, lie, now(), out_);
  lie.members[0].origin.node = "b";
  lie.members[0].origin.incarnation = crdt::Incarnation(7);
  a_.OnMembers(2, lie, now(), out_);
  EXPECT_EQ(Hello("b", 2).origin, *a_.OriginOf(1));
  EXPECT_EQ(2u, Counter("member_contradictions"));
  EXPECT_EQ(3u, a_.View(now()).size());
}

TEST_F(MembershipClaimsTest, AHigherLifeEndsTheLowerOneAndItsLink) {
  a_.OnLinkUp(1, Hello("b", 2), now(), out_);
  a_.OnFrameBeat(1, 1, now(), out_);
  PeerHello higher = Hello("b", 4);
  higher.origin.incarnation = crdt::Incarnation(6);
  a_.OnLinkUp(2, higher, now(), out_);
  EXPECT_EQ(nullptr, a_.OriginOf(1));
  EXPECT_EQ(2u, a_.LinkTo({4, 4}));
  EXPECT_EQ(1u, Seen(Kind::kEnded, 2));
  EXPECT_EQ(1u, Seen(Kind::kUnlinked, 2));
  a_.OnFrameBeat(1, 2, now(), out_);
  EXPECT_FALSE(a_.IsAlive(kB));
  // And a lower one that comes later is nobody.
  PeerHello lower = Hello("b", 8);
  lower.origin.incarnation = crdt::Incarnation(4);
  a_.OnLinkUp(3, lower, now(), out_);
  a_.OnFrameBeat(3, 1, now(), out_);
  EXPECT_EQ(nullptr, a_.OriginOf(3));
}

// b, a life of which is {2, 2} with incarnation 5, and a later one of which c
// tells, {4, 4} with incarnation 6.
class LaterLifeTest : public LoneMember {
 protected:
  static constexpr crdt::LifeId kLater{4, 4};
  void LinkUp(LinkId link, const std::string& name, uint64_t life) {
    a_.OnLinkUp(link, Hello(name, life), now(), out_);
    a_.OnFrameBeat(link, 1, now(), out_);
  }
  void CTellsOfALaterB(MemberState state, absl::Duration age) {
    LinkUp(3, "c", 3);
    MembersFrame frame = Members("b", 4, 70, age);
    frame.members[0].origin.incarnation = crdt::Incarnation(6);
    frame.members[0].state = state;
    a_.OnMembers(3, frame, now(), out_);
  }
  void LaterBBeats(uint64_t number) {
    crdt::Origin later = Hello("b", 4).origin;
    later.incarnation = crdt::Incarnation(6);
    a_.OnDatagram({later, number, {}, {}}, now(), out_);
  }
};

TEST_F(LaterLifeTest, ThatIsDeadDoesNotEndTheOneThatBeats) {
  LinkUp(1, "b", 2);
  CTellsOfALaterB(MemberState::kDown, Seconds(60));
  EXPECT_EQ(1u, a_.LinkTo(kB));
  EXPECT_TRUE(a_.IsAlive(kB));
  EXPECT_FALSE(a_.IsAlive(kLater));
  uint64_t b = 1;
  RunWithBeats(1, b, Seconds(10));
  EXPECT_TRUE(a_.IsAlive(kB));
  // It was not dead.
  LaterBBeats(71);
  EXPECT_TRUE(a_.IsAlive(kLater));
  EXPECT_EQ(1u, Seen(Kind::kEnded, 2));
  EXPECT_EQ(0u, a_.LinkTo(kB));
}

TEST_F(LaterLifeTest, ThatIsDeadDoesNotKeepOutTheOneThatBeats) {
  CTellsOfALaterB(MemberState::kLeft, Seconds(60));
  LinkUp(1, "b", 2);
  EXPECT_EQ(1u, a_.LinkTo(kB));
  EXPECT_TRUE(a_.IsAlive(kB));
}

TEST_F(LaterLifeTest, ThatFallsSilentLetsTheOneThatBeatsReturnAsNew) {
  LinkUp(1, "b", 2);
  CTellsOfALaterB(MemberState::kAlive, {});
  EXPECT_EQ(1u, Seen(Kind::kEnded, 2));
  uint64_t b = 1;
  RunWithBeats(1, b, Seconds(1));
  EXPECT_FALSE(a_.IsAlive(kB));
  RunWithBeats(1, b, Seconds(5));
  EXPECT_FALSE(a_.IsAlive(kLater));
  EXPECT_EQ(1u, Seen(Kind::kForgotten, 2));
  EXPECT_EQ(2u, Seen(Kind::kAlive, 2));
  EXPECT_EQ(1u, a_.LinkTo(kB));
}

TEST_F(LaterLifeTest, ThatFallsSilentDoesNotBringBackOneThatLeft) {
  LinkUp(1, "b", 2);
  a_.OnLeaving(1, now(), out_);
  CTellsOfALaterB(MemberState::kAlive, {});
  uint64_t b = 1;
  RunWithBeats(1, b, Seconds(10));
  EXPECT_FALSE(a_.IsAlive(kB));
  EXPECT_EQ(0u, Seen(Kind::kForgotten, 2));
}

TEST_F(LaterLifeTest, ThatSpokeLongAgoOnALinkOfItsOwnEndsNobody) {
  LinkUp(1, "b", 2);
  PeerHello later = Hello("b", 4);
  later.origin.incarnation = {};
  a_.OnLinkUp(2, later, now(), out_);
  // Its words wait for TCP.
  uint64_t b = 1;
  RunWithBeats(1, b, Milliseconds(2500));
  MembersFrame own = Members("b", 4, 3, {});
  own.members[0].origin.incarnation = crdt::Incarnation(6);
  a_.OnFrameBeat(2, 3, now(), out_);
  a_.OnMembers(2, own, now(), out_);
  EXPECT_FALSE(a_.IsAlive(kLater));
  EXPECT_TRUE(a_.IsAlive(kB));
  EXPECT_EQ(0u, Seen(Kind::kEnded, 2));
  // In time its words count.
  Run(Milliseconds(300));
  a_.OnFrameBeat(2, 28, now(), out_);
  a_.OnMembers(2, own, now(), out_);
  EXPECT_TRUE(a_.IsAlive(kLater));
  EXPECT_EQ(1u, Seen(Kind::kEnded, 2));
}

// It may take this one for ended, too: to answer answers would never end.
TEST_F(LaterLifeTest, WhatItEndedIsAnsweredAtItsAdvanceOnly) {
  LinkUp(1, "b", 2);
  CTellsOfALaterB(MemberState::kAlive, {});
  const crdt::Origin ended = Hello("b", 2).origin;
  for (const uint64_t number : {7, 8}) {
    out_.beats.clear();
    for (int i = 0; i < 3; ++i) {
      a_.OnDatagram({ended, number, {}, {}}, now(), out_);
    }
    ASSERT_EQ(1u, out_.beats.size());
    EXPECT_EQ("b:1", out_.beats[0].address);
  }
}

}  // namespace
}  // namespace muster::core
