#include "node/commands/numbers.h"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>

namespace muster::commands {
namespace {

// Redis holds the text of a long double in so many bytes.
constexpr size_t kMaxFloatChars = 5 * 1024;

template <typename T>
std::optional<T> ParseFloat(absl::string_view text,
                            T (*parse)(const char*, char**)) {
  if (text.empty() || text.size() >= kMaxFloatChars ||
      std::isspace(static_cast<unsigned char>(text.front())) != 0) {
    return std::nullopt;
  }
  const std::string copy(text);
  char* end = nullptr;
  errno = 0;
  const T value = parse(copy.c_str(), &end);
  const bool out_of_range =
      errno == ERANGE && (std::isinf(value) || value == T{0});
  if (end != copy.c_str() + copy.size() || out_of_range || std::isnan(value)) {
    return std::nullopt;
  }
  return value;
}

}  // namespace

std::optional<double> ParseDouble(absl::string_view text) {
  return ParseFloat<double>(text, std::strtod);
}

std::optional<long double> ParseLongDouble(absl::string_view text) {
  return ParseFloat<long double>(text, std::strtold);
}

std::string LongDoubleText(long double value) {
  char buffer[kMaxFloatChars];
  const int size = std::snprintf(buffer, sizeof(buffer), "%.17Lf", value);
  absl::string_view text(buffer, static_cast<size_t>(size));
  while (text.back() == '0') text.remove_suffix(1);
  if (text.back() == '.') text.remove_suffix(1);
  return text == "-0" ? "0" : std::string(text);
}

std::optional<int64_t> Sum(int64_t a, int64_t b) {
  int64_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) return std::nullopt;
  return sum;
}

RankRange ClampRanks(int64_t start, int64_t stop, uint64_t size) {
  const auto n = static_cast<int64_t>(size);
  if (start < 0) start = std::max<int64_t>(start + n, 0);
  if (stop < 0) stop += n;
  stop = std::min(stop, n - 1);
  if (start > stop || start >= n) return {};
  return {static_cast<uint64_t>(start),
          static_cast<uint64_t>(stop - start + 1)};
}

}  // namespace muster::commands
