#include "bench/report.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "bench/base.h"

namespace muster::bench {
namespace {

std::string WithCommas(double value) {
  const std::string digits = absl::StrFormat("%.0f", value);
  std::string out;
  for (size_t i = 0; i < digits.size(); ++i) {
    const size_t left = digits.size() - i;
    if (i > 0 && left % 3 == 0 && digits[i - 1] != '-') out.push_back(',');
    out.push_back(digits[i]);
  }
  return out;
}

// As a JSON string. What is quoted here is printable.
std::string Quoted(absl::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  return out + "\"";
}

std::string Show(double value, const std::string& unit) {
  if (unit == "ms" || unit == "us" || unit == "MiB") {
    return absl::StrFormat("%.*f %s",
                           value < 10    ? 2
                           : value < 100 ? 1
                                         : 0,
                           value, unit);
  }
  if (unit.empty()) return WithCommas(value);
  return absl::StrCat(WithCommas(value), unit == "/s" ? "" : " ", unit);
}

std::string ShowGoal(const Goal& goal, const std::string& unit) {
  switch (goal.kind) {
    case Goal::Kind::kNone:
      return "";
    case Goal::Kind::kAtLeast:
      return absl::StrCat(">= ", Show(goal.value, unit));
    case Goal::Kind::kAtMost:
      return absl::StrCat("<= ", Show(goal.value, unit));
  }
  return "";
}

std::string Processor() {
  std::ifstream file("/proc/cpuinfo");
  std::string line;
  while (std::getline(file, line)) {
    if (!absl::StartsWith(line, "model name")) continue;
    const std::vector<std::string> parts = absl::StrSplit(line, ": ");
    return parts.back();
  }
  return "unknown processor";
}

std::string Machine() {
  utsname system;
  uname(&system);
  const double gib = static_cast<double>(sysconf(_SC_PHYS_PAGES)) *
                     sysconf(_SC_PAGESIZE) / (1 << 30);
  return absl::StrFormat("%s, %d cores, %.0f GiB, %s %s", Processor(),
                         sysconf(_SC_NPROCESSORS_ONLN), gib, system.sysname,
                         system.release);
}

std::string Padded(const std::vector<std::vector<std::string>>& table) {
  std::vector<size_t> widths(table[0].size(), 0);
  for (const auto& line : table) {
    for (size_t c = 0; c < line.size(); ++c) {
      widths[c] = std::max(widths[c], line[c].size());
    }
  }
  std::string out;
  for (const auto& line : table) {
    std::string text;
    for (size_t c = 0; c < line.size(); ++c) {
      const int width = static_cast<int>(widths[c]);
      absl::StrAppendFormat(&text, "%*s  ", c == 0 ? -width : width, line[c]);
    }
    absl::StrAppend(&out, absl::StripTrailingAsciiWhitespace(text), "\n");
  }
  return out;
}

}  // namespace

bool Goal::Met(double measured) const {
  switch (kind) {
    case Kind::kNone:
      return true;
    case Kind::kAtLeast:
      return measured >= value;
    case Kind::kAtMost:
      return measured <= value;
  }
  return false;
}

Report::Report(std::string name, std::string commit, std::string things)
    : name_(std::move(name)),
      commit_(std::move(commit)),
      things_(std::move(things)) {}

void Report::Add(const Measure& measure, size_t count, double value,
                 Goal goal) {
  auto row = std::find_if(rows_.begin(), rows_.end(), [&](const Row& r) {
    return r.measure.id == measure.id;
  });
  if (row == rows_.end()) row = rows_.insert(row, Row{measure, {}});
  Cell& cell = row->cells[count];
  cell.runs.push_back(value);
  cell.goal = goal;
}

std::string Report::Table() const {
  std::set<size_t> columns;
  for (const Row& row : rows_) {
    for (const auto& [count, cell] : row.cells) columns.insert(count);
  }
  std::vector<std::vector<std::string>> table(1, {name_});
  for (size_t count : columns) {
    table[0].push_back(absl::StrCat(WithCommas(count), " ", things_));
    table[0].push_back("ours must");
    table[0].push_back("");
  }
  for (const Row& row : rows_) {
    std::vector<std::string>& line = table.emplace_back();
    line.push_back(row.measure.text);
    for (size_t count : columns) {
      const auto cell = row.cells.find(count);
      if (cell == row.cells.end()) {
        line.insert(line.end(), 3, "");
        continue;
      }
      const double median = Median(cell->second.runs);
      const Goal& goal = cell->second.goal;
      line.push_back(Show(median, row.measure.unit));
      line.push_back(ShowGoal(goal, row.measure.unit));
      line.push_back(goal.kind == Goal::Kind::kNone ? ""
                     : goal.Met(median)             ? "ok"
                                                    : "MISSED");
    }
  }
  return absl::StrCat("machine: ", Machine(), "\ncommit: ", commit_, "\n",
                      Padded(table));
}

std::string Report::Json() const {
  std::vector<std::string> rows;
  for (const Row& row : rows_) {
    for (const auto& [count, cell] : row.cells) {
      const double median = Median(cell.runs);
      std::string out = absl::StrFormat(
          R"({"measure":%s,%s:%d,"unit":%s,"median":%.10g,"runs":[%s])",
          Quoted(row.measure.id), Quoted(things_), count,
          Quoted(row.measure.unit), median,
          absl::StrJoin(cell.runs, ",", [](std::string* to, double run) {
            absl::StrAppendFormat(to, "%.10g", run);
          }));
      if (cell.goal.kind != Goal::Kind::kNone) {
        const bool least = cell.goal.kind == Goal::Kind::kAtLeast;
        absl::StrAppendFormat(&out, R"(,"%s":%.10g,"met":%s)",
                              least ? "at_least" : "at_most", cell.goal.value,
                              cell.goal.Met(median) ? "true" : "false");
      }
      rows.push_back(out + "}");
    }
  }
  return absl::StrFormat(
      R"({"benchmark":%s,"commit":%s,"machine":%s,"rows":[%s]})", Quoted(name_),
      Quoted(commit_), Quoted(Machine()), absl::StrJoin(rows, ","));
}

}  // namespace muster::bench
