#include "node/core/watch_state.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "node/core/entry_copy.h"
#include "node/core/watch_diff.h"

namespace muster::core {
namespace {

using crdt::kNone;
using crdt::PresenceStore;
using crdt::RowIdx;
using crdt::TopicIdx;

// A row that is looked at and passed over costs a part of one that is copied.
constexpr size_t kPassedOver = 8;

CountReply CountKeyRows(const PresenceStore& store, absl::string_view key) {
  CountReply count;
  std::vector<TopicIdx> topics;
  for (RowIdx row = store.FirstOfKey(key); row != kNone;
       row = store.NextOfKey(row)) {
    if (!store.shown(row)) continue;
    ++count.entries;
    topics.push_back(store.topic_of(row));
  }
  std::sort(topics.begin(), topics.end());
  count.keys = std::unique(topics.begin(), topics.end()) - topics.begin();
  return count;
}

}  // namespace

CountReply CountName(const PresenceStore& store, WatchScope::Kind kind,
                     absl::string_view name) {
  if (kind == WatchScope::Kind::kKeys) return CountKeyRows(store, name);
  const TopicIdx topic = store.FindTopic(name);
  if (topic == kNone) return {};
  return {store.topic_record(topic).shown_entries,
          store.topic_record(topic).shown_keys};
}

StateReader::Slice StateReader::Read(const WatchScope& scope, size_t names,
                                     StateCursor& cursor, WatchBatch& batch) {
  batch_ = &batch;
  rows_ = 0;
  entries_ = 0;
  state_of_.clear();
  while (HasRoom()) {
    if (cursor.name.empty() || cursor.stamp == StateCursor::kWholeName) {
      if (!NextName(scope, names, cursor.name)) {
        return {names == scope.names.size(), rows_};
      }
      cursor.stamp = 0;
      ++rows_;
      continue;
    }
    bool whole = true;
    if (scope.counts_only) {
      ReadCount(scope, cursor.name);
    } else if (scope.kind == WatchScope::Kind::kKeys) {
      whole = ReadKey(cursor.name, cursor.stamp);
    } else if (TopicIdx t = store_.FindTopic(cursor.name); t != kNone) {
      whole = ReadTopic(t, cursor.stamp);
    }
    if (whole) cursor.stamp = StateCursor::kWholeName;
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
  const TopicIdx topic = store_.TopicAtOrAfter(
      name.empty() ? prefix : absl::StrCat(name, absl::string_view("\0", 1)));
  if (topic == kNone) return false;
  const absl::string_view next = store_.topic_name(topic);
  if (!absl::StartsWith(next, prefix)) return false;
  name = std::string(next);
  return true;
}

// ----------------------------------------------------------------- entries

bool StateReader::ReadTopic(TopicIdx topic, uint64_t& stamp) {
  if (store_.topic_record(topic).shown_entries == 0) return true;
  bool whole = true;
  size_t passed_over = 0;
  store_.VisitTopic(topic, stamp, [&](RowIdx row) {
    whole = HasRoom();
    if (!whole) return false;
    stamp = store_.stamp(row);
    if (store_.shown(row)) {
      AddEntry(row);
    } else if (++passed_over % kPassedOver == 0) {
      ++rows_;
    }
    return true;
  });
  return whole;
}

bool StateReader::ReadKey(absl::string_view key, uint64_t& stamp) {
  // The kSliceRows lowest stamps after the cursor, as a heap with the highest
  // of them on top.
  candidates_.clear();
  bool whole = true;
  size_t looked_at = 0;
  for (RowIdx row = store_.FirstOfKey(key); row != kNone;
       row = store_.NextOfKey(row)) {
    ++looked_at;
    const Candidate candidate{store_.stamp(row), row};
    if (!store_.shown(row) || candidate.first <= stamp) continue;
    if (candidates_.size() == kSliceRows) {
      whole = false;
      if (candidate > candidates_.front()) continue;
      std::pop_heap(candidates_.begin(), candidates_.end());
      candidates_.pop_back();
    }
    candidates_.push_back(candidate);
    std::push_heap(candidates_.begin(), candidates_.end());
  }
  std::sort_heap(candidates_.begin(), candidates_.end());
  for (const auto& [row_stamp, row] : candidates_) {
    if (!HasRoom()) return false;
    stamp = row_stamp;
    AddEntry(row);
  }
  // Counted last, or a key of very many entries would leave no room for any.
  rows_ += looked_at / kPassedOver;
  return whole;
}

void StateReader::AddEntry(RowIdx row) {
  ++rows_;
  ++entries_;
  const absl::string_view topic = store_.topic(row);
  std::vector<TopicState>& states = batch_->state;
  size_t at = states.size() - 1;
  if (states.empty() || states.back().topic != topic) {
    const auto found = state_of_.find(topic);
    if (found != state_of_.end()) {
      at = found->second;
    } else {
      at = states.size();
      states.emplace_back();
      states.back().topic = batch_->arena.Copy(topic);
      state_of_.emplace(states.back().topic, at);
    }
  }
  TopicState& state = states[at];
  state.entries.push_back(CopyEntry(store_, row, state.topic, batch_->arena));
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
