#include "muster/client/held_entries.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace muster::client {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr HeldEntries::BatchSize kLimit = {500, 1 << 20};

// What a batch asks for, in the order in which a node does it.
std::vector<std::string> Next(HeldEntries* entries,
                              HeldEntries::BatchSize limit = kLimit) {
  v1::SessionRequest request;
  std::vector<std::string> ops;
  if (!entries->NextBatch(limit, &request)) return ops;
  for (const std::string& ref : request.untrack()) ops.push_back("-" + ref);
  for (const v1::UpdateOp& op : request.update()) {
    ops.push_back(absl::StrCat("~", op.ref(), "=", op.meta()));
  }
  for (const v1::TrackOp& op : request.track()) {
    ops.push_back(absl::StrCat("+", op.key(), "=", op.meta()));
  }
  return ops;
}

v1::SessionResponse Tracked(const std::vector<std::string>& refs) {
  v1::SessionResponse response;
  for (const std::string& ref : refs) response.add_tracked_refs(ref);
  return response;
}

v1::SessionResponse Updated(const std::vector<std::string>& refs) {
  v1::SessionResponse response;
  for (const std::string& ref : refs) response.add_updated_refs(ref);
  return response;
}

std::vector<std::string> Resume(HeldEntries* entries) {
  v1::ResumeRequest resume;
  entries->FillResume(&resume);
  std::vector<std::string> refs;
  for (const v1::Entry& entry : resume.entries()) refs.push_back(entry.ref());
  return refs;
}

void Begin(HeldEntries* entries, const std::vector<std::string>& missing = {}) {
  v1::ResumeResponse resumed;
  for (const std::string& ref : missing) resumed.add_missing_refs(ref);
  entries->StreamBegun(resumed);
}

// Holds ann as r1.
class HeldEntriesTest : public ::testing::Test {
 protected:
  HeldEntriesTest() : entries_({{"room", "ann", "1"}}) {
    Begin(&entries_);
    EXPECT_THAT(Next(&entries_), ElementsAre("+ann=1"));
    EXPECT_FALSE(entries_.Settled());
    EXPECT_THAT(entries_.Acknowledge(Tracked({"r1"})), IsEmpty());
    EXPECT_TRUE(entries_.Settled());
    EXPECT_EQ(entries_.held(), 1u);
  }
  HeldEntries entries_;
};

TEST_F(HeldEntriesTest, NamesAreOfOneEntryEach) {
  EXPECT_TRUE(absl::IsAlreadyExists(entries_.Track({"room", "ann", "2"})));
  EXPECT_TRUE(absl::IsNotFound(entries_.Update("room", "bob", "2")));
  EXPECT_TRUE(absl::IsNotFound(entries_.Untrack("hall", "ann")));
  EXPECT_TRUE(absl::IsInvalidArgument(entries_.Track({"room", "\xff", ""})));
  EXPECT_TRUE(entries_.Settled());
}

TEST_F(HeldEntriesTest, OnlyTheLastOfSeveralChangesIsSent) {
  EXPECT_TRUE(entries_.Update("room", "ann", "2").ok());
  EXPECT_TRUE(entries_.Update("room", "ann", "3").ok());
  EXPECT_THAT(Next(&entries_), ElementsAre("~r1=3"));
  EXPECT_TRUE(entries_.Update("room", "ann", "4").ok());
  entries_.Acknowledge(Updated({"r2"}));
  EXPECT_FALSE(entries_.Settled());
  EXPECT_THAT(Next(&entries_), ElementsAre("~r2=4"));
  entries_.Acknowledge(Updated({"r3"}));
  EXPECT_TRUE(entries_.Settled());
}

TEST_F(HeldEntriesTest, AnEntryIsUntrackedBeforeAnotherOfItsNameIsTracked) {
  EXPECT_TRUE(entries_.Untrack("room", "ann").ok());
  EXPECT_TRUE(entries_.Track({"room", "ann", "2"}).ok());
  EXPECT_EQ(entries_.held(), 0u);
  EXPECT_THAT(Next(&entries_, {1, 1000}), ElementsAre("-r1"));
  entries_.Acknowledge({});
  EXPECT_THAT(Next(&entries_, {1, 1000}), ElementsAre("+ann=2"));
  // The same while its track is on its way.
  EXPECT_TRUE(entries_.Untrack("room", "ann").ok());
  EXPECT_TRUE(entries_.Track({"room", "ann", "3"}).ok());
  entries_.Acknowledge(Tracked({"r2"}));
  EXPECT_EQ(entries_.held(), 0u);
  EXPECT_THAT(Next(&entries_), ElementsAre("-r2", "+ann=3"));
  entries_.Acknowledge(Tracked({"r3"}));
  EXPECT_EQ(entries_.held(), 1u);
}

TEST_F(HeldEntriesTest, WhatIsTrackedAndUntrackedBeforeItIsSentIsNothing) {
  EXPECT_TRUE(entries_.Track({"room", "bob", ""}).ok());
  EXPECT_TRUE(entries_.Untrack("room", "bob").ok());
  EXPECT_TRUE(entries_.Settled());
  EXPECT_THAT(Next(&entries_), IsEmpty());
}

TEST_F(HeldEntriesTest, WhatWasOnItsWayWhenTheStreamEndedIsMadeAgain) {
  EXPECT_TRUE(entries_.Update("room", "ann", "2").ok());
  EXPECT_TRUE(entries_.Track({"room", "bob", "1"}).ok());
  EXPECT_THAT(Next(&entries_), ElementsAre("~r1=2", "+bob=1"));
  entries_.StreamEnded();
  // The node had done it: r1 is not there any more.
  EXPECT_THAT(Resume(&entries_), ElementsAre("r1"));
  Begin(&entries_, {"r1"});
  EXPECT_EQ(entries_.held(), 0u);
  EXPECT_THAT(Next(&entries_), ElementsAre("+ann=2", "+bob=1"));
}

TEST_F(HeldEntriesTest, AResumeDoesNotNameWhatIsToLeave) {
  EXPECT_TRUE(entries_.Track({"room", "bob", ""}).ok());
  Next(&entries_);
  EXPECT_TRUE(entries_.Untrack("room", "bob").ok());
  EXPECT_TRUE(entries_.Untrack("room", "ann").ok());
  entries_.StreamEnded();
  EXPECT_THAT(Resume(&entries_), IsEmpty());
  Begin(&entries_);
  EXPECT_TRUE(entries_.Settled());
}

TEST_F(HeldEntriesTest, WhatLeavesAfterTheResumeNamedItIsUntracked) {
  entries_.StreamEnded();
  EXPECT_THAT(Resume(&entries_), ElementsAre("r1"));
  EXPECT_TRUE(entries_.Untrack("room", "ann").ok());
  EXPECT_TRUE(entries_.Track({"room", "ann", "2"}).ok());
  Begin(&entries_);
  EXPECT_THAT(Next(&entries_), ElementsAre("-r1", "+ann=2"));
}

TEST_F(HeldEntriesTest, ASessionThatHasEndedIsFilledAnew) {
  EXPECT_TRUE(entries_.Update("room", "ann", "2").ok());
  entries_.StreamEnded();
  entries_.SessionEnded();
  EXPECT_EQ(entries_.held(), 0u);
  Begin(&entries_);
  EXPECT_THAT(Next(&entries_), ElementsAre("+ann=2"));
}

TEST_F(HeldEntriesTest, WhatWasRefusedIsTriedAgainOnlyWhenItIsChanged) {
  v1::SessionResponse refusal;
  refusal.add_track_errors()->set_code(3);
  EXPECT_TRUE(entries_.Track({"room", "bob", "bad"}).ok());
  Next(&entries_);
  EXPECT_EQ(entries_.Acknowledge(refusal)[0].entry.key, "bob");
  entries_.StreamEnded();
  Resume(&entries_);
  Begin(&entries_);
  EXPECT_TRUE(entries_.Settled());
  EXPECT_TRUE(entries_.Update("room", "bob", "good").ok());
  EXPECT_THAT(Next(&entries_), ElementsAre("+bob=good"));
  entries_.Acknowledge(refusal);
  EXPECT_TRUE(entries_.Track({"room", "bob", "other"}).ok());
  EXPECT_THAT(Next(&entries_), ElementsAre("+bob=other"));
}

TEST_F(HeldEntriesTest, WhatTheNodeLetGoOfIsNotTrackedAgain) {
  EXPECT_TRUE(entries_.Update("room", "ann", "2").ok());
  EXPECT_EQ(entries_.GiveUp("r1")->key, "ann");
  EXPECT_FALSE(entries_.GiveUp("r1").has_value());
  EXPECT_EQ(entries_.held(), 0u);
  EXPECT_TRUE(entries_.Settled());
  entries_.StreamEnded();
  EXPECT_THAT(Resume(&entries_), IsEmpty());
  Begin(&entries_);
  EXPECT_TRUE(entries_.Settled());
  // A change of it does not bring it back, only another Track does.
  EXPECT_TRUE(absl::IsNotFound(entries_.Update("room", "ann", "3")));
  EXPECT_TRUE(absl::IsNotFound(entries_.Untrack("room", "ann")));
  EXPECT_TRUE(entries_.Settled());
  EXPECT_TRUE(entries_.Track({"room", "ann", "3"}).ok());
  EXPECT_THAT(Next(&entries_), ElementsAre("+ann=3"));
}

TEST_F(HeldEntriesTest, WhatTheNodeLetGoOfWhileItsUpdateWasOnItsWayIsGone) {
  EXPECT_TRUE(entries_.Update("room", "ann", "2").ok());
  EXPECT_THAT(Next(&entries_), SizeIs(1));
  EXPECT_EQ(entries_.GiveUp("r1")->key, "ann");
  EXPECT_TRUE(entries_.Track({"room", "ann", "3"}).ok());
  v1::SessionResponse answer;
  answer.add_updated_refs("");
  answer.add_update_errors()->set_code(
      static_cast<int>(absl::StatusCode::kNotFound));
  EXPECT_THAT(entries_.Acknowledge(answer), SizeIs(1));
  EXPECT_EQ(entries_.held(), 0u);
  EXPECT_THAT(Next(&entries_), ElementsAre("+ann=3"));
}

}  // namespace
}  // namespace muster::client
