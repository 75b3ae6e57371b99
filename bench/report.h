// What a benchmark found, as one table for people and one JSON object for
// programs: for each measure and number of things the median of the runs,
// with its goal.
#ifndef MUSTER_BENCH_REPORT_H_
#define MUSTER_BENCH_REPORT_H_

#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/strings/string_view.h"

namespace muster::bench {

struct Goal {
  enum class Kind { kNone, kAtLeast, kAtMost };
  Kind kind = Kind::kNone;
  double value = 0;

  static Goal AtLeast(double value) { return {Kind::kAtLeast, value}; }
  static Goal AtMost(double value) { return {Kind::kAtMost, value}; }
  bool Met(double measured) const;
};

struct Measure {
  std::string id;    // For programs: `tracked_per_second`.
  std::string text;  // For people.
  std::string unit;  // "ms", "B", "MiB", "/s", "us" or "".
};

class Report {
 public:
  // `name` is that of the benchmark; `commit` what was measured; `things` what
  // there are as many of as a column says.
  Report(std::string name, std::string commit, std::string things = "entries");

  // Rows are shown in the order in which they were first added. `count` of
  // the things is the column.
  void Add(const Measure& measure, size_t count, double value, Goal goal);

  // The machine, the commit and the table.
  std::string Table() const;
  // One line.
  std::string Json() const;

 private:
  struct Cell {
    std::vector<double> runs;
    Goal goal;
  };
  struct Row {
    Measure measure;
    absl::btree_map<size_t, Cell> cells;
  };

  const std::string name_;
  const std::string commit_;
  const std::string things_;
  std::vector<Row> rows_;
};

}  // namespace muster::bench

#endif  // MUSTER_BENCH_REPORT_H_
