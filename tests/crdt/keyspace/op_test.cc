// Mutations of the keyspace as bytes: golden, round trip, malformed.
#include "crdt/keyspace/op.h"

#include <cmath>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "gtest/gtest.h"

namespace muster::kv {
namespace {

Op Make(Op::Kind kind, const KeyName& key) {
  Op op;
  op.kind = kind;
  op.key = key;
  return op;
}

Op Field(absl::string_view field, absl::string_view value) {
  Op op = Make(Op::Kind::kPutField, {3, "h"});
  op.name = {ElementKind::kField, field, {}};
  op.value = value;
  return op;
}

std::string Encoded(std::vector<Op> ops) {
  MutationWriter writer(Stamp(0x0102030405060708));
  for (Op& op : ops) writer.Add(op);
  std::string bytes;
  writer.Finish(bytes);
  return bytes;
}

// One op of every kind, with everything it can have.
std::vector<Op> EveryKind() {
  static const std::string values = [] {
    std::string values;
    AppendValue("v", values);
    AppendValue("", values);
    return values;
  }();
  std::vector<Op> ops;
  const KeyName k{0, "k"};
  ops.push_back(Make(Op::Kind::kPutString, k));
  ops.back().name.kind = ElementKind::kString;
  ops.back().value = "value";
  ops.back().deadline = {1700000000000};
  ops.push_back(Make(Op::Kind::kIncrement, k));
  ops.back().name.kind = ElementKind::kString;
  ops.back().amount = INT64_MIN;
  ops.back().opens = true;
  ops.push_back(Make(Op::Kind::kIncrement, {0, "h"}));
  ops.back().name = {ElementKind::kField, "f", {}};
  ops.back().amount = 300;
  ops.push_back(Field("f", "v"));
  ops.push_back(Field("", ""));
  ops.push_back(Make(Op::Kind::kAddMember, {1, "s"}));
  ops.back().name = {ElementKind::kMember, "m", {}};
  ops.push_back(Make(Op::Kind::kPutScore, {1, "z"}));
  ops.back().name = {ElementKind::kScored, "m", {}};
  ops.back().score = -0.5;
  ops.push_back(Make(Op::Kind::kPush, {1, ""}));
  ops.back().place = "\x80\x01";
  ops.back().front = true;
  ops.back().values = values;
  ops.back().width = 2;
  ops.push_back(Make(Op::Kind::kSetItem, {1, ""}));
  ops.back().name = {ElementKind::kItem, {}, {{1, 2}, Seq(3), 4}};
  ops.back().value = "w";
  for (const ElementKind kind :
       {ElementKind::kField, ElementKind::kMember, ElementKind::kScored}) {
    ops.push_back(Make(Op::Kind::kRemove, {15, "r"}));
    ops.back().name = {kind, "name", {}};
  }
  ops.push_back(Make(Op::Kind::kRemove, {15, "r"}));
  ops.back().name = {ElementKind::kItem, {}, {{1, 2}, Seq(300), 400}};
  ops.push_back(Make(Op::Kind::kSetDeadline, {15, "r"}));
  ops.push_back(Make(Op::Kind::kRemoveKey, {15, "r"}));
  ops.push_back(Make(Op::Kind::kMove, {15, "r"}));
  ops.back().to = {14, "r"};
  ops.back().width = 1000;
  ops.push_back(Make(Op::Kind::kCopy, {15, "r"}));
  ops.back().to = {15, "t"};
  ops.push_back(Make(Op::Kind::kFlush, {7, ""}));
  ops.push_back(Make(Op::Kind::kSettle, {7, "k"}));
  ops.push_back(Make(Op::Kind::kRemoveRange, {7, "z"}));
  ops.back().name = {ElementKind::kScored, "a", {}};
  ops.back().score = -1;
  ops.back().last = {ElementKind::kScored, "", {}};
  ops.back().last_score = INFINITY;
  ops.push_back(Make(Op::Kind::kRemoveRange, {7, "l"}));
  ops.back().name = {ElementKind::kItem, {}, {{1, 2}, Seq(3), 4}};
  ops.back().place = "\x80\x01";
  ops.back().last = {ElementKind::kItem, {}, {{1, 2}, Seq(3), 5}};
  ops.back().last_place = "\x80\x01";
  return ops;
}

void ExpectEqual(const Op& a, const Op& b) {
  EXPECT_EQ(a.kind, b.kind);
  EXPECT_EQ(a.key, b.key);
  EXPECT_EQ(a.opens, b.opens);
  EXPECT_EQ(a.front, b.front);
  EXPECT_EQ(a.name.name, b.name.name);
  EXPECT_EQ(a.name.item, b.name.item);
  EXPECT_EQ(a.value, b.value);
  EXPECT_EQ(a.deadline, b.deadline);
  EXPECT_EQ(a.amount, b.amount);
  EXPECT_EQ(a.score, b.score);
  EXPECT_EQ(a.place, b.place);
  EXPECT_EQ(a.values, b.values);
  EXPECT_EQ(a.last.name, b.last.name);
  EXPECT_EQ(a.last.item, b.last.item);
  EXPECT_EQ(a.last_score, b.last_score);
  EXPECT_EQ(a.last_place, b.last_place);
  EXPECT_EQ(a.to, b.to);
  EXPECT_EQ(a.width, b.width);
}

TEST(OpTest, EveryKindOfOpComesBackAsItWent) {
  const std::vector<Op> ops = EveryKind();
  const std::string bytes = Encoded(ops);
  EXPECT_TRUE(ValidateMutations(bytes, Seq(1), 1));
  absl::string_view rest = bytes;
  MutationReader reader;
  ASSERT_TRUE(reader.Take(rest));
  EXPECT_TRUE(rest.empty());
  EXPECT_EQ(reader.stamp(), Stamp(0x0102030405060708));
  Op op;
  uint32_t index = 0;
  for (const Op& wanted : ops) {
    ASSERT_TRUE(reader.Next(op));
    ExpectEqual(op, wanted);
    EXPECT_EQ(op.index, index);
    index += op.width;
  }
  EXPECT_FALSE(reader.Next(op));
  EXPECT_TRUE(reader.ok());
}

TEST(OpTest, TheBytesAreThoseOfTheFormatPage) {
  Op open = Field("f0", "red");
  open.opens = true;
  const std::string bytes = Encoded({open, Field("f1", "blue")});
  EXPECT_EQ(absl::BytesToHexString(bytes),
            "1c"                // Bytes that follow.
            "0807060504030201"  // Stamp.
            "13030168"          // Put field, opens; database 3, key "h".
            "02663003726564"    // "f0", "red".
            "23"                // Put field, of the same key.
            "02663104626c7565");
}

TEST(OpTest, NoBeginningOfAMutationIsOne) {
  const std::string bytes = Encoded(EveryKind());
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(ValidateMutations(bytes.substr(0, size), Seq(1), 1)) << size;
  }
  EXPECT_FALSE(ValidateMutations(bytes + "x", Seq(1), 1));
}

// A mutation with `op` as its bytes.
bool IsValid(const std::string& op) {
  std::string bytes(1, static_cast<char>(8 + op.size()));
  bytes += std::string(8, '\0') + op;
  return ValidateMutations(bytes, Seq(1), 1);
}

TEST(OpTest, MalformedOpsAreRefused) {
  const auto hex = [](absl::string_view digits) {
    return absl::HexStringToBytes(digits);
  };
  EXPECT_TRUE(IsValid(hex("0a00016b"))) << "remove key k";
  const std::string zero(8, '\0');
  EXPECT_TRUE(
      IsValid(hex("0f00016b04") + zero + hex("0161") + zero + hex("0162")))
      << "remove range";
  const std::string nan = hex("0500017a016d000000000000f87f");
  const std::vector<std::pair<const char*, std::string>> malformed = {
      {"no op at all", ""},
      {"kind 0", hex("0000016b")},
      {"a range of no kind", hex("0f00016b")},
      {"a range of fields", hex("0f00016b020161016201610162")},
      {"a range that ends before it begins",
       hex("0f00016b04") + zero + hex("0162") + zero + hex("0161")},
      {"a range of one",
       hex("0f00016b04") + zero + hex("0161") + zero + hex("0161")},
      {"a range without its end", hex("0f00016b04") + zero + hex("0161")},
      {"an unknown bit", hex("8a00016b")},
      {"database 16", hex("0a10016b")},
      {"the same key, without one before", hex("2a")},
      {"the same key, said again", hex("0a00016b0a00016b")},
      {"a removal that opens", hex("1a00016b")},
      {"a removal at the front", hex("4a00016b")},
      {"a count of a set's member", hex("0200016b03016d02")},
      {"a varint that is not the shortest", hex("0900016b8000")},
      {"a score that is no number", nan},
      {"a push of nothing", hex("0600016c02800100")},
      {"a push to no place", hex("0600016c0110010176")},
      {"a push with a value too few", hex("0600016c028001020176")},
      {"a removal of a string", hex("0800016b01")},
      {"a removal of a kind beyond the last", hex("0800016b06016d")},
      {"a removal of the item nil",
       hex("0800016b05") + std::string(16, '\1') + hex("0000")},
      {"a move to itself", hex("0b00016b00016b01")},
      {"a move of no index", hex("0b00016b00016c00")},
      {"more indexes than there are",
       hex("0b00016b00016cffffffff0f") + hex("2b00016dffffffff0f")},
      {"a flush with a key", hex("0d00016b")},
      {"a key of over 64 KiB", hex("0a0081800400") + std::string(70000, 'k')},
  };
  for (const auto& [what, op] : malformed) EXPECT_FALSE(IsValid(op)) << what;
}

TEST(OpTest, AMutationNeedsASeq) {
  const std::string bytes = Encoded({Field("f", "v")});
  EXPECT_FALSE(ValidateMutations(bytes, Seq(0), 1));
  EXPECT_FALSE(ValidateMutations(bytes, Seq(UINT64_MAX), 1));
  EXPECT_TRUE(ValidateMutations("", Seq(0), 0));
}

TEST(OpTest, TheGrammarSkipsWhatItValidates) {
  const std::string one = Encoded({Field("f", "v")});
  const std::string two = Encoded(EveryKind());
  const std::string bytes = one + two + one;
  const crdt::Grammar& grammar = KeyspaceGrammar();
  EXPECT_TRUE(grammar.valid_run(bytes, Seq(4), 3));
  EXPECT_FALSE(grammar.valid_run(bytes, Seq(4), 2));
  EXPECT_FALSE(grammar.valid_elements("", 0));
  absl::string_view rest = bytes;
  EXPECT_EQ(grammar.skip(rest, 2, crdt::kAnyBytes), 2u);
  EXPECT_EQ(rest, one);
  rest = bytes;
  EXPECT_EQ(grammar.skip(rest, 3, one.size()), 1u);
}

}  // namespace
}  // namespace muster::kv
