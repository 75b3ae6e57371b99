// The sessions of one node: leases, grace, resumes and adoptions, with a peer
// whose stream the test writes.
#include "node/core/presence/local_sessions.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/presence/presence_fixture.h"

namespace muster::core {
namespace {

using crdt::ElementId;
using crdt::kNone;
using crdt::Ref;
using crdt::SessionState;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Options FewSessions() {
  Options options;
  options.sessions.max_sessions = 3;
  options.sessions.max_ended = 2;
  options.sessions.max_entries_per_session = 300;
  return options;
}

class LocalSessionsTest : public PresenceTest {
 protected:
  LocalSessionsTest() : PresenceTest(FewSessions()) {}

  absl::Status Open(uint64_t session, absl::Duration grace = {},
                    absl::Duration ttl = {}) {
    OpenSessionRequest request;
    request.session = Session(session);
    request.grace = grace;
    request.ttl = ttl;
    return sessions_.Open(request).status();
  }
  ApplyReply Do(const ApplyRequest& request) {
    ApplyReply reply;
    size_t budget = 1000;
    const auto done = sessions_.Apply(request, reply, budget);
    EXPECT_TRUE(done.ok() && *done) << done.status();
    return reply;
  }
  Ref Add(uint64_t session, absl::string_view key) {
    return Do({.session = Session(session), .track = {{"room", key, ""}}})
        .tracked.at(0);
  }
  // The status of an update of the entry with this ref.
  absl::Status Modify(uint64_t session, const Ref& ref) {
    const ApplyReply reply =
        Do({.session = Session(session), .update = {{ref, "away"}}});
    return reply.update_errors.empty() ? absl::OkStatus()
                                       : reply.update_errors[0].status;
  }
  // A resume with entries of the topic "room"; its answer is in `out_`.
  void Resume(uint64_t session, std::vector<std::pair<std::string, Ref>> held,
              absl::Duration grace = {}, uint64_t number = 0) {
    ResumeRequest request;
    request.open.session = Session(session);
    request.open.grace = grace;
    request.resume_number = number;
    for (const auto& [key, ref] : held) {
      request.entries.push_back({"room", request.arena.Copy(key), "", ref});
    }
    sessions_.Resume(++requests_, std::move(request), out_);
  }
  absl::StatusOr<ResumeReply>& Answer() { return out_.replies.back().resumed; }
  SessionState StateOf(uint64_t session) {
    const crdt::SessionIdx i = roll_.CopyOf(Session(session), a_.idx);
    EXPECT_NE(i, kNone);
    return roll_.store().session(i).state();
  }
  bool Known(uint64_t session) {
    return roll_.CopyOf(Session(session), a_.idx) != kNone;
  }
  // As Run, and the deadlines of this node's sessions are acted upon.
  void Pass(absl::Duration time) {
    Run(time);
    for (const ElementId id : std::exchange(due_, {})) {
      sessions_.OnDeadline(id);
    }
  }
  void RunSlices() {
    while (sessions_.RunJob(out_)) {
    }
    RunJobs();
  }
  // Session 1 was opened at b and holds ann.
  void AnnAtB(absl::Duration grace = {}) {
    at_b_ = Put(b_, {.grace = grace});
    ann_ = Track(b_, at_b_, "ann");
    Changes();
  }

  Stream& a_ = AddStream("a", /*own=*/true);
  Stream& b_ = AddStream("b");
  OwnStream own_{roll_, streams_.log(crdt::StreamKind::kPresence), a_};
  LocalSessions sessions_{
      options_.sessions, roll_, own_,
      [](crdt::LifeId life) { return absl::StrCat("life ", life.hi); }};
  Output out_;
  RequestId requests_ = 0;
  ElementId at_b_;
  ElementId ann_;
};

// --------------------------------------------------------------- open, close

TEST_F(LocalSessionsTest, ASessionIsOpenedOnceAndWithinTheLimit) {
  EXPECT_TRUE(Open(1).ok());
  EXPECT_EQ(Open(1).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_TRUE(Open(2).ok());
  EXPECT_TRUE(Open(3).ok());
  const absl::Status full = Open(4);
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(full.message()), HasSubstr("--max-sessions"));
  EXPECT_EQ(sessions_.count(), 3u);
}

TEST_F(LocalSessionsTest, AClosedSessionLeavesARecordForResumesOnTheirWay) {
  ASSERT_TRUE(Open(1).ok());
  Add(1, "ann");
  EXPECT_TRUE(sessions_.Close(Session(1)).ok());
  EXPECT_EQ(Shown(), "");
  EXPECT_EQ(StateOf(1), SessionState::kEnded);
  EXPECT_EQ(sessions_.Close(Session(1)).code(), absl::StatusCode::kNotFound);
  Resume(1, {});
  EXPECT_EQ(Answer().status().code(), absl::StatusCode::kNotFound);
  Pass(absl::Seconds(61));
  EXPECT_FALSE(Known(1));
}

TEST_F(LocalSessionsTest, OfTooManyRecordsTheOldestGoes) {
  for (uint64_t i = 1; i <= 3; ++i) {
    ASSERT_TRUE(Open(i).ok());
    ASSERT_TRUE(sessions_.Close(Session(i)).ok());
  }
  EXPECT_FALSE(Known(1));
  EXPECT_TRUE(Known(2));
  EXPECT_EQ(sessions_.records_dropped(), 1u);
}

TEST_F(LocalSessionsTest, ALargeSessionEndsInSlices) {
  ASSERT_TRUE(Open(1).ok());
  for (int i = 0; i < 300; ++i) Add(1, absl::StrCat("k", i));
  ASSERT_TRUE(sessions_.Close(Session(1)).ok());
  EXPECT_TRUE(sessions_.has_work());
  EXPECT_EQ(sessions_.endings(), 1u);
  sessions_.RunJob(out_);
  EXPECT_TRUE(sessions_.has_work()) << "not all of it in one slice";
  RunSlices();
  EXPECT_EQ(roll_.store().row_count(), 0u);
}

// ----------------------------------------------------- leases: TTL and grace

TEST_F(LocalSessionsTest, ALeaseThatIsNotRenewedEndsWithItsEntries) {
  ASSERT_TRUE(Open(1, /*grace=*/{}, /*ttl=*/absl::Seconds(30)).ok());
  Add(1, "ann");
  Pass(absl::Seconds(29));
  EXPECT_TRUE(sessions_.Heartbeat(Session(1), 0).ok());
  Pass(absl::Seconds(29));
  EXPECT_EQ(Shown(), "ann");
  Pass(absl::Seconds(2));
  EXPECT_EQ(Shown(), "");
  EXPECT_FALSE(Known(1));
}

TEST_F(LocalSessionsTest, ASessionWithoutGraceEndsAsItsClientDisconnects) {
  ASSERT_TRUE(Open(1).ok());
  Add(1, "ann");
  sessions_.Disconnect(Session(1));
  EXPECT_EQ(Shown(), "");
  EXPECT_EQ(sessions_.count(), 0u);
}

TEST_F(LocalSessionsTest, GraceEndsOnceNoResumeElsewhereCanBeOnItsWay) {
  ASSERT_TRUE(Open(1, absl::Seconds(10)).ok());
  Add(1, "ann");
  sessions_.Disconnect(Session(1));
  EXPECT_EQ(StateOf(1), SessionState::kDisconnected);
  Pass(absl::Seconds(11));
  ASSERT_TRUE(sessions_.has_lapsed());
  sessions_.RunLapsed(/*known_until=*/now_ - absl::Milliseconds(1));
  EXPECT_EQ(Shown(), "ann") << "a resume may have been accepted since";
  sessions_.RunLapsed(now_);
  EXPECT_EQ(Shown(), "");
}

TEST_F(LocalSessionsTest, GraceEndsAfterTheLeaveDelayWhateverIsKnown) {
  ASSERT_TRUE(Open(1, absl::Seconds(10)).ok());
  Add(1, "ann");
  sessions_.Disconnect(Session(1));
  Pass(absl::Seconds(10));
  Pass(absl::Milliseconds(2900));
  sessions_.RunLapsed(kLongAgo);
  EXPECT_EQ(Shown(), "ann");
  Pass(absl::Milliseconds(200));
  sessions_.RunLapsed(kLongAgo);
  EXPECT_EQ(Shown(), "");
}

TEST_F(LocalSessionsTest, ASessionThatIsBeingAdoptedElsewhereWaitsAside) {
  ASSERT_TRUE(Open(1, absl::Seconds(10)).ok());
  Add(1, "ann");
  sessions_.Disconnect(Session(1));
  Put(b_, {.state = SessionState::kPending});
  Pass(absl::Seconds(10));
  sessions_.RunLapsed(now_);
  EXPECT_EQ(Shown(), "ann");
  Pass(absl::Milliseconds(3100));
  sessions_.RunLapsed(now_);
  EXPECT_EQ(Shown(), "") << "3 s later it ends all the same";
}

TEST_F(LocalSessionsTest, ACallWithinTheGraceConnectsTheSessionAgain) {
  ASSERT_TRUE(Open(1, absl::Seconds(10)).ok());
  sessions_.Disconnect(Session(1));
  Add(1, "ann");
  EXPECT_EQ(StateOf(1), SessionState::kConnected);
  Pass(absl::Seconds(11));
  EXPECT_FALSE(sessions_.has_lapsed());
}

TEST_F(LocalSessionsTest, AStaleEpochIsAFencingTokenThatIsRefused) {
  ASSERT_TRUE(Open(1).ok());
  EXPECT_TRUE(sessions_.Heartbeat(Session(1), 4).ok());
  const absl::Status stale = sessions_.Heartbeat(Session(1), 3);
  EXPECT_EQ(stale.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(stale.message(), "stale epoch 3, current is 4");
}

// ------------------------------------------------------- track, update,
// untrack

TEST_F(LocalSessionsTest, APairIsTrackedTwiceOnlyIfThatIsAllowed) {
  ASSERT_TRUE(Open(1).ok());
  Add(1, "ann");
  ApplyRequest again{.session = Session(1), .track = {{"room", "ann", ""}}};
  ASSERT_EQ(Do(again).track_errors.size(), 1u);
  EXPECT_EQ(Do(again).track_errors[0].status.code(),
            absl::StatusCode::kAlreadyExists);
  again.track[0].allow_duplicate = true;
  EXPECT_THAT(Do(again).track_errors, IsEmpty());
}

TEST_F(LocalSessionsTest, ARefHoldsUntilItsEntryIsUpdatedOrUntracked) {
  ASSERT_TRUE(Open(1).ok());
  const Ref first = Add(1, "ann");
  EXPECT_TRUE(Modify(1, first).ok());
  EXPECT_EQ(Modify(1, first).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Do({.session = Session(1), .untrack = {first}})
                .untrack_errors.at(0)
                .status.code(),
            absl::StatusCode::kNotFound);
}

TEST_F(LocalSessionsTest, AnUpdateToWhatItHoldsIsNoMutation) {
  ASSERT_TRUE(Open(1).ok());
  const Ref ref = Add(1, "ann");
  const crdt::Seq before = a_.vv;
  const ApplyReply reply = Do({.session = Session(1), .update = {{ref, ""}}});
  EXPECT_THAT(reply.updated, ElementsAre(ref));
  EXPECT_EQ(a_.vv, before);
}

TEST_F(LocalSessionsTest, ABatchGoesOnWhereItsBudgetEnded) {
  ASSERT_TRUE(Open(1).ok());
  const ApplyRequest request{
      .session = Session(1),
      .track = {{"room", "ann", ""}, {"room", "bob", ""}, {"room", "cid", ""}}};
  ApplyReply reply;
  size_t budget = 2;
  EXPECT_FALSE(*sessions_.Apply(request, reply, budget));
  EXPECT_EQ(Shown(), "ann bob");
  budget = 2;
  EXPECT_TRUE(*sessions_.Apply(request, reply, budget));
  EXPECT_EQ(budget, 1u);
  EXPECT_EQ(reply.tracked.size(), 3u);
  EXPECT_EQ(Shown(), "ann bob cid");
}

TEST_F(LocalSessionsTest, ASessionOfAnotherNodeIsNamedWithItsPlace) {
  AnnAtB();
  const absl::Status elsewhere = sessions_.Heartbeat(Session(1), 0);
  EXPECT_EQ(elsewhere.code(), absl::StatusCode::kAborted);
  EXPECT_EQ(elsewhere.message(), "session lives at life 2");
  EXPECT_EQ(sessions_.Heartbeat(Session(9), 0).code(),
            absl::StatusCode::kNotFound);
}

// ------------------------------------------------------------------- resume

TEST_F(LocalSessionsTest, AResumeHereKeepsWhatIsHeldAndNamesWhatIsMissing) {
  ASSERT_TRUE(Open(1, absl::Seconds(10)).ok());
  const Ref ann = Add(1, "ann");
  Add(1, "bob");
  sessions_.Disconnect(Session(1));
  const Ref lost{.life = 1, .id = ElementId(90), .seq = crdt::Seq(90)};
  Resume(1, {{"ann", ann}, {"cid", lost}}, absl::Seconds(10));
  ASSERT_TRUE(Answer().ok());
  EXPECT_EQ(Answer()->info.resume_number, 1u);
  EXPECT_THAT(Answer()->missing, ElementsAre(lost));
  EXPECT_EQ(Shown(), "ann") << "bob is held by nobody";
}

TEST_F(LocalSessionsTest, AnAdoptionShowsNoLeaveAndNoJoin) {
  AnnAtB();
  const Ref ref = RefOf(b_, ann_);
  Resume(1, {{"ann", ref}}, {}, /*number=*/5);
  RunSlices();
  ASSERT_TRUE(Answer().ok());
  EXPECT_EQ(Answer()->info.resume_number, 6u) << "more than the client's";
  EXPECT_THAT(Answer()->missing, IsEmpty());
  EXPECT_THAT(Changes(), IsEmpty());
  EXPECT_EQ(roll_.InForce(Session(1)), roll_.CopyOf(Session(1), a_.idx));
  EXPECT_TRUE(Modify(1, ref).ok()) << "by the ref it had elsewhere";
  EXPECT_EQ(Modify(1, ref).code(), absl::StatusCode::kNotFound);
}

TEST_F(LocalSessionsTest, APendingCopyShowsNothingUntilItsRecordIsWritten) {
  at_b_ = Put(b_, {});
  std::vector<std::pair<std::string, Ref>> held;
  for (int i = 0; i < 200; ++i) {
    const std::string key = absl::StrCat("k", i);
    held.push_back({key, RefOf(b_, Track(b_, at_b_, key))});
  }
  Changes();
  Resume(1, held);
  EXPECT_TRUE(out_.replies.empty());
  EXPECT_EQ(sessions_.adoptions(), 1u);
  EXPECT_EQ(StateOf(1), SessionState::kPending);
  EXPECT_EQ(roll_.InForce(Session(1)), Find(b_, at_b_));
  RunSlices();
  EXPECT_EQ(StateOf(1), SessionState::kConnected);
  EXPECT_THAT(Answer()->missing, IsEmpty());
  EXPECT_THAT(Changes(), IsEmpty());
}

TEST_F(LocalSessionsTest, WhileAResumeRunsNothingElseIsDoneToTheSession) {
  at_b_ = Put(b_, {});
  std::vector<std::pair<std::string, Ref>> held;
  for (int i = 0; i < 200; ++i) held.push_back({absl::StrCat("k", i), {}});
  Resume(1, held);
  Resume(1, {});
  EXPECT_EQ(Answer().status().code(), absl::StatusCode::kAborted);
  sessions_.Disconnect(Session(1));
  RunSlices();
  ASSERT_EQ(out_.replies.size(), 2u);
  EXPECT_TRUE(Answer().ok());
  EXPECT_EQ(sessions_.count(), 0u) << "its client had gone meanwhile";
}

TEST_F(LocalSessionsTest, ASessionPastItsGraceIsAdoptedFromNothing) {
  AnnAtB(absl::Seconds(10));
  Update(b_, at_b_,
         {.state = SessionState::kDisconnected, .grace = absl::Seconds(10)});
  Pass(absl::Seconds(11));
  const Ref ref = RefOf(b_, ann_);
  Resume(1, {{"ann", ref}});
  RunSlices();
  EXPECT_THAT(Answer()->missing, ElementsAre(ref));
}

TEST_F(LocalSessionsTest, AResumeWithAStaleEpochIsRefused) {
  Put(b_, {.epoch = 3});
  Resume(1, {});
  EXPECT_EQ(Answer().status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_FALSE(Known(1)) << "nothing is written";
}

TEST_F(LocalSessionsTest, ACopyThatLosesIsRecordedAsMovedAndItsClientTold) {
  ASSERT_TRUE(Open(1).ok());
  const Ref ref = Add(1, "ann");
  const ElementId copy = Put(b_, {.state = SessionState::kPending});
  Track(b_, copy, "ann", ref);
  Update(b_, copy, {.resume = 1});
  Changes();
  sessions_.OnLosers(roll_.TakeLosers(10), out_);
  ASSERT_EQ(out_.ended.size(), 1u);
  EXPECT_EQ(out_.ended[0].status.message(), "session moved to life 2");
  RunSlices();
  EXPECT_EQ(StateOf(1), SessionState::kMoved);
  EXPECT_EQ(sessions_.count(), 0u);
  EXPECT_EQ(Shown(), "ann");
  EXPECT_THAT(Changes(), IsEmpty());
  Pass(absl::Seconds(4));
  EXPECT_TRUE(Known(1)) << "lower copies elsewhere stay hidden";
  Pass(absl::Minutes(12));
  EXPECT_FALSE(Known(1));
}

// ------------------------------------------------------------------ evictions

TEST_F(LocalSessionsTest, AnEvictedEntryLeavesAndItsClientIsTold) {
  ASSERT_TRUE(Open(1).ok());
  const Ref ref = Add(1, "ann");
  const auto reason = std::make_shared<const std::string>("abuse");
  sessions_.Evict(Row(a_, ElementId(ref.id)), reason, out_);
  EXPECT_EQ(Shown(), "");
  ASSERT_EQ(out_.evicted.size(), 1u);
  EXPECT_EQ(out_.evicted[0].ref, ref);
  const absl::Status later = Modify(1, ref);
  EXPECT_EQ(later.message(), "ref: its entry was evicted: abuse");
}

TEST_F(LocalSessionsTest, WhatIsEvictedElsewhereCountsInAResumeAsEvicted) {
  AnnAtB();
  const Ref ref = RefOf(b_, ann_);
  sessions_.NoteEvicted(ref, std::make_shared<const std::string>("abuse"));
  Resume(1, {{"ann", ref}});
  RunSlices();
  EXPECT_THAT(Answer()->missing, IsEmpty());
  ASSERT_EQ(out_.evicted.size(), 1u);
  EXPECT_EQ(out_.evicted[0].key, "ann");
}

}  // namespace
}  // namespace muster::core
