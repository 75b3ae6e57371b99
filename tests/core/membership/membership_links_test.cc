// Which of several links is used, and links that hang.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "node/core/membership/peer_links.h"
#include "tests/core/membership/lone_member.h"
#include "tests/core/membership/member_world.h"

namespace muster::core {
namespace {

using absl::Milliseconds;
using absl::Seconds;
using Kind = MembershipEvent::Kind;
using ::testing::Contains;
using ::testing::Not;

PeerLink MakeLink(bool outbound, Instant up, Instant received) {
  PeerLink link;
  link.hello.outbound = outbound;
  link.up = up;
  link.received = received;
  return link;
}

TEST(PeerLinksTest, OfTwoDialsThatCrossedTheDecidersOwnIsKept) {
  Instant now{100'000'000};
  PeerLink inbound = MakeLink(false, now, now);
  PeerLink outbound = MakeLink(true, now, now);
  EXPECT_EQ(PeerLinks::Choice::kTakeNew,
            PeerLinks::Choose(inbound, outbound, now));
  EXPECT_EQ(PeerLinks::Choice::kKeepOld,
            PeerLinks::Choose(outbound, inbound, now));
}

TEST(PeerLinksTest, APeerThatDialsLateHasLostTheOldLink) {
  Instant now{100'000'000};
  PeerLink old = MakeLink(true, now - Seconds(60), now - Milliseconds(100));
  EXPECT_EQ(PeerLinks::Choice::kTakeNew,
            PeerLinks::Choose(old, MakeLink(false, now, now), now));
}

TEST(PeerLinksTest, ASecondDialIsForNothingWhileTheFirstLinkIsHeard) {
  Instant now{100'000'000};
  PeerLink heard = MakeLink(true, now - Seconds(60), now - Milliseconds(300));
  PeerLink silent = MakeLink(true, now - Seconds(60), now - Seconds(2));
  PeerLink fresh = MakeLink(true, now, now);
  EXPECT_EQ(PeerLinks::Choice::kKeepOld, PeerLinks::Choose(heard, fresh, now));
  EXPECT_EQ(PeerLinks::Choice::kTakeNew, PeerLinks::Choose(silent, fresh, now));
}

TEST(PeerLinksTest, TheFirstWordsOnALinkMayHaveWaitedSinceItIsUp) {
  Instant up{100'000'000};
  PeerLink link = MakeLink(true, up, up);
  PeerLinks::Heard(link, 3, Milliseconds(250), up + Milliseconds(900));
  EXPECT_EQ(absl::ZeroDuration(), link.delay);
  link = MakeLink(true, up, up);
  PeerLinks::Heard(link, 3, Milliseconds(250), up + Seconds(25));
  EXPECT_EQ(Milliseconds(24'750), link.delay);
  // What comes in the same burst has waited less by its sender's beats.
  PeerLinks::Heard(link, 43, Milliseconds(250), up + Seconds(25));
  EXPECT_EQ(Milliseconds(14'750), link.delay);
  PeerLinks::Heard(link, 101, Milliseconds(250), up + Seconds(26));
  EXPECT_EQ(absl::ZeroDuration(), link.delay);
}

class MembershipLinksTest : public LoneMember {};

TEST_F(MembershipLinksTest, TheDeciderUsesTheNewLinkAndClosesTheOld) {
  // "a" is lower than "b": it decides.
  a_.OnLinkUp(1, Hello("b", 2), now(), out_);
  EXPECT_EQ(1u, a_.LinkTo(kB));
  out_ = {};
  PeerHello hello = Hello("b", 2);
  hello.outbound = true;
  hello.dialed = "b:1";
  a_.OnLinkUp(2, hello, now(), out_);
  EXPECT_EQ(2u, a_.LinkTo(kB));
  EXPECT_EQ(nullptr, a_.OriginOf(1));
  ASSERT_EQ(1u, out_.closes.size());
  EXPECT_EQ(1u, out_.closes[0].link);
  EXPECT_FALSE(out_.closes[0].permanent);
  std::vector<LinkId> told;
  for (auto& event : a_.TakeEvents()) {
    if (event.kind == Kind::kLinked) told.push_back(event.link);
    if (event.kind == Kind::kUnlinked) told.push_back(100 + event.link);
  }
  EXPECT_THAT(told, ::testing::ElementsAre(1, 101, 2));
}

class MembershipFollowerTest : public LoneMember {
 protected:
  MembershipFollowerTest() : LoneMember(Named("x")) {}
};

TEST_F(MembershipFollowerTest, ItUsesALinkFromTheFirstFrameOn) {
  a_.OnLinkUp(1, Hello("b", 2), now(), out_);
  EXPECT_EQ(0u, a_.LinkTo(kB));
  a_.OnFrameBeat(1, 1, now(), out_);
  EXPECT_EQ(1u, a_.LinkTo(kB));
  a_.OnLinkUp(2, Hello("b", 2), now(), out_);
  EXPECT_EQ(1u, a_.LinkTo(kB));
  a_.OnFrameBeat(2, 1, now(), out_);
  EXPECT_EQ(2u, a_.LinkTo(kB));
  // A frame that was still on its way on the old one changes nothing.
  a_.OnFrameBeat(1, 1, now(), out_);
  EXPECT_EQ(2u, a_.LinkTo(kB));
  EXPECT_TRUE(out_.closes.empty()) << "closing is for the lower name";
}

TEST_F(MembershipFollowerTest, ALinkThatMayHaveLostFramesIsNotUsedAgain) {
  // b used 1, then 2; its first frame on 1 came last.
  a_.OnLinkUp(1, Hello("b", 2), now(), out_);
  a_.OnLinkUp(2, Hello("b", 2), now(), out_);
  a_.OnFrameBeat(2, 1, now(), out_);
  a_.OnFrameBeat(1, 1, now(), out_);
  EXPECT_EQ(1u, a_.LinkTo(kB));
  a_.OnLinkDown(1, now(), out_);
  EXPECT_EQ(0u, a_.LinkTo(kB));
  out_ = {};
  a_.OnFrameBeat(2, 2, now(), out_);
  EXPECT_EQ(0u, a_.LinkTo(kB));
  ASSERT_EQ(1u, out_.closes.size());
  EXPECT_EQ(2u, out_.closes[0].link);
  EXPECT_FALSE(out_.closes[0].permanent);
  EXPECT_TRUE(a_.IsAlive(kB)) << "it is a beat all the same";
}

TEST_F(MembershipFollowerTest, ALinkOnWhichNothingComesIsClosed) {
  a_.OnLinkUp(1, Hello("b", 2), now(), out_);
  out_ = {};
  Run(Milliseconds(2900));
  EXPECT_TRUE(out_.closes.empty());
  Run(Milliseconds(200));
  ASSERT_EQ(1u, out_.closes.size());
}

TEST_F(MembershipLinksTest, ANewcomersLinkThatFallsSilentIsClosed) {
  PeerHello newcomer = Hello("b", 2);
  newcomer.origin.incarnation = {};
  a_.OnLinkUp(1, newcomer, now(), out_);
  a_.OnLinkUp(2, Hello("c", 3), now(), out_);
  uint64_t b = 0;
  RunWithBeats(1, b, Seconds(5));
  out_ = {};
  Run(Milliseconds(2900));
  EXPECT_TRUE(out_.closes.empty());
  Run(Milliseconds(200));
  ASSERT_EQ(1u, out_.closes.size()) << "a member's stays";
  EXPECT_EQ(1u, out_.closes[0].link);
  EXPECT_FALSE(out_.closes[0].permanent);
}

TEST_F(MembershipLinksTest, BulkThatIsNotAcknowledgedWhileBeatsArriveIsAStall) {
  uint64_t b = 0;
  a_.OnLinkUp(1, Hello("b", 2), now(), out_);
  RunWithBeats(1, b, Seconds(2));
  a_.OnBulk(1, false, now());
  RunWithBeats(1, b, Milliseconds(250));
  a_.OnBulk(1, true, now());
  a_.OnBulk(1, false, now());
  out_ = {};
  RunWithBeats(1, b, Milliseconds(750));
  EXPECT_TRUE(out_.closes.empty()) << "an ack starts the time afresh";
  RunWithBeats(1, b, Milliseconds(500));
  ASSERT_EQ(1u, out_.closes.size());
  EXPECT_FALSE(out_.closes[0].permanent);
  ASSERT_TRUE(out_.dial.has_value());
  EXPECT_THAT(*out_.dial, Contains("b:1"));
  EXPECT_EQ(0u, a_.LinkTo(kB));
  EXPECT_TRUE(a_.IsAlive(kB));
}

TEST_F(MembershipLinksTest, AStallIsJudgedByTheRoundTripsOfTheLink) {
  uint64_t b = 0;
  PeerHello slow = Hello("b", 2);
  slow.rtt = Seconds(2);
  a_.OnLinkUp(1, slow, now(), out_);
  RunWithBeats(1, b, Seconds(2));
  a_.OnBulk(1, false, now());
  out_ = {};
  RunWithBeats(1, b, Seconds(5));
  EXPECT_TRUE(out_.closes.empty()) << "three round trips are not over";
  RunWithBeats(1, b, Seconds(2));
  EXPECT_EQ(1u, out_.closes.size());
}

TEST_F(MembershipLinksTest, AnAcknowledgementThatTakesLongMakesALinkASlowOne) {
  uint64_t b = 0;
  a_.OnLinkUp(1, Hello("b", 2), now(), out_);
  RunWithBeats(1, b, Seconds(2));
  a_.OnBulk(1, false, now());
  RunWithBeats(1, b, Milliseconds(750));
  a_.OnBulk(1, true, now());
  a_.OnBulk(1, false, now());
  out_ = {};
  RunWithBeats(1, b, Seconds(2));
  EXPECT_TRUE(out_.closes.empty());
  RunWithBeats(1, b, Milliseconds(500));
  EXPECT_EQ(1u, out_.closes.size());
}

TEST_F(MembershipFollowerTest, WhoClosesAStalledLinkDialsWhateverItsName) {
  uint64_t b = 0;
  a_.OnLinkUp(1, Hello("b", 2), now(), out_);
  RunWithBeats(1, b, Seconds(2));
  a_.OnBulk(1, false, now());
  out_ = {};
  RunWithBeats(1, b, Milliseconds(1250));
  ASSERT_EQ(1u, out_.closes.size());
  ASSERT_TRUE(out_.dial.has_value());
  EXPECT_THAT(*out_.dial, Contains("b:1"));
}

TEST_F(MembershipLinksTest, ASilentPeersUnacknowledgedBulkIsNoStall) {
  uint64_t b = 0;
  a_.OnLinkUp(1, Hello("b", 2), now(), out_);
  RunWithBeats(1, b, Seconds(2));
  a_.OnBulk(1, false, now());
  out_ = {};
  Run(Seconds(60));
  EXPECT_FALSE(a_.IsAlive(kB));
  EXPECT_TRUE(out_.closes.empty()) << "down closes nothing";
  EXPECT_EQ(1u, a_.LinkTo(kB));
}

TEST_F(MembershipLinksTest, ALinkThatSaysNothingWhileDatagramsArriveIsAStall) {
  uint64_t beat = 1;
  a_.OnLinkUp(1, Hello("b", 2), now(), out_);
  a_.OnFrameBeat(1, beat, now(), out_);
  out_ = {};
  for (int i = 0; i < 5; ++i) {
    Run(Milliseconds(250));
    a_.OnDatagram({Hello("b", 2).origin, ++beat, {}, {}}, now(), out_);
  }
  ASSERT_EQ(1u, out_.closes.size());
  EXPECT_EQ(1u, Counter("links_stalled"));
}

TEST_F(MembershipLinksTest,
       ANewcomersLinkThatStallsAsItFallsSilentIsClosedOnce) {
  PeerHello newcomer = Hello("b", 2);
  newcomer.origin.incarnation = {};
  a_.OnLinkUp(1, newcomer, now(), out_);
  a_.OnLinkUp(2, Hello("c", 3), now(), out_);
  Run(Milliseconds(2990));
  // It is a member by the word of others, and beats.
  a_.OnMembers(2, Members("b", 2, 70, {}), now(), out_);
  a_.OnDatagram({Hello("b", 2).origin, 71, {}, {}}, now(), out_);
  EXPECT_EQ(1u, a_.LinkTo(kB));
  out_ = {};
  Run(Milliseconds(20));
  ASSERT_EQ(1u, out_.closes.size());
  EXPECT_EQ(1u, out_.closes[0].link);
  ASSERT_TRUE(out_.dial.has_value());
  EXPECT_THAT(*out_.dial, Contains("b:1"));
}

TEST_F(MembershipLinksTest, ALinkedAddressIsNotDialledAndComesBackAfterLoss) {
  a_.OnLinkUp(1, Hello("b", 2), now(), out_);
  a_.OnMembers(1, Members("c", 3, 70, {}), now(), out_);
  ASSERT_TRUE(out_.dial.has_value());
  EXPECT_THAT(*out_.dial, Contains("c:1"));
  EXPECT_THAT(*out_.dial, Not(Contains("b:1")));
  a_.OnLinkUp(2, Hello("c", 3), now(), out_);
  EXPECT_TRUE(out_.dial->empty());
  a_.OnLinkDown(1, now(), out_);
  EXPECT_THAT(*out_.dial, ::testing::ElementsAre("b:1"));
}

class MembershipJoiningTest : public LoneMember {
 protected:
  static Options Joining() {
    Options options = Named("a");
    options.join = {"c:1"};
    return options;
  }
  MembershipJoiningTest() : LoneMember(Joining()) {}
};

TEST_F(MembershipJoiningTest,
       AnAddressWhereSomebodyIsSaidToLiveIsDialledAfresh) {
  Run(Seconds(5));
  EXPECT_THAT(*out_.dial, Contains("c:1"));
  a_.OnLinkUp(1, Hello("b", 2), now(), out_);
  a_.OnMembers(1, Members("c", 3, 70, {}), now(), out_);
  EXPECT_THAT(*out_.dial, Not(Contains("c:1")));
  Run(Milliseconds(20));
  EXPECT_THAT(*out_.dial, Contains("c:1"));
}

TEST_F(MembershipJoiningTest, ADialThatHasJustBegunIsNotBegunAfresh) {
  Run(Milliseconds(500));
  a_.OnLinkUp(1, Hello("b", 2), now(), out_);
  a_.OnMembers(1, Members("c", 3, 70, {}), now(), out_);
  EXPECT_THAT(*out_.dial, Contains("c:1"));
}

TEST_F(MembershipLinksTest, OfABeatThatWaitedHereAnEarlierOneIsTold) {
  a_.OnLinkUp(1, Hello("b", 2), now(), out_);
  a_.OnMembers(1, Members("c", 3, 70, {}), now(), out_);
  Run(Milliseconds(100));
  at_ = at_ + Seconds(3);
  a_.OnDatagram({Hello("c", 3).origin, 80, {}, {}}, now(), out_);
  out_ = {};
  a_.OnLinkUp(2, Hello("d", 4), now(), out_);
  auto told = [&]() -> uint64_t {
    for (const SendFrame& frame : out_.frames) {
      const auto* members = std::get_if<MembersFrame>(&frame.frame.body);
      if (members == nullptr) continue;
      for (const MemberInfo& info : members->members) {
        if (info.origin.node == "c") return info.beat;
      }
    }
    return 0;
  };
  EXPECT_EQ(79u, told());
  Run(Milliseconds(200));
  a_.OnDatagram({Hello("c", 3).origin, 81, {}, {}}, now(), out_);
  out_ = {};
  a_.OnLinkUp(3, Hello("e", 5), now(), out_);
  EXPECT_EQ(81u, told());
}

TEST_F(MembershipLinksTest, MembersAreToldOnceInFullAndThenAsTheyChange) {
  a_.OnLinkUp(1, Hello("b", 2), now(), out_);
  a_.OnFrameBeat(1, 1, now(), out_);
  a_.OnLinkUp(2, Hello("c", 3), now(), out_);
  a_.OnFrameBeat(2, 1, now(), out_);
  Run(Milliseconds(50));
  out_ = {};
  a_.OnMembers(2, Members("d", 4, 70, {}), now(), out_);
  Run(Milliseconds(50));
  size_t frames = 0;
  for (const SendFrame& frame : out_.frames) {
    auto* members = std::get_if<MembersFrame>(&frame.frame.body);
    if (members == nullptr) continue;
    ++frames;
    ASSERT_EQ(1u, members->members.size()) << "only what changed";
    EXPECT_EQ("d", members->members[0].origin.node);
  }
  EXPECT_EQ(2u, frames);
}

}  // namespace
}  // namespace muster::core
