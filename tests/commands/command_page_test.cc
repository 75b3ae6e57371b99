#include "node/commands/command_page.h"

#include <fstream>
#include <sstream>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "node/commands/command.h"

namespace muster::commands {
namespace {

TEST(CommandPageTest, TheCommittedPageIsTheOneThatTheTableMakes) {
  std::ifstream in(MUSTER_SOURCE_DIR "/docs/commands.md");
  std::ostringstream committed;
  committed << in.rdbuf();
  EXPECT_EQ(committed.str(), CommandPage())
      << "run: muster command-doc > docs/commands.md";
}

TEST(CommandPageTest, EveryCommandHasALine) {
  const std::string page = CommandPage();
  for (const Command* command : AllCommands()) {
    EXPECT_THAT(page, testing::HasSubstr(absl::StrCat(
                          "| `", absl::AsciiStrToUpper(command->name), "` |")));
  }
}

}  // namespace
}  // namespace muster::commands
