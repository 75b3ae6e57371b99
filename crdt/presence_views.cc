#include <cstring>
#include <string>
#include <utility>

#include "crdt/check.h"
#include "crdt/presence_bytes.h"
#include "crdt/presence_store.h"

namespace muster::crdt {

// ------------------------------------------------------------------- shown

bool PresenceStore::SamePair(const Row& a, const Row& b) const {
  return a.topic == b.topic && a.key_hash == b.key_hash &&
         Blob(a).key == Blob(b).key;
}

bool PresenceStore::PairShown(RowIdx i) const {
  const Row& row = rows_[i];
  uint64_t hash = PairHash(row.topic, row.key_hash);
  for (RowIdx j = by_pair_.First(hash); j != kNone;
       j = by_pair_.Next(j, hash)) {
    if (SamePair(rows_[j], row)) return (rows_[j].flags & kShown) != 0;
  }
  return false;
}

void PresenceStore::CountShown(RowIdx i, bool on) {
  Row& row = rows_[i];
  Topic& topic = topics_[row.topic];
  int by = on ? 1 : -1;
  topic.shown_entries += by;
  shown_entries_ += by;
  if (on) {
    bool key_was_shown = PairShown(i);
    row.flags |= kShown;
    by_pair_.MoveToFront(i);
    if (key_was_shown) return;
  } else {
    row.flags &= ~kShown;
    by_pair_.MoveToBack(i);
    if (PairShown(i)) return;
  }
  topic.shown_keys += by;
  shown_keys_ += by;
}

void PresenceStore::Show(RowIdx row) {
  MUSTER_CHECK(!shown(row));
  CountShown(row, true);
  if (observer_ != nullptr) observer_->OnShown(row);
}

void PresenceStore::Hide(RowIdx row) {
  MUSTER_CHECK(shown(row));
  CountShown(row, false);
  if (observer_ != nullptr) observer_->OnHidden(row);
}

void PresenceStore::Transfer(RowIdx from, RowIdx to) {
  MUSTER_CHECK(shown(from) && !shown(to) && from != to);
  Row& old_row = rows_[from];
  Row& new_row = rows_[to];
  Order& order = orders_[topics_[old_row.topic].order];
  order.erase(old_row.stamp);
  order.erase(new_row.stamp);
  std::swap(old_row.stamp, new_row.stamp);
  order.insert(from);
  order.insert(to);
  CountShown(to, true);
  CountShown(from, false);
  Ref previous = ref(from);
  if (observer_ != nullptr && previous != ref(to)) {
    observer_->OnUpdated(to, previous);
  }
}

// ------------------------------------------------------------------ topics

absl::string_view PresenceStore::topic_name(TopicIdx topic) const {
  uint64_t size;
  const char* at = GetVarint(slab_.Data(topics_[topic].name), size);
  return {at, size};
}

TopicIdx PresenceStore::FindTopic(absl::string_view name) const {
  uint64_t hash = HashKey(name);
  for (TopicIdx i = by_topic_.First(hash); i != kNone;
       i = by_topic_.Next(i, hash)) {
    if (topic_name(i) == name) return i;
  }
  return kNone;
}

TopicIdx PresenceStore::InternTopic(absl::string_view name) {
  TopicIdx found = FindTopic(name);
  if (found != kNone) return found;
  TopicIdx i = topics_.Alloc();
  Topic& topic = topics_[i];
  topic.name = slab_.Alloc(VarintSize(name.size()) + name.size());
  char* at = PutVarint(slab_.Data(topic.name), name.size());
  std::memcpy(at, name.data(), name.size());
  if (free_orders_.empty()) {
    topic.order = static_cast<uint32_t>(orders_.size());
    orders_.emplace_back(ByStamp{this});
  } else {
    topic.order = free_orders_.back();
    free_orders_.pop_back();
  }
  by_topic_.Insert(i);
  topics_by_name_.emplace(std::string(name), i);
  return i;
}

void PresenceStore::ReleaseTopic(TopicIdx i) {
  Topic& topic = topics_[i];
  if (topic.pins > 0 || !orders_[topic.order].empty()) return;
  topics_by_name_.erase(topics_by_name_.find(topic_name(i)));
  by_topic_.Erase(i);
  free_orders_.push_back(topic.order);
  slab_.Free(topic.name);
  topics_.Free(i);
}

TopicIdx PresenceStore::PinTopic(absl::string_view name) {
  TopicIdx topic = InternTopic(name);
  ++topics_[topic].pins;
  return topic;
}

void PresenceStore::UnpinTopic(TopicIdx topic) {
  --topics_[topic].pins;
  ReleaseTopic(topic);
}

TopicIdx PresenceStore::TopicAtOrAfter(absl::string_view name) const {
  auto it = topics_by_name_.lower_bound(name);
  return it == topics_by_name_.end() ? kNone : it->second;
}

TopicIdx PresenceStore::TopicAfter(TopicIdx topic) const {
  auto it = topics_by_name_.upper_bound(topic_name(topic));
  return it == topics_by_name_.end() ? kNone : it->second;
}

// ------------------------------------------------------------------- pairs

RowIdx PresenceStore::MatchPair(RowIdx i, uint64_t hash, TopicIdx topic,
                                uint32_t key_hash,
                                absl::string_view key) const {
  for (; i != kNone; i = by_pair_.Next(i, hash)) {
    const Row& row = rows_[i];
    if (row.topic == topic && row.key_hash == key_hash &&
        Blob(row).key == key) {
      return i;
    }
  }
  return kNone;
}

RowIdx PresenceStore::FirstOfPair(absl::string_view topic,
                                  absl::string_view key) const {
  TopicIdx t = FindTopic(topic);
  if (t == kNone) return kNone;
  auto key_hash = static_cast<uint32_t>(HashKey(key));
  uint64_t hash = PairHash(t, key_hash);
  return MatchPair(by_pair_.First(hash), hash, t, key_hash, key);
}

RowIdx PresenceStore::NextOfPair(RowIdx i) const {
  const Row& row = rows_[i];
  uint64_t hash = PairHash(row.topic, row.key_hash);
  return MatchPair(by_pair_.Next(i, hash), hash, row.topic, row.key_hash,
                   Blob(row).key);
}

RowIdx PresenceStore::MatchKey(RowIdx i, uint32_t key_hash,
                               absl::string_view key) const {
  for (; i != kNone; i = by_key_.Next(i, key_hash)) {
    if (rows_[i].key_hash == key_hash && Blob(rows_[i]).key == key) return i;
  }
  return kNone;
}

RowIdx PresenceStore::FirstOfKey(absl::string_view key) const {
  auto key_hash = static_cast<uint32_t>(HashKey(key));
  return MatchKey(by_key_.First(key_hash), key_hash, key);
}

RowIdx PresenceStore::NextOfKey(RowIdx i) const {
  const Row& row = rows_[i];
  return MatchKey(by_key_.Next(i, row.key_hash), row.key_hash, Blob(row).key);
}

}  // namespace muster::crdt
