// The roll alone: which copies of which sessions are shown, and when.
#include "node/core/presence/roll.h"

#include <random>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/presence/presence_fixture.h"

namespace muster::core {
namespace {

using crdt::ElementId;
using crdt::kNone;
using crdt::Mutation;
using crdt::Seq;
using crdt::SessionState;
using testing::ElementsAre;
using testing::IsEmpty;

class RollTest : public PresenceTest {
 protected:
  // Session 1 with the entry of ann, as it was opened at b.
  void AnnAtB(absl::Duration grace = absl::ZeroDuration()) {
    session_ = Put(b_, {.grace = grace});
    entry_ = Track(b_, session_, "ann");
    root_ = {b_.origin.life.hi, entry_};
    Changes();
  }
  // The same session resumed at c: a pending copy, its entry, the record.
  void AnnAdoptedAtC() {
    PendingAtC();
    Update(c_, copy_, {.resume = 1});
  }
  void PendingAtC() {
    copy_ = Put(c_, {.state = SessionState::kPending});
    Track(c_, copy_, "ann", RefOf(b_, entry_), root_);
  }
  // b hears of it: its record says where the session has gone.
  void MovedFromB(absl::Duration grace = absl::ZeroDuration()) {
    Update(b_, session_, {.state = SessionState::kMoved, .grace = grace});
  }

  Stream& a_ = AddStream("a", /*own=*/true);
  Stream& b_ = AddStream("b");
  Stream& c_ = AddStream("c");
  ElementId session_;
  ElementId entry_;
  ElementId copy_;
  crdt::EntryRoot root_;
};

// ------------------------------------------------------------ what is shown

TEST_F(RollTest, AnEntryIsShownAtOnceIfItsSessionIsInForce) {
  const ElementId session = Put(b_, {});
  Track(b_, session, "ann");
  EXPECT_THAT(Changes(), ElementsAre("+ann"));
  EXPECT_TRUE(roll_.idle());
}

TEST_F(RollTest, APendingCopyShowsNothing) {
  const ElementId session = Put(b_, {.state = SessionState::kPending});
  Track(b_, session, "ann");
  EXPECT_EQ(Shown(), "");
  Update(b_, session, {.resume = 1});
  RunJobs();
  EXPECT_THAT(Changes(), ElementsAre("+ann"));
}

TEST_F(RollTest, AnEndedSessionShowsNothing) {
  AnnAtB();
  Update(b_, session_, {.state = SessionState::kEnded});
  RunJobs();
  EXPECT_THAT(Changes(), ElementsAre("-ann"));
}

TEST_F(RollTest, AnUpdateIsOneChangeAndGivesANewRef) {
  AnnAtB();
  const crdt::Ref before = RefOf(b_, entry_);
  UpdateEntry(b_, entry_, "away");
  EXPECT_THAT(Changes(), ElementsAre("~ann 2->3"));
  EXPECT_EQ(RefOf(b_, entry_).id, before.id);
  EXPECT_NE(RefOf(b_, entry_), before);
}

// ------------------------------------------------------- copies of a session

TEST_F(RollTest, AnAdoptionIsNoChangeForWhoWatches) {
  AnnAtB();
  AnnAdoptedAtC();
  RunJobs();
  EXPECT_THAT(Changes(), IsEmpty());
  EXPECT_EQ(Shown(), "ann");
  EXPECT_FALSE(roll_.store().shown(Row(b_, entry_)));
}

TEST_F(RollTest, AnEntryThatWasUpdatedUnderItsNewCopyIsShownAsAnUpdate) {
  AnnAtB();
  copy_ = Put(c_, {.state = SessionState::kPending});
  const ElementId entry = Track(c_, copy_, "ann", RefOf(b_, entry_), root_);
  Mutation update;
  update.id = entry;
  update.entry = {copy_, "room", "ann", "back", RefOf(b_, entry_), root_};
  ASSERT_EQ(Apply(c_, update), Roll::Applied::kOk);
  Update(c_, copy_, {.resume = 1});
  RunJobs();
  EXPECT_THAT(Changes(), ElementsAre("~ann 2->3"));
}

TEST_F(RollTest, AnEntryThatTheNewCopyDoesNotHaveLeaves) {
  AnnAtB();
  Track(b_, session_, "bob");
  Changes();
  AnnAdoptedAtC();
  RunJobs();
  EXPECT_THAT(Changes(), ElementsAre("-bob"));
}

TEST_F(RollTest, TheHighestOfEpochThenResumeThenOriginIsInForce) {
  Put(b_, {.epoch = 1, .resume = 7});
  Put(c_, {.epoch = 2, .resume = 1});
  EXPECT_EQ(roll_.InForce(Session(1)), Find(c_, ElementId(1)));
  Put(b_, {.session = Session(2), .epoch = 1, .resume = 7});
  Put(c_, {.session = Session(2), .epoch = 1, .resume = 6});
  EXPECT_EQ(roll_.InForce(Session(2)), Find(b_, ElementId(2)));
  Put(b_, {.session = Session(3)});
  Put(c_, {.session = Session(3)});
  EXPECT_EQ(roll_.InForce(Session(3)), Find(c_, ElementId(3)));
}

TEST_F(RollTest, OfTwoCopiesOfOneStreamTheLaterElementCounts) {
  Put(b_, {.state = SessionState::kMoved});
  const ElementId later = Put(b_, {.resume = 2});
  EXPECT_EQ(roll_.CopyOf(Session(1), b_.idx), Find(b_, later));
  EXPECT_EQ(roll_.CopyOf(Session(1), c_.idx), kNone);
}

TEST_F(RollTest, AnOwnCopyThatLosesIsNamedOnce) {
  const ElementId own = Put(a_, {});
  EXPECT_FALSE(roll_.has_losers());
  Put(b_, {.resume = 1});
  Update(b_, ElementId(1), {.epoch = 1, .resume = 1});
  EXPECT_THAT(roll_.TakeLosers(10), ElementsAre(Find(a_, own)));
  EXPECT_FALSE(roll_.has_losers());
}

TEST_F(RollTest, ALoserThatIsRemovedBeforeItIsTakenIsNotNamed) {
  const ElementId own = Put(a_, {});
  Put(b_, {.resume = 1});
  RemoveSession(a_, own);
  EXPECT_THAT(roll_.TakeLosers(10), IsEmpty());
}

// ----------------------------------------------- moved, not yet come: kKeep

TEST_F(RollTest, AMovedSessionIsShownUntilTheCopyItMovedToComes) {
  AnnAtB();
  MovedFromB();
  RunJobs();
  EXPECT_EQ(Shown(), "ann");
  const crdt::Ref ref = RefOf(b_, entry_);
  RemoveEntry(b_, entry_);
  EXPECT_EQ(Row(b_, entry_), kNone);
  EXPECT_EQ(Shown(), "ann") << "a detached row stays";
  copy_ = Put(c_, {.state = SessionState::kPending});
  Track(c_, copy_, "ann", ref, root_);
  Update(c_, copy_, {.resume = 1});
  RunJobs();
  EXPECT_EQ(Shown(), "ann");
  EXPECT_THAT(Changes(), IsEmpty());
  EXPECT_EQ(roll_.store().row_count(), 1u) << "the detached row is gone";
}

TEST_F(RollTest, AMovedSessionWhoseNewCopyNeverComesLeavesAfterThreeSeconds) {
  AnnAtB();
  MovedFromB();
  Run(absl::Milliseconds(2900));
  EXPECT_EQ(Shown(), "ann");
  Run(absl::Milliseconds(200));
  EXPECT_THAT(Changes(), ElementsAre("-ann"));
}

TEST_F(RollTest, AMovedSessionWithGraceIsKeptForItsGrace) {
  AnnAtB(absl::Seconds(10));
  MovedFromB(absl::Seconds(10));
  Run(absl::Milliseconds(9900));
  EXPECT_EQ(Shown(), "ann");
  Run(absl::Milliseconds(200));
  EXPECT_EQ(Shown(), "");
}

TEST_F(RollTest, ACopyThatLapsedIsBuriedAndTheLowerOneIsInForceAgain) {
  AnnAtB();
  AnnAdoptedAtC();
  RunJobs();
  Hide(c_);
  RunJobs();
  EXPECT_EQ(roll_.InForce(Session(1)), Find(c_, copy_));
  Run(absl::Milliseconds(3100));
  EXPECT_EQ(roll_.InForce(Session(1)), Find(b_, session_));
  EXPECT_EQ(roll_.Highest(Session(1)), Find(c_, copy_)) << "for a resume";
  EXPECT_EQ(Shown(), "ann");
}

// ---------------------------------------------------------- hidden streams

TEST_F(RollTest, AHiddenStreamShowsNothingToReadsBeforeAnyJobHasRun) {
  AnnAtB();
  Hide(b_);
  EXPECT_EQ(Shown(), "");
  EXPECT_THAT(Changes(), IsEmpty()) << "watchers are told by the job";
  RunJobs();
  EXPECT_THAT(Changes(), ElementsAre("-ann"));
  ShowAgain(b_);
  RunJobs();
  EXPECT_THAT(Changes(), ElementsAre("+ann"));
}

TEST_F(RollTest, GraceOfASilentNodeCountsFromItsLastAdvance) {
  AnnAtB(absl::Seconds(10));
  now_ = now_ + absl::Seconds(6);  // Silent since: nothing has advanced.
  Run(absl::ZeroDuration());
  Hide(b_);
  RunJobs();
  EXPECT_EQ(Shown(), "ann");
  Run(absl::Milliseconds(6900));  // 12.9 s of silence: grace, and 3 s.
  EXPECT_EQ(Shown(), "ann");
  Run(absl::Milliseconds(200));
  EXPECT_THAT(Changes(), ElementsAre("-ann"));
}

TEST_F(RollTest, AHiddenStreamIsWantedOnlyWhileAGraceInItLasts) {
  AnnAtB(absl::Seconds(10));
  Put(c_, {.session = Session(2)});
  Hide(b_);
  Hide(c_);
  EXPECT_TRUE(roll_.HasWanted(c_)) << "its sessions were not looked at yet";
  RunJobs();
  EXPECT_FALSE(roll_.HasWanted(c_));
  EXPECT_TRUE(roll_.HasWanted(b_));
  Run(absl::Seconds(14));
  EXPECT_FALSE(roll_.HasWanted(b_));
}

TEST_F(RollTest, GraceIsOverForAResumeBeforeTheEntriesLeave) {
  AnnAtB(absl::Seconds(10));
  Update(b_, session_,
         {.state = SessionState::kDisconnected, .grace = absl::Seconds(10)});
  Run(absl::Milliseconds(9900));
  EXPECT_FALSE(roll_.GraceOver(Find(b_, session_)));
  Run(absl::Milliseconds(200));
  EXPECT_TRUE(roll_.GraceOver(Find(b_, session_)));
  EXPECT_EQ(Shown(), "ann");
}

// --------------------------------------------------------- what is refused

TEST_F(RollTest, AMutationThatContradictsTheStateChangesNothing) {
  AnnAtB();
  const uint64_t digest = roll_.Digest(b_);
  Mutation stranger;
  stranger.entry = {ElementId(99), "room", "bob", "", {}, {}};
  EXPECT_EQ(Apply(b_, stranger), Roll::Applied::kBad);
  Mutation other_key;
  other_key.id = entry_;
  other_key.entry = {session_, "room", "bob", "", {}, {}};
  EXPECT_EQ(Apply(b_, other_key), Roll::Applied::kBad);
  Mutation other_session;
  other_session.kind = Mutation::Kind::kPutSession;
  other_session.id = session_;
  other_session.session.session = Session(2);
  EXPECT_EQ(Apply(b_, other_session), Roll::Applied::kBad);
  EXPECT_EQ(roll_.Digest(b_), digest);
  EXPECT_THAT(Changes(), IsEmpty());
}

TEST_F(RollTest, ARemoveOfWhatIsNotHereIsNoFault) {
  RemoveEntry(b_, ElementId(70));
  RemoveSession(b_, ElementId(71));
  EXPECT_EQ(roll_.store().sessions().size(), 0u);
}

TEST_F(RollTest, ARunStopsBeforeTheFirstMutationThatDoesNotApply) {
  std::string bytes;
  crdt::SessionContent content;
  content.session = Session(1);
  content.state = SessionState::kConnected;
  EncodePutSession(Seq(1), ElementId(1), content, bytes);
  EncodePutEntry(Seq(2), ElementId(2), {ElementId(1), "room", "ann", "", {}},
                 bytes);
  const size_t good = bytes.size();
  EncodePutEntry(Seq(3), ElementId(3), {ElementId(2), "room", "bob", "", {}},
                 bytes);
  absl::string_view left = bytes;
  EXPECT_FALSE(roll_.ApplyRun(b_, left, Seq(1), Seq(4)));
  EXPECT_EQ(b_.vv, Seq(2));
  EXPECT_EQ(left.size(), bytes.size() - good);
  EXPECT_EQ(Shown(), "ann");
}

TEST_F(RollTest, ApplyKeepsWhatIsLaterAndPutTakesItsPlace) {
  AnnAtB();
  UpdateEntry(b_, entry_, "later");
  Mutation earlier;
  earlier.seq = Seq(entry_.value);
  earlier.id = entry_;
  earlier.entry = {session_, "room", "ann", "earlier", {}, {}};
  EXPECT_EQ(roll_.Apply(b_, earlier), Roll::Applied::kOk);
  EXPECT_EQ(roll_.store().meta(Row(b_, entry_)), "later");
  EXPECT_EQ(roll_.Put(b_, earlier), Roll::Applied::kOk);
  EXPECT_EQ(roll_.store().meta(Row(b_, entry_)), "earlier");
}

// --------------------------------------------------------- sweeps, cursors

TEST_F(RollTest, ASweepRemovesWhatTheRoundHasNotNamed) {
  AnnAtB();
  const ElementId gone = Put(b_, {.session = Session(2)});
  Track(b_, gone, "bob");
  ++b_.round;
  roll_.store().set_session_round(Find(b_, session_), b_.round);
  roll_.store().set_round(Row(b_, entry_), b_.round);
  SeqCursor cursor{b_.idx, roll_.store().FirstSessionBySeq(b_.idx),
                   roll_.store().FirstRowBySeq(b_.idx)};
  roll_.AddCursor(&cursor);
  while (!roll_.Sweep(b_, cursor)) {
  }
  roll_.RemoveCursor(&cursor);
  EXPECT_EQ(Shown(), "ann");
  EXPECT_EQ(Find(b_, gone), kNone);
  EXPECT_EQ(roll_.store().Audit(), "");
}

TEST_F(RollTest, ACursorMovesOnWhenItsElementIsRemovedOrChanged) {
  AnnAtB();
  const ElementId bob = Track(b_, session_, "bob");
  const ElementId cid = Track(b_, session_, "cid");
  SeqCursor cursor{b_.idx, kNone, Row(b_, entry_)};
  roll_.AddCursor(&cursor);
  UpdateEntry(b_, entry_, "away");  // Last in the order of seqs from now on.
  EXPECT_EQ(cursor.row, Row(b_, bob));
  RemoveEntry(b_, bob);
  EXPECT_EQ(cursor.row, Row(b_, cid));
  roll_.RemoveCursor(&cursor);
}

TEST_F(RollTest, ADroppedStreamIsForgottenInSlicesAndFreesItsIndex) {
  AnnAtB();
  for (int i = 0; i < 10; ++i) Track(b_, session_, "k");
  const crdt::StreamIdx idx = b_.idx;
  streams_.Drop(b_);
  EXPECT_EQ(Shown(), "") << "reads do not wait for the job";
  EXPECT_TRUE(roll_.RunJob(2));
  RunJobs();
  EXPECT_EQ(roll_.store().row_count(), 0u);
  EXPECT_EQ(roll_.store().sessions().size(), 0u);
  EXPECT_EQ(AddStream("d").idx, idx);
}

// ----------------------------------------------------------------- deadlines

TEST_F(RollTest, TheDeadlineOfAnOwnSessionIsToldOfOnce) {
  const ElementId own = Put(a_, {});
  roll_.SetDeadline(Find(a_, own), roll_.lived_us() + 1000);
  Run(absl::Milliseconds(2));
  EXPECT_THAT(due_, ElementsAre(own));
  Run(absl::Minutes(1));
  EXPECT_THAT(due_, ElementsAre(own));
}

TEST_F(RollTest, ADeadlineThatIsPutOffIsToldOfAtItsLaterTime) {
  const ElementId own = Put(a_, {});
  roll_.SetDeadline(Find(a_, own), roll_.lived_us() + 1000);
  roll_.SetDeadline(Find(a_, own), roll_.lived_us() + 5000);
  Run(absl::Milliseconds(2));
  EXPECT_THAT(due_, IsEmpty());
  Run(absl::Milliseconds(4));
  EXPECT_THAT(due_, ElementsAre(own));
}

TEST_F(RollTest, ADeadlineThatIsTakenBackIsNotToldOf) {
  const ElementId own = Put(a_, {});
  roll_.SetDeadline(Find(a_, own), roll_.lived_us() + 1000);
  roll_.SetDeadline(Find(a_, own), 0);
  Run(absl::Milliseconds(2));
  EXPECT_THAT(due_, IsEmpty());
}

TEST_F(RollTest, DeadlinesStandStillWhileTheProcessDoes) {
  const ElementId own = Put(a_, {});
  roll_.SetDeadline(Find(a_, own), roll_.lived_us() + 1000);
  now_ = now_ + absl::Hours(1);
  streams_.SetTime({now_, 1}, /*stalled=*/absl::Hours(1));
  Run(absl::ZeroDuration());
  EXPECT_THAT(due_, IsEmpty());
}

TEST_F(RollTest, OneCallTellsOfAFewOwnSessionsOnly) {
  for (uint64_t i = 1; i <= 100; ++i) {
    const ElementId own = Put(a_, {.session = Session(i)});
    roll_.SetDeadline(Find(a_, own), roll_.lived_us() + 1);
  }
  now_ = now_ + absl::Milliseconds(1);
  streams_.SetTime({now_, 1}, absl::ZeroDuration());
  std::vector<ElementId> due;
  EXPECT_TRUE(roll_.RunDeadlines(1000, due));
  EXPECT_EQ(due.size(), 32u);
}

// ---------------------------------------------------------------- invariant 1

// Three nodes write, move, remove, hide and show as it falls out; in the end a
// row is shown if it is wanted, and not if it is not.
TEST_F(RollTest, WithoutJobsARowIsShownIfAndOnlyIfItIsWanted) {
  Stream* const streams[] = {&a_, &b_, &c_};
  constexpr SessionState kStates[] = {
      SessionState::kPending, SessionState::kConnected,
      SessionState::kDisconnected, SessionState::kMoved, SessionState::kEnded};
  std::mt19937 random(7);
  for (int step = 0; step < 1000; ++step) {
    Stream& stream = *streams[random() % 3];
    const Record record{.session = Session(1 + random() % 4),
                        .state = kStates[random() % 5],
                        .resume = random() % 4,
                        .grace = absl::Seconds(random() % 2 * 5)};
    const crdt::SessionIdx copy = roll_.CopyOf(record.session, stream.idx);
    const ElementId id =
        copy == kNone ? ElementId() : roll_.store().session(copy).id;
    const uint32_t what = random() % 8;
    if (what < 2 || copy == kNone) {
      Update(stream, id, record);
    } else if (what < 5) {
      Track(stream, id, std::string(1, static_cast<char>('a' + random() % 3)));
    } else if (what == 5) {
      const crdt::RowIdx row = roll_.store().FirstRowBySeq(stream.idx);
      if (row != kNone) RemoveEntry(stream, roll_.store().id(row));
    } else if (what == 6 && !stream.own) {
      stream.hidden() ? ShowAgain(stream) : Hide(stream);
    } else {
      Run(absl::Milliseconds(random() % 500));
    }
    if (step % 20 != 0) continue;
    RunJobs();
    for (Stream* of : streams) {
      for (crdt::RowIdx row = roll_.store().FirstRowBySeq(of->idx);
           row != kNone; row = roll_.store().NextRowBySeq(row)) {
        const auto want = roll_.Wanted(roll_.store().session_of(row));
        if (want == Roll::Want::kKeep) continue;
        ASSERT_EQ(roll_.store().shown(row), want == Roll::Want::kShow)
            << "step " << step;
      }
    }
    ASSERT_EQ(roll_.store().Audit(), "") << "step " << step;
  }
}

}  // namespace
}  // namespace muster::core
