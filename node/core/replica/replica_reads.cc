// What clients ask of a replica without changing it.
#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "node/core/replica/replica.h"
#include "node/core/replica/replica_impl.h"
#include "node/core/watch/entry_copy.h"

namespace muster::core {

using crdt::kNone;
using crdt::RowIdx;
using crdt::SessionState;
using crdt::TopicIdx;

namespace {

// Hidden rows that a page may pass over before it is cut short.
constexpr size_t kMaxPassed = 4096;
// Topics that a page looks at.
constexpr size_t kMaxNames = 2048;
// Entries of one topic and key that are told of, if they have kPageBytes at
// most.
constexpr size_t kMaxOfPair = 1024;
// Shown rows of one topic and key that are looked at for one whose node is not
// down: more only while such a node's entries are being hidden.
constexpr size_t kMaxLooked = 64;
constexpr size_t kPageBytes = 1 << 20;

std::vector<std::pair<std::string, uint64_t>> MembersByState(
    const std::vector<MemberView>& members) {
  std::vector<std::pair<std::string, uint64_t>> states = {
      {"alive", 0}, {"suspect", 0}, {"down", 0}, {"left", 0}};
  for (const MemberView& member : members) {
    ++states[static_cast<size_t>(member.state) - 1].second;
  }
  return states;
}

}  // namespace

ListReply Replica::List(absl::string_view topic, size_t limit, uint64_t after) {
  const Roll& roll = impl_->roll;
  const crdt::PresenceStore& store = roll.store();
  ListReply reply;
  TopicIdx t = store.topics().Find(topic);
  if (t == kNone) return reply;
  size_t passed = 0;
  uint64_t last = after;
  store.topics().VisitRows(t, after, [&](RowIdx row) {
    if (reply.entries.size() == limit || passed == kMaxPassed ||
        reply.arena.used() > kPageBytes) {
      reply.next = last;
      return false;
    }
    last = store.stamp(row);
    if (roll.Visible(row)) {
      reply.entries.push_back(CopyEntry(store, row, {}, reply.arena));
    } else {
      ++passed;
    }
    return true;
  });
  return reply;
}

ListReply Replica::Get(absl::string_view topic, absl::string_view key) {
  const Roll& roll = impl_->roll;
  const crdt::PresenceStore& store = roll.store();
  ListReply reply;
  for (RowIdx row = store.keys().FirstOfPair(topic, key);
       row != kNone && store.shown(row); row = store.keys().NextOfPair(row)) {
    if (reply.entries.size() == kMaxOfPair || reply.arena.used() > kPageBytes) {
      reply.next = store.stamp(row);
      break;
    }
    if (!roll.Visible(row)) continue;
    reply.entries.push_back(CopyEntry(store, row, {}, reply.arena));
  }
  std::sort(
      reply.entries.begin(), reply.entries.end(),
      [](const EntryView& a, const EntryView& b) { return a.ref < b.ref; });
  return reply;
}

CountReply Replica::Count() {
  const crdt::PresenceStore& store = impl_->roll.store();
  return {store.shown_entries(), store.shown_keys()};
}

CountReply Replica::CountTopic(absl::string_view topic) {
  const crdt::PresenceStore& store = impl_->roll.store();
  TopicIdx t = store.topics().Find(topic);
  if (t == kNone) return {};
  return {store.topics()[t].shown_entries, store.topics()[t].shown_keys};
}

CountReply Replica::CountKey(absl::string_view key) {
  const uint64_t entries = impl_->roll.store().keys().CountOf(key).entries;
  return {entries, entries > 0 ? uint64_t{1} : 0};
}

TopicsReply Replica::Topics(absl::string_view prefix, absl::string_view after,
                            size_t limit) {
  const crdt::PresenceStore& store = impl_->roll.store();
  TopicsReply reply;
  TopicIdx t = store.topics().AtOrAfter(std::max(prefix, after));
  if (t != kNone && !after.empty() && store.topics().name(t) == after) {
    t = store.topics().After(t);
  }
  absl::string_view last;
  for (size_t n = 0; t != kNone; t = store.topics().After(t), ++n) {
    absl::string_view name = store.topics().name(t);
    if (!absl::StartsWith(name, prefix)) break;
    if (reply.topics.size() == limit || n == kMaxNames) {
      reply.next = reply.arena.Copy(last);
      break;
    }
    last = name;
    const auto& record = store.topics()[t];
    if (record.shown_entries == 0) continue;
    reply.topics.push_back(
        {reply.arena.Copy(name), record.shown_entries, record.shown_keys});
  }
  return reply;
}

bool Replica::Impl::VisibleIn(RowIdx row) const {
  const crdt::PresenceStore& store = roll.store();
  const TopicIdx topic = store.topic_of(row);
  for (size_t n = 0; n < kMaxLooked; ++n) {
    if (row == kNone || store.topic_of(row) != topic) return false;
    if (roll.Visible(row)) return true;
    row = store.keys().NextOfPair(row);
  }
  return false;
}

TopicsOfReply Replica::TopicsOf(absl::string_view key, absl::string_view after,
                                size_t limit) {
  const crdt::PresenceStore& store = impl_->roll.store();
  constexpr uint64_t kAll = crdt::KeyIndex::kWholeTopic;
  TopicsOfReply reply;
  RowIdx row = store.keys().RowAfter(key, after, kAll);
  absl::string_view last;
  for (size_t n = 0; row != kNone; ++n) {
    if (reply.topics.size() == limit || n == kMaxNames) {
      reply.next = reply.arena.Copy(last);
      break;
    }
    last = store.topic(row);
    if (impl_->VisibleIn(row)) reply.topics.push_back(reply.arena.Copy(last));
    row = store.keys().RowAfter(key, last, kAll);
  }
  return reply;
}

std::string Replica::Impl::HiddenBecause(RowIdx row) const {
  const auto& session = roll.store().session(roll.store().session_of(row));
  const Stream& stream = *roll.StreamAt(session.stream);
  if (roll.store().detached(row)) {
    return "its session has moved; the new copy is not here yet";
  }
  if (session.state() == SessionState::kPending) {
    return "its session is being adopted";
  }
  if (session.state() == SessionState::kEnded) return "its session has ended";
  const crdt::SessionIdx in_force = roll.InForce(session.session);
  if (in_force != kNone && in_force != roll.store().session_of(row)) {
    return "another copy of its session is in force";
  }
  if (roll.expired(roll.store().session_of(row))) {
    return "its session's grace is over";
  }
  if (stream.dropping()) {
    return absl::StrCat("node ", stream.origin.node, " is being forgotten");
  }
  if (stream.visibility.ended()) {
    return absl::StrCat("node ", stream.origin.node, " has restarted since");
  }
  if (stream.visibility.catching_up() || stream.rebasing) {
    return absl::StrCat("catching up with node ", stream.origin.node);
  }
  if (stream.hidden()) {
    return absl::StrCat("node ", stream.origin.node, " is down");
  }
  return "about to be shown";
}

ExplainReply Replica::Explain(absl::string_view topic, absl::string_view key,
                              Now now) {
  const Roll& roll = impl_->roll;
  const crdt::PresenceStore& store = roll.store();
  ExplainReply reply;
  for (RowIdx row = store.keys().FirstOfPair(topic, key); row != kNone;
       row = store.keys().NextOfPair(row)) {
    if (reply.lines.size() == kMaxOfPair || reply.arena.used() > kPageBytes) {
      reply.more = true;
      break;
    }
    const auto& session = store.session(store.session_of(row));
    const Stream& stream = *roll.StreamAt(session.stream);
    ExplainLine line;
    line.entry = CopyEntry(store, row, reply.arena.Copy(topic), reply.arena);
    line.origin = stream.origin;
    line.session = {session.session, session.shared->epoch,
                    session.shared->resume,
                    absl::Milliseconds(session.shared->ttl_ms),
                    absl::Milliseconds(session.shared->grace_ms)};
    line.connected = session.state() == SessionState::kConnected;
    line.shown = roll.Visible(row);
    if (!line.shown) line.hidden_because = impl_->HiddenBecause(row);
    line.since_unix_us = static_cast<int64_t>(store.stamp(row));
    line.heartbeat_age =
        stream.own ? absl::ZeroDuration() : now.mono - stream.advanced;
    reply.lines.push_back(std::move(line));
  }
  std::sort(reply.lines.begin(), reply.lines.end(),
            [](const ExplainLine& a, const ExplainLine& b) {
              return a.entry.ref < b.entry.ref;
            });
  return reply;
}

// ----------------------------------------------------------------- cluster

std::string Replica::Impl::Where(crdt::LifeId life) const {
  for (const MemberView& member : membership.View(streams.now())) {
    if (member.origin.life == life) {
      return absl::StrCat(member.origin.node, " (", member.address, ")");
    }
  }
  return "a node that is not known here";
}

std::vector<MemberView> Replica::Impl::Members() const {
  std::vector<MemberView> members = membership.View(streams.now());
  for (MemberView& member : members) {
    const Stream* stream =
        streams.Find({member.origin.life, crdt::StreamKind::kPresence});
    if (stream == nullptr) continue;
    member.presence_seq = stream->vv;
    member.entries = roll.store().EntryCount(stream->idx);
  }
  return members;
}

StatusView Replica::Impl::Status() const {
  StatusView view;
  const crdt::PresenceStore& store = roll.store();
  view.origin = membership.self();
  view.ready = ready;
  view.draining = draining;
  view.notes = membership.Notes();
  view.entries = store.shown_entries();
  view.keys = store.shown_keys();
  view.topics = store.topics().size();
  view.sessions = sessions.has_value() ? sessions->count() : 0;
  view.watchers = hub.watchers();
  view.links = replication.links();
  streams.ForEach([&](const Stream& stream) {
    StreamView s;
    s.origin = stream.origin;
    s.kind = stream.kind;
    s.seq = stream.vv;
    s.log_start = streams.log(stream.kind).start(stream.idx);
    s.digest = streams.state(stream.kind).Digest(stream);
    if (stream.kind == crdt::StreamKind::kPresence) {
      s.entries = store.EntryCount(stream.idx);
      s.sessions = store.SessionCount(stream.idx);
    }
    s.hidden = stream.hidden();
    s.source = replication.SourceOf(stream);
    s.rebasing = stream.rebasing;
    s.age = stream.own ? absl::ZeroDuration()
                       : streams.now().mono - stream.advanced;
    view.streams.push_back(std::move(s));
  });
  view.members_by_state = MembersByState(Members());
  view.counters = replication.Counters();
  for (auto& counter : membership.Counters()) view.counters.push_back(counter);
  for (auto& counter : pubsub.Counters()) view.counters.push_back(counter);
  for (auto& counter : router.Counters()) view.counters.push_back(counter);
  for (auto& counter : keyspace.Counters()) view.counters.push_back(counter);
  const WatchCounters& watch = hub.counters();
  view.counters.insert(
      view.counters.end(),
      {{"watch_states", watch.states},
       {"watch_resumes", watch.resumes},
       {"watch_lagged", watch.lagged},
       {"watch_messages", watch.messages},
       {"changes", hub.counter()},
       {"ended_records_dropped",
        sessions.has_value() ? sessions->records_dropped() : 0},
       {"entries_evicted", evictions.evicted()},
       {"store_bytes", store.bytes()},
       {"watch_bytes", hub.bytes()}});
  return view;
}

Measures Replica::Impl::Measure() const {
  Measures measures;
  measures.status = Status();
  measures.members = Members();
  measures.links = membership.LinkMeasures();
  for (LinkMeasure& link : measures.links) {
    link.unacked_bytes = replication.UnackedBytes(link.id);
  }
  measures.death_times = membership.death_times();
  measures.store = roll.store().memory();
  measures.log_budget_bytes = options.replication.log_bytes;
  measures.watch_changes = hub.waiting();
  measures.visibility_jobs = roll.jobs();
  if (sessions.has_value()) {
    measures.session_ends = sessions->endings();
    measures.resumes = sessions->adoptions();
  }
  return measures;
}

std::vector<MemberView> Replica::Members(Now now) const {
  impl_->SetTime(now, absl::ZeroDuration());
  return impl_->Members();
}

StatusView Replica::Status(Now now) const {
  impl_->SetTime(now, absl::ZeroDuration());
  return impl_->Status();
}

Measures Replica::Measure() const { return impl_->Measure(); }

}  // namespace muster::core
