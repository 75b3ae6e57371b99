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
  if (by_key_.Alone(i)) return shown(i);
  const Row& row = rows_[i];
  RowIdx first = by_key_.First(KeySlotHash(row.key_hash));
  RowIdx found =
      (row.flags & kCrowded) != 0
          ? MatchCrowd({row.key_hash, row.topic, false, 0}, Blob(row).key)
          : MatchPair(first, first, row.topic, Blob(row).key);
  return shown(found);
}

void PresenceStore::CountShown(RowIdx i, bool on) {
  Row& row = rows_[i];
  Topic& topic = topics_[row.topic];
  int by = on ? 1 : -1;
  topic.shown_entries += by;
  shown_entries_ += by;
  bool crowded = (row.flags & kCrowded) != 0;
  bool pair_was_shown = on && PairShown(i);
  if (crowded) crowds_.erase(PlaceOf(i));
  row.flags ^= kShown;
  if (crowded) crowds_.insert(PlaceOf(i));
  if (on) {
    by_key_.MoveToFront(i);
  } else {
    by_key_.MoveToBack(i);
  }
  key_changed_ = !(on ? pair_was_shown : PairShown(i));
  if (!key_changed_) return;
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
  uint64_t hash = HashName(name);
  for (TopicIdx i = by_topic_.First(hash); i != kNone; i = by_topic_.Next(i)) {
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

// -------------------------------------------------------------------- keys

PresenceStore::CrowdPlace PresenceStore::PlaceOf(RowIdx i) const {
  const Row& row = rows_[i];
  return {row.key_hash, row.topic, (row.flags & kShown) == 0, i};
}

void PresenceStore::EnterKey(RowIdx i) {
  RowIdx first = by_key_.Insert(i);
  if (first == i) return;
  if ((rows_[first].flags & kCrowded) == 0) {
    uint32_t size = 1;
    for (RowIdx j = first; j != i; j = rows_[j].key_ring.next) ++size;
    if (size <= kCrowd) return;
    for (RowIdx j = first; j != i; j = rows_[j].key_ring.next) {
      rows_[j].flags |= kCrowded;
      crowds_.insert(PlaceOf(j));
    }
  }
  rows_[i].flags |= kCrowded;
  crowds_.insert(PlaceOf(i));
}

void PresenceStore::LeaveKey(RowIdx i) {
  if ((rows_[i].flags & kCrowded) != 0) crowds_.erase(PlaceOf(i));
  by_key_.Erase(i);
}

void PresenceStore::PrefetchKey(absl::string_view key) const {
  by_key_.Prefetch(KeySlotHash(HashName(key)));
}

// The first row of (topic, key) in a ring from `i` on; `first` ends it.
RowIdx PresenceStore::MatchPair(RowIdx i, RowIdx first, TopicIdx topic,
                                absl::string_view key) const {
  do {
    const Row& row = rows_[i];
    if (row.topic == topic && Blob(row).key == key) return i;
    i = row.key_ring.next;
  } while (i != first);
  return kNone;
}

// The same in crowds: the first one at or after `from`.
RowIdx PresenceStore::MatchCrowd(const CrowdPlace& from,
                                 absl::string_view key) const {
  for (auto it = crowds_.lower_bound(from);
       it != crowds_.end() && it->key_hash == from.key_hash &&
       it->topic == from.topic;
       ++it) {
    if (Blob(rows_[it->row]).key == key) return it->row;
  }
  return kNone;
}

RowIdx PresenceStore::FirstOfPair(absl::string_view topic,
                                  absl::string_view key) const {
  uint32_t key_hash = HashName(key);
  RowIdx first = by_key_.First(KeySlotHash(key_hash));
  if (first == kNone) return kNone;
  TopicIdx t = FindTopic(topic);
  if (t == kNone) return kNone;
  return (rows_[first].flags & kCrowded) != 0
             ? MatchCrowd({key_hash, t, false, 0}, key)
             : MatchPair(first, first, t, key);
}

RowIdx PresenceStore::NextOfPair(RowIdx i) const {
  if (by_key_.Alone(i)) return kNone;
  const Row& row = rows_[i];
  absl::string_view key = Blob(row).key;
  if ((row.flags & kCrowded) != 0) {
    CrowdPlace after = PlaceOf(i);
    ++after.row;
    return MatchCrowd(after, key);
  }
  RowIdx first = by_key_.First(KeySlotHash(row.key_hash));
  RowIdx next = row.key_ring.next;
  return next == first ? kNone : MatchPair(next, first, row.topic, key);
}

// From `i` on.
RowIdx PresenceStore::MatchKey(RowIdx i, absl::string_view key) const {
  while (i != kNone && Blob(rows_[i]).key != key) i = by_key_.Next(i);
  return i;
}

RowIdx PresenceStore::FirstOfKey(absl::string_view key) const {
  return MatchKey(by_key_.First(KeySlotHash(HashName(key))), key);
}

RowIdx PresenceStore::NextOfKey(RowIdx i) const {
  return MatchKey(by_key_.Next(i), Blob(rows_[i]).key);
}

}  // namespace muster::crdt
