#include "crdt/session_table.h"

#include "crdt/check.h"

namespace muster::crdt {

SessionTable::SessionTable(EntryRows& rows, uint64_t hash_seed)
    : rows_(rows), hash_seed_(hash_seed), by_id_({this}), by_sid_({this}) {}

// --------------------------------------------------------------- look-ups

SessionIdx SessionTable::Find(StreamIdx stream, ElementId id) const {
  uint64_t hash = ElementHash(stream, id);
  for (SessionIdx i = by_id_.First(hash); i != kNone; i = by_id_.Next(i)) {
    if (sessions_[i].id == id && sessions_[i].stream == stream) return i;
  }
  return kNone;
}

bool SessionTable::Sole(SessionIdx i) const {
  return by_sid_.Alone(i) ||
         (FirstCopy(sessions_[i].session) == i && NextCopy(i) == kNone);
}

SessionIdx SessionTable::FirstCopy(SessionId session) const {
  SessionIdx i = by_sid_.First(HashOf(session));
  while (i != kNone && sessions_[i].session != session) i = by_sid_.Next(i);
  return i;
}

SessionIdx SessionTable::NextCopy(SessionIdx i) const {
  SessionId session = sessions_[i].session;
  do {
    i = by_sid_.Next(i);
  } while (i != kNone && sessions_[i].session != session);
  return i;
}

uint64_t SessionTable::Digest(SessionIdx i) const {
  const Session& session = sessions_[i];
  const SharedContent& shared = *session.shared;
  const uint64_t words[] = {session.id.value,
                            session.seq.value,
                            session.session.hi,
                            session.session.lo,
                            shared.epoch,
                            shared.resume,
                            shared.grace_ms | uint64_t{shared.ttl_ms} << 32,
                            static_cast<uint64_t>(shared.state),
                            shared.moved_life.hi,
                            shared.moved_life.lo,
                            shared.moved_seq.value};
  uint64_t hash = 0;
  for (uint64_t word : words) hash = Mix(hash ^ word) + word;
  return Mix(hash);
}

// ---------------------------------------------------------------- records

const SessionTable::SharedContent* SessionTable::Share(
    const SessionContent& content) {
  SharedContent shared{content.epoch, content.resume, content.grace_ms,
                       content.ttl_ms, content.state};
  // Where it has moved is only told, and so only digested, in this state.
  if (content.state == SessionState::kMoved) {
    shared.moved_life = content.moved_life;
    shared.moved_seq = content.moved_seq;
  }
  auto it = shared_.try_emplace(shared, 0).first;
  ++it->second;
  return &it->first;
}

void SessionTable::Unshare(const SharedContent* shared) {
  auto it = shared_.find(*shared);
  if (--it->second == 0) shared_.erase(it);
}

SessionIdx SessionTable::Add(StreamIdx stream, ElementId id,
                             const SessionContent& content) {
  const SessionIdx i = sessions_.Alloc();
  Session& session = sessions_[i];
  session.id = id;
  session.stream = stream;
  session.session = content.session;
  session.shared = Share(content);
  by_id_.Insert(i);
  by_sid_.Insert(i);
  return i;
}

void SessionTable::SetContent(SessionIdx i, const SessionContent& content) {
  Session& session = sessions_[i];
  const SharedContent* const before = session.shared;
  session.shared = Share(content);
  Unshare(before);
  if (session.session == content.session) return;
  by_sid_.Erase(i);
  session.session = content.session;
  by_sid_.Insert(i);
}

void SessionTable::Remove(SessionIdx i) {
  const Session& session = sessions_[i];
  MUSTER_CHECK(session.first_row == kNone);
  by_id_.Erase(i);
  by_sid_.Erase(i);
  Unshare(session.shared);
  sessions_.Free(i);
}

size_t SessionTable::bytes() const {
  // Nodes of the ordered map, by their usual fill.
  constexpr size_t kSharedNodeBytes = sizeof(*shared_.begin()) + 40;
  return sessions_.bytes() + shared_.size() * kSharedNodeBytes;
}

// --------------------------------------------------------- rows of a session

void SessionTable::AddRow(RowIdx i) {
  PrependRow(i);
  ++sessions_[rows_[i].session].entries;
}

void SessionTable::MoveRowToEnd(RowIdx i) {
  UnlinkRow(i);
  AppendRow(i);
}

void SessionTable::RemoveRow(RowIdx i) {
  --sessions_[rows_[i].session].entries;
  UnlinkRow(i);
}

// The first row's link back leads to the last.
void SessionTable::PrependRow(RowIdx i) {
  EntryRows::Row& row = rows_[i];
  RowIdx& head = sessions_[row.session].first_row;
  if (head == kNone) return AppendRow(i);
  row.session_prev = rows_[head].session_prev;
  row.session_next = head;
  rows_[head].session_prev = i;
  head = i;
}

void SessionTable::AppendRow(RowIdx i) {
  EntryRows::Row& row = rows_[i];
  RowIdx& head = sessions_[row.session].first_row;
  row.session_next = kNone;
  if (head == kNone) {
    row.session_prev = i;
    head = i;
    return;
  }
  row.session_prev = rows_[head].session_prev;
  rows_[row.session_prev].session_next = i;
  rows_[head].session_prev = i;
}

void SessionTable::UnlinkRow(RowIdx i) {
  const EntryRows::Row& row = rows_[i];
  RowIdx& head = sessions_[row.session].first_row;
  if (head == i) {
    head = row.session_next;
  } else {
    rows_[row.session_prev].session_next = row.session_next;
  }
  const RowIdx after = row.session_next != kNone ? row.session_next : head;
  if (after != kNone) rows_[after].session_prev = row.session_prev;
}

}  // namespace muster::crdt
