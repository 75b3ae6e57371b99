#include "crdt/key_index.h"

#include <utility>

#include "crdt/presence_bytes.h"

namespace muster::crdt {

KeyIndex::KeyIndex(EntryRows& rows, const TopicTable& topics,
                   uint64_t hash_seed)
    : rows_(rows),
      topics_(topics),
      hash_seed_(hash_seed),
      by_key_({&rows}),
      crowds_(CrowdOrder{&topics}) {}

uint32_t KeyIndex::HashOf(absl::string_view key) const {
  return static_cast<uint32_t>(HashBytes(key, hash_seed_));
}

bool KeyIndex::SamePair(RowIdx a, RowIdx b) const {
  return rows_[a].topic == rows_[b].topic &&
         rows_[a].key_hash == rows_[b].key_hash && rows_.key(a) == rows_.key(b);
}

// ------------------------------------------------------------------- shown

bool KeyIndex::PairShown(RowIdx i) const {
  if (by_key_.Alone(i)) return rows_.shown(i);
  const EntryRows::Row& row = rows_[i];
  RowIdx first = by_key_.First(SlotHash(row.key_hash));
  RowIdx found =
      rows_.crowded(i)
          ? MatchCrowd(row.topic, {row.key_hash, TopicOf(i), false, 0},
                       rows_.key(i))
          : MatchPair(first, first, row.topic, rows_.key(i));
  return rows_.shown(found);
}

uint32_t KeyIndex::EntriesOfPair(RowIdx i) const {
  if (by_key_.Alone(i)) return rows_.shown(i) ? 1 : 0;
  const EntryRows::Row& row = rows_[i];
  if (rows_.crowded(i)) {
    if (!PairShown(i)) return 0;
    return crowd_counts_.find(rows_.key(i))->second.EntriesIn(row.topic);
  }
  uint32_t entries = 0;
  const RowIdx first = by_key_.First(SlotHash(row.key_hash));
  RowIdx j = first;
  do {
    if (!rows_.shown(j)) break;  // So are all that come after it.
    if (SamePair(j, i)) ++entries;
    j = rows_[j].key_ring.next;
  } while (j != first);
  return entries;
}

bool KeyIndex::SetShown(RowIdx i, bool on) {
  EntryRows::Row& row = rows_[i];
  const bool crowded = rows_.crowded(i);
  const bool pair_was_shown = on && PairShown(i);
  if (crowded) crowds_.erase(PlaceOf(i));
  row.flags ^= EntryRows::kShown;
  if (crowded) crowds_.insert(PlaceOf(i));
  if (on) {
    by_key_.MoveToFront(i);
  } else {
    by_key_.MoveToBack(i);
  }
  const bool key_changed = !(on ? pair_was_shown : PairShown(i));
  if (crowded) {
    const int by = on ? 1 : -1;
    Crowd& crowd = crowd_counts_.find(rows_.key(i))->second;
    crowd.shown.entries += by;
    if (key_changed) {
      crowd.shown.topics += by;
    } else if (on) {
      crowd.AddTo(row.topic);
    } else {
      crowd.TakeFrom(row.topic);
    }
  }
  return key_changed;
}

void KeyIndex::SwapStamps(RowIdx a, RowIdx b) {
  const bool crowded = rows_.crowded(a);
  if (crowded) {
    crowds_.erase(PlaceOf(a));
    crowds_.erase(PlaceOf(b));
  }
  std::swap(rows_[a].stamp, rows_[b].stamp);
  if (crowded) {
    crowds_.insert(PlaceOf(a));
    crowds_.insert(PlaceOf(b));
  }
}

// ------------------------------------------------------------------ crowds

uint32_t KeyIndex::Crowd::EntriesIn(TopicIdx topic) const {
  const auto found = several.find(topic);
  return found == several.end() ? 1 : found->second;
}

void KeyIndex::Crowd::AddTo(TopicIdx topic) {
  ++several.try_emplace(topic, 1).first->second;
}

void KeyIndex::Crowd::TakeFrom(TopicIdx topic) {
  const auto found = several.find(topic);
  if (--found->second == 1) several.erase(found);
}

int KeyIndex::CrowdOrder::Compare(const CrowdPlace& a,
                                  const CrowdSearch& b) const {
  if (a.key_hash != b.key_hash) return a.key_hash < b.key_hash ? -1 : 1;
  const int names = topics->name(a.topic).compare(b.topic);
  if (names != 0) return names;
  if (a.hidden != b.hidden) return b.hidden ? -1 : 1;
  return a.stamp < b.stamp ? -1 : a.stamp > b.stamp ? 1 : 0;
}

KeyIndex::CrowdPlace KeyIndex::PlaceOf(RowIdx i) const {
  const EntryRows::Row& row = rows_[i];
  return {row.key_hash, row.topic, row.stamp, i, !rows_.shown(i)};
}

void KeyIndex::Enter(RowIdx i) {
  RowIdx first = by_key_.Insert(i);
  if (first == i) return;
  if (!rows_.crowded(first)) {
    uint32_t size = 1;
    for (RowIdx j = first; j != i; j = rows_[j].key_ring.next) ++size;
    if (size <= kCrowd) return;
    for (RowIdx j = first; j != i; j = rows_[j].key_ring.next) EnterCrowd(j);
  }
  EnterCrowd(i);
}

void KeyIndex::EnterCrowd(RowIdx i) {
  EntryRows::Row& row = rows_[i];
  const absl::string_view key = rows_.key(i);
  auto crowd = crowd_counts_.find(key);
  if (crowd == crowd_counts_.end()) {
    crowd = crowd_counts_.emplace(std::string(key), Crowd()).first;
  }
  ++crowd->second.rows;
  if (rows_.shown(i)) {
    ++crowd->second.shown.entries;
    RowIdx other =
        MatchCrowd(row.topic, {row.key_hash, TopicOf(i), false, 0}, key);
    if (other == kNone || !rows_.shown(other)) {
      ++crowd->second.shown.topics;
    } else {
      crowd->second.AddTo(row.topic);
    }
  }
  row.flags |= EntryRows::kCrowded;
  crowds_.insert(PlaceOf(i));
}

void KeyIndex::Leave(RowIdx i) {
  if (rows_.crowded(i)) {
    crowds_.erase(PlaceOf(i));
    auto crowd = crowd_counts_.find(rows_.key(i));
    if (--crowd->second.rows == 0) crowd_counts_.erase(crowd);
  }
  by_key_.Erase(i);
}

size_t KeyIndex::bytes() const {
  // Nodes of the ordered containers, by their usual fill.
  constexpr size_t kCrowdBytes = sizeof(CrowdPlace) + 4;
  return by_key_.bytes() + crowds_.size() * kCrowdBytes +
         crowd_counts_.size() * (sizeof(std::string) + sizeof(Crowd) + 8);
}

// ---------------------------------------------------------------- look-ups

// The first row of (topic, key) in a ring from `i` on; `first` ends it.
RowIdx KeyIndex::MatchPair(RowIdx i, RowIdx first, TopicIdx topic,
                           absl::string_view key) const {
  do {
    if (rows_[i].topic == topic && rows_.key(i) == key) return i;
    i = rows_[i].key_ring.next;
  } while (i != first);
  return kNone;
}

// The same in crowds: the first one at or after `from`, in its topic.
RowIdx KeyIndex::MatchCrowd(TopicIdx topic, const CrowdSearch& from,
                            absl::string_view key) const {
  for (auto it = crowds_.lower_bound(from);
       it != crowds_.end() && it->key_hash == from.key_hash &&
       it->topic == topic;
       ++it) {
    if (rows_.key(it->row) == key) return it->row;
  }
  return kNone;
}

RowIdx KeyIndex::FirstOfPair(absl::string_view topic,
                             absl::string_view key) const {
  uint32_t key_hash = HashOf(key);
  RowIdx first = by_key_.First(SlotHash(key_hash));
  if (first == kNone) return kNone;
  TopicIdx t = topics_.Find(topic);
  if (t == kNone) return kNone;
  return rows_.crowded(first) ? MatchCrowd(t, {key_hash, topic, false, 0}, key)
                              : MatchPair(first, first, t, key);
}

RowIdx KeyIndex::NextOfPair(RowIdx i) const {
  if (by_key_.Alone(i)) return kNone;
  const EntryRows::Row& row = rows_[i];
  absl::string_view key = rows_.key(i);
  if (rows_.crowded(i)) {
    return MatchCrowd(
        row.topic, {row.key_hash, TopicOf(i), !rows_.shown(i), row.stamp + 1},
        key);
  }
  RowIdx first = by_key_.First(SlotHash(row.key_hash));
  RowIdx next = row.key_ring.next;
  return next == first ? kNone : MatchPair(next, first, row.topic, key);
}

// From `i` on.
RowIdx KeyIndex::MatchKey(RowIdx i, absl::string_view key) const {
  while (i != kNone && rows_.key(i) != key) i = by_key_.Next(i);
  return i;
}

RowIdx KeyIndex::PairRowAfter(absl::string_view topic, absl::string_view key,
                              bool want_shown, uint64_t after) const {
  const uint32_t key_hash = HashOf(key);
  const RowIdx first = by_key_.First(SlotHash(key_hash));
  const TopicIdx t = first == kNone ? kNone : topics_.Find(topic);
  if (t == kNone) return kNone;
  if (rows_.crowded(first)) {
    const RowIdx row =
        MatchCrowd(t, {key_hash, topic, !want_shown, after + 1}, key);
    return row != kNone && rows_.shown(row) == want_shown ? row : kNone;
  }
  RowIdx best = kNone;
  for (RowIdx i = MatchPair(first, first, t, key); i != kNone;
       i = NextOfPair(i)) {
    if (rows_.shown(i) != want_shown || rows_[i].stamp <= after) continue;
    if (best == kNone || rows_[i].stamp < rows_[best].stamp) best = i;
  }
  return best;
}

RowIdx KeyIndex::FirstOfKey(absl::string_view key) const {
  return MatchKey(by_key_.First(SlotHash(HashOf(key))), key);
}

RowIdx KeyIndex::NextOfKey(RowIdx i) const {
  return MatchKey(by_key_.Next(i), rows_.key(i));
}

bool KeyIndex::EarlierOfKey(RowIdx a, RowIdx b) const {
  const int names = TopicOf(a).compare(TopicOf(b));
  if (names != 0) return names < 0;
  if (rows_.shown(a) != rows_.shown(b)) return rows_.shown(a);
  return rows_[a].stamp < rows_[b].stamp;
}

RowIdx KeyIndex::RowAfter(absl::string_view key, absl::string_view after,
                          uint64_t after_stamp) const {
  const uint32_t key_hash = HashOf(key);
  const RowIdx first = by_key_.First(SlotHash(key_hash));
  if (first == kNone) return kNone;
  if (rows_.crowded(first)) {
    return CrowdRowAfter(key_hash, key, after, after_stamp);
  }
  RowIdx best = kNone;
  RowIdx i = first;
  do {
    if (rows_.key(i) == key) {
      const int names = TopicOf(i).compare(after);
      const bool later =
          names > 0 || (names == 0 && after_stamp != kWholeTopic &&
                        (!rows_.shown(i) || rows_[i].stamp > after_stamp));
      if (later && (best == kNone || EarlierOfKey(i, best))) best = i;
    }
    i = rows_[i].key_ring.next;
  } while (i != first);
  return best;
}

RowIdx KeyIndex::CrowdRowAfter(uint32_t key_hash, absl::string_view key,
                               absl::string_view topic, uint64_t stamp) const {
  const CrowdSearch from = {key_hash, topic, stamp == kWholeTopic, stamp};
  for (auto it = crowds_.upper_bound(from);
       it != crowds_.end() && it->key_hash == key_hash; ++it) {
    if (rows_.key(it->row) == key) return it->row;
  }
  return kNone;
}

KeyCount KeyIndex::CountOf(absl::string_view key) const {
  const auto crowd = crowd_counts_.find(key);
  if (crowd != crowd_counts_.end()) return crowd->second.shown;
  KeyCount count;
  RowIdx row = RowAfter(key, "", 0);
  while (row != kNone) {
    if (!rows_.shown(row)) {
      row = RowAfter(key, TopicOf(row), kWholeTopic);
      continue;
    }
    const TopicIdx in = rows_[row].topic;
    ++count.entries;
    row = RowAfter(key, TopicOf(row), rows_[row].stamp);
    if (row == kNone || rows_[row].topic != in || !rows_.shown(row)) {
      ++count.topics;
    }
  }
  return count;
}

}  // namespace muster::crdt
