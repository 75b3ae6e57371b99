#include <algorithm>
#include <string>

#include "crdt/presence_store.h"

namespace muster::crdt {

size_t PresenceStore::bytes() const {
  // Nodes of the ordered containers, by their usual fill.
  constexpr size_t kOrderBytes = 5;
  constexpr size_t kTopicNameBytes = sizeof(std::string) + 8;
  constexpr size_t kSharedNodeBytes = sizeof(*shared_.begin()) + 40;
  size_t heads = size_t{by_id_.buckets()} + by_pair_.buckets() +
                 by_key_.buckets() + session_by_id_.buckets() +
                 by_sid_.buckets() + by_topic_.buckets();
  return rows_.bytes() + sessions_.bytes() + topics_.bytes() + slab_.bytes() +
         heads * sizeof(uint32_t) + rows_.size() * kOrderBytes +
         orders_.size() * sizeof(Order) +
         topics_by_name_.size() * kTopicNameBytes +
         shared_.size() * kSharedNodeBytes;
}

std::string PresenceStore::AuditStream(StreamIdx stream) const {
  const Stream& s = streams_[stream];
  uint64_t digest = 0;
  uint32_t entries = 0;
  uint32_t sessions = 0;
  Seq last;
  for (RowIdx i = s.row_head; i != kNone; i = rows_[i].seq_next) {
    if (seq(i) <= last) return "2: entry seqs do not ascend";
    last = seq(i);
    digest += RowDigest(i);
    ++entries;
    if (detached(i)) return "1: a detached row is in its stream";
    if (FindEntry(stream, rows_[i].id) != i) return "1: row not found by id";
  }
  last = Seq();
  for (SessionIdx i = s.session_head; i != kNone; i = sessions_[i].seq_next) {
    if (sessions_[i].seq <= last) return "2: session seqs do not ascend";
    last = sessions_[i].seq;
    digest += SessionDigest(i);
    ++sessions;
    if (FindSession(stream, sessions_[i].id) != i) {
      return "1: session not found by id";
    }
  }
  if (digest != s.digest) return "3: digest";
  if (entries != s.entries || sessions != s.sessions) return "1: stream count";
  return "";
}

std::string PresenceStore::AuditTopics() const {
  uint64_t shown_total = 0;
  uint64_t keys_total = 0;
  for (const auto& [name, topic] : topics_by_name_) {
    uint32_t shown_here = 0;
    absl::btree_set<std::string> keys;
    for (RowIdx i : orders_[topics_[topic].order]) {
      if (shown(i)) {
        ++shown_here;
        keys.insert(std::string(key(i)));
      }
      bool hidden_seen = false;
      bool found = false;
      for (RowIdx j = FirstOfPair(name, key(i)); j != kNone;
           j = NextOfPair(j)) {
        found |= i == j;
        if (shown(j) && hidden_seen) return "5: hidden row before a shown one";
        hidden_seen |= !shown(j);
      }
      if (!found) return "1: row not found by pair";
    }
    if (shown_here != topics_[topic].shown_entries) return "4: topic entries";
    if (keys.size() != topics_[topic].shown_keys) return "4: topic keys";
    shown_total += shown_here;
    keys_total += keys.size();
  }
  if (shown_total != shown_entries_ || keys_total != shown_keys_) {
    return "4: totals";
  }
  return "";
}

std::string PresenceStore::Audit() const {
  for (StreamIdx stream = 0; stream < streams_.size(); ++stream) {
    if (std::find(free_streams_.begin(), free_streams_.end(), stream) !=
        free_streams_.end()) {
      continue;
    }
    if (std::string wrong = AuditStream(stream); !wrong.empty()) return wrong;
  }
  return AuditTopics();
}

}  // namespace muster::crdt
