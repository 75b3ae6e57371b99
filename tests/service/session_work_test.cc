#include "node/service/session_work.h"

#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "muster/v1/presence.pb.h"
#include "node/codec/ref_text.h"
#include "node/service/tokens.h"

namespace muster::service {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

crdt::Ref MakeRef(uint64_t seq) {
  return {99, crdt::ElementId(seq), crdt::Seq(seq)};
}

void AddTrack(v1::SessionPart* part, const std::string& key) {
  v1::TrackOp* op = part->add_track();
  op->set_topic("t");
  op->set_key(key);
}

TEST(OpBatchTest, BadOperationsLeaveTheOthersInTheirPlaces) {
  const Limits limits;
  OpBatch batch;
  batch.Reset(&limits, 1000);
  batch.Track({"t", "good0", "", false});
  batch.Track({"t", "", "", false});
  batch.Track({"t", "good2", "", false});
  batch.Track({"t", "good3 that the core refuses", "", false});
  batch.Track({"\xff", "k", "", false});
  batch.Update("nonsense", "m");
  batch.Update(codec::RefText(MakeRef(5)), "m");
  batch.Untrack(codec::RefText(MakeRef(6)));
  batch.Untrack("nonsense");
  EXPECT_EQ(batch.size(), 9u);
  ASSERT_EQ(batch.request().track.size(), 3u);
  EXPECT_EQ(batch.request().track[1].key, "good2");
  ASSERT_EQ(batch.request().update.size(), 1u);
  ASSERT_EQ(batch.request().untrack.size(), 1u);

  core::ApplyReply reply;
  reply.tracked = {MakeRef(1), MakeRef(2), crdt::Ref()};
  reply.track_errors.push_back({2, absl::AlreadyExistsError("core")});
  reply.updated = {MakeRef(7)};
  batch.Complete(&reply);
  EXPECT_THAT(reply.tracked, ElementsAre(MakeRef(1), crdt::Ref(), MakeRef(2),
                                         crdt::Ref(), crdt::Ref()));
  ASSERT_EQ(reply.track_errors.size(), 3u);
  EXPECT_EQ(reply.track_errors[0].index, 1u);
  EXPECT_EQ(reply.track_errors[1].index, 3u);
  EXPECT_EQ(reply.track_errors[1].status.message(), "core");
  EXPECT_EQ(reply.track_errors[2].index, 4u);
  EXPECT_THAT(reply.updated, ElementsAre(crdt::Ref(), MakeRef(7)));
  ASSERT_EQ(reply.untrack_errors.size(), 1u);
  EXPECT_EQ(reply.untrack_errors[0].index, 1u);
}

TEST(SessionWorkTest, AnOpenGetsATokenOfItsOwn) {
  v1::SessionRequest request;
  request.mutable_open()->set_grace_ms(5000);
  request.mutable_open()->set_epoch(3);
  request.set_number(17);
  SessionWork work;
  work.DecodeSession(request.SerializeAsString(), Limits());
  ASSERT_TRUE(work.fatal.ok());
  EXPECT_EQ(work.number, 17u);
  ASSERT_EQ(work.part_count(), 1u);
  SessionPart& part = work.part(0);
  EXPECT_EQ(part.start, SessionPart::Start::kOpen);
  EXPECT_TRUE(part.open.stream);
  EXPECT_EQ(part.open.grace, absl::Seconds(5));
  EXPECT_EQ(part.open.epoch, 3u);
  EXPECT_EQ(part.open.session, *SessionOf(part.token));
}

TEST(SessionWorkTest, AnEmptyOpenIsAnOpen) {
  v1::SessionRequest request;
  request.mutable_open();
  SessionWork work;
  work.DecodeSession(request.SerializeAsString(), Limits());
  EXPECT_EQ(work.part(0).start, SessionPart::Start::kOpen);
}

TEST(SessionWorkTest, TooManyOperationsSpoilTheWholeRequestAndSayHowMany) {
  v1::SessionsRequest request;
  request.set_number(1);
  for (int p = 0; p < 2; ++p) {
    v1::SessionPart* part = request.add_parts();
    for (int i = 0; i < 501; ++i) AddTrack(part, std::to_string(i));
  }
  SessionWork work;
  work.DecodeSessions(request.SerializeAsString(), Limits());
  ASSERT_TRUE(work.fatal.ok());
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(work.part(i).status.message(),
              "track, update and untrack together has 1002; the limit is 1000 "
              "(--max-batch-ops)");
  }
}

TEST(SessionWorkTest, PartsAreBoundedBeforeTheyTakeMemory) {
  v1::SessionsRequest request;
  request.set_number(1);
  for (int i = 0; i < 5000; ++i) request.add_parts();
  SessionWork work;
  work.DecodeSessions(request.SerializeAsString(), Limits());
  EXPECT_EQ(work.fatal.message(),
            "parts has 5000; the limit is 1000 (--max-batch-ops)");
  EXPECT_LE(work.part_count(), 1000u);
}

TEST(SessionWorkTest, AMessageOverTheLimitIsNotLookedInto) {
  Limits limits;
  limits.max_message_bytes = 100;
  v1::SessionRequest request;
  request.mutable_open();
  request.add_track()->set_meta(std::string(100, 'm'));
  const std::string text =
      absl::StrCat("the request is ", request.ByteSizeLong(),
                   " bytes; the limit is 100 (--max-message-bytes)");
  SessionWork work;
  work.DecodeSession(request.SerializeAsString(), limits);
  EXPECT_EQ(work.fatal.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(work.fatal.message(), text);
  EXPECT_EQ(work.part_count(), 0u);
  work.Clear();
  work.DecodeSessions(request.SerializeAsString(), limits);
  EXPECT_EQ(work.fatal.message(), text);
  EXPECT_EQ(work.part_count(), 0u);
}

TEST(SessionWorkTest, NumberZeroAndWildSlotsAreRefused) {
  v1::SessionsRequest request;
  request.add_parts()->set_slot(1 << 20);
  SessionWork work;
  work.DecodeSessions(request.SerializeAsString(), Limits());
  EXPECT_THAT(std::string(work.fatal.message()), HasSubstr("number is 0"));
  request.set_number(1);
  work.Clear();
  work.DecodeSessions(request.SerializeAsString(), Limits());
  EXPECT_TRUE(work.fatal.ok());
  EXPECT_THAT(std::string(work.part(0).status.message()),
              HasSubstr("slot is 1048576; the limit is 1048575 (--max-slot)"));
}

TEST(SessionWorkTest, AResumeIsCheckedEntryByEntry) {
  v1::SessionRequest request;
  v1::ResumeRequest* resume = request.mutable_resume();
  resume->set_token(NewToken());
  resume->set_resume_number(4);
  v1::Entry* entry = resume->add_entries();
  entry->set_topic("t");
  entry->set_key("k");
  entry->set_ref(codec::RefText(MakeRef(1)));
  SessionWork work;
  work.DecodeSession(request.SerializeAsString(), Limits());
  ASSERT_TRUE(work.part(0).status.ok()) << work.part(0).status;
  const core::ResumeRequest& wish = work.part(0).resume->request;
  EXPECT_EQ(wish.resume_number, 4u);
  EXPECT_TRUE(wish.open.stream);
  ASSERT_EQ(wish.entries.size(), 1u);
  EXPECT_EQ(wish.entries[0].ref, MakeRef(1));

  resume->add_entries()->set_topic("t");
  work.Clear();
  work.DecodeSession(request.SerializeAsString(), Limits());
  EXPECT_THAT(std::string(work.part(0).status.message()),
              HasSubstr("entries[1].key is empty"));
}

TEST(SessionWorkTest, DamagedRequestsAreRefusedWithoutACrash) {
  v1::SessionsRequest request;
  request.set_number(5);
  for (int p = 0; p < 3; ++p) {
    v1::SessionPart* part = request.add_parts();
    part->set_slot(p);
    part->mutable_open()->set_grace_ms(1000);
    AddTrack(part, "key");
    part->add_untrack("ref");
    part->add_update()->set_meta("meta");
  }
  const std::string bytes = request.SerializeAsString();
  std::mt19937 random(9);
  SessionWork work;
  for (int i = 0; i < 20000; ++i) {
    std::string damaged = bytes.substr(0, random() % (bytes.size() + 1));
    for (int n = static_cast<int>(random() % 3); n > 0 && !damaged.empty();
         --n) {
      damaged[random() % damaged.size()] = static_cast<char>(random());
    }
    work.Clear();
    work.DecodeSessions(damaged, Limits());
    v1::SessionsResponse response;
    ASSERT_TRUE(response.ParseFromString(work.EncodeSessions("a")));
  }
}

TEST(SessionWorkTest, AResponseCarriesRefsWithoutTheirCommonPrefix) {
  v1::SessionsRequest request;
  request.set_number(5);
  AddTrack(request.add_parts(), "k");
  request.add_parts()->set_slot(3);
  SessionWork work;
  work.DecodeSessions(request.SerializeAsString(), Limits());
  work.part(0).reply.tracked = {MakeRef(0x1f), crdt::Ref()};
  work.part(0).reply.updated = {MakeRef(3)};
  work.part(1).status = absl::NotFoundError("slot 3 is free");
  work.ended.push_back({8, absl::AbortedError("moved")});
  v1::SessionsResponse response;
  ASSERT_TRUE(response.ParseFromString(work.EncodeSessions("a")));
  EXPECT_EQ(response.number(), 5u);
  ASSERT_EQ(response.results_size(), 2);
  const v1::SessionPartResult& first = response.results(0);
  ASSERT_EQ(first.tracked_refs_size(), 2);
  EXPECT_EQ(response.ref_prefix() + first.tracked_refs(0),
            codec::RefText(MakeRef(0x1f)));
  EXPECT_EQ(first.tracked_refs(1), "");
  EXPECT_EQ(first.updated_refs(0), codec::RefText(MakeRef(3)));
  EXPECT_EQ(response.results(1).code(), 5);
  EXPECT_EQ(response.results(1).message(), "slot 3 is free");
  EXPECT_EQ(response.ended(0).slot(), 8u);
  EXPECT_EQ(response.ended(0).code(), 10);
}

TEST(SessionWorkTest, AWorkUsedAgainKnowsNothingOfItsFirstRequest) {
  v1::SessionsRequest request;
  request.set_number(5);
  v1::SessionPart* part = request.add_parts();
  part->mutable_open();
  part->set_close(true);
  AddTrack(part, "k");
  SessionWork work;
  work.DecodeSessions(request.SerializeAsString(), Limits());
  work.Clear();
  v1::SessionsRequest second;
  second.set_number(6);
  second.add_parts();
  work.DecodeSessions(second.SerializeAsString(), Limits());
  ASSERT_EQ(work.part_count(), 1u);
  EXPECT_EQ(work.part(0).start, SessionPart::Start::kNone);
  EXPECT_FALSE(work.part(0).close);
  EXPECT_TRUE(work.part(0).ops.empty());
  EXPECT_TRUE(work.part(0).token.empty());
}

}  // namespace
}  // namespace muster::service
