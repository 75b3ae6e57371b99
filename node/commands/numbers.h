// Numbers as Redis reads and writes them.
//
// Integers are kv::ParseInteger's: int64, no sign but "-", no leading zero.
// Floats are what strtod takes as a whole ("1e3", "0x10", "inf", never "nan"),
// without a leading space. INCRBYFLOAT and HINCRBYFLOAT count in long double
// and write at most 17 digits after the point, without trailing zeros.
#ifndef MUSTER_NODE_COMMANDS_NUMBERS_H_
#define MUSTER_NODE_COMMANDS_NUMBERS_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace muster::commands {

std::optional<double> ParseDouble(absl::string_view text);
std::optional<long double> ParseLongDouble(absl::string_view text);
std::string LongDoubleText(long double value);

// Nothing: the sum is no int64.
std::optional<int64_t> Sum(int64_t a, int64_t b);

// A range of ranks as LRANGE, LTRIM and ZRANGE take it: negative ones count
// from the end, both ends are included and clamped.
struct RankRange {
  uint64_t first = 0;
  uint64_t count = 0;  // 0: the range is empty.
};
RankRange ClampRanks(int64_t start, int64_t stop, uint64_t size);

}  // namespace muster::commands

#endif  // MUSTER_NODE_COMMANDS_NUMBERS_H_
