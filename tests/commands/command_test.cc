#include "node/commands/command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"

namespace muster::commands {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<size_t> Keys(std::vector<absl::string_view> argv) {
  std::vector<size_t> keys;
  VisitKeys(*FindCommand(argv[0]), argv, [&](size_t i) { keys.push_back(i); });
  return keys;
}

TEST(CommandTableTest, NamesAreFoundWhateverTheirCase) {
  ASSERT_NE(FindCommand("get"), nullptr);
  EXPECT_EQ(FindCommand("GeT"), FindCommand("get"));
  EXPECT_EQ(FindCommand("get "), nullptr);
  EXPECT_EQ(FindCommand(""), nullptr);
  EXPECT_EQ(FindCommand(std::string(1000, 'g')), nullptr);
}

TEST(CommandTableTest, EveryLineIsWhole) {
  std::set<absl::string_view> names;
  for (const Command* command : AllCommands()) {
    SCOPED_TRACE(std::string(command->name));
    EXPECT_TRUE(names.insert(command->name).second);
    EXPECT_EQ(absl::AsciiStrToLower(command->name), command->name);
    EXPECT_EQ(FindCommand(command->name), command);
    EXPECT_NE(command->arity, 0);
    EXPECT_NE(command->handler, nullptr);
    EXPECT_TRUE(absl::EndsWith(command->summary, "."));
    EXPECT_FALSE(NameOf(command->family).empty());
  }
}

TEST(CommandTableTest, EveryCommandReadsOrWritesOrNeedsNoKeys) {
  for (const Command* command : AllCommands()) {
    SCOPED_TRACE(std::string(command->name));
    EXPECT_EQ(
        command->Has(kWrite) + command->Has(kReadOnly) + command->Has(kAlways),
        1);
    if (command->Has(kDenyOom | kBlocking)) {
      EXPECT_TRUE(command->Has(kWrite));
    }
    const bool has_keys = command->keys.first != 0;
    EXPECT_EQ(has_keys, command->keys.step != 0);
    EXPECT_FALSE(has_keys && command->Has(kAlways));
  }
}

TEST(CommandTableTest, ArityCountsTheName) {
  EXPECT_TRUE(FindCommand("get")->Takes(2));
  EXPECT_FALSE(FindCommand("get")->Takes(1));
  EXPECT_FALSE(FindCommand("get")->Takes(3));
  EXPECT_FALSE(FindCommand("set")->Takes(2));
  EXPECT_TRUE(FindCommand("set")->Takes(3));
  EXPECT_TRUE(FindCommand("set")->Takes(9));
}

TEST(CommandTableTest, KeysAreWhereTheLineSays) {
  EXPECT_THAT(Keys({"ping"}), IsEmpty());
  EXPECT_THAT(Keys({"keys", "*"}), IsEmpty());
  EXPECT_THAT(Keys({"get", "a"}), ElementsAre(1));
  EXPECT_THAT(Keys({"del", "a", "b", "c"}), ElementsAre(1, 2, 3));
  EXPECT_THAT(Keys({"mset", "a", "1", "b", "2"}), ElementsAre(1, 3));
  EXPECT_THAT(Keys({"blpop", "a", "b", "0"}), ElementsAre(1, 2));
  EXPECT_THAT(Keys({"lmove", "a", "b", "left", "left"}), ElementsAre(1, 2));
  EXPECT_THAT(Keys({"hset", "a", "f", "v"}), ElementsAre(1));
}

}  // namespace
}  // namespace muster::commands
