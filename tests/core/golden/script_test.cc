// The runner of golden scripts by itself: that it can fail, above all.
#include "tests/core/golden/script.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace muster::core {
namespace {

// Says what it is told, each word on a line of its own.
class Echo final : public ScriptWorld {
 public:
  void Do(const std::vector<std::string>& words,
          std::vector<std::string>& lines) override {
    lines.insert(lines.end(), words.begin(), words.end());
  }
};

std::string Rewritten(const std::string& script) {
  Echo echo;
  return RunScript(script, echo);
}

TEST(GoldenScriptTest, ARightScriptStaysAsItIs) {
  const std::string script =
      "# Two.\na b\nc\n----\na\nb\nc\n\n# One.\nd\n----\nd\n";
  EXPECT_EQ(Rewritten(script), script);
}

TEST(GoldenScriptTest, AnOutputThatDiffersIsWrittenAnew) {
  EXPECT_EQ(Rewritten("a\n----\nwrong\nlines\n\nb\n----\n"),
            "a\n----\na\n\nb\n----\nb\n");
}

TEST(GoldenScriptTest, AnOutputWithoutADividerIsNotLost) {
  EXPECT_NE(Rewritten("a\n"), "a\n");
}

TEST(GoldenScriptTest, TheDiffNamesTheFirstLineAndWhatChanged) {
  EXPECT_EQ(LineDiff("a\nb\nc", "a\nx\nc\nd"), "line 2:\n-b\n+x\n+d\n");
  EXPECT_EQ(LineDiff("a\nb", "a\nb"), "");
}

}  // namespace
}  // namespace muster::core
