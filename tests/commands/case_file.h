// Cases of commands and their answers, as redis-cli prints them.
// cases/README.md says how they are written.
#ifndef MUSTER_TESTS_COMMANDS_CASE_FILE_H_
#define MUSTER_TESTS_COMMANDS_CASE_FILE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace muster::commands {

struct Step {
  enum class Match : uint8_t {
    kExact,
    kUnordered,       // ">~": elements in any order
    kUnorderedPairs,  // ">~2": pairs of elements in any order
    kGlob,            // ">*": each line is a glob pattern
  };
  size_t line = 0;
  uint64_t later_ms = 0;  // "@ later": time goes on; no command.
  size_t connection = 0;  // "2>" is connection 1.
  Match match = Match::kExact;
  std::string text;
  std::vector<std::string> args;
  std::vector<std::string> expected;
};

struct Case {
  std::string title;
  size_t line = 0;
  std::vector<Step> steps;
};

absl::StatusOr<std::vector<Case>> ParseCases(absl::string_view text);

// Why `actual` is not what the step expects, or "".
std::string Mismatch(const Step& step, absl::string_view actual);

}  // namespace muster::commands

#endif  // MUSTER_TESTS_COMMANDS_CASE_FILE_H_
