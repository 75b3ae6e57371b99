// Which channels a change of what is shown goes to, by its topic and key.
//
// A topic's record in the store has a slot for us: the *links* of the topic
// (the channels that name it, and those whose prefix it has), or that it has
// none. The prefixes of a topic are looked up once and again only after the
// set of prefixes has changed, so that neither many prefixes nor many topics
// cost each change a search.
//
//   slot: none yet | no channel as of generation g | links
//
// Invariants:
//   1. A topic that a channel names is pinned, once for each such channel.
//   2. Links of a topic that no channel names exist only while it has shown
//      entries: the store may drop it as soon as it has none.
// Cost: Collect O(1 + channels), after a change of the prefixes once for each
// topic O(lengths of prefixes); no allocation. Add and Remove: O(log n), and
// Remove O(channels of the name). Bytes: about 80 a topic that has channels,
// none for others. Threads: one.
#ifndef MUSTER_NODE_CORE_WATCH_INDEX_H_
#define MUSTER_NODE_CORE_WATCH_INDEX_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "crdt/presence_store.h"
#include "node/core/watch_scope.h"

namespace muster::core {

struct WatchChannel;

class WatchIndex {
 public:
  explicit WatchIndex(crdt::PresenceStore& store) : store_(store) {}

  // Each name of the scope. REQUIRES: not added yet / added.
  void Add(const WatchScope& scope, WatchChannel* channel);
  void Remove(const WatchScope& scope, WatchChannel* channel);

  // Calls `visit(WatchChannel&)` for each channel that has the entry in its
  // scope: by topic, by prefix, by key, each in the order of their adding
  // (prefixes: the shortest first).
  template <typename Visit>
  void ForEach(crdt::TopicIdx topic, absl::string_view key, Visit visit) {
    if (const TopicLinks* links = LinksOf(topic)) {
      for (WatchChannel* channel : links->by_topic) visit(*channel);
      for (WatchChannel* channel : links->by_prefix) visit(*channel);
    }
    if (by_key_.empty()) return;
    const auto found = by_key_.find(key);
    if (found == by_key_.end()) return;
    for (WatchChannel* channel : found->second) visit(*channel);
  }

  // The topic has no shown entry any more.
  void OnTopicEmpty(crdt::TopicIdx topic);

  // Records held; for tests.
  size_t linked_topics() const { return links_.size() - free_links_.size(); }

 private:
  using Channels = std::vector<WatchChannel*>;
  struct TopicLinks {
    Channels by_topic;
    Channels by_prefix;  // As of `generation`.
    uint32_t generation = 0;
  };

  // A slot is an index into links_, or kNoLinks with the generation as of
  // which there was nothing to link.
  static constexpr uint32_t kNoLinks = 1u << 31;

  const TopicLinks* LinksOf(crdt::TopicIdx topic) {
    const uint32_t slot = store_.topic_record(topic).watch;
    if ((slot & kNoLinks) == 0) {
      if (links_[slot].generation == generation_) return &links_[slot];
    } else if (by_prefix_.empty() || slot == (kNoLinks | generation_)) {
      return nullptr;
    }
    return Resolve(topic);
  }
  const TopicLinks* Resolve(crdt::TopicIdx topic);
  void FindPrefixes(absl::string_view topic, Channels& out) const;
  uint32_t NewLinks(crdt::TopicIdx topic);
  void DropLinks(crdt::TopicIdx topic);
  void AddTopic(const std::string& name, WatchChannel* channel);
  void RemoveTopic(const std::string& name, WatchChannel* channel);
  void AddPrefix(const std::string& prefix, WatchChannel* channel);
  void RemovePrefix(const std::string& prefix, WatchChannel* channel);
  void PrefixesChanged();

  crdt::PresenceStore& store_;
  std::vector<TopicLinks> links_;
  std::vector<uint32_t> free_links_;
  // Counts the changes of by_prefix_; 31 bits, and never all of them.
  uint32_t generation_ = 0;
  absl::flat_hash_map<std::string, Channels> by_prefix_;  // Look-ups only.
  // How many prefixes have this length.
  absl::btree_map<size_t, size_t> prefix_lengths_;
  absl::flat_hash_map<std::string, Channels> by_key_;  // Look-ups only.
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_WATCH_INDEX_H_
