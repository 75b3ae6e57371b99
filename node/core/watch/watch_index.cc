#include "node/core/watch/watch_index.h"

#include <algorithm>

#include "absl/hash/hash.h"
#include "node/core/watch/watch_channel.h"

namespace muster::core {
namespace {

using crdt::kNone;
using crdt::TopicIdx;

bool Earlier(const WatchChannel* a, const WatchChannel* b) {
  return a->number < b->number;
}

void Enter(std::vector<WatchChannel*>& channels, WatchChannel* channel) {
  channels.insert(
      std::lower_bound(channels.begin(), channels.end(), channel, Earlier),
      channel);
}

void Leave(std::vector<WatchChannel*>& channels, WatchChannel* channel) {
  channels.erase(
      std::lower_bound(channels.begin(), channels.end(), channel, Earlier));
}

}  // namespace

void WatchIndex::Add(WatchScope::Kind kind, const std::string& name,
                     WatchChannel* channel) {
  switch (kind) {
    case WatchScope::Kind::kTopics:
      return AddTopic(name, channel);
    case WatchScope::Kind::kPrefix:
      return AddPrefix(name, channel);
    case WatchScope::Kind::kKeys:
      return AddKey(name, channel);
  }
}

void WatchIndex::Remove(WatchScope::Kind kind, const std::string& name,
                        WatchChannel* channel) {
  switch (kind) {
    case WatchScope::Kind::kTopics:
      return RemoveTopic(name, channel);
    case WatchScope::Kind::kPrefix:
      return RemovePrefix(name, channel);
    case WatchScope::Kind::kKeys:
      return RemoveKey(name, channel);
  }
}

WatchIndex::Lists WatchIndex::Of(TopicIdx topic, absl::string_view key) {
  Lists lists = {&none_, &none_, &none_};
  if (const TopicLinks* links = LinksOf(topic)) {
    lists[0] = &links->by_topic;
    lists[1] = &links->by_prefix;
  }
  if (by_key_.size() == 0) return lists;
  const uint32_t found = FindKey(key);
  if (found != kNone) lists[2] = &keys_[found].channels;
  return lists;
}

WatchIndex::Lists WatchIndex::OfName(absl::string_view topic,
                                     absl::string_view key) {
  Lists lists = {&none_, &prefixes_of_name_, &none_};
  const TopicIdx t = store_.topics().Find(topic);
  const uint32_t slot = t == kNone ? kNone : store_.topics()[t].slot;
  if ((slot & kNoLinks) == 0) lists[0] = &links_[slot].by_topic;
  prefixes_of_name_.clear();
  FindPrefixes(topic, prefixes_of_name_);
  std::sort(prefixes_of_name_.begin(), prefixes_of_name_.end(), Earlier);
  const uint32_t found = FindKey(key);
  if (found != kNone) lists[2] = &keys_[found].channels;
  return lists;
}

void WatchIndex::OnTopicEmpty(TopicIdx topic) {
  const uint32_t slot = store_.topics()[topic].slot;
  if ((slot & kNoLinks) != 0) return;
  if (links_[slot].by_topic.empty()) DropLinks(topic);
}

// ------------------------------------------------------------------- links

const WatchIndex::TopicLinks* WatchIndex::Resolve(TopicIdx topic) {
  uint32_t slot = store_.topics()[topic].slot;
  Channels by_prefix;
  FindPrefixes(store_.topics().name(topic), by_prefix);
  const bool linked = (slot & kNoLinks) == 0;
  if (by_prefix.empty() && (!linked || links_[slot].by_topic.empty())) {
    if (linked) DropLinks(topic);
    store_.SetTopicSlot(topic, kNoLinks | generation_);
    return nullptr;
  }
  if (!linked) slot = NewLinks(topic);
  links_[slot].by_prefix = std::move(by_prefix);
  links_[slot].generation = generation_;
  return &links_[slot];
}

void WatchIndex::FindPrefixes(absl::string_view topic, Channels& out) const {
  for (const auto& [length, count] : prefix_lengths_) {
    if (length > topic.size()) return;
    const auto found = by_prefix_.find(topic.substr(0, length));
    if (found == by_prefix_.end()) continue;
    out.insert(out.end(), found->second.begin(), found->second.end());
  }
}

uint32_t WatchIndex::NewLinks(TopicIdx topic) {
  uint32_t slot;
  if (free_links_.empty()) {
    slot = static_cast<uint32_t>(links_.size());
    links_.emplace_back();
  } else {
    slot = free_links_.back();
    free_links_.pop_back();
  }
  store_.SetTopicSlot(topic, slot);
  return slot;
}

void WatchIndex::DropLinks(TopicIdx topic) {
  const uint32_t slot = store_.topics()[topic].slot;
  links_[slot] = {};
  free_links_.push_back(slot);
  store_.SetTopicSlot(topic, kNone);
}

// ------------------------------------------------------------------- names

void WatchIndex::AddTopic(const std::string& name, WatchChannel* channel) {
  const TopicIdx topic = store_.PinTopic(name);
  uint32_t slot = store_.topics()[topic].slot;
  if ((slot & kNoLinks) != 0) {
    slot = NewLinks(topic);
    FindPrefixes(name, links_[slot].by_prefix);
    links_[slot].generation = generation_;
  }
  Enter(links_[slot].by_topic, channel);
}

void WatchIndex::RemoveTopic(const std::string& name, WatchChannel* channel) {
  const TopicIdx topic = store_.topics().Find(name);
  TopicLinks& links = links_[store_.topics()[topic].slot];
  Leave(links.by_topic, channel);
  // Where there is a prefix, too, the next change makes links anew.
  if (links.by_topic.empty()) DropLinks(topic);
  store_.UnpinTopic(topic);
}

void WatchIndex::AddPrefix(const std::string& prefix, WatchChannel* channel) {
  Channels& channels = by_prefix_[prefix];
  if (channels.empty()) ++prefix_lengths_[prefix.size()];
  Enter(channels, channel);
  PrefixesChanged();
}

void WatchIndex::RemovePrefix(const std::string& prefix,
                              WatchChannel* channel) {
  const auto found = by_prefix_.find(prefix);
  Leave(found->second, channel);
  if (found->second.empty()) {
    by_prefix_.erase(found);
    const auto length = prefix_lengths_.find(prefix.size());
    if (--length->second == 0) prefix_lengths_.erase(length);
  }
  PrefixesChanged();
}

void WatchIndex::PrefixesChanged() {
  if (++generation_ < kNoLinks - 1) return;
  // The numbers begin again: nothing may be left that has an old one.
  generation_ = 1;
  for (TopicLinks& links : links_) links.generation = 0;
  for (TopicIdx topic = store_.topics().AtOrAfter(""); topic != kNone;
       topic = store_.topics().After(topic)) {
    const uint32_t slot = store_.topics()[topic].slot;
    if ((slot & kNoLinks) != 0) store_.SetTopicSlot(topic, kNone);
  }
}

uint64_t WatchIndex::Hash(absl::string_view key) {
  return absl::Hash<absl::string_view>{}(key);
}

uint32_t WatchIndex::FindKey(absl::string_view key) const {
  if (by_key_.size() == 0) return kNone;
  uint32_t i = by_key_.First(Hash(key));
  while (i != kNone && keys_[i].key != key) i = by_key_.Next(i);
  return i;
}

void WatchIndex::AddKey(const std::string& key, WatchChannel* channel) {
  uint32_t i = FindKey(key);
  if (i == kNone) {
    if (free_keys_.empty()) {
      i = static_cast<uint32_t>(keys_.size());
      keys_.emplace_back();
    } else {
      i = free_keys_.back();
      free_keys_.pop_back();
    }
    keys_[i].key = key;
    by_key_.Insert(i);
  }
  Enter(keys_[i].channels, channel);
}

void WatchIndex::RemoveKey(const std::string& key, WatchChannel* channel) {
  const uint32_t i = FindKey(key);
  Leave(keys_[i].channels, channel);
  if (!keys_[i].channels.empty()) return;
  by_key_.Erase(i);
  keys_[i] = {};
  free_keys_.push_back(i);
}

}  // namespace muster::core
