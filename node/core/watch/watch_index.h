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
//   3. The channels of one name are in the order of their numbers.
// Cost: Of O(1), after a change of the prefixes once for each topic O(lengths
// of prefixes); no allocation. OfName: the lengths of prefixes, and a sort of
// those that match. Add and Remove, a name at a time: O(log n), and a move of
// the pointers to the channels of the name. No table grows at once. Bytes:
// about 80 a topic that has channels, none for others. Threads: one.
#ifndef MUSTER_NODE_CORE_WATCH_WATCH_INDEX_H_
#define MUSTER_NODE_CORE_WATCH_WATCH_INDEX_H_

#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "crdt/linear_hash.h"
#include "crdt/presence_store.h"
#include "node/core/watch/watch_scope.h"

namespace muster::core {

struct WatchChannel;

class WatchIndex {
 public:
  using Channels = std::vector<WatchChannel*>;
  // The channels of a change: by topic, by prefix, by key.
  using Lists = std::array<const Channels*, 3>;

  explicit WatchIndex(crdt::PresenceStore& store)
      : store_(store), by_key_(KeyTraits{this}) {}
  WatchIndex(const WatchIndex&) = delete;
  WatchIndex& operator=(const WatchIndex&) = delete;

  // One name of a scope of this kind. REQUIRES: not added yet / added.
  void Add(WatchScope::Kind kind, const std::string& name,
           WatchChannel* channel);
  void Remove(WatchScope::Kind kind, const std::string& name,
              WatchChannel* channel);

  // The channels that have the entry in their scope, until the next call.
  Lists Of(crdt::TopicIdx topic, absl::string_view key);
  // The same of a topic that may be gone since, or have no shown entries; each
  // list in the order of the channels' numbers.
  Lists OfName(absl::string_view topic, absl::string_view key);

  // The topic has no shown entry any more.
  void OnTopicEmpty(crdt::TopicIdx topic);

  // Records held; for tests.
  size_t linked_topics() const { return links_.size() - free_links_.size(); }

 private:
  struct TopicLinks {
    Channels by_topic;
    Channels by_prefix;  // As of `generation`.
    uint32_t generation = 0;
  };
  struct KeyLinks {
    std::string key;
    Channels channels;
    uint32_t next = crdt::kNone;
  };
  struct KeyTraits {
    WatchIndex* index;
    uint32_t& links(uint32_t i) const { return index->keys_[i].next; }
    uint64_t hash(uint32_t i) const { return Hash(index->keys_[i].key); }
  };

  // A slot is an index into links_, or kNoLinks with the generation as of
  // which there was nothing to link.
  static constexpr uint32_t kNoLinks = 1u << 31;

  const TopicLinks* LinksOf(crdt::TopicIdx topic) {
    const uint32_t slot = store_.topics()[topic].slot;
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

  static uint64_t Hash(absl::string_view key);
  uint32_t FindKey(absl::string_view key) const;
  void AddKey(const std::string& key, WatchChannel* channel);
  void RemoveKey(const std::string& key, WatchChannel* channel);

  crdt::PresenceStore& store_;
  std::deque<TopicLinks> links_;
  std::vector<uint32_t> free_links_;
  // Counts the changes of by_prefix_; 31 bits, and never all of them.
  uint32_t generation_ = 0;
  absl::flat_hash_map<std::string, Channels> by_prefix_;  // Look-ups only.
  // How many prefixes have this length.
  absl::btree_map<size_t, size_t> prefix_lengths_;
  std::deque<KeyLinks> keys_;
  std::vector<uint32_t> free_keys_;
  crdt::LinearHash<KeyTraits> by_key_;
  const Channels none_;
  Channels prefixes_of_name_;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_WATCH_WATCH_INDEX_H_
