#include "node/codec/client_codec.h"

#include <random>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "node/codec/opaque_text.h"
#include "node/codec/ref_text.h"

namespace muster::codec {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

crdt::Ref MakeRef(uint64_t id, uint64_t seq) {
  return {42, crdt::ElementId(id), crdt::Seq(seq)};
}

class Collected : public OpVisitor {
 public:
  void Untrack(absl::string_view ref) override { untracks.emplace_back(ref); }
  void Update(absl::string_view ref, absl::string_view meta) override {
    updates.emplace_back(std::string(ref) + "=" + std::string(meta));
  }
  void Track(const core::TrackOp& op) override {
    tracks.push_back(std::string(op.topic) + "/" + std::string(op.key) + "=" +
                     std::string(op.meta) + (op.allow_duplicate ? "+" : ""));
  }
  std::vector<std::string> untracks;
  std::vector<std::string> updates;
  std::vector<std::string> tracks;
};

// True if all of `bytes` was well formed.
bool Visit(absl::string_view bytes, const OpFields& fields,
           Collected* collected) {
  WireReader reader(bytes);
  while (reader.Next()) {
    if (TakeOp(reader, fields, *collected) == OpField::kMalformed) return false;
  }
  return reader.ok();
}

v1::SessionRequest ManyOps() {
  v1::SessionRequest request;
  request.set_number(300);
  request.add_untrack("u0");
  request.add_untrack("u1");
  v1::UpdateOp* update = request.add_update();
  update->set_ref("r");
  update->set_meta(std::string(200, 'm'));
  for (int i = 0; i < 3; ++i) {
    v1::TrackOp* op = request.add_track();
    op->set_topic("t");
    op->set_key("k" + std::to_string(i));
    op->set_meta("{}");
    op->set_allow_duplicate(i == 1);
  }
  return request;
}

TEST(DecodeOpsTest, SeesWhatTheGeneratedCodeWrote) {
  Collected seen;
  ASSERT_TRUE(Visit(ManyOps().SerializeAsString(), kSessionOps, &seen));
  EXPECT_THAT(seen.untracks, ElementsAre("u0", "u1"));
  EXPECT_THAT(seen.updates, ElementsAre("r=" + std::string(200, 'm')));
  EXPECT_THAT(seen.tracks, ElementsAre("t/k0={}", "t/k1={}+", "t/k2={}"));
}

TEST(DecodeOpsTest, EveryCutOffInputEndsWithoutACrash) {
  const std::string bytes = ManyOps().SerializeAsString();
  for (size_t size = 0; size < bytes.size(); ++size) {
    // A copy of its own, so that a read beyond the end is caught.
    const std::string cut = bytes.substr(0, size);
    Collected seen;
    v1::SessionRequest parsed;
    EXPECT_EQ(Visit(cut, kSessionOps, &seen), parsed.ParseFromString(cut))
        << size;
  }
}

TEST(DecodeOpsTest, RandomDamageNeverReadsWhatIsNotThere) {
  const std::string bytes = ManyOps().SerializeAsString();
  std::mt19937 random(5);
  for (int i = 0; i < 20000; ++i) {
    std::string damaged = bytes;
    for (int flips = 1 + static_cast<int>(random() % 4); flips > 0; --flips) {
      damaged[random() % damaged.size()] = static_cast<char>(random());
    }
    Collected seen;
    Visit(damaged, kSessionOps, &seen);
    size_t total = 0;
    for (const std::string& track : seen.tracks) total += track.size();
    ASSERT_LE(total, 4 * bytes.size());
  }
}

TEST(ParseMessageTest, NamesTheFieldThatIsNotUtf8) {
  v1::ResumeRequest request;
  request.add_entries()->set_topic("fine");
  request.add_entries()->set_topic("x_y");
  std::string bytes = request.SerializeAsString();
  bytes[bytes.find('_')] = '\xff';
  v1::ResumeRequest parsed;
  const absl::Status status = ParseMessage(bytes, &parsed);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(),
            "entries[1].topic is not valid UTF-8: \"x\\xffy\"");
}

TEST(ParseMessageTest, SaysThatBytesAreNoMessage) {
  v1::ListRequest parsed;
  const absl::Status status = ParseMessage("\x0a\x7fshort", &parsed);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("no well-formed muster.v1.ListRequest"));
}

TEST(EncodeTest, AListIsReadByTheGeneratedCode) {
  core::ListReply reply;
  const std::string meta(300, 'x');
  reply.entries.push_back({"t", "k1", meta, MakeRef(1, 1), {}});
  reply.entries.push_back({"t", "k2", "", MakeRef(2, 5), MakeRef(2, 4)});
  v1::ListResponse response;
  ASSERT_TRUE(response.ParseFromString(EncodeListResponse(reply, "next")));
  EXPECT_EQ(response.next_page_token(), "next");
  ASSERT_EQ(response.entries_size(), 2);
  EXPECT_EQ(response.entries(0).topic(), "");
  EXPECT_EQ(response.entries(0).key(), "k1");
  EXPECT_EQ(response.entries(0).meta(), meta);
  EXPECT_EQ(response.entries(0).ref(), RefText(MakeRef(1, 1)));
  EXPECT_EQ(response.entries(1).ref_prev(), RefText(MakeRef(2, 4)));
  v1::GetResponse get;
  ASSERT_TRUE(get.ParseFromString(EncodeGetResponse(reply)));
  EXPECT_EQ(get.entries(1).topic(), "t");
  EXPECT_FALSE(get.more());
  reply.next = 1;
  ASSERT_TRUE(get.ParseFromString(EncodeGetResponse(reply)));
  EXPECT_TRUE(get.more());
}

TEST(EncodeTest, ANestedMessageOfAnyLengthKeepsItsLength) {
  for (const size_t size :
       {0u, 1u, 100u, 126u, 127u, 128u, 129u, 16383u, 16384u, 70000u}) {
    const std::string meta(size, 'm');
    core::WatchBatch batch;
    batch.state.push_back({"topic", {{"", "k", meta, MakeRef(1, 1), {}}}});
    v1::WatchResponse response;
    ASSERT_TRUE(response.ParseFromString(EncodeWatchBody(batch))) << size;
    EXPECT_EQ(response.state(0).entries(0).meta(), meta);
  }
}

TEST(EncodeTest, AWatchMessageIsItsVersionAndItsBodyTogether) {
  core::WatchBatch batch;
  batch.version_life = {1, 2};
  batch.version_counter = 9;
  batch.reset = true;
  batch.state_complete = true;
  core::TopicDiff diff;
  diff.topic = "t";
  diff.joins.push_back({"t", "j", "1", MakeRef(1, 1), {}});
  diff.updates.push_back({"t", "u", "2", MakeRef(2, 3), MakeRef(2, 2)});
  diff.leaves.push_back({"t", "l", "", MakeRef(4, 4), {}});
  diff.keys.push_back({"j", 1, true, false});
  diff.keys.push_back({"l", 0, false, true});
  batch.state.push_back({"s", {}, {{"k", 300}}});
  batch.diffs.push_back(std::move(diff));
  batch.counts.push_back({"t", 3, 2});
  v1::WatchResponse response;
  ASSERT_TRUE(response.ParseFromString(EncodeWatchVersion(batch, 77) +
                                       EncodeWatchBody(batch)));
  Version version;
  ASSERT_TRUE(ParseVersion(response.version(), &version));
  EXPECT_EQ(version, (Version{{1, 2}, 77, 9}));
  EXPECT_TRUE(response.reset());
  EXPECT_TRUE(response.state_complete());
  ASSERT_EQ(response.diffs_size(), 1);
  EXPECT_EQ(response.diffs(0).joins(0).key(), "j");
  EXPECT_EQ(response.diffs(0).updates(0).ref_prev(), RefText(MakeRef(2, 2)));
  EXPECT_EQ(response.diffs(0).leaves(0).key(), "l");
  ASSERT_EQ(response.diffs(0).keys_size(), 2);
  EXPECT_EQ(response.diffs(0).keys(0).key(), "j");
  EXPECT_EQ(response.diffs(0).keys(0).entries(), 1u);
  EXPECT_TRUE(response.diffs(0).keys(0).first_in());
  EXPECT_FALSE(response.diffs(0).keys(0).last_out());
  EXPECT_EQ(response.diffs(0).keys(1).entries(), 0u);
  EXPECT_TRUE(response.diffs(0).keys(1).last_out());
  ASSERT_EQ(response.state(0).keys_size(), 1);
  EXPECT_EQ(response.state(0).keys(0).key(), "k");
  EXPECT_EQ(response.state(0).keys(0).entries(), 300u);
  EXPECT_EQ(response.counts(0).entries(), 3u);
  EXPECT_EQ(response.counts(0).keys(), 2u);
}

TEST(EncodeTest, ABatchWithoutAVersionHasNone) {
  EXPECT_EQ(EncodeWatchVersion(core::WatchBatch(), 1), "");
}

TEST(EncodeTest, PagesOfNamesContinueAfterTheLastOne) {
  core::TopicsReply topics;
  topics.topics = {{"a", 1, 1}, {"b", 2, 1}};
  topics.next = "b";
  v1::TopicsResponse response;
  ASSERT_TRUE(response.ParseFromString(EncodeTopicsResponse(topics)));
  std::string last;
  ASSERT_TRUE(ParseNameToken(response.next_page_token(), &last));
  EXPECT_EQ(last, "b");
  core::TopicsOfReply of;
  of.topics = {"x", "y"};
  v1::TopicsOfResponse of_response;
  ASSERT_TRUE(of_response.ParseFromString(EncodeTopicsOfResponse(of)));
  EXPECT_EQ(of_response.topics_size(), 2);
  EXPECT_EQ(of_response.next_page_token(), "");
}

TEST(EncodeTest, RefsKeepTheirPlacesAndErrorsTheirIndex) {
  std::string bytes;
  WireWriter out(&bytes);
  WriteRefs(v1::SessionResponse::kTrackedRefsFieldNumber,
            {MakeRef(1, 1), crdt::Ref(), MakeRef(2, 2)}, out);
  WriteErrors(v1::SessionResponse::kTrackErrorsFieldNumber,
              {{1, absl::AlreadyExistsError("twice")}}, out);
  v1::SessionResponse response;
  ASSERT_TRUE(response.ParseFromString(bytes));
  EXPECT_THAT(response.tracked_refs(),
              ElementsAre(RefText(MakeRef(1, 1)), "", RefText(MakeRef(2, 2))));
  ASSERT_EQ(response.track_errors_size(), 1);
  EXPECT_EQ(response.track_errors(0).index(), 1u);
  EXPECT_EQ(response.track_errors(0).code(), 6);
  EXPECT_EQ(response.track_errors(0).message(), "twice");
}

}  // namespace
}  // namespace muster::codec
