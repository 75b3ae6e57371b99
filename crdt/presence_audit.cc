// The checks of the store's invariants, for tests: each part looks at its own.
#include <algorithm>
#include <string>

#include "crdt/presence_store.h"

namespace muster::crdt {
namespace {

// Takes the rows found by a key off `left`.
std::string AuditKey(const PresenceStore& store, absl::string_view key,
                     uint64_t& left) {
  bool hidden_seen = false;
  for (RowIdx i = store.keys().FirstOfKey(key); i != kNone;
       i = store.keys().NextOfKey(i)) {
    if (store.key(i) != key || left-- == 0) return "1: row found by a key";
    if (store.shown(i) && hidden_seen)
      return "5: hidden row before a shown one";
    hidden_seen |= !store.shown(i);
  }
  return "";
}

}  // namespace

std::string SessionTable::Audit(SessionIdx session) const {
  uint32_t rows = 0;
  const RowIdx first = sessions_[session].first_row;
  RowIdx previous = first == kNone ? kNone : rows_[first].session_prev;
  for (RowIdx i = first; i != kNone; i = rows_[i].session_next) {
    if (rows_[i].session != session || rows_[i].session_prev != previous) {
      return "1: list of a session";
    }
    if (i != first && rows_.detached(previous) && !rows_.detached(i)) {
      return "8: a live row behind a detached one";
    }
    previous = i;
    ++rows;
  }
  if (first != kNone && rows_[first].session_prev != previous) {
    return "1: last row of a session";
  }
  if (rows != sessions_[session].entries) return "1: rows of a session";
  SessionIdx copy = FirstCopy(sessions_[session].session);
  while (copy != kNone && copy != session) copy = NextCopy(copy);
  if (copy == kNone) return "1: session not found by session id";
  auto shared = shared_.find(*sessions_[session].shared);
  if (shared == shared_.end() || &shared->first != sessions_[session].shared) {
    return "1: shared content";
  }
  return "";
}

std::string KeyIndex::AuditRow(RowIdx row) const {
  bool hidden_seen = false;
  uint32_t shown_rows = 0;
  bool found = false;
  for (RowIdx i = FirstOfPair(TopicOf(row), rows_.key(row)); i != kNone;
       i = NextOfPair(i)) {
    found |= i == row;
    if (rows_.shown(i) && hidden_seen) {
      return "5: hidden row before a shown one";
    }
    hidden_seen |= !rows_.shown(i);
    shown_rows += rows_.shown(i) ? 1 : 0;
  }
  if (!found) return "1: row not found by pair";
  if (EntriesOfPair(row) != shown_rows) return "9: entries of a pair";
  const bool crowded = rows_.crowded(row);
  if (crowded != rows_.crowded(rows_[row].key_ring.next) ||
      crowded != crowds_.contains(PlaceOf(row))) {
    return "7: crowd";
  }
  return "";
}

std::string KeyIndex::AuditCrowds() const {
  uint64_t rows = 0;
  for (const auto& [name, crowd] : crowd_counts_) {
    uint32_t here = 0;
    uint64_t shown_here = 0;
    absl::btree_map<TopicIdx, uint32_t> topics;
    for (RowIdx i = FirstOfKey(name); i != kNone; i = NextOfKey(i)) {
      ++here;
      if (!rows_.shown(i)) continue;
      ++shown_here;
      ++topics[rows_[i].topic];
    }
    size_t several = 0;
    for (const auto& [topic, entries] : topics) several += entries > 1 ? 1 : 0;
    if (here != crowd.rows || shown_here != crowd.shown.entries ||
        topics.size() != crowd.shown.topics ||
        several != crowd.several.size()) {
      return "7: counts of a crowd";
    }
    rows += here;
  }
  return rows == crowds_.size() ? "" : "7: rows of crowds";
}

std::string PresenceStore::AuditStream(StreamIdx stream) const {
  const StreamElements& s = streams_[stream];
  uint64_t digest = 0;
  uint32_t entries = 0;
  uint32_t sessions = 0;
  Seq last;
  for (RowIdx i = s.rows_by_seq.head; i != kNone; i = rows_[i].seq_next) {
    if (seq(i) <= last) return "2: entry seqs do not ascend";
    last = seq(i);
    digest += RowDigest(i);
    ++entries;
    if (detached(i)) return "1: a detached row is in its stream";
    if (FindEntry(stream, rows_[i].id) != i) return "1: row not found by id";
  }
  last = Seq();
  for (SessionIdx i = s.sessions_by_seq.head; i != kNone;
       i = sessions_[i].seq_next) {
    if (sessions_[i].seq <= last) return "2: session seqs do not ascend";
    last = sessions_[i].seq;
    digest += sessions_.Digest(i);
    ++sessions;
    if (sessions_.Find(stream, sessions_[i].id) != i) {
      return "1: session not found by id";
    }
    if (std::string wrong = sessions_.Audit(i); !wrong.empty()) return wrong;
  }
  if (digest != s.digest) return "3: digest";
  if (entries != s.entries || sessions != s.sessions) return "1: stream count";
  return "";
}

// Counts its rows in `rows`.
std::string PresenceStore::AuditTopic(TopicIdx topic, uint64_t& rows) const {
  uint32_t shown_here = 0;
  absl::btree_set<absl::string_view> keys;
  std::string wrong;
  topics_.VisitRows(topic, 0, [&](RowIdx i) {
    ++rows;
    wrong = keys_.AuditRow(i);
    if (shown(i)) {
      ++shown_here;
      keys.insert(key(i));
    }
    return wrong.empty();
  });
  if (!wrong.empty()) return wrong;
  if (shown_here != topics_[topic].shown_entries) return "4: topic entries";
  return keys.size() == topics_[topic].shown_keys ? "" : "4: topic keys";
}

std::string PresenceStore::AuditTopics() const {
  uint64_t rows = 0;
  uint64_t shown_total = 0;
  uint64_t keys_total = 0;
  absl::btree_set<Ref> refs;
  absl::btree_set<absl::string_view> all_keys;
  std::string wrong;
  topics_.VisitAll([&](absl::string_view name, TopicIdx topic) {
    if (!wrong.empty()) return;
    wrong = AuditTopic(topic, rows);
    if (topics_.Find(name) != topic) wrong = "1: topic not found by name";
    topics_.VisitRows(topic, 0, [&](RowIdx i) {
      all_keys.insert(key(i));
      if (shown(i) && !refs.insert(ref(i)).second) {
        wrong = "6: a ref is shown twice";
      }
      return true;
    });
    shown_total += topics_[topic].shown_entries;
    keys_total += topics_[topic].shown_keys;
  });
  if (!wrong.empty()) return wrong;
  if (shown_total != shown_entries_ || keys_total != shown_keys_) {
    return "4: totals";
  }
  if (rows != rows_.size()) return "1: a row is in no topic's order";
  for (absl::string_view name : all_keys) {
    if (std::string bad = AuditKey(*this, name, rows); !bad.empty()) return bad;
  }
  return rows == 0 ? "" : "1: row not found by key";
}

std::string PresenceStore::Audit() const {
  size_t entries = 0;
  size_t sessions = 0;
  for (StreamIdx stream = 0; stream < streams_.size(); ++stream) {
    if (std::find(free_streams_.begin(), free_streams_.end(), stream) !=
        free_streams_.end()) {
      continue;
    }
    if (std::string wrong = AuditStream(stream); !wrong.empty()) return wrong;
    entries += streams_[stream].entries;
    sessions += streams_[stream].sessions;
  }
  if (entries != by_id_.size()) return "1: rows found by id";
  if (sessions != sessions_.size()) return "1: a session is in no stream";
  std::string wrong = AuditTopics();
  return wrong.empty() ? keys_.AuditCrowds() : wrong;
}

}  // namespace muster::crdt
