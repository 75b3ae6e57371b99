#include "node/core/membership/indirect_pings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"

namespace muster::core {
namespace {

using absl::Milliseconds;
using absl::Seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

crdt::LifeId Life(uint64_t number) { return {0, number}; }

// The part with what it needs, and nothing else of membership: link n leads to
// life n, which is alive.
class IndirectPingsTest : public testing::Test {
 protected:
  IndirectPingsTest() { own_.origin = {"a", crdt::Incarnation(1), Life(1000)}; }

  Member& AddPeer(uint64_t number) {
    const crdt::Origin origin{absl::StrCat("n", number), crdt::Incarnation(1),
                              Life(number)};
    Member& member = *table_.Add(origin, "", true, now_).member;
    member.state = MemberState::kAlive;
    member.beat = 1;
    links_.Use(*links_.Add(number, {.origin = origin}, now_), now_);
    return member;
  }

  // The links that were asked since.
  std::vector<LinkId> TakeAsked() {
    std::vector<LinkId> asked;
    for (const SendFrame& item : out_.frames) {
      if (std::holds_alternative<AskFrame>(item.frame.body)) {
        asked.push_back(item.link);
      }
    }
    out_ = {};
    return asked;
  }

  const DetectorOptions times_;
  Instant now_{0};
  Output out_;
  StepContext step_{{now_}, out_};
  OwnLife own_;
  MemberTable table_{500};
  PeerLinks links_;
  MembershipJournal journal_;
  BeatSender beats_{Seconds(1), 1, {now_}, own_, table_, links_, journal_};
  IndirectPings pings_{times_, own_, table_, links_, beats_, journal_};
};

TEST_F(IndirectPingsTest, NeitherTheLifeNorTheAskerNorTheDeadAreAsked) {
  for (uint64_t i = 1; i <= 4; ++i) AddPeer(i);
  table_.Find(Life(3))->state = MemberState::kDown;
  pings_.AskAll(Life(1), 7, /*asker=*/2, step_);
  EXPECT_THAT(TakeAsked(), ElementsAre(4));
}

TEST_F(IndirectPingsTest, WhereLinksAreManyTheyAreAskedInTurns) {
  const size_t links = IndirectPings::kMaxAsked + 10;
  for (uint64_t i = 1; i <= links; ++i) AddPeer(i);
  pings_.AskAll(Life(1000), 7, 0, step_);
  std::vector<LinkId> asked = TakeAsked();
  EXPECT_THAT(asked, SizeIs(IndirectPings::kMaxAsked));
  std::set<LinkId> all(asked.begin(), asked.end());
  pings_.AskAll(Life(1000), 7, 0, step_);
  asked = TakeAsked();
  EXPECT_EQ(IndirectPings::kMaxAsked + 1, asked.front());
  all.insert(asked.begin(), asked.end());
  EXPECT_THAT(all, SizeIs(links));
}

TEST_F(IndirectPingsTest, AMemberIsAskedAboutOnceInAPeriod) {
  Member& member = AddPeer(1);
  AddPeer(2);
  pings_.AskFurther(member, Milliseconds(100), 0, step_);
  EXPECT_THAT(TakeAsked(), ElementsAre(2));
  pings_.AskFurther(member, Milliseconds(100), 0, step_);
  EXPECT_THAT(TakeAsked(), IsEmpty());
  step_.now.mono = now_ + Milliseconds(100);
  pings_.AskFurther(member, Milliseconds(100), 0, step_);
  EXPECT_THAT(TakeAsked(), ElementsAre(2));
}

TEST_F(IndirectPingsTest, WhoAskedIsToldOfALaterBeatWhenItComes) {
  Member& member = AddPeer(1);
  AddPeer(2);
  pings_.OnAsk(2, {Life(1), 1}, step_);
  EXPECT_THAT(out_.frames, IsEmpty()) << "beat 1 is not above 1";
  member.beat = 2;
  pings_.PassOn(member, step_);
  ASSERT_THAT(out_.frames, SizeIs(1));
  EXPECT_EQ(2u, out_.frames[0].link);
  EXPECT_EQ(2u, std::get<BeatReport>(out_.frames[0].frame.body).number);
}

TEST_F(IndirectPingsTest, ABeatThatWaitedHereIsNotPassedOn) {
  Member& member = AddPeer(1);
  AddPeer(2);
  pings_.OnAsk(2, {Life(1), 1}, step_);
  member.beat = 2;
  member.late = true;
  pings_.PassOn(member, step_);
  EXPECT_THAT(out_.frames, IsEmpty());
}

}  // namespace
}  // namespace muster::core
