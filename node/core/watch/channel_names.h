// The channels by their scope, and how their names enter and leave the index of
// topics, prefixes and keys: in slices, since a scope may have very many.
//
//   scope "a".."z":  in the index | not yet          made: the first ones enter
//   gone:            leaving, the last name first
//
// Invariants:
//   1. There is one channel of a scope, and it has a number of its own.
//   2. The first `registered` names of a channel are in the index, no others.
// Cost: At O(scope) to hash it; Register and Unregister a name each O(log n).
// Threads: one.
#ifndef MUSTER_NODE_CORE_WATCH_CHANNEL_NAMES_H_
#define MUSTER_NODE_CORE_WATCH_CHANNEL_NAMES_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>

#include "absl/container/btree_map.h"
#include "node/core/watch/watch_channel.h"
#include "node/core/watch/watch_index.h"
#include "node/core/watch/watch_scope.h"

namespace muster::core {

class ChannelNames {
 public:
  // `index` outlives this.
  explicit ChannelNames(WatchIndex& index) : index_(index) {}
  ChannelNames(const ChannelNames&) = delete;
  ChannelNames& operator=(const ChannelNames&) = delete;

  // The channel of a scope; null: none.
  WatchChannel* Find(const WatchScope& scope) const;
  // REQUIRES: Find finds none. None of its names is in the index.
  WatchChannel* Add(WatchScope scope);
  // Its names leave, in slices; it is not found any more.
  void Drop(WatchChannel* channel);

  // Up to `names` names of it enter the index.
  void Register(WatchChannel& channel, size_t names);
  // Up to `names` names of channels that are gone leave it.
  void Unregister(size_t names);
  bool leaving() const { return !leaving_.empty(); }

  size_t size() const { return channels_.size(); }
  // Memory held.
  size_t bytes() const {
    return (channels_.size() + leaving_.size()) * sizeof(WatchChannel) +
           scope_bytes_;
  }

 private:
  WatchIndex& index_;
  uint64_t next_channel_ = 1;
  // By the hash of their scope.
  absl::btree_multimap<size_t, std::unique_ptr<WatchChannel>> channels_;
  std::deque<std::unique_ptr<WatchChannel>> leaving_;  // Gone.
  size_t scope_bytes_ = 0;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_WATCH_CHANNEL_NAMES_H_
