#include "tests/core/golden/script.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "tests/sim/frame_text.h"

namespace muster::core {
namespace {

constexpr char kDivider[] = "----";

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

class ScriptTest : public testing::Test {
 public:
  ScriptTest(std::string path, MakeWorld make)
      : path_(std::move(path)), make_(std::move(make)) {}

  void TestBody() override {
    const std::string expected = ReadFile(path_);
    ASSERT_FALSE(expected.empty()) << path_ << " cannot be read";
    const std::unique_ptr<ScriptWorld> world = make_();
    const std::string actual = RunScript(expected, *world);
    if (actual == expected) return;
    if (std::getenv("MUSTER_GOLDEN_REWRITE") != nullptr) {
      std::ofstream(path_, std::ios::binary) << actual;
      return;
    }
    ADD_FAILURE() << path_ << " differs; see script.h on how to rewrite it.\n"
                  << LineDiff(expected, actual);
  }

 private:
  const std::string path_;
  const MakeWorld make_;
};

}  // namespace

std::string RunScript(const std::string& script, ScriptWorld& world) {
  std::vector<std::string> out;
  std::vector<std::string> output;  // Of the commands since the last divider.
  bool skipping = false;            // The outputs of before.
  for (const std::string& line :
       std::vector<std::string>(absl::StrSplit(script, '\n'))) {
    if (skipping) {
      if (!line.empty()) continue;
      skipping = false;
    } else if (line == kDivider) {
      out.push_back(line);
      out.insert(out.end(), output.begin(), output.end());
      output.clear();
      skipping = true;
      continue;
    } else if (!line.empty() && line[0] != '#') {
      world.Do(absl::StrSplit(line, ' ', absl::SkipEmpty()), output);
    }
    out.push_back(line);
  }
  if (!output.empty()) {
    out.emplace_back("# Commands with an output need a divider after them:");
    out.insert(out.end(), output.begin(), output.end());
  }
  return absl::StrJoin(out, "\n");
}

std::string LineDiff(const std::string& expected, const std::string& actual) {
  const std::vector<std::string> a = absl::StrSplit(expected, '\n');
  const std::vector<std::string> b = absl::StrSplit(actual, '\n');
  // length[i][j]: of the longest common part of a from i on and b from j on.
  std::vector<std::vector<int>> length(a.size() + 1,
                                       std::vector<int>(b.size() + 1));
  for (size_t i = a.size(); i-- > 0;) {
    for (size_t j = b.size(); j-- > 0;) {
      length[i][j] = a[i] == b[j]
                         ? length[i + 1][j + 1] + 1
                         : std::max(length[i + 1][j], length[i][j + 1]);
    }
  }
  std::string diff;
  for (size_t i = 0, j = 0; i < a.size() || j < b.size();) {
    if (i < a.size() && j < b.size() && a[i] == b[j]) {
      ++i;
      ++j;
      continue;
    }
    if (diff.empty()) diff = absl::StrCat("line ", i + 1, ":\n");
    const bool gone =
        j == b.size() || (i < a.size() && length[i + 1][j] >= length[i][j + 1]);
    absl::StrAppend(&diff, gone ? "-" : "+", gone ? a[i++] : b[j++], "\n");
  }
  return diff;
}

void RegisterScripts(const std::string& suite, const std::string& folder,
                     const MakeWorld& make) {
  std::vector<std::string> paths;
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    if (file.path().extension() == ".txt") paths.push_back(file.path());
  }
  std::sort(paths.begin(), paths.end());
  if (paths.empty()) std::abort();  // A folder that has moved proves nothing.
  for (const std::string& path : paths) {
    const std::string name = std::filesystem::path(path).stem();
    testing::RegisterTest(
        suite.c_str(), name.c_str(), nullptr, nullptr, path.c_str(), 1,
        [path, make]() -> ScriptTest* { return new ScriptTest(path, make); });
  }
}

// ------------------------------------------------------------------- words

crdt::LifeId LifeOf(const std::string& word) {
  const uint64_t life = std::strtoull(word.c_str(), nullptr, 16);
  return {life << 48, life};
}

std::string LifeWord(const std::string& name) {
  return std::string(4, name.empty() ? '0' : name[0]);
}

absl::Duration TimeOf(const std::string& word) {
  absl::Duration time;
  return absl::ParseDuration(word, &time) ? time : absl::ZeroDuration();
}

uint64_t NumberOf(const std::string& word) {
  uint64_t number = 0;
  return absl::SimpleAtoi(word, &number) ? number : 0;
}

std::string FrameText(const Frame& frame) {
  Output output;
  output.frames.push_back({0, frame});
  return sim::OutputText(output).at(0).substr(std::string("send 0: ").size());
}

}  // namespace muster::core
