#include <string>
#include <vector>

#include "crdt/mutation.h"
#include "crdt/varint.h"
#include "gtest/gtest.h"

namespace muster::crdt {
namespace {

using Kind = Mutation::Kind;

std::string Varint(uint64_t value) {
  std::string out;
  AppendVarint(value, out);
  return out;
}

std::string Text(const std::string& text) { return Varint(text.size()) + text; }

std::string Byte(int value) { return std::string(1, static_cast<char>(value)); }

constexpr int kPutSession = 1;
constexpr int kPutEntry = 2;
constexpr int kRemoveSession = 3;
constexpr int kRemoveEntry = 4;
constexpr int kCreates = 8;
constexpr int kHasRef = 16;
constexpr int kHasRoot = 32;

// A session up to its state, created by its mutation.
std::string SessionHead() {
  return Byte(kPutSession | kCreates) + std::string(16, 's') + Varint(1) +
         Varint(2) + Varint(3) + Varint(4);
}

// An entry created at its seq, of the session one before it.
std::string EntryOf(const std::string& topic, const std::string& key,
                    const std::string& meta) {
  return Byte(kPutEntry | kCreates) + Varint(1) + Text(topic) + Text(key) +
         Text(meta);
}

std::string EntryWithRef(const std::string& ref) {
  return Byte(kPutEntry | kCreates | kHasRef) + Varint(1) + Text("t") +
         Text("k") + Text("m") + ref;
}

bool Decodes(absl::string_view bytes, Seq seq) {
  Mutation out;
  return DecodeMutation(bytes, seq, out) && bytes.empty();
}

struct Case {
  const char* what;
  std::string bytes;
  uint64_t seq = 10;
};

TEST(MalformedMutationTest, TheCasesBelowAreOneStepFromValidOnes) {
  const std::string life(8, 'l');
  const Case cases[] = {
      {"session", SessionHead() + Byte(1)},
      {"moved", SessionHead() + Byte(3) + std::string(16, 'm') + Varint(5)},
      {"entry", EntryOf("t", "k", "")},
      {"entry of the first session", EntryOf("t", "k", ""), 2},
      {"ref", EntryWithRef(life + Varint(3) + Varint(4))},
      {"ref of a creation", EntryWithRef(life + Varint(4) + Varint(4))},
      {"update", Byte(kPutEntry) + Varint(8) + Varint(9) + Text("t") +
                     Text("k") + Text("")},
      {"remove entry", Byte(kRemoveEntry) + Varint(9)},
      {"remove session", Byte(kRemoveSession) + Varint(1)},
  };
  for (const Case& c : cases) {
    EXPECT_TRUE(Decodes(c.bytes, Seq(c.seq))) << c.what;
  }
}

TEST(MalformedMutationTest, IsRefused) {
  const std::string life(8, 'l');
  const std::string name(kMaxNameBytes + 1, 'n');
  const std::string meta(kMaxMetaBytes + 1, 'm');
  const Case cases[] = {
      {"nothing", ""},
      {"seq 0", SessionHead() + Byte(1), 0},
      {"kind 0", Byte(kCreates)},
      {"kind 5", Byte(5 | kCreates)},
      {"kind 6", Byte(6) + Varint(1)},
      {"kind 7", Byte(7 | kCreates)},
      {"unknown bit 0x40", Byte(0x40 | kRemoveEntry) + Varint(1)},
      {"unknown bit 0x80", Byte(0x80 | kRemoveEntry) + Varint(1)},
      {"a session with a ref", Byte(kHasRef) + SessionHead().substr(1)},
      {"a removal with a ref", Byte(kRemoveEntry | kHasRef) + Varint(1)},
      {"a removal that creates", Byte(kRemoveEntry | kCreates)},
      {"a session's that creates", Byte(kRemoveSession | kCreates)},
      {"id at distance 0", Byte(kRemoveEntry) + Varint(0)},
      {"id 0", Byte(kRemoveEntry) + Varint(10)},
      {"id before 0", Byte(kRemoveEntry) + Varint(11)},
      {"id far before 0", Byte(kRemoveEntry) + Varint(UINT64_MAX)},
      {"session at distance 0", Byte(kPutEntry | kCreates) + Varint(0) +
                                    Text("t") + Text("k") + Text("")},
      {"session 0", EntryOf("t", "k", ""), 1},
      {"session after its entry", Byte(kPutEntry) + Varint(5) + Varint(4) +
                                      Text("t") + Text("k") + Text("")},
      {"session that is its entry", Byte(kPutEntry) + Varint(5) + Varint(5) +
                                        Text("t") + Text("k") + Text("")},
      {"distance not shortest", Byte(kRemoveEntry) + "\x85" + Byte(0)},
      {"epoch not shortest", Byte(kPutSession | kCreates) +
                                 std::string(16, 's') + "\x81" + Byte(0) +
                                 Varint(2) + Varint(3) + Varint(4) + Byte(1)},
      {"topic length not shortest", Byte(kPutEntry | kCreates) + Varint(1) +
                                        "\x81" + Byte(0) + "t" + Text("k") +
                                        Text("")},
      {"a varint of eleven bytes",
       Byte(kRemoveEntry) + std::string(10, '\x80') + Byte(1)},
      {"a varint above 64 bits",
       Byte(kRemoveEntry) + std::string(9, '\xff') + Byte(2)},
      {"grace above 32 bits",
       Byte(kPutSession | kCreates) + std::string(16, 's') + Varint(1) +
           Varint(2) + Varint(uint64_t{1} << 32) + Varint(4) + Byte(1)},
      {"ttl above 32 bits",
       Byte(kPutSession | kCreates) + std::string(16, 's') + Varint(1) +
           Varint(2) + Varint(3) + Varint(uint64_t{1} << 32) + Byte(1)},
      {"state 5", SessionHead() + Byte(5)},
      {"state 255", SessionHead() + Byte(255)},
      {"an empty topic", EntryOf("", "k", "m")},
      {"an empty key", EntryOf("t", "", "m")},
      {"a topic that is not UTF-8", EntryOf("\xff", "k", "m")},
      {"a key that is not UTF-8", EntryOf("t", "k\xc3", "m")},
      {"a topic over its limit", EntryOf(name, "k", "m")},
      {"a key over its limit", EntryOf("t", name, "m")},
      {"meta over its limit", EntryOf("t", "k", meta)},
      {"a key longer than the input",
       Byte(kPutEntry | kCreates) + Varint(1) + Text("t") + Varint(9) + "k"},
      {"a key of 2^64 - 1 bytes", Byte(kPutEntry | kCreates) + Varint(1) +
                                      Text("t") + Varint(UINT64_MAX) + "k"},
      {"a ref of seq 0", EntryWithRef(life + Varint(3) + Varint(0))},
      {"a ref of id 0", EntryWithRef(life + Varint(0) + Varint(4))},
      {"a ref whose id is after its seq",
       EntryWithRef(life + Varint(5) + Varint(4))},
  };
  for (const Case& c : cases) {
    EXPECT_FALSE(Decodes(c.bytes, Seq(c.seq))) << c.what;
  }
}

TEST(MalformedMutationTest, ARootIsRefusedWhereItDoesNotBelong) {
  const std::string life(8, 'l');
  const std::string entry = Varint(1) + Text("t") + Text("k") + Text("");
  const Case cases[] = {
      {"a removal with a root", Byte(kRemoveEntry | kHasRoot) + Varint(1)},
      {"a session with a root", Byte(kHasRoot) + SessionHead().substr(1)},
      {"a root without a ref",
       Byte(kPutEntry | kCreates | kHasRoot) + entry + life + Varint(3)},
      {"a root of id 0", Byte(kPutEntry | kCreates | kHasRef | kHasRoot) +
                             entry + life + Varint(3) + Varint(4) + life +
                             Varint(0)},
  };
  for (const Case& c : cases) {
    EXPECT_FALSE(Decodes(c.bytes, Seq(c.seq))) << c.what;
  }
}

// Meta is any bytes.
TEST(MalformedMutationTest, MetaNeedNotBeText) {
  EXPECT_TRUE(Decodes(EntryOf("t", "k", "\xff\xc0"), Seq(10)));
}

TEST(MalformedMutationTest, NoPrefixOfAValidOneIsValid) {
  SessionContent moved;
  moved.session = {UINT64_MAX, 1};
  moved.epoch = UINT64_MAX;
  moved.resume = 128;
  moved.grace_ms = 600000;
  moved.state = SessionState::kMoved;
  moved.moved_life = {3, UINT64_MAX};
  moved.moved_seq = Seq(1 << 20);
  const std::string meta(200, 'm');
  EntryContent entry{ElementId(1),
                     "room:\xc3\xa9",
                     "user:7",
                     meta,
                     {8, ElementId(300), Seq(400)}};
  const Seq seq(1000);
  std::vector<std::string> valid(4);
  EncodePutSession(seq, ElementId(1), moved, valid[0]);
  EncodePutEntry(seq, ElementId(700), entry, valid[1]);
  EncodeRemove(Kind::kRemoveEntry, seq, ElementId(1), valid[2]);
  EncodeRemove(Kind::kRemoveSession, seq, ElementId(1), valid[3]);
  for (const std::string& bytes : valid) {
    ASSERT_TRUE(Decodes(bytes, seq));
    for (size_t size = 0; size < bytes.size(); ++size) {
      // On the heap and exactly that long: a read beyond it would be seen.
      std::vector<char> cut(bytes.begin(), bytes.begin() + size);
      EXPECT_FALSE(Decodes({cut.data(), cut.size()}, seq))
          << size << " of " << bytes.size();
    }
  }
}

TEST(MalformedMutationTest, NoChangedByteIsReadOutOfBoundsOrAcceptedWrongly) {
  std::string good;
  EntryContent entry{
      ElementId(1), "room", "user", "meta", {8, ElementId(300), Seq(400)}};
  EncodePutEntry(Seq(1000), ElementId(700), entry, good);
  for (size_t at = 0; at < good.size(); ++at) {
    for (int value = 0; value < 256; ++value) {
      std::string bad = good;
      bad[at] = static_cast<char>(value);
      absl::string_view rest = bad;
      Mutation out;
      if (!DecodeMutation(rest, Seq(1000), out)) continue;
      // What is accepted is exactly what its own encoding says.
      std::string again;
      switch (out.kind) {
        case Kind::kPutSession:
          EncodePutSession(out.seq, out.id, out.session, again);
          break;
        case Kind::kPutEntry:
          EncodePutEntry(out.seq, out.id, out.entry, again);
          break;
        case Kind::kRemoveSession:
        case Kind::kRemoveEntry:
          EncodeRemove(out.kind, out.seq, out.id, again);
          break;
      }
      ASSERT_EQ(again, bad.substr(0, bad.size() - rest.size()));
    }
  }
}

}  // namespace
}  // namespace muster::crdt
