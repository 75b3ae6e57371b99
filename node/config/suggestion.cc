#include "node/config/suggestion.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace muster {
namespace {

constexpr size_t kMostChanges = 3;
constexpr size_t kLeastPrefix = 3;

size_t Distance(absl::string_view a, absl::string_view b) {
  // rows[i][j]: from the first i letters of a to the first j of b.
  std::vector<std::vector<size_t>> rows(a.size() + 1,
                                        std::vector<size_t>(b.size() + 1));
  for (size_t j = 0; j <= b.size(); ++j) rows[0][j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    rows[i][0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
      rows[i][j] = std::min({rows[i - 1][j - 1] + change, rows[i - 1][j] + 1,
                             rows[i][j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        rows[i][j] = std::min(rows[i][j], rows[i - 2][j - 2] + 1);
      }
    }
  }
  return rows[a.size()][b.size()];
}

const std::string* Nearest(absl::string_view written,
                           const std::vector<std::string>& candidates) {
  const std::string* nearest = nullptr;
  size_t best = std::min(kMostChanges, written.size() / 2) + 1;
  for (const std::string& candidate : candidates) {
    // A word of another length is at least as far as the lengths are apart.
    if (candidate.size() >= written.size() + best) continue;
    if (written.size() >= candidate.size() + best) continue;
    const size_t distance = Distance(written, candidate);
    if (distance >= best) continue;
    best = distance;
    nearest = &candidate;
  }
  return nearest;
}

const std::string* ShortestThatBeginsWith(
    absl::string_view written, const std::vector<std::string>& candidates) {
  if (written.size() < kLeastPrefix) return nullptr;
  const std::string* shortest = nullptr;
  for (const std::string& candidate : candidates) {
    if (!absl::StartsWith(candidate, written)) continue;
    if (shortest != nullptr && shortest->size() <= candidate.size()) continue;
    shortest = &candidate;
  }
  return shortest;
}

}  // namespace

std::string Suggestion(absl::string_view written,
                       const std::vector<std::string>& candidates) {
  const std::string* meant = Nearest(written, candidates);
  if (meant == nullptr) meant = ShortestThatBeginsWith(written, candidates);
  return meant == nullptr ? "" : absl::StrCat("; did you mean ", *meant, "?");
}

}  // namespace muster
