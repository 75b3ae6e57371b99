#include "node/core/watch/watch_state.h"

#include <algorithm>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "node/core/watch/entry_copy.h"
#include "node/core/watch/watch_diff.h"

namespace muster::core {
namespace {

using crdt::kNone;
using crdt::PresenceStore;
using crdt::RowIdx;
using crdt::TopicIdx;

// A row that is looked at and passed over costs a part of one that is copied.
constexpr size_t kPassedOver = 8;

}  // namespace

CountReply CountName(const PresenceStore& store, WatchScope::Kind kind,
                     absl::string_view name) {
  if (kind == WatchScope::Kind::kKeys) {
    const crdt::KeyCount count = store.keys().CountOf(name);
    return {count.entries, count.topics};
  }
  const TopicIdx topic = store.topics().Find(name);
  if (topic == kNone) return {};
  return {store.topics()[topic].shown_entries,
          store.topics()[topic].shown_keys};
}

StateReader::Slice StateReader::Read(const WatchScope& scope, size_t names,
                                     StateCursor& cursor, WatchBatch& batch) {
  batch_ = &batch;
  rows_ = 0;
  entries_ = 0;
  state_of_.clear();
  keys_.clear();
  while (HasRoom()) {
    if (cursor.name.empty() || cursor.whole) {
      if (!NextName(scope, names, cursor.name)) {
        return {names == scope.names.size(), rows_};
      }
      cursor.topic.clear();
      cursor.stamp = 0;
      cursor.whole = false;
      ++rows_;
      continue;
    }
    bool whole = true;
    if (scope.counts_only) {
      ReadCount(scope, cursor.name);
    } else if (scope.kind == WatchScope::Kind::kKeys) {
      whole = ReadKey(scope, cursor);
    } else if (TopicIdx t = store_.topics().Find(cursor.name); t != kNone) {
      whole = ReadTopic(scope, t, cursor.stamp);
    }
    cursor.whole = whole;
  }
  return {false, rows_};
}

bool StateReader::HasRoom() const {
  return rows_ < kSliceRows &&
         batch_->arena.used() + entries_ * kEntryOverheadBytes <
             kWatchBatchBytes;
}

bool StateReader::NextName(const WatchScope& scope, size_t names,
                           std::string& name) const {
  if (scope.kind != WatchScope::Kind::kPrefix) {
    const auto end = scope.names.begin() + static_cast<ptrdiff_t>(names);
    const auto next = std::upper_bound(scope.names.begin(), end, name);
    if (next == end) return false;
    name = *next;
    return true;
  }
  const std::string& prefix = scope.names.front();
  // The first string after `name` is `name` and a zero byte.
  const TopicIdx topic = store_.topics().AtOrAfter(
      name.empty() ? prefix : absl::StrCat(name, absl::string_view("\0", 1)));
  if (topic == kNone) return false;
  const absl::string_view next = store_.topics().name(topic);
  if (!absl::StartsWith(next, prefix)) return false;
  name = std::string(next);
  return true;
}

// ----------------------------------------------------------------- entries

bool StateReader::ReadTopic(const WatchScope& scope, TopicIdx topic,
                            uint64_t& stamp) {
  if (store_.topics()[topic].shown_entries == 0) return true;
  bool whole = true;
  size_t passed_over = 0;
  store_.topics().VisitRows(topic, stamp, [&](RowIdx row) {
    whole = HasRoom();
    if (!whole) return false;
    stamp = store_.stamp(row);
    if (store_.shown(row)) {
      AddRow(scope, row);
    } else if (++passed_over % kPassedOver == 0) {
      ++rows_;
    }
    return true;
  });
  return whole;
}

bool StateReader::ReadKey(const WatchScope& scope, StateCursor& cursor) {
  size_t passed_over = 0;
  for (RowIdx row =
           store_.keys().RowAfter(cursor.name, cursor.topic, cursor.stamp);
       row != kNone;
       row = store_.keys().RowAfter(cursor.name, cursor.topic, cursor.stamp)) {
    if (!HasRoom()) return false;
    cursor.topic = std::string(store_.topic(row));
    if (store_.shown(row)) {
      // What comes after it in the topic adds nothing to a key told of.
      cursor.stamp = scope.TellsEntries() ? store_.stamp(row)
                                          : crdt::KeyIndex::kWholeTopic;
      AddRow(scope, row);
    } else {
      // What comes after it in the topic is hidden, too.
      cursor.stamp = crdt::KeyIndex::kWholeTopic;
      if (++passed_over % kPassedOver == 0) ++rows_;
    }
  }
  return true;
}

void StateReader::AddRow(const WatchScope& scope, RowIdx row) {
  ++rows_;
  TopicState& state = StateOf(store_.topic(row));
  if (scope.TellsEntries()) {
    ++entries_;
    state.entries.push_back(CopyEntry(store_, row, state.topic, batch_->arena));
  } else if (!keys_.contains({state.topic, store_.key(row)})) {
    AddKey(row, state);
  }
}

void StateReader::AddKey(RowIdx row, TopicState& state) {
  ++entries_;
  KeyChange key;
  key.key = batch_->arena.Copy(store_.key(row));
  key.entries = store_.keys().EntriesOfPair(row);
  keys_.emplace(state.topic, key.key);
  state.keys.push_back(key);
}

TopicState& StateReader::StateOf(absl::string_view topic) {
  std::vector<TopicState>& states = batch_->state;
  if (!states.empty() && states.back().topic == topic) return states.back();
  const auto found = state_of_.find(topic);
  if (found != state_of_.end()) return states[found->second];
  states.emplace_back();
  states.back().topic = batch_->arena.Copy(topic);
  state_of_.emplace(states.back().topic, states.size() - 1);
  return states.back();
}

// ------------------------------------------------------------------ counts

void StateReader::ReadCount(const WatchScope& scope, absl::string_view name) {
  const CountReply count = CountName(store_, scope.kind, name);
  // Of a prefix, topics that are empty are as if they were not there.
  if (scope.kind == WatchScope::Kind::kPrefix && count.entries == 0) return;
  ++entries_;
  batch_->counts.push_back(
      {batch_->arena.Copy(name), count.entries, count.keys});
}

}  // namespace muster::core
