#include "tests/commands/case_file.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "crdt/glob.h"

namespace muster::commands {
namespace {

using Lines = std::vector<std::string>;

// Words apart by spaces; a word in quotes has escapes. False: a quote is open.
bool SplitWords(absl::string_view text, std::vector<std::string>& out) {
  while (true) {
    text = absl::StripLeadingAsciiWhitespace(text);
    if (text.empty()) return true;
    if (text.front() != '"') {
      const size_t end = std::min(text.find(' '), text.size());
      out.emplace_back(text.substr(0, end));
      text.remove_prefix(end);
      continue;
    }
    size_t end = 1;
    while (end < text.size() && text[end] != '"') {
      end += text[end] == '\\' ? 2 : 1;
    }
    if (end >= text.size()) return false;
    if (!absl::CUnescape(text.substr(1, end - 1), &out.emplace_back())) {
      return false;
    }
    text.remove_prefix(end + 1);
  }
}

bool IsCommand(absl::string_view line) {
  absl::ConsumePrefix(&line, "2");
  return absl::StartsWith(line, ">");
}

bool ParseCommand(absl::string_view line, Step& step) {
  step.connection = absl::ConsumePrefix(&line, "2") ? 1 : 0;
  if (!absl::ConsumePrefix(&line, ">")) return false;
  if (absl::ConsumePrefix(&line, "~2")) {
    step.match = Step::Match::kUnorderedPairs;
  } else if (absl::ConsumePrefix(&line, "~")) {
    step.match = Step::Match::kUnordered;
  } else if (absl::ConsumePrefix(&line, "*")) {
    step.match = Step::Match::kGlob;
  }
  step.text = std::string(line);
  return absl::StartsWith(line, " ") && SplitWords(line, step.args) &&
         !step.args.empty();
}

// Less the numbers in front, `1) 2) "a"`.
std::string Leaf(absl::string_view line) {
  while (true) {
    absl::string_view rest = absl::StripLeadingAsciiWhitespace(line);
    size_t digits = 0;
    while (digits < rest.size() &&
           std::isdigit(static_cast<unsigned char>(rest[digits])) != 0) {
      ++digits;
    }
    if (digits == 0) return std::string(rest);
    rest.remove_prefix(digits);
    if (!absl::ConsumePrefix(&rest, ") ")) return std::string(line);
    line = rest;
  }
}

Lines SortedLeaves(const Lines& lines, size_t each) {
  Lines out;
  for (size_t i = 0; i < lines.size(); ++i) {
    if (i % each == 0) {
      out.push_back(Leaf(lines[i]));
    } else {
      absl::StrAppend(&out.back(), " ", Leaf(lines[i]));
    }
  }
  std::sort(out.begin(), out.end());
  return out;
}

bool Matches(const Step& step, const Lines& actual) {
  const Lines& expected = step.expected;
  switch (step.match) {
    case Step::Match::kExact:
      return actual == expected;
    case Step::Match::kUnordered:
      return SortedLeaves(actual, 1) == SortedLeaves(expected, 1);
    case Step::Match::kUnorderedPairs:
      return SortedLeaves(actual, 2) == SortedLeaves(expected, 2);
    case Step::Match::kGlob:
      break;
  }
  return std::equal(expected.begin(), expected.end(), actual.begin(),
                    actual.end(), crdt::GlobMatch);
}

absl::Status At(size_t line, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("line ", line, ": ", why));
}

absl::Status TakeLine(absl::string_view line, size_t number,
                      std::vector<Case>& cases) {
  if (line.empty() || line.front() == '#') return absl::OkStatus();
  if (absl::ConsumePrefix(&line, "== ")) {
    cases.push_back({std::string(line), number, {}});
    return absl::OkStatus();
  }
  if (cases.empty()) return At(number, "no case has begun (== TITLE)");
  std::vector<Step>& steps = cases.back().steps;
  if (absl::ConsumePrefix(&line, "@ later ")) {
    Step& step = steps.emplace_back();
    step.line = number;
    if (!absl::SimpleAtoi(line, &step.later_ms)) {
      return At(number, "no number of milliseconds");
    }
    return absl::OkStatus();
  }
  if (IsCommand(line)) {
    Step& step = steps.emplace_back();
    step.line = number;
    if (!ParseCommand(line, step)) return At(number, "no command");
    return absl::OkStatus();
  }
  if (steps.empty() || steps.back().args.empty()) {
    return At(number, "an answer without its command");
  }
  steps.back().expected.emplace_back(line);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<Case>> ParseCases(absl::string_view text) {
  std::vector<Case> cases;
  size_t number = 0;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    absl::Status taken = TakeLine(line, ++number, cases);
    if (!taken.ok()) return taken;
  }
  for (const Case& one : cases) {
    for (const Step& step : one.steps) {
      if (!step.args.empty() && step.expected.empty()) {
        return At(step.line, "a command without its answer");
      }
    }
  }
  return cases;
}

std::string Mismatch(const Step& step, absl::string_view actual) {
  const Lines lines = absl::StrSplit(actual, '\n');
  if (Matches(step, lines)) return "";
  return absl::StrCat("line ", step.line, ":", step.text, "\n  expected\n",
                      absl::StrJoin(step.expected, "\n"), "\n  actual\n",
                      actual);
}

}  // namespace muster::commands
