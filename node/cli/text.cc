#include "node/cli/text.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "node/codec/utf8.h"

namespace muster::cli {
namespace {

// Length of the UTF-8 sequence that starts with `c`.
size_t SequenceLength(unsigned char c) {
  if (c < 0x80) return 1;
  if (c < 0xE0) return 2;
  return c < 0xF0 ? 3 : 4;
}

bool IsControl(absl::string_view sequence) {
  const auto first = static_cast<unsigned char>(sequence[0]);
  // C0, DEL, and C1, which is C2 80 to C2 9F.
  return first < 0x20 || first == 0x7F ||
         (first == 0xC2 && static_cast<unsigned char>(sequence[1]) < 0xA0);
}

}  // namespace

TextTable::TextTable(std::vector<Align> columns)
    : columns_(std::move(columns)) {}

void TextTable::AddRow(std::vector<std::string> cells) {
  for (std::string& cell : cells) cell = Printable(cell);
  cells.resize(columns_.size());
  rows_.push_back(std::move(cells));
}

void TextTable::Print(std::ostream& out) const {
  std::vector<size_t> widths(columns_.size(), 0);
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], DisplayWidth(row[i]));
    }
  }
  for (const auto& row : rows_) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      if (i > 0) line.append("  ");
      const std::string padding(widths[i] - DisplayWidth(row[i]), ' ');
      if (columns_[i] == Align::kRight) line.append(padding);
      line.append(row[i]);
      if (columns_[i] == Align::kLeft) line.append(padding);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out << line << '\n';
  }
}

std::string Printable(absl::string_view text) {
  std::string out;
  size_t i = 0;
  while (i < text.size()) {
    const size_t length = std::min(
        SequenceLength(static_cast<unsigned char>(text[i])), text.size() - i);
    const absl::string_view sequence = text.substr(i, length);
    if (codec::IsUtf8(sequence) && !IsControl(sequence)) {
      out.append(sequence.data(), sequence.size());
      i += length;
    } else {
      absl::StrAppendFormat(&out, "\\x%02x",
                            static_cast<unsigned char>(text[i]));
      ++i;
    }
  }
  return out;
}

size_t DisplayWidth(absl::string_view text) {
  return std::count_if(text.begin(), text.end(),
                       [](unsigned char c) { return (c & 0xC0) != 0x80; });
}

std::string Clip(absl::string_view text, size_t width) {
  size_t i = 0;
  for (size_t columns = 0; i < text.size() && columns < width; ++columns) {
    i += SequenceLength(static_cast<unsigned char>(text[i]));
  }
  return std::string(text.substr(0, i));
}

std::string ShortTime(uint64_t ms) {
  const uint64_t seconds = ms / 1000;
  if (seconds == 0) return absl::StrCat(ms, " ms");
  if (seconds < 60) return absl::StrFormat("%.1f s", ms / 1000.0);
  const uint64_t minutes = seconds / 60;
  if (minutes < 60) return absl::StrCat(minutes, " min ", seconds % 60, " s");
  const uint64_t hours = minutes / 60;
  if (hours < 24) return absl::StrCat(hours, " h ", minutes % 60, " min");
  return absl::StrCat(hours / 24, " d ", hours % 24, " h");
}

std::string ShortBytes(uint64_t bytes) {
  constexpr const char* kUnits[] = {"KiB", "MiB", "GiB", "TiB"};
  if (bytes < 1024) return absl::StrCat(bytes, " B");
  double value = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  while (value >= 1024 && unit < 3) {
    value /= 1024;
    ++unit;
  }
  return absl::StrFormat("%.1f %s", value, kUnits[unit]);
}

}  // namespace muster::cli
