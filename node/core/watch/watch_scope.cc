#include "node/core/watch/watch_scope.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"

namespace muster::core {

absl::StatusOr<WatchScope> WatchScope::From(WatchRequest request) {
  const int kinds = static_cast<int>(!request.topics.empty()) +
                    static_cast<int>(!request.prefix.empty()) +
                    static_cast<int>(!request.keys.empty());
  if (kinds != 1) {
    return absl::InvalidArgumentError(
        "a watch names exactly one of topics, prefix and keys");
  }
  WatchScope scope;
  scope.counts_only = request.counts_only;
  if (!request.counts_only) scope.detail = request.detail;
  if (request.counts_only) {
    scope.interval = request.interval > absl::ZeroDuration() ? request.interval
                                                             : absl::Seconds(1);
  }
  if (!request.prefix.empty()) {
    scope.kind = Kind::kPrefix;
    scope.names.push_back(std::move(request.prefix));
    return scope;
  }
  scope.kind = request.topics.empty() ? Kind::kKeys : Kind::kTopics;
  scope.names =
      std::move(request.topics.empty() ? request.keys : request.topics);
  if (!std::is_sorted(scope.names.begin(), scope.names.end())) {
    std::sort(scope.names.begin(), scope.names.end());
  }
  scope.names.erase(std::unique(scope.names.begin(), scope.names.end()),
                    scope.names.end());
  return scope;
}

bool WatchScope::Contains(absl::string_view topic,
                          absl::string_view key) const {
  if (kind == Kind::kPrefix) return absl::StartsWith(topic, names.front());
  const absl::string_view name = NameOf(topic, key);
  const auto at = std::lower_bound(
      names.begin(), names.end(), name,
      [](const std::string& a, absl::string_view b) { return a < b; });
  return at != names.end() && *at == name;
}

size_t WatchScope::bytes() const {
  size_t bytes = names.capacity() * sizeof(std::string);
  for (const std::string& name : names) bytes += name.capacity();
  return bytes;
}

}  // namespace muster::core
