// What is evidence of life, and what is passed on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/core/membership/lone_member.h"

namespace muster::core {
namespace {

using absl::Milliseconds;
using absl::Seconds;
using Kind = MembershipEvent::Kind;

class MembershipEvidenceTest : public LoneMember {};

TEST_F(MembershipEvidenceTest, AFirstNumberIsEvidenceOnlyIfItIsYoung) {
  a_.OnLinkUp(1, Hello("b", 2), now(), out_);
  a_.OnFrameBeat(1, 1, now(), out_);
  a_.OnMembers(1, Members("c", 3, 70, Seconds(2)), now(), out_);
  EXPECT_FALSE(a_.IsAlive(kC));
  EXPECT_EQ(Seconds(2), a_.AgeOf(kC, now()));
  a_.OnBeatReport(1, {kC, 71, Milliseconds(10)}, now(), out_);
  EXPECT_TRUE(a_.IsAlive(kC));
  a_.OnMembers(1, Members("d", 4, 70, Milliseconds(1900)), now(), out_);
  EXPECT_TRUE(a_.IsAlive({4, 4}));
}

TEST_F(MembershipEvidenceTest, ARepeatedNumberIsNoEvidenceHoweverYoung) {
  uint64_t b = 1;
  a_.OnLinkUp(1, Hello("b", 2), now(), out_);
  a_.OnMembers(1, Members("c", 3, 70, {}), now(), out_);
  ASSERT_TRUE(a_.IsAlive(kC));
  for (int i = 0; i < 12; ++i) {
    RunWithBeats(1, b, Milliseconds(250));
    a_.OnBeatReport(1, {kC, 70, {}}, now(), out_);
  }
  EXPECT_TRUE(a_.IsAlive(kB));
  EXPECT_FALSE(a_.IsAlive(kC)) << "b vouches with the same number for ever";
  EXPECT_EQ(Seconds(3), a_.AgeOf(kC, now()));
}

TEST_F(MembershipEvidenceTest, AgesPassedOnGoOnCountingAndAreNotRestarted) {
  uint64_t b = 1;
  a_.OnLinkUp(1, Hello("b", 2), now(), out_);
  a_.OnMembers(1, Members("c", 3, 70, Milliseconds(700)), now(), out_);
  RunWithBeats(1, b, Milliseconds(500));
  // A later number that is older than what we have does not make it younger.
  a_.OnBeatReport(1, {kC, 71, Seconds(3)}, now(), out_);
  EXPECT_EQ(Milliseconds(1200), a_.AgeOf(kC, now()));
  out_ = {};
  RunWithBeats(1, b, Milliseconds(500));
  a_.OnAsk(1, {kC, 0}, now(), out_);
  const auto& answer = std::get<BeatReport>(out_.frames.back().frame.body);
  EXPECT_EQ(71u, answer.number);
  EXPECT_EQ(Milliseconds(1700), answer.age);
}

TEST_F(MembershipEvidenceTest, AStallMovesVerdictsButNotTheAgesPassedOn) {
  uint64_t b = 1;
  a_.OnLinkUp(1, Hello("b", 2), now(), out_);
  RunWithBeats(1, b, Seconds(2));
  at_ = at_ + Seconds(60);
  Tick();
  EXPECT_TRUE(a_.IsAlive(kB));
  EXPECT_EQ(Seconds(60), a_.AgeOf(kB, now()));
  Run(Milliseconds(900));
  EXPECT_EQ(0u, Seen(Kind::kSuspect, 2));
  Run(Milliseconds(700));
  EXPECT_EQ(1u, Seen(Kind::kDown, 2)) << "but it is judged in the end";
}

TEST_F(MembershipEvidenceTest, TheTimeToNoticeADeathIsLessTheOwnStall) {
  uint64_t b = 1;
  a_.OnLinkUp(1, Hello("b", 2), now(), out_);
  RunWithBeats(1, b, Seconds(2));
  const auto noticed = [this] { return a_.death_times().counts(); };
  EXPECT_EQ(DeathTimes(kDeathBounds).counts(), noticed());
  at_ = at_ + Seconds(60);
  Tick();
  Run(Seconds(3));
  ASSERT_EQ(1u, Seen(Kind::kDown, 2));
  // 1 s of silence and 0.5 s of asking, and less than a beat interval.
  auto expected = DeathTimes(kDeathBounds).counts();
  expected[7] = 1;
  EXPECT_EQ(Seconds(1.5), absl::Microseconds(kDeathBounds[7]));
  EXPECT_EQ(expected, noticed()) << a_.death_times().sum_us() << " us";
}

TEST_F(MembershipEvidenceTest, WhoWasSuspectBeforeAStallIsAskedAboutAnew) {
  uint64_t b = 1;
  a_.OnLinkUp(1, Hello("b", 2), now(), out_);
  RunWithBeats(1, b, Seconds(2));
  Run(Milliseconds(1400));
  ASSERT_EQ(1u, Seen(Kind::kSuspect, 2));
  ASSERT_EQ(0u, Seen(Kind::kDown, 2));
  at_ = at_ + Seconds(60);
  Tick();
  Run(Milliseconds(450));
  EXPECT_EQ(0u, Seen(Kind::kDown, 2));
  Run(Milliseconds(150));
  EXPECT_EQ(1u, Seen(Kind::kDown, 2));
}

TEST_F(MembershipEvidenceTest, WhatWasReadAfterAStallMayBeAsOldAsTheStall) {
  uint64_t b = 1;
  a_.OnLinkUp(1, Hello("b", 2), now(), out_);
  RunWithBeats(1, b, Seconds(2));
  at_ = at_ + Seconds(60);
  a_.OnFrameBeat(1, ++b, now(), out_);
  EXPECT_EQ(Seconds(60), a_.AgeOf(kB, now()));
  EXPECT_EQ(0u, Seen(Kind::kDown, 2));
  Run(Milliseconds(100));
  a_.OnFrameBeat(1, ++b, now(), out_);
  EXPECT_EQ(absl::ZeroDuration(), a_.AgeOf(kB, now()));
}

TEST_F(MembershipEvidenceTest,
       AnAskIsAnsweredAtOnceAndAgainWithTheNextBeatOverBothWays) {
  uint64_t c = 10;
  a_.OnLinkUp(1, Hello("b", 2), now(), out_);
  a_.OnLinkUp(2, Hello("c", 3), now(), out_);
  a_.OnFrameBeat(2, c, now(), out_);
  out_ = {};
  a_.OnAsk(1, {kC, 9}, now(), out_);
  ASSERT_EQ(1u, out_.frames.size());
  EXPECT_EQ(1u, out_.frames[0].link);
  Run(Milliseconds(100));
  out_ = {};
  a_.OnFrameBeat(2, ++c, now(), out_);
  ASSERT_EQ(1u, out_.frames.size());
  EXPECT_EQ(11u, std::get<BeatReport>(out_.frames[0].frame.body).number);
  ASSERT_EQ(1u, out_.beats.size());
  EXPECT_EQ("b:1", out_.beats[0].address);
  EXPECT_EQ(11u, out_.beats[0].beat->others.at(0).number);
  // Not after 350 ms.
  Run(Milliseconds(260));
  out_ = {};
  a_.OnFrameBeat(2, ++c, now(), out_);
  EXPECT_TRUE(out_.frames.empty());
}

TEST_F(MembershipEvidenceTest, AnAskAboutOneHeardThroughOthersIsPassedOn) {
  a_.OnLinkUp(1, Hello("b", 2), now(), out_);
  a_.OnLinkUp(2, Hello("d", 4), now(), out_);
  a_.OnMembers(1, Members("c", 3, 70, {}), now(), out_);
  ASSERT_TRUE(a_.IsAlive(kC));
  out_ = {};
  a_.OnAsk(1, {kC, 70}, now(), out_);
  ASSERT_EQ(1u, out_.frames.size());
  EXPECT_EQ(2u, out_.frames[0].link) << "not back to who asks";
  EXPECT_EQ(kC, std::get<AskFrame>(out_.frames[0].frame.body).life);
  // Not again at once, whoever asks.
  out_ = {};
  a_.OnAsk(2, {kC, 70}, now(), out_);
  EXPECT_TRUE(out_.frames.empty());
  Run(Milliseconds(130));
  out_ = {};
  a_.OnAsk(2, {kC, 70}, now(), out_);
  ASSERT_EQ(1u, out_.frames.size());
  EXPECT_EQ(1u, out_.frames[0].link);
  // What is heard itself needs no asking.
  a_.OnDatagram({Hello("c", 3).origin, 71, {}, {}}, now(), out_);
  Run(Milliseconds(130));
  out_ = {};
  a_.OnAsk(2, {kC, 71}, now(), out_);
  EXPECT_TRUE(out_.frames.empty());
}

TEST_F(MembershipEvidenceTest, AWordTooOldToBeEvidenceIsAskedAfter) {
  a_.OnLinkUp(1, Hello("b", 2), now(), out_);
  out_ = {};
  a_.OnMembers(1, Members("c", 3, 70, Seconds(3)), now(), out_);
  EXPECT_FALSE(a_.IsAlive(kC));
  ASSERT_EQ(1u, out_.frames.size());
  EXPECT_EQ(70u, std::get<AskFrame>(out_.frames[0].frame.body).number);
  out_ = {};
  a_.OnMembers(1, Members("d", 4, 70, Seconds(11)), now(), out_);
  EXPECT_TRUE(out_.frames.empty()) << "older than what others pass on";
}

TEST_F(MembershipEvidenceTest, ARefusalWaitsForTheSlowestLinkOfWhoIsAsked) {
  for (bool slow : {false, true}) {
    const LinkId link = slow ? 12 : 2;
    uint64_t b = slow ? 100 : 1;
    if (!slow) a_.OnLinkUp(1, Hello("b", 2), now(), out_);
    const absl::Duration rtt = Milliseconds(slow ? 800 : 0);
    a_.OnBeatReport(1, {kB, b, {}, rtt}, now(), out_);
    a_.OnLinkUp(link, Hello("c", 3), now(), out_);
    a_.OnFrameBeat(link, slow ? 20 : 10, now(), out_);
    RunWithBeats(1, b, Milliseconds(250));
    ASSERT_TRUE(a_.IsAlive(kC));
    out_ = {};
    a_.OnLinkDown(link, now(), out_);
    ASSERT_EQ(1u, out_.probes.size());
    a_.OnProbe(out_.probes[0].token, /*refused=*/true, now(), out_);
    RunWithBeats(1, b, Milliseconds(500));
    EXPECT_EQ(slow, a_.IsAlive(kC));
    RunWithBeats(1, b, Milliseconds(750));
    EXPECT_FALSE(a_.IsAlive(kC));
  }
}

TEST_F(MembershipEvidenceTest,
       ABeatFromBeforeTheLinkClosedDoesNotUndoARefusal) {
  uint64_t b = 1;
  a_.OnLinkUp(1, Hello("b", 2), now(), out_);
  a_.OnLinkUp(2, Hello("c", 3), now(), out_);
  a_.OnFrameBeat(2, 10, now(), out_);
  RunWithBeats(1, b, Milliseconds(250));
  out_ = {};
  a_.OnLinkDown(2, now(), out_);
  ASSERT_EQ(1u, out_.probes.size());
  EXPECT_EQ("c:1", out_.probes[0].address);
  a_.OnProbe(out_.probes[0].token, /*refused=*/true, now(), out_);
  RunWithBeats(1, b, Milliseconds(500));
  ASSERT_FALSE(a_.IsAlive(kC));
  a_.OnBeatReport(1, {kC, 11, Milliseconds(550)}, now(), out_);
  EXPECT_FALSE(a_.IsAlive(kC));
  a_.OnBeatReport(1, {kC, 12, Milliseconds(50)}, now(), out_);
  EXPECT_TRUE(a_.IsAlive(kC));
}

TEST_F(MembershipEvidenceTest, AnOldLinkThatStaysOpenHidesNoEnd) {
  // The peer decides, and has closed the first one; that is not heard here.
  a_.OnLinkUp(2, Hello("0", 3), now(), out_);
  a_.OnFrameBeat(2, 10, now(), out_);
  a_.OnLinkUp(5, Hello("0", 3), now(), out_);
  a_.OnFrameBeat(5, 11, now(), out_);
  out_ = {};
  a_.OnLinkDown(5, now(), out_);
  ASSERT_EQ(1u, out_.probes.size());
  EXPECT_EQ("0:1", out_.probes[0].address);
  a_.OnProbe(out_.probes[0].token, /*refused=*/true, now(), out_);
  Run(Milliseconds(360));
  EXPECT_FALSE(a_.IsAlive(kC));
}

TEST_F(MembershipEvidenceTest, OfOneThatBeatsOnARefusalIsNoProof) {
  for (bool soon : {false, true}) {
    uint64_t b = soon ? 100 : 1;
    const LinkId link = soon ? 12 : 2;
    if (!soon) a_.OnLinkUp(1, Hello("b", 2), now(), out_);
    a_.OnLinkUp(link, Hello("c", 3), now(), out_);
    a_.OnFrameBeat(link, soon ? 20 : 10, now(), out_);
    RunWithBeats(1, b, Milliseconds(250));
    out_ = {};
    a_.OnLinkDown(link, now(), out_);
    ASSERT_EQ(1u, out_.probes.size());
    a_.OnProbe(out_.probes[0].token, /*refused=*/true, now(), out_);
    Run(Milliseconds(soon ? 40 : 60));
    out_ = {};
    a_.OnBeatReport(1, {kC, soon ? 21u : 11u, {}}, now(), out_);
    // What comes so soon may have been on its way.
    ASSERT_EQ(soon ? 1u : 0u, out_.probes.size());
    if (soon) a_.OnProbe(out_.probes[0].token, true, now(), out_);
    RunWithBeats(1, b, Milliseconds(750));
    EXPECT_EQ(soon, !a_.IsAlive(kC));
    RunWithBeats(1, b, Seconds(3));
    EXPECT_FALSE(a_.IsAlive(kC));
  }
}

TEST_F(MembershipEvidenceTest, WhoIsLinkedAfreshSinceTheAskWasNotAsked) {
  // That one, which decides, takes another link and closes the one it was asked
  // on.
  a_.OnLinkUp(1, Hello("0", 2), now(), out_);
  a_.OnFrameBeat(1, 1, now(), out_);
  a_.OnLinkUp(2, Hello("c", 3), now(), out_);
  a_.OnFrameBeat(2, 10, now(), out_);
  a_.OnLinkUp(3, Hello("0", 2), now(), out_);
  Run(Milliseconds(100));
  out_ = {};
  a_.OnLinkDown(2, now(), out_);
  a_.OnProbe(out_.probes.at(0).token, /*refused=*/true, now(), out_);
  Run(Milliseconds(20));
  a_.OnLinkDown(1, now(), out_);
  uint64_t b = 1;
  a_.OnFrameBeat(3, ++b, now(), out_);
  RunWithBeats(3, b, Milliseconds(750));
  EXPECT_TRUE(a_.IsAlive(kC));
}

TEST_F(MembershipEvidenceTest, AConnectThatIsAcceptedIsNoProofOfAnything) {
  a_.OnLinkUp(2, Hello("c", 3), now(), out_);
  a_.OnFrameBeat(2, 10, now(), out_);
  a_.OnLinkDown(2, now(), out_);
  a_.OnProbe(out_.probes[0].token, /*refused=*/false, now(), out_);
  Run(Milliseconds(900));
  EXPECT_TRUE(a_.IsAlive(kC));
}

TEST_F(MembershipEvidenceTest, UnknownLinksDatagramsAndTokensAreIgnored) {
  out_ = {};
  a_.OnFrameBeat(77, 5, now(), out_);
  a_.OnMembers(77, Members("c", 3, 70, {}), now(), out_);
  a_.OnAsk(77, {kC, 0}, now(), out_);
  a_.OnBeatReport(77, {kC, 9, {}}, now(), out_);
  a_.OnLeaving(77, now(), out_);
  a_.OnLinkDown(77, now(), out_);
  a_.OnProbe(77, true, now(), out_);
  a_.OnHelloProbe(77, kC, now(), out_);
  a_.OnDatagram({Hello("c", 3).origin, 9, {}, {}}, now(), out_);
  EXPECT_TRUE(out_.frames.empty());
  EXPECT_EQ(1u, a_.View(now()).size());
  EXPECT_EQ(absl::InfiniteDuration(), a_.AgeOf(kC, now()));
  EXPECT_EQ(0u, a_.LinkTo(kC));
  EXPECT_EQ(nullptr, a_.OriginOf(77));
}

TEST_F(MembershipEvidenceTest, TheBeatThatBringsItBackNamesItsPresenceSeq) {
  a_.OnLinkUp(1, Hello("b", 2), now(), out_);
  a_.OnFrameBeat(1, 1, now(), out_);
  Run(Seconds(4));
  ASSERT_EQ(1u, Seen(Kind::kDown, 2));
  a_.OnDatagram({Hello("b", 2).origin, 9, crdt::Seq(42), {}}, now(), out_);
  ASSERT_EQ(2u, Seen(Kind::kAlive, 2));
  EXPECT_EQ(42u, events_.back().presence_seq.value);
}

}  // namespace
}  // namespace muster::core
