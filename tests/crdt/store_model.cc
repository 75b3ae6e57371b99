#include "store_model.h"

#include <algorithm>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace muster::crdt {

using testing::ElementsAreArray;
using testing::UnorderedElementsAreArray;

Ref StoreModel::RefOf(const Entry& entry) const {
  const bool updated = entry.seq.value != entry.id.value;
  if (!entry.explicit_ref.IsNone() && !updated) return entry.explicit_ref;
  return {streams.at(entry.stream).life, entry.id, entry.seq};
}

void StoreModel::Report(ViewEvent::Kind kind, const Entry& entry,
                        const Ref& previous) {
  events.push_back(
      {kind, entry.topic, entry.key, entry.meta, RefOf(entry), previous});
}

void StoreModel::Show(RowIdx row) {
  entries.at(row).shown = true;
  Report(ViewEvent::Kind::kShown, entries.at(row), {});
}

void StoreModel::Hide(RowIdx row) {
  entries.at(row).shown = false;
  Report(ViewEvent::Kind::kHidden, entries.at(row), {});
}

void StoreModel::Update(RowIdx row, Seq seq, const std::string& meta,
                        const Ref& ref) {
  Entry& entry = entries.at(row);
  Ref previous = RefOf(entry);
  entry.seq = seq;
  entry.meta = meta;
  entry.explicit_ref = ref;
  if (entry.shown) Report(ViewEvent::Kind::kUpdated, entry, previous);
}

void StoreModel::Transfer(RowIdx from, RowIdx to) {
  Entry& a = entries.at(from);
  Entry& b = entries.at(to);
  std::swap(a.stamp, b.stamp);
  a.shown = false;
  b.shown = true;
  if (RefOf(a) != RefOf(b)) {
    Report(ViewEvent::Kind::kUpdated, b, RefOf(a));
  }
}

void StoreModel::Remove(RowIdx row) {
  if (entries.at(row).shown) Hide(row);
  entries.erase(row);
}

bool StoreModel::HasRows(SessionIdx session) const {
  return std::any_of(entries.begin(), entries.end(), [&](const auto& entry) {
    return entry.second.session == session;
  });
}

std::set<std::string> StoreModel::Topics() const {
  std::set<std::string> topics;
  for (const auto& [row, entry] : entries) topics.insert(entry.topic);
  for (const auto& [topic, count] : pins) topics.insert(topic);
  return topics;
}

void StoreModel::Compare(const PresenceStore& store) const {
  ASSERT_EQ(store.Audit(), "");
  CompareEntries(store);
  CompareGroups(store);
  CompareSessions(store);
  CompareStreams(store);
  CompareTopics(store);
}

void StoreModel::CompareEntries(const PresenceStore& store) const {
  ASSERT_EQ(store.row_count(), entries.size());
  for (const auto& [row, entry] : entries) {
    ASSERT_EQ(store.id(row), entry.id);
    ASSERT_EQ(store.seq(row), entry.seq);
    ASSERT_EQ(store.topic(row), entry.topic);
    ASSERT_EQ(store.key(row), entry.key);
    ASSERT_EQ(store.meta(row), entry.meta);
    ASSERT_EQ(store.ref(row), RefOf(entry));
    ASSERT_EQ(store.adopted_as(row), entry.explicit_ref);
    ASSERT_EQ(store.shown(row), entry.shown);
    ASSERT_EQ(store.detached(row), entry.detached);
    ASSERT_EQ(store.stamp(row), entry.stamp);
    ASSERT_EQ(store.session_of(row), entry.session);
    ASSERT_EQ(store.stream_of(row), entry.stream);
    ASSERT_EQ(store.FindEntry(entry.stream, entry.id),
              entry.detached ? kNone : row);
  }
  for (const auto& [index, stream] : streams) {
    ASSERT_EQ(store.FindEntry(index, ElementId(stream.last.value + 1)), kNone);
  }
}

void StoreModel::CompareGroups(const PresenceStore& store) const {
  std::map<std::pair<std::string, std::string>, std::vector<RowIdx>> pairs;
  std::map<std::string, std::vector<RowIdx>> keys;
  for (const auto& [row, entry] : entries) {
    pairs[{entry.topic, entry.key}].push_back(row);
    keys[entry.key].push_back(row);
  }
  for (const auto& [pair, wanted] : pairs) {
    std::vector<RowIdx> rows;
    for (RowIdx i = store.keys().FirstOfPair(pair.first, pair.second);
         i != kNone; i = store.keys().NextOfPair(i)) {
      rows.push_back(i);
    }
    ASSERT_THAT(rows, UnorderedElementsAreArray(wanted));
    ASSERT_TRUE(std::is_partitioned(rows.begin(), rows.end(), [&](RowIdx i) {
      return entries.at(i).shown;
    })) << "shown ones come first";
  }
  for (const auto& [key, wanted] : keys) {
    std::vector<RowIdx> rows;
    for (RowIdx i = store.keys().FirstOfKey(key); i != kNone;
         i = store.keys().NextOfKey(i)) {
      rows.push_back(i);
    }
    ASSERT_THAT(rows, UnorderedElementsAreArray(wanted));
  }
  ASSERT_EQ(store.keys().FirstOfKey("no such key"), kNone);
  ASSERT_EQ(store.keys().FirstOfPair("no such topic", "key"), kNone);
}

void StoreModel::CompareSessions(const PresenceStore& store) const {
  ASSERT_EQ(store.sessions().size(), sessions.size());
  std::map<SessionId, std::vector<SessionIdx>> copies;
  for (const auto& [index, session] : sessions) {
    const PresenceStore::Session& record = store.session(index);
    ASSERT_EQ(record.content(), session.content);
    ASSERT_EQ(record.id, session.id);
    ASSERT_EQ(record.seq, session.seq);
    ASSERT_EQ(record.stream, session.stream);
    ASSERT_EQ(store.sessions().Find(session.stream, session.id), index);
    copies[session.content.session].push_back(index);
    std::vector<RowIdx> wanted;
    for (const auto& [row, entry] : entries) {
      if (entry.session == index) wanted.push_back(row);
    }
    std::vector<RowIdx> rows;
    for (RowIdx i = store.FirstRowOf(index); i != kNone;
         i = store.NextRowOf(i)) {
      rows.push_back(i);
    }
    ASSERT_THAT(rows, UnorderedElementsAreArray(wanted));
    ASSERT_EQ(record.entries, wanted.size());
  }
  for (const auto& [id, wanted] : copies) {
    std::vector<SessionIdx> found;
    for (SessionIdx i = store.sessions().FirstCopy(id); i != kNone;
         i = store.sessions().NextCopy(i)) {
      found.push_back(i);
    }
    ASSERT_THAT(found, UnorderedElementsAreArray(wanted));
  }
}

void StoreModel::CompareStreams(const PresenceStore& store) const {
  for (const auto& [index, stream] : streams) {
    std::map<Seq, RowIdx> rows_by_seq;
    for (const auto& [row, entry] : entries) {
      if (entry.stream == index && !entry.detached) {
        rows_by_seq[entry.seq] = row;
      }
    }
    auto at = rows_by_seq.begin();
    for (RowIdx i = store.FirstRowBySeq(index); i != kNone;
         i = store.NextRowBySeq(i), ++at) {
      ASSERT_NE(at, rows_by_seq.end());
      ASSERT_EQ(i, at->second);
    }
    ASSERT_EQ(at, rows_by_seq.end());
    ASSERT_EQ(store.EntryCount(index), rows_by_seq.size());

    std::map<Seq, SessionIdx> sessions_by_seq;
    for (const auto& [i, session] : sessions) {
      if (session.stream == index) sessions_by_seq[session.seq] = i;
    }
    auto session_at = sessions_by_seq.begin();
    for (SessionIdx i = store.FirstSessionBySeq(index); i != kNone;
         i = store.NextSessionBySeq(i), ++session_at) {
      ASSERT_NE(session_at, sessions_by_seq.end());
      ASSERT_EQ(i, session_at->second);
    }
    ASSERT_EQ(session_at, sessions_by_seq.end());
    ASSERT_EQ(store.SessionCount(index), sessions_by_seq.size());
  }
}

void StoreModel::CompareTopics(const PresenceStore& store) const {
  uint64_t shown_total = 0;
  uint64_t keys_total = 0;
  std::set<std::string> wanted = Topics();
  TopicIdx topic = store.topics().AtOrAfter("");
  for (const std::string& name : wanted) {
    ASSERT_NE(topic, kNone);
    ASSERT_EQ(store.topics().name(topic), name);
    ASSERT_EQ(store.topics().Find(name), topic);
    ASSERT_EQ(store.topics().AtOrAfter(name), topic);
    std::map<uint64_t, RowIdx> order;
    std::set<std::string> keys;
    uint32_t shown = 0;
    for (const auto& [row, entry] : entries) {
      if (entry.topic != name) continue;
      order[entry.stamp] = row;
      if (!entry.shown) continue;
      ++shown;
      keys.insert(entry.key);
    }
    ASSERT_EQ(store.topics()[topic].shown_entries, shown);
    ASSERT_EQ(store.topics()[topic].shown_keys, keys.size());
    ComparePages(store, topic, order);
    shown_total += shown;
    keys_total += keys.size();
    topic = store.topics().After(topic);
  }
  ASSERT_EQ(topic, kNone);
  ASSERT_EQ(store.topics().size(), wanted.size());
  ASSERT_EQ(store.shown_entries(), shown_total);
  ASSERT_EQ(store.shown_keys(), keys_total);
}

void StoreModel::ComparePages(const PresenceStore& store, TopicIdx topic,
                              const std::map<uint64_t, RowIdx>& order) const {
  std::vector<RowIdx> wanted;
  for (const auto& [stamp, row] : order) wanted.push_back(row);
  for (size_t page_size : {size_t{1}, size_t{3}, wanted.size() + 1}) {
    std::vector<RowIdx> rows;
    uint64_t after = 0;
    for (bool full = true; full;) {
      size_t page = 0;
      store.topics().VisitRows(topic, after, [&](RowIdx row) {
        rows.push_back(row);
        after = store.stamp(row);
        return ++page < page_size;
      });
      full = page == page_size;
    }
    ASSERT_THAT(rows, ElementsAreArray(wanted)) << page_size << " a page";
  }
}

std::map<StreamIdx, uint64_t> StoreModel::FreshDigests(
    uint64_t hash_seed) const {
  PresenceStore store(hash_seed);
  std::map<StreamIdx, uint64_t> digests;
  // Streams in another order than they came, so with other numbers.
  for (auto it = streams.rbegin(); it != streams.rend(); ++it) {
    StreamIdx stream = store.AddStream(it->second.life);
    std::map<Seq, const Session*> sessions_by_seq;
    for (const auto& [i, session] : sessions) {
      if (session.stream == it->first) sessions_by_seq[session.seq] = &session;
    }
    for (const auto& [seq, session] : sessions_by_seq) {
      store.PutSession(stream, session->id, seq, session->content);
    }
    std::map<Seq, const Entry*> by_seq;
    for (const auto& [row, entry] : entries) {
      if (entry.stream == it->first && !entry.detached) {
        by_seq[entry.seq] = &entry;
      }
    }
    for (const auto& [seq, entry] : by_seq) {
      ElementId session = sessions.at(entry->session).id;
      store.AddEntry(store.sessions().Find(stream, session), entry->id, seq,
                     {session, entry->topic, entry->key, entry->meta,
                      entry->explicit_ref});
    }
    digests[it->first] = store.Digest(stream);
  }
  return digests;
}

}  // namespace muster::crdt
