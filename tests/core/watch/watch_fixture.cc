#include "tests/core/watch/watch_fixture.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "absl/strings/match.h"

namespace muster::core {
namespace {

using crdt::kNone;
using crdt::RowIdx;

std::string Text(absl::string_view bytes) { return std::string(bytes); }

bool InScope(const WatchRequest& request, const Seen& entry) {
  const auto has = [](const std::vector<std::string>& names,
                      const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  return has(request.topics, entry.topic) || has(request.keys, entry.key) ||
         (!request.prefix.empty() &&
          absl::StartsWith(entry.topic, request.prefix));
}

}  // namespace

WatchRequest Topics(std::vector<std::string> topics) {
  WatchRequest request;
  request.topics = std::move(topics);
  return request;
}
WatchRequest Prefix(std::string prefix) {
  WatchRequest request;
  request.prefix = std::move(prefix);
  return request;
}
WatchRequest Keys(std::vector<std::string> keys) {
  WatchRequest request;
  request.keys = std::move(keys);
  return request;
}
WatchRequest CountsOf(WatchRequest request, absl::Duration interval) {
  request.counts_only = true;
  request.interval = interval;
  return request;
}

WatchRequest Detailed(WatchRequest request, WatchDetail detail) {
  request.detail = detail;
  return request;
}
KeyRoster KeysOf(const Roster& roster) {
  KeyRoster keys;
  for (const auto& [ref, seen] : roster) ++keys[{seen.topic, seen.key}];
  return keys;
}

// -------------------------------------------------------------- TestClient

void TestClient::ReadOne() {
  const std::shared_ptr<const WatchBatch> batch = queue.front();
  queue.pop_front();
  read.push_back(batch);
  EXPECT_EQ(batch->version_life, kSelf);
  if (batch->reset) {
    roster.clear();
    counts.clear();
    keys.clear();
    in_state_ = true;
    complete = false;
    ++resets;
  }
  ApplyState(*batch);
  ApplyDiffs(*batch);
  for (const TopicCount& count : batch->counts) {
    counts[Text(count.topic)] = {count.entries, count.keys};
  }
  if (batch->state_complete) {
    EXPECT_FALSE(complete) << "a state that was complete ends again";
    complete = true;
    EXPECT_EQ(batch->version_counter == 0, request.counts_only);
  }
  CheckKeys(*batch);
  if (batch->state_complete) in_state_ = false;
  if (batch->version_counter != 0) {
    EXPECT_GE(batch->version_counter, version);
    version = batch->version_counter;
  }
  at_version = batch->version_counter != 0;
}

void TestClient::ApplyKeys(absl::string_view topic,
                           const std::vector<KeyChange>& changes,
                           bool in_state) {
  for (const KeyChange& change : changes) {
    EXPECT_NE(request.detail, WatchDetail::kEntries);
    const std::pair<std::string, std::string> name(Text(topic),
                                                   Text(change.key));
    EXPECT_TRUE(InScope(request, {name.first, name.second, ""}));
    uint64_t& known = keys[name];
    if (in_state) {
      EXPECT_EQ(request.detail, WatchDetail::kKeys);
      EXPECT_FALSE(change.first_in || change.last_out);
    } else {
      EXPECT_NE(change.entries, known) << name.second << " has not changed";
      EXPECT_EQ(change.first_in, known == 0) << name.second;
      EXPECT_EQ(change.last_out, change.entries == 0) << name.second;
    }
    known = change.entries;
    if (known == 0) keys.erase(name);
  }
}

// What was said of keys and of entries agrees wherever there is a version.
void TestClient::CheckKeys(const WatchBatch& batch) {
  if (request.detail != WatchDetail::kEntriesAndKeys) return;
  if (in_state_) keys = KeysOf(roster);
  if (batch.version_counter == 0) return;
  EXPECT_EQ(keys, KeysOf(roster));
}

void TestClient::ApplyState(const WatchBatch& batch) {
  if (!batch.state.empty()) ++states;
  for (const TopicState& state : batch.state) {
    EXPECT_FALSE(complete) << "a state without a reset";
    ApplyKeys(state.topic, state.keys, true);
    if (request.detail == WatchDetail::kKeys) {
      EXPECT_TRUE(state.entries.empty());
    }
    for (const EntryView& entry : state.entries) {
      EXPECT_EQ(entry.topic, state.topic);
      EXPECT_TRUE(entry.ref_prev.IsNone());
      const Seen seen{Text(state.topic), Text(entry.key), Text(entry.meta)};
      EXPECT_TRUE(InScope(request, seen)) << seen.topic << " " << seen.key;
      EXPECT_TRUE(roster.emplace(entry.ref, seen).second)
          << "the state has " << seen.key << " twice";
    }
  }
}

void TestClient::ApplyDiffs(const WatchBatch& batch) {
  std::set<std::string> topics;
  for (const TopicDiff& diff : batch.diffs) {
    EXPECT_TRUE(topics.insert(Text(diff.topic)).second)
        << "two diffs of one topic in one message";
    ApplyKeys(diff.topic, diff.keys, in_state_);
    if (request.detail == WatchDetail::kKeys) {
      EXPECT_TRUE(diff.joins.empty() && diff.updates.empty() &&
                  diff.leaves.empty());
    } else if (diff.joins.empty() && diff.updates.empty()) {
      EXPECT_FALSE(diff.leaves.empty() && diff.keys.empty());
    }
    for (const EntryView& entry : diff.joins) {
      const Seen seen{Text(diff.topic), Text(entry.key), Text(entry.meta)};
      EXPECT_TRUE(InScope(request, seen)) << seen.topic << " " << seen.key;
      EXPECT_TRUE(roster.emplace(entry.ref, seen).second)
          << seen.key << " joins twice";
    }
    for (const EntryView& entry : diff.updates) {
      const auto before = roster.find(entry.ref_prev);
      ASSERT_NE(before, roster.end()) << "update of nothing";
      EXPECT_EQ(before->second.key, entry.key);
      EXPECT_EQ(before->second.topic, diff.topic);
      roster.erase(before);
      const Seen seen{Text(diff.topic), Text(entry.key), Text(entry.meta)};
      EXPECT_TRUE(roster.emplace(entry.ref, seen).second);
    }
    for (const EntryView& entry : diff.leaves) {
      EXPECT_EQ(roster.erase(entry.ref), 1u)
          << entry.key << " leaves and was not there";
    }
  }
}

// -------------------------------------------------------------- WatchWorld

WatchWorld::WatchWorld(WatchOptions options, uint64_t seed, WatchStep step)
    : store(seed), hub(store, options, kSelf, step) {
  store.SetObserver(&hub);
  store.SetTime(now.wall_us);
  for (Copy& copy : copies_) {
    const uint64_t number = &copy - copies_ + 1;
    copy.stream = store.AddStream(100 + number);
    copy.seq = 1;
    crdt::SessionContent content;
    content.session = {5, 5};
    content.state = crdt::SessionState::kConnected;
    copy.session = store.PutSession(copy.stream, crdt::ElementId(1),
                                    crdt::Seq(1), content);
  }
}

RowIdx WatchWorld::Add(const std::string& topic, const std::string& key,
                       const std::string& meta, bool show, int copy,
                       crdt::Ref ref) {
  const uint64_t seq = ++copies_[copy].seq;
  crdt::EntryContent content;
  content.topic = topic;
  content.key = key;
  content.meta = meta;
  content.ref = ref;
  const RowIdx row = store.AddEntry(copies_[copy].session, crdt::ElementId(seq),
                                    crdt::Seq(seq), content);
  if (show) store.Show(row);
  return row;
}

void WatchWorld::Update(RowIdx row, const std::string& meta) {
  const crdt::StreamIdx stream = store.stream_of(row);
  Copy& copy = copies_[copies_[0].stream == stream ? 0 : 1];
  store.UpdateEntry(row, crdt::Seq(++copy.seq), meta, {});
}

TestClient& WatchWorld::Open(WatchRequest request) {
  clients.push_back(std::make_unique<TestClient>(std::move(request)));
  Reopen(*clients.back());
  return *clients.back();
}

void WatchWorld::Reopen(TestClient& client) {
  Close(client);
  client.request.version_life = client.version == 0 ? crdt::LifeId{} : kSelf;
  client.request.version_counter = client.version;
  const absl::StatusOr<WatchId> id = hub.Watch(client.request, now, out);
  ASSERT_TRUE(id.ok()) << id.status();
  client.id = *id;
  client.open = true;
  client.complete = false;
  by_id_[*id] = &client;
}

void WatchWorld::Close(TestClient& client) {
  if (!client.open) return;
  Deliver();
  hub.EndWatch(client.id);
  by_id_.erase(client.id);
  client.queue.clear();
  client.open = false;
}

void WatchWorld::Deliver() {
  for (WatchEvent& event : out.watch) {
    const auto to = by_id_.find(event.watch);
    ASSERT_NE(to, by_id_.end()) << "an event for a watch that is not open";
    to->second->Receive(std::move(event.batch));
  }
  out.watch.clear();
}

void WatchWorld::Read(TestClient& client, size_t batches) {
  Deliver();
  batches = std::min(batches, client.queue.size());
  for (size_t i = 0; i < batches; ++i) client.ReadOne();
  if (batches > 0) hub.WatchWritten(client.id, batches, now, out);
}

void WatchWorld::ReadAll() {
  for (const auto& client : clients) Read(*client);
}

void WatchWorld::Flush() { hub.Flush(now, out); }

bool WatchWorld::RunSlice() {
  out.more_work = false;
  return hub.RunSlice(now, out);
}

void WatchWorld::Tick(absl::Duration later) {
  now.mono = now.mono + later;
  now.wall_us += absl::ToInt64Microseconds(later);
  store.SetTime(now.wall_us);
  hub.Tick(now, out);
}

void WatchWorld::Settle() {
  Flush();
  do {
    while (RunSlice()) Deliver();
    ReadAll();
  } while (hub.has_work());
}

Roster WatchWorld::Shown(const WatchRequest& request) const {
  Roster roster;
  for (crdt::TopicIdx t = store.topics().AtOrAfter(""); t != kNone;
       t = store.topics().After(t)) {
    store.topics().VisitRows(t, 0, [&](RowIdx row) {
      const Seen seen{Text(store.topics().name(t)), Text(store.key(row)),
                      Text(store.meta(row))};
      if (store.shown(row) && InScope(request, seen)) {
        roster.emplace(store.ref(row), seen);
      }
      return true;
    });
  }
  return roster;
}

Counts WatchWorld::Counted(const WatchRequest& request) const {
  Counts counts;
  std::set<std::pair<std::string, std::string>> pairs;
  for (const auto& [ref, seen] : Shown(request)) {
    auto& [entries, keys] =
        counts[request.keys.empty() ? seen.topic : seen.key];
    ++entries;
    if (pairs.emplace(seen.topic, seen.key).second) ++keys;
  }
  return counts;
}

}  // namespace muster::core
