#include "crdt/grammar.h"

#include <string>

#include "crdt/log.h"
#include "crdt/mutation.h"
#include "gtest/gtest.h"

namespace muster::crdt {
namespace {

// A toy kind: a mutation is a digit and as many letters.
void SkipToy(absl::string_view& bytes) {
  bytes.remove_prefix(1 + static_cast<size_t>(bytes[0] - '0'));
}
constexpr Grammar kToy = {&SkipRun<&SkipToy>, nullptr, nullptr};

TEST(GrammarTest, OnlyKindsThatCanBeReadHaveOne) {
  EXPECT_EQ(GrammarOf(StreamKind::kPresence), &PresenceGrammar());
  EXPECT_EQ(GrammarOf(StreamKind::kKeyValue), nullptr);
  EXPECT_EQ(GrammarOf(static_cast<StreamKind>(200)), nullptr);
}

TEST(GrammarTest, SkipTakesAtMostSoMany) {
  absl::string_view bytes = "1a2bb03ccc";
  EXPECT_EQ(kToy.skip(bytes, 0, kAnyBytes), 0u);
  EXPECT_EQ(kToy.skip(bytes, 2, kAnyBytes), 2u);
  EXPECT_EQ(bytes, "03ccc");
  EXPECT_EQ(kToy.skip(bytes, 2, kAnyBytes), 2u);
  EXPECT_EQ(bytes, "");
}

TEST(GrammarTest, SkipTakesWhatFitsAndAlwaysTheFirst) {
  absl::string_view bytes = "1a2bb03ccc";
  EXPECT_EQ(kToy.skip(bytes, 4, 5), 2u) << "two and three bytes";
  EXPECT_EQ(bytes, "03ccc");
  bytes = "3ccc1a";
  EXPECT_EQ(kToy.skip(bytes, 2, 1), 1u) << "larger than may be, but the first";
  EXPECT_EQ(bytes, "1a");
}

TEST(GrammarTest, TheLogReadsMutationsOfAnyGrammar) {
  MutationLog log(kToy, 1 << 20);
  log.Reset(0, Seq(0));
  log.Append(0, "1a2bb03ccc", 4);
  MutationLog::Cursor cursor{Seq(1)};
  auto run = log.Read(0, cursor, 4);
  ASSERT_TRUE(run.has_value());
  EXPECT_EQ(run->bytes, "2bb0");
  EXPECT_EQ(run->count, 2u);
  run = log.Read(0, cursor, 4);
  ASSERT_TRUE(run.has_value());
  EXPECT_EQ(run->bytes, "3ccc");
  EXPECT_FALSE(log.Read(0, cursor, 4).has_value());
}

TEST(GrammarTest, ThatOfPresenceSkipsWhatItHoldsForValid) {
  std::string bytes;
  EncodePutSession(Seq(1), ElementId(1), {}, bytes);
  EncodePutEntry(Seq(2), ElementId(2), {ElementId(1), "t", "k", "m"}, bytes);
  EncodeRemove(Mutation::Kind::kRemoveEntry, Seq(3), ElementId(2), bytes);
  const Grammar& grammar = PresenceGrammar();
  EXPECT_TRUE(grammar.valid_run(bytes, Seq(1), 3));
  EXPECT_FALSE(grammar.valid_run(bytes, Seq(1), 2));
  absl::string_view rest = bytes;
  EXPECT_EQ(grammar.skip(rest, 3, kAnyBytes), 3u);
  EXPECT_EQ(rest, "");
}

}  // namespace
}  // namespace muster::crdt
