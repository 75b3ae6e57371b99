// What a watch is about, in a form that compares: watches of equal scope share
// a channel, and with it every batch of changes.
//
// The state of a scope has an order: by *name*, byte order, then by stamp. A
// name is a topic, or in a watch of keys a key, whose entries are in the order
// of their topics, then stamps. A StateCursor is a place in
// that order:
//
//   cursor {"room:b", 17}   covers all of room:a, and of room:b what has a
//                           stamp of 17 or less
//
// A change of an entry that is covered follows as a diff; any other will be
// read with a later slice of the state, or not at all if the entry has left.
// Where only keys are told of, a topic is covered from the first of its stamps
// on: what is said of a key is the whole number of its entries, so that it does
// no harm to say it before the state does, and again.
#ifndef MUSTER_NODE_CORE_WATCH_WATCH_SCOPE_H_
#define MUSTER_NODE_CORE_WATCH_WATCH_SCOPE_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "node/core/client.h"
#include "node/core/watch/change_ring.h"

namespace muster::core {

struct WatchScope {
  enum class Kind : uint8_t { kTopics, kPrefix, kKeys };

  Kind kind = Kind::kTopics;
  WatchDetail detail = WatchDetail::kEntries;
  bool counts_only = false;
  // Of counts; zero otherwise.
  absl::Duration interval;
  // Topics or keys, ascending, each once; or the one prefix.
  std::vector<std::string> names;

  bool operator==(const WatchScope&) const = default;
  template <typename H>
  friend H AbslHashValue(H h, const WatchScope& scope) {
    return H::combine(std::move(h), scope.kind, scope.detail, scope.counts_only,
                      scope.interval, scope.names);
  }

  // INVALID_ARGUMENT unless exactly one kind of scope is named. A counts
  // interval of zero becomes one second.
  // O(names), and a sort unless they come sorted.
  static absl::StatusOr<WatchScope> From(WatchRequest request);

  bool TellsEntries() const { return detail != WatchDetail::kKeys; }
  bool TellsKeys() const { return detail != WatchDetail::kEntries; }

  bool Contains(absl::string_view topic, absl::string_view key) const;
  // The name under which an entry stands in the state.
  absl::string_view NameOf(absl::string_view topic,
                           absl::string_view key) const {
    return kind == Kind::kKeys ? key : topic;
  }
  // Memory held.
  size_t bytes() const;
};

struct StateCursor {
  std::string name;    // Empty: before everything.
  bool whole = false;  // All of the name is covered.
  std::string topic;   // In a watch of keys: the topic, of the key.
  uint64_t stamp = 0;

  bool operator==(const StateCursor&) const = default;
  bool Covers(const WatchScope& scope, const Change& change) const {
    const int order = scope.NameOf(change.topic, change.key).compare(name);
    if (order != 0 || whole) return order <= 0;
    if (scope.kind == WatchScope::Kind::kKeys) {
      const int topics = change.topic.compare(topic);
      if (topics != 0) return topics < 0;
    }
    return !scope.TellsEntries() || change.stamp <= stamp;
  }
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_WATCH_WATCH_SCOPE_H_
