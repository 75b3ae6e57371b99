// Text for people: aligned columns, numbers and times in a few characters,
// foreign bytes that cannot harm a terminal.
#ifndef MUSTER_NODE_CLI_TEXT_H_
#define MUSTER_NODE_CLI_TEXT_H_

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace muster::cli {

// Columns as wide as their widest cell, two spaces apart, the last one not
// padded. Cells are made harmless by Printable.
class TextTable {
 public:
  enum class Align { kLeft, kRight };
  explicit TextTable(std::vector<Align> columns);

  void AddRow(std::vector<std::string> cells);
  void Print(std::ostream& out) const;

 private:
  std::vector<Align> columns_;
  std::vector<std::vector<std::string>> rows_;
};

// UTF-8 stays as it is; control characters and everything else becomes \xNN.
std::string Printable(absl::string_view text);

// Columns that `text`, which is printable, takes: one for each code point.
size_t DisplayWidth(absl::string_view text);

// The first `width` columns.
std::string Clip(absl::string_view text, size_t width);

// 950 ms, 12.3 s, 4 min 10 s, 3 h 20 min, 5 d 4 h.
std::string ShortTime(uint64_t ms);

// 512 B, 3.4 KiB, 1.2 GiB.
std::string ShortBytes(uint64_t bytes);

}  // namespace muster::cli

#endif  // MUSTER_NODE_CLI_TEXT_H_
