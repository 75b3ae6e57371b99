#include "node/core/watch_index.h"

#include <algorithm>

namespace muster::core {
namespace {

using crdt::kNone;
using crdt::TopicIdx;

// Keeps the order of the others.
void Erase(std::vector<WatchChannel*>& channels, WatchChannel* channel) {
  channels.erase(std::find(channels.begin(), channels.end(), channel));
}

}  // namespace

void WatchIndex::Add(const WatchScope& scope, WatchChannel* channel) {
  for (const std::string& name : scope.names) {
    switch (scope.kind) {
      case WatchScope::Kind::kTopics:
        AddTopic(name, channel);
        break;
      case WatchScope::Kind::kPrefix:
        AddPrefix(name, channel);
        break;
      case WatchScope::Kind::kKeys:
        by_key_[name].push_back(channel);
        break;
    }
  }
}

void WatchIndex::Remove(const WatchScope& scope, WatchChannel* channel) {
  for (const std::string& name : scope.names) {
    switch (scope.kind) {
      case WatchScope::Kind::kTopics:
        RemoveTopic(name, channel);
        break;
      case WatchScope::Kind::kPrefix:
        RemovePrefix(name, channel);
        break;
      case WatchScope::Kind::kKeys: {
        const auto found = by_key_.find(name);
        Erase(found->second, channel);
        if (found->second.empty()) by_key_.erase(found);
        break;
      }
    }
  }
}

void WatchIndex::OnTopicEmpty(TopicIdx topic) {
  const uint32_t slot = store_.topic_record(topic).watch;
  if ((slot & kNoLinks) != 0) return;
  if (links_[slot].by_topic.empty()) DropLinks(topic);
}

// ------------------------------------------------------------------- links

const WatchIndex::TopicLinks* WatchIndex::Resolve(TopicIdx topic) {
  uint32_t slot = store_.topic_record(topic).watch;
  Channels by_prefix;
  FindPrefixes(store_.topic_name(topic), by_prefix);
  const bool linked = (slot & kNoLinks) == 0;
  if (by_prefix.empty() && (!linked || links_[slot].by_topic.empty())) {
    if (linked) DropLinks(topic);
    store_.SetTopicWatch(topic, kNoLinks | generation_);
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
  store_.SetTopicWatch(topic, slot);
  return slot;
}

void WatchIndex::DropLinks(TopicIdx topic) {
  const uint32_t slot = store_.topic_record(topic).watch;
  links_[slot] = {};
  free_links_.push_back(slot);
  store_.SetTopicWatch(topic, kNone);
}

// ------------------------------------------------------------------- names

void WatchIndex::AddTopic(const std::string& name, WatchChannel* channel) {
  const TopicIdx topic = store_.PinTopic(name);
  uint32_t slot = store_.topic_record(topic).watch;
  if ((slot & kNoLinks) != 0) {
    slot = NewLinks(topic);
    FindPrefixes(name, links_[slot].by_prefix);
    links_[slot].generation = generation_;
  }
  links_[slot].by_topic.push_back(channel);
}

void WatchIndex::RemoveTopic(const std::string& name, WatchChannel* channel) {
  const TopicIdx topic = store_.FindTopic(name);
  TopicLinks& links = links_[store_.topic_record(topic).watch];
  Erase(links.by_topic, channel);
  // Where there is a prefix, too, the next change makes links anew.
  if (links.by_topic.empty()) DropLinks(topic);
  store_.UnpinTopic(topic);
}

void WatchIndex::AddPrefix(const std::string& prefix, WatchChannel* channel) {
  Channels& channels = by_prefix_[prefix];
  if (channels.empty()) ++prefix_lengths_[prefix.size()];
  channels.push_back(channel);
  PrefixesChanged();
}

void WatchIndex::RemovePrefix(const std::string& prefix,
                              WatchChannel* channel) {
  const auto found = by_prefix_.find(prefix);
  Erase(found->second, channel);
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
  for (TopicIdx topic = store_.TopicAtOrAfter(""); topic != kNone;
       topic = store_.TopicAfter(topic)) {
    const uint32_t slot = store_.topic_record(topic).watch;
    if ((slot & kNoLinks) != 0) store_.SetTopicWatch(topic, kNone);
  }
}

}  // namespace muster::core
