#include "crdt/mutation.h"

#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "crdt/varint.h"
#include "gtest/gtest.h"

namespace muster::crdt {
namespace {

using Kind = Mutation::Kind;

SessionContent SomeSession() {
  SessionContent content;
  content.session = {0x0102030405060708, 0x1112131415161718};
  content.epoch = 7;
  content.resume = 300;
  content.grace_ms = 30000;
  content.state = SessionState::kConnected;
  return content;
}

std::string Session(Seq seq, ElementId id, const SessionContent& content) {
  std::string out;
  EncodePutSession(seq, id, content, out);
  return out;
}

std::string Entry(Seq seq, ElementId id, const EntryContent& content) {
  std::string out;
  EncodePutEntry(seq, id, content, out);
  return out;
}

std::string Remove(Kind kind, Seq seq, ElementId id) {
  std::string out;
  EncodeRemove(kind, seq, id, out);
  return out;
}

Mutation MustDecode(absl::string_view bytes, Seq seq) {
  Mutation out;
  EXPECT_TRUE(DecodeMutation(bytes, seq, out));
  EXPECT_TRUE(bytes.empty());
  return out;
}

// A change here is a change of the wire: docs/wire_format.md has the same.
TEST(MutationGoldenTest, ASessionIsCreated) {
  EXPECT_EQ(
      absl::BytesToHexString(Session(Seq(1), ElementId(1), SomeSession())),
      "09"                                // put session, creates
      "08070605040302011817161514131211"  // session id
      "07"                                // epoch 7
      "ac02"                              // resume 300
      "b0ea01"                            // grace 30000 ms
      "00"                                // ttl: its stream's life
      "01");                              // connected
}

TEST(MutationGoldenTest, ASessionHasMoved) {
  SessionContent content = SomeSession();
  content.state = SessionState::kMoved;
  content.ttl_ms = 128;
  content.moved_life = {0xa1a2a3a4a5a6a7a8, 0xb1b2b3b4b5b6b7b8};
  content.moved_seq = Seq(129);
  EXPECT_EQ(absl::BytesToHexString(Session(Seq(12), ElementId(1), content)),
            "01"  // put session
            "0b"  // 11 before this seq: id 1
            "08070605040302011817161514131211"
            "07"
            "ac02"
            "b0ea01"
            "8001"                              // ttl 128 ms
            "03"                                // moved
            "a8a7a6a5a4a3a2a1b8b7b6b5b4b3b2b1"  // to this life
            "8101");                            // at its seq 129
}

TEST(MutationGoldenTest, AnEntryIsCreated) {
  EXPECT_EQ(
      absl::BytesToHexString(Entry(Seq(5), ElementId(5),
                                   {ElementId(1), "room:1", "user:7", "{}"})),
      "0a"              // put entry, creates
      "04"              // its session is 4 before this seq: 1
      "06726f6f6d3a31"  // room:1
      "06757365723a37"  // user:7
      "027b7d");        // {}
}

TEST(MutationGoldenTest, AnEntryIsUpdated) {
  EXPECT_EQ(absl::BytesToHexString(Entry(
                Seq(9), ElementId(5), {ElementId(1), "room:1", "user:7", ""})),
            "02"  // put entry
            "04"  // 4 before this seq: id 5
            "08"  // its session is 8 before this seq: 1
            "06726f6f6d3a31"
            "06757365723a37"
            "00");
}

TEST(MutationGoldenTest, AnAdoptedEntryBringsItsRef) {
  EntryContent content{ElementId(1),
                       "t",
                       "k",
                       "m",
                       {0x0102030405060708, ElementId(3), Seq(200)}};
  EXPECT_EQ(absl::BytesToHexString(Entry(Seq(5), ElementId(5), content)),
            "1a"  // put entry, creates, has a ref
            "04"
            "0174"
            "016b"
            "016d"
            "0807060504030201"  // life of the ref
            "03"                // its id
            "c801");            // its seq
}

TEST(MutationGoldenTest, ElementsAreRemoved) {
  EXPECT_EQ(
      absl::BytesToHexString(Remove(Kind::kRemoveEntry, Seq(10), ElementId(5))),
      "0405");
  EXPECT_EQ(absl::BytesToHexString(
                Remove(Kind::kRemoveSession, Seq(300), ElementId(1))),
            "03ab02");
}

TEST(MutationGoldenTest, AVarintIsShortest) {
  struct Case {
    uint64_t value;
    const char* hex;
  };
  for (const Case& c :
       {Case{0, "00"}, Case{127, "7f"}, Case{128, "8001"}, Case{16383, "ff7f"},
        Case{16384, "808001"}, Case{UINT64_MAX, "ffffffffffffffffff01"}}) {
    std::string out;
    AppendVarint(c.value, out);
    EXPECT_EQ(absl::BytesToHexString(out), c.hex);
    absl::string_view bytes = out;
    uint64_t back = 1;
    EXPECT_TRUE(TakeVarint(bytes, back));
    EXPECT_EQ(back, c.value);
    EXPECT_TRUE(bytes.empty());
  }
}

TEST(MutationTest, EveryStateOfASessionComesBack) {
  for (SessionState state : {SessionState::kPending, SessionState::kConnected,
                             SessionState::kDisconnected, SessionState::kMoved,
                             SessionState::kEnded}) {
    SessionContent content = SomeSession();
    content.state = state;
    content.epoch = UINT64_MAX;
    content.resume = UINT64_MAX;
    content.grace_ms = UINT32_MAX;
    content.ttl_ms = UINT32_MAX;
    if (state == SessionState::kMoved) {
      content.moved_life = {5, 6};
      content.moved_seq = Seq(UINT64_MAX);
    }
    Mutation out = MustDecode(Session(Seq(9), ElementId(4), content), Seq(9));
    EXPECT_EQ(out.kind, Kind::kPutSession);
    EXPECT_EQ(out.seq, Seq(9));
    EXPECT_EQ(out.id, ElementId(4));
    EXPECT_EQ(out.session, content);
  }
}

TEST(MutationTest, WhereASessionMovedDoesNotLeakIntoTheNextOneDecoded) {
  SessionContent moved = SomeSession();
  moved.state = SessionState::kMoved;
  moved.moved_life = {5, 6};
  moved.moved_seq = Seq(7);
  std::string bytes = Session(Seq(2), ElementId(1), moved) +
                      Session(Seq(3), ElementId(3), SomeSession());
  absl::string_view rest = bytes;
  Mutation out;
  ASSERT_TRUE(DecodeMutation(rest, Seq(2), out));
  EXPECT_EQ(out.session, moved);
  ASSERT_TRUE(DecodeMutation(rest, Seq(3), out));
  EXPECT_EQ(out.session, SomeSession());
}

TEST(MutationTest, ARootFollowsTheRefAndDoesNotLeak) {
  EntryContent adopted{
      ElementId(1),     "t", "k", "m", {8, ElementId(3), Seq(4)},
      {9, ElementId(7)}};
  const std::string bytes = Entry(Seq(2), ElementId(2), adopted);
  EXPECT_EQ(static_cast<uint8_t>(bytes[0]), 0x3a) << "2 + 8 + 16 + 32";
  const std::string root("\x09\0\0\0\0\0\0\0\x07", 9);
  EXPECT_EQ(bytes.substr(bytes.size() - root.size()), root);
  const std::string next =
      Entry(Seq(3), ElementId(3), {ElementId(1), "t", "k", "m"});
  const std::string both = bytes + next;
  absl::string_view rest = both;
  Mutation out;
  ASSERT_TRUE(DecodeMutation(rest, Seq(2), out));
  EXPECT_EQ(out.entry.root, adopted.root);
  ASSERT_TRUE(DecodeMutation(rest, Seq(3), out));
  EXPECT_TRUE(out.entry.root.IsNone());
  rest = both;
  SkipMutation(rest);
  EXPECT_EQ(rest, next);
}

TEST(MutationTest, ARefDoesNotLeakIntoTheNextEntryDecoded) {
  EntryContent adopted{ElementId(1), "t", "k", "m", {8, ElementId(3), Seq(4)}};
  std::string bytes =
      Entry(Seq(2), ElementId(2), adopted) +
      Entry(Seq(3), ElementId(3), {ElementId(1), "t", "k", "m"});
  absl::string_view rest = bytes;
  Mutation out;
  ASSERT_TRUE(DecodeMutation(rest, Seq(2), out));
  EXPECT_EQ(out.entry.ref, adopted.ref);
  ASSERT_TRUE(DecodeMutation(rest, Seq(3), out));
  EXPECT_TRUE(out.entry.ref.IsNone());
}

TEST(MutationTest, SeqsOfTheWholeRangeComeBack) {
  for (uint64_t seq : {uint64_t{2}, uint64_t{1} << 32, UINT64_MAX}) {
    EntryContent content{ElementId(1), "t", "k", ""};
    Mutation out =
        MustDecode(Entry(Seq(seq), ElementId(seq), content), Seq(seq));
    EXPECT_EQ(out.id.value, seq);
    EXPECT_EQ(out.entry.session, ElementId(1));
    out = MustDecode(Remove(Kind::kRemoveEntry, Seq(seq), ElementId(1)),
                     Seq(seq));
    EXPECT_EQ(out.kind, Kind::kRemoveEntry);
    EXPECT_EQ(out.id, ElementId(1));
  }
}

TEST(MutationTest, NamesAndMetaAtTheirLimitComeBack) {
  std::string name(kMaxNameBytes, 'n');
  std::string meta(kMaxMetaBytes, '\xff');
  std::string bytes =
      Entry(Seq(2), ElementId(2), {ElementId(1), name, name, meta});
  Mutation out = MustDecode(bytes, Seq(2));
  EXPECT_EQ(out.entry.topic, name);
  EXPECT_EQ(out.entry.key, name);
  EXPECT_EQ(out.entry.meta, meta);
}

TEST(MutationTest, ARunIsValidOnlyWithItsCountAndItsFirstSeq) {
  std::string run = Session(Seq(1), ElementId(1), SomeSession()) +
                    Entry(Seq(2), ElementId(2), {ElementId(1), "t", "k", ""}) +
                    Remove(Kind::kRemoveEntry, Seq(3), ElementId(2)) +
                    Remove(Kind::kRemoveSession, Seq(4), ElementId(1));
  EXPECT_TRUE(ValidateMutations(run, Seq(1), 4));
  EXPECT_TRUE(ValidateMutations(run, Seq(100), 4)) << "distances still fit";
  EXPECT_FALSE(ValidateMutations(run, Seq(1), 3)) << "bytes are left over";
  EXPECT_FALSE(ValidateMutations(run, Seq(1), 5)) << "one is missing";
  EXPECT_FALSE(ValidateMutations(run, Seq(0), 4)) << "seqs start at 1";
  EXPECT_FALSE(ValidateMutations(run, Seq(UINT64_MAX - 2), 4)) << "wraps";
  EXPECT_TRUE(ValidateMutations("", Seq(1), 0));
}

TEST(ElementTest, ElementsComeBackInSeqOrder) {
  std::string bytes;
  AppendElementSeq(Seq(0), Seq(3), bytes);
  bytes += Session(Seq(3), ElementId(1), SomeSession());
  AppendElementSeq(Seq(3), Seq(500), bytes);
  bytes += Entry(Seq(500), ElementId(7), {ElementId(1), "t", "k", "m"});
  EXPECT_TRUE(ValidateElements(bytes, 2));
  EXPECT_FALSE(ValidateElements(bytes, 1));
  EXPECT_FALSE(ValidateElements(bytes, 3));

  absl::string_view rest = bytes;
  Seq at;
  Mutation out;
  ASSERT_TRUE(DecodeElement(rest, at, out));
  EXPECT_EQ(at, Seq(3));
  EXPECT_EQ(out.kind, Kind::kPutSession);
  ASSERT_TRUE(DecodeElement(rest, at, out));
  EXPECT_EQ(at, Seq(500));
  EXPECT_EQ(out.seq, Seq(500));
  EXPECT_EQ(out.id, ElementId(7));
  EXPECT_TRUE(rest.empty());
}

TEST(ElementTest, ARemovalIsNoElement) {
  std::string bytes;
  AppendElementSeq(Seq(0), Seq(3), bytes);
  bytes += Remove(Kind::kRemoveEntry, Seq(3), ElementId(1));
  EXPECT_FALSE(ValidateElements(bytes, 1));
}

TEST(ElementTest, AGapIsNeverZeroNorBeyondTheLastSeq) {
  std::string last;
  AppendVarint(UINT64_MAX, last);
  EXPECT_TRUE(ValidateSeqGaps(last, 1));
  EXPECT_FALSE(ValidateSeqGaps(last + '\x01', 2)) << "wraps";
  EXPECT_FALSE(ValidateSeqGaps(std::string("\0", 1), 1));
  EXPECT_TRUE(ValidateSeqGaps("\x05\x01\x01", 3));
  EXPECT_FALSE(ValidateSeqGaps("\x05\x01\x01", 2));
  EXPECT_FALSE(ValidateSeqGaps("\x05\x80", 2)) << "cut";

  absl::string_view bytes = "\x05\x01";
  Seq at;
  ASSERT_TRUE(DecodeSeqGap(bytes, at));
  EXPECT_EQ(at, Seq(5));
  ASSERT_TRUE(DecodeSeqGap(bytes, at));
  EXPECT_EQ(at, Seq(6));
}

}  // namespace
}  // namespace muster::crdt
