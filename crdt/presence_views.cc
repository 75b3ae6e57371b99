#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "crdt/check.h"
#include "crdt/presence_bytes.h"
#include "crdt/presence_store.h"

namespace muster::crdt {
namespace {

constexpr uint32_t kAhead = 16;  // Rows of a session that are fetched.

}  // namespace

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
          ? MatchCrowd(row.topic,
                       {row.key_hash, topic_name(row.topic), false, 0},
                       Blob(row).key)
          : MatchPair(first, first, row.topic, Blob(row).key);
  return shown(found);
}

uint32_t PresenceStore::EntriesOfPair(RowIdx i) const {
  if (by_key_.Alone(i)) return shown(i) ? 1 : 0;
  const Row& row = rows_[i];
  if ((row.flags & kCrowded) != 0) {
    if (!PairShown(i)) return 0;
    return crowd_counts_.find(Blob(row).key)->second.EntriesIn(row.topic);
  }
  uint32_t entries = 0;
  const RowIdx first = by_key_.First(KeySlotHash(row.key_hash));
  RowIdx j = first;
  do {
    if (!shown(j)) break;  // So are all that come after it.
    if (SamePair(rows_[j], row)) ++entries;
    j = rows_[j].key_ring.next;
  } while (j != first);
  return entries;
}

uint32_t PresenceStore::Crowd::EntriesIn(TopicIdx topic) const {
  const auto found = several.find(topic);
  return found == several.end() ? 1 : found->second;
}

void PresenceStore::Crowd::AddTo(TopicIdx topic) {
  ++several.try_emplace(topic, 1).first->second;
}

void PresenceStore::Crowd::TakeFrom(TopicIdx topic) {
  const auto found = several.find(topic);
  if (--found->second == 1) several.erase(found);
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
  if (crowded) {
    Crowd& crowd = crowd_counts_.find(Blob(row).key)->second;
    crowd.shown.entries += by;
    if (key_changed_) {
      crowd.shown.topics += by;
    } else if (on) {
      crowd.AddTo(row.topic);
    } else {
      crowd.TakeFrom(row.topic);
    }
  }
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
  const bool crowded = (old_row.flags & kCrowded) != 0;
  if (crowded) {
    crowds_.erase(PlaceOf(from));
    crowds_.erase(PlaceOf(to));
  }
  std::swap(old_row.stamp, new_row.stamp);
  if (crowded) {
    crowds_.insert(PlaceOf(from));
    crowds_.insert(PlaceOf(to));
  }
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

int PresenceStore::CrowdOrder::Compare(const CrowdPlace& a,
                                       const CrowdSearch& b) const {
  if (a.key_hash != b.key_hash) return a.key_hash < b.key_hash ? -1 : 1;
  const int names = store->topic_name(a.topic).compare(b.topic);
  if (names != 0) return names;
  if (a.hidden != b.hidden) return b.hidden ? -1 : 1;
  return a.stamp < b.stamp ? -1 : a.stamp > b.stamp ? 1 : 0;
}

PresenceStore::CrowdPlace PresenceStore::PlaceOf(RowIdx i) const {
  const Row& row = rows_[i];
  return {row.key_hash, row.topic, row.stamp, i, (row.flags & kShown) == 0};
}

void PresenceStore::EnterKey(RowIdx i) {
  RowIdx first = by_key_.Insert(i);
  if (first == i) return;
  if ((rows_[first].flags & kCrowded) == 0) {
    uint32_t size = 1;
    for (RowIdx j = first; j != i; j = rows_[j].key_ring.next) ++size;
    if (size <= kCrowd) return;
    for (RowIdx j = first; j != i; j = rows_[j].key_ring.next) EnterCrowd(j);
  }
  EnterCrowd(i);
}

void PresenceStore::EnterCrowd(RowIdx i) {
  Row& row = rows_[i];
  const absl::string_view key = Blob(row).key;
  auto crowd = crowd_counts_.find(key);
  if (crowd == crowd_counts_.end()) {
    crowd = crowd_counts_.emplace(std::string(key), Crowd()).first;
  }
  ++crowd->second.rows;
  if (shown(i)) {
    ++crowd->second.shown.entries;
    RowIdx other = MatchCrowd(
        row.topic, {row.key_hash, topic_name(row.topic), false, 0}, key);
    if (other == kNone || !shown(other)) {
      ++crowd->second.shown.topics;
    } else {
      crowd->second.AddTo(row.topic);
    }
  }
  row.flags |= kCrowded;
  crowds_.insert(PlaceOf(i));
}

void PresenceStore::LeaveKey(RowIdx i) {
  if ((rows_[i].flags & kCrowded) != 0) {
    crowds_.erase(PlaceOf(i));
    auto crowd = crowd_counts_.find(Blob(rows_[i]).key);
    if (--crowd->second.rows == 0) crowd_counts_.erase(crowd);
  }
  by_key_.Erase(i);
}

void PresenceStore::PrefetchKey(absl::string_view key) const {
  by_key_.Prefetch(KeySlotHash(HashName(key)));
}

void PresenceStore::PrefetchRows(SessionIdx i) const {
  const Session& session = sessions_[i];
  if (session.first_row == kNone) return;
  rows_.PrefetchDown(session.first_row, std::min(session.entries, kAhead));
}

void PresenceStore::PrefetchContents(SessionIdx i) const {
  RowIdx row = sessions_[i].first_row;
  for (uint32_t n = 0; n < kAhead && row != kNone; ++n) {
    const char* blob = slab_.Data(rows_[row].blob);
    __builtin_prefetch(blob);
    __builtin_prefetch(blob + 64);
    row = rows_[row].session_next;
  }
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

// The same in crowds: the first one at or after `from`, in its topic.
RowIdx PresenceStore::MatchCrowd(TopicIdx topic, const CrowdSearch& from,
                                 absl::string_view key) const {
  for (auto it = crowds_.lower_bound(from);
       it != crowds_.end() && it->key_hash == from.key_hash &&
       it->topic == topic;
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
             ? MatchCrowd(t, {key_hash, topic, false, 0}, key)
             : MatchPair(first, first, t, key);
}

RowIdx PresenceStore::NextOfPair(RowIdx i) const {
  if (by_key_.Alone(i)) return kNone;
  const Row& row = rows_[i];
  absl::string_view key = Blob(row).key;
  if ((row.flags & kCrowded) != 0) {
    return MatchCrowd(
        row.topic,
        {row.key_hash, topic_name(row.topic), !shown(i), row.stamp + 1}, key);
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

RowIdx PresenceStore::PairRowAfter(absl::string_view topic,
                                   absl::string_view key, bool want_shown,
                                   uint64_t after) const {
  const uint32_t key_hash = HashName(key);
  const RowIdx first = by_key_.First(KeySlotHash(key_hash));
  const TopicIdx t = first == kNone ? kNone : FindTopic(topic);
  if (t == kNone) return kNone;
  if ((rows_[first].flags & kCrowded) != 0) {
    const RowIdx row =
        MatchCrowd(t, {key_hash, topic, !want_shown, after + 1}, key);
    return row != kNone && shown(row) == want_shown ? row : kNone;
  }
  RowIdx best = kNone;
  for (RowIdx i = MatchPair(first, first, t, key); i != kNone;
       i = NextOfPair(i)) {
    if (shown(i) != want_shown || stamp(i) <= after) continue;
    if (best == kNone || stamp(i) < stamp(best)) best = i;
  }
  return best;
}

RowIdx PresenceStore::FirstOfKey(absl::string_view key) const {
  return MatchKey(by_key_.First(KeySlotHash(HashName(key))), key);
}

RowIdx PresenceStore::NextOfKey(RowIdx i) const {
  return MatchKey(by_key_.Next(i), Blob(rows_[i]).key);
}

bool PresenceStore::EarlierOfKey(RowIdx a, RowIdx b) const {
  const int names = topic(a).compare(topic(b));
  if (names != 0) return names < 0;
  if (shown(a) != shown(b)) return shown(a);
  return stamp(a) < stamp(b);
}

RowIdx PresenceStore::KeyRowAfter(absl::string_view key,
                                  absl::string_view after,
                                  uint64_t after_stamp) const {
  const uint32_t key_hash = HashName(key);
  const RowIdx first = by_key_.First(KeySlotHash(key_hash));
  if (first == kNone) return kNone;
  if ((rows_[first].flags & kCrowded) != 0) {
    return CrowdRowAfter(key_hash, key, after, after_stamp);
  }
  RowIdx best = kNone;
  RowIdx i = first;
  do {
    if (Blob(rows_[i]).key == key) {
      const int names = topic(i).compare(after);
      const bool later =
          names > 0 || (names == 0 && after_stamp != kWholeTopic &&
                        (!shown(i) || stamp(i) > after_stamp));
      if (later && (best == kNone || EarlierOfKey(i, best))) best = i;
    }
    i = rows_[i].key_ring.next;
  } while (i != first);
  return best;
}

RowIdx PresenceStore::CrowdRowAfter(uint32_t key_hash, absl::string_view key,
                                    absl::string_view topic,
                                    uint64_t stamp) const {
  const CrowdSearch from = {key_hash, topic, stamp == kWholeTopic, stamp};
  for (auto it = crowds_.upper_bound(from);
       it != crowds_.end() && it->key_hash == key_hash; ++it) {
    if (Blob(rows_[it->row]).key == key) return it->row;
  }
  return kNone;
}

KeyCount PresenceStore::CountOfKey(absl::string_view key) const {
  const auto crowd = crowd_counts_.find(key);
  if (crowd != crowd_counts_.end()) return crowd->second.shown;
  KeyCount count;
  RowIdx row = KeyRowAfter(key, "", 0);
  while (row != kNone) {
    if (!shown(row)) {
      row = KeyRowAfter(key, topic(row), kWholeTopic);
      continue;
    }
    const TopicIdx in = topic_of(row);
    ++count.entries;
    row = KeyRowAfter(key, topic(row), stamp(row));
    if (row == kNone || topic_of(row) != in || !shown(row)) ++count.topics;
  }
  return count;
}

}  // namespace muster::crdt
