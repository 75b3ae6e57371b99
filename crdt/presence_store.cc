#include "crdt/presence_store.h"

#include <algorithm>

#include "crdt/check.h"
#include "crdt/presence_bytes.h"

namespace muster::crdt {

PresenceStore::PresenceStore(uint64_t hash_seed)
    : hash_seed_(hash_seed),
      by_id_({this}),
      by_key_({this}),
      crowds_(CrowdOrder{this}),
      session_by_id_({this}),
      by_sid_({this}),
      by_topic_({this}) {}

void PresenceStore::SetTime(int64_t wall_us) {
  if (wall_us > 0) {
    next_stamp_ = std::max(next_stamp_, static_cast<uint64_t>(wall_us));
  }
}

uint32_t PresenceStore::HashName(absl::string_view name) const {
  return static_cast<uint32_t>(HashBytes(name, hash_seed_));
}

uint64_t PresenceStore::HashSid(SessionId session) const {
  return Mix(session.lo ^ hash_seed_);
}

uint64_t PresenceStore::KeySlotHash(uint32_t key_hash) { return Mix(key_hash); }

uint64_t PresenceStore::IdHash(StreamIdx stream, ElementId id) {
  // Ids that follow each other lie in buckets that do: a stream is applied in
  // their order.
  return Mix((id.value >> 8) + (uint64_t{stream} << 48)) << 8 |
         (id.value & 255);
}

// ---------------------------------------------------------------- streams

StreamIdx PresenceStore::AddStream(uint64_t ref_life) {
  StreamIdx stream;
  if (free_streams_.empty()) {
    stream = static_cast<StreamIdx>(streams_.size());
    streams_.emplace_back();
  } else {
    stream = free_streams_.back();
    free_streams_.pop_back();
  }
  streams_[stream] = {ref_life, 0, 0, 0, kNone, kNone, kNone, kNone};
  return stream;
}

void PresenceStore::RemoveStream(StreamIdx stream) {
  MUSTER_CHECK(streams_[stream].entries == 0);
  MUSTER_CHECK(streams_[stream].sessions == 0);
  free_streams_.push_back(stream);
}

void PresenceStore::AppendBySeq(RowIdx i, Stream& stream) {
  Row& row = rows_[i];
  row.seq_next = kNone;
  row.seq_prev = stream.row_tail;
  (stream.row_tail == kNone ? stream.row_head
                            : rows_[stream.row_tail].seq_next) = i;
  stream.row_tail = i;
}

void PresenceStore::UnlinkBySeq(RowIdx i, Stream& stream) {
  Row& row = rows_[i];
  (row.seq_prev == kNone ? stream.row_head : rows_[row.seq_prev].seq_next) =
      row.seq_next;
  (row.seq_next == kNone ? stream.row_tail : rows_[row.seq_next].seq_prev) =
      row.seq_prev;
}

void PresenceStore::AppendSessionBySeq(SessionIdx i, Stream& stream) {
  Session& session = sessions_[i];
  session.seq_next = kNone;
  session.seq_prev = stream.session_tail;
  (stream.session_tail == kNone ? stream.session_head
                                : sessions_[stream.session_tail].seq_next) = i;
  stream.session_tail = i;
}

void PresenceStore::UnlinkSessionBySeq(SessionIdx i, Stream& stream) {
  Session& session = sessions_[i];
  (session.seq_prev == kNone ? stream.session_head
                             : sessions_[session.seq_prev].seq_next) =
      session.seq_next;
  (session.seq_next == kNone ? stream.session_tail
                             : sessions_[session.seq_next].seq_prev) =
      session.seq_prev;
}

SessionIdx PresenceStore::FirstSessionBySeq(StreamIdx stream) const {
  return streams_[stream].session_head;
}

RowIdx PresenceStore::FirstRowBySeq(StreamIdx stream) const {
  return streams_[stream].row_head;
}

// ---------------------------------------------------------------- sessions

SessionIdx PresenceStore::FindSession(StreamIdx stream, ElementId id) const {
  uint64_t hash = IdHash(stream, id);
  for (SessionIdx i = session_by_id_.First(hash); i != kNone;
       i = session_by_id_.Next(i)) {
    if (sessions_[i].id == id && sessions_[i].stream == stream) return i;
  }
  return kNone;
}

bool PresenceStore::Sole(SessionIdx i) const {
  return by_sid_.Alone(i) ||
         (FirstCopy(sessions_[i].session) == i && NextCopy(i) == kNone);
}

SessionIdx PresenceStore::FirstCopy(SessionId session) const {
  SessionIdx i = by_sid_.First(HashSid(session));
  while (i != kNone && sessions_[i].session != session) i = by_sid_.Next(i);
  return i;
}

SessionIdx PresenceStore::NextCopy(SessionIdx i) const {
  SessionId session = sessions_[i].session;
  do {
    i = by_sid_.Next(i);
  } while (i != kNone && sessions_[i].session != session);
  return i;
}

uint64_t PresenceStore::SessionDigest(SessionIdx i) const {
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

const PresenceStore::SharedContent* PresenceStore::Share(
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

void PresenceStore::Unshare(const SharedContent* shared) {
  auto it = shared_.find(*shared);
  if (--it->second == 0) shared_.erase(it);
}

SessionIdx PresenceStore::PutSession(StreamIdx stream, ElementId id, Seq seq,
                                     const SessionContent& content) {
  Stream& s = streams_[stream];
  SessionIdx i = FindSession(stream, id);
  const SharedContent* shared = Share(content);
  if (i == kNone) {
    i = sessions_.Alloc();
    Session& session = sessions_[i];
    session.id = id;
    session.stream = stream;
    session.session = content.session;
    session_by_id_.Insert(i);
    by_sid_.Insert(i);
    ++s.sessions;
  } else {
    s.digest -= SessionDigest(i);
    UnlinkSessionBySeq(i, s);
    Unshare(sessions_[i].shared);
    if (sessions_[i].session != content.session) {
      by_sid_.Erase(i);
      sessions_[i].session = content.session;
      by_sid_.Insert(i);
    }
  }
  sessions_[i].shared = shared;
  sessions_[i].seq = seq;
  AppendSessionBySeq(i, s);
  s.digest += SessionDigest(i);
  return i;
}

void PresenceStore::RemoveSession(SessionIdx i) {
  Session& session = sessions_[i];
  MUSTER_CHECK(session.first_row == kNone);
  Stream& s = streams_[session.stream];
  s.digest -= SessionDigest(i);
  --s.sessions;
  UnlinkSessionBySeq(i, s);
  session_by_id_.Erase(i);
  by_sid_.Erase(i);
  Unshare(session.shared);
  sessions_.Free(i);
}

RowIdx PresenceStore::FirstRowOf(SessionIdx session) const {
  return sessions_[session].first_row;
}

RowIdx PresenceStore::NextRowOf(RowIdx row) const {
  return rows_[row].session_next;
}

void PresenceStore::EncodeSession(SessionIdx i, std::string& out) const {
  const Session& session = sessions_[i];
  EncodePutSession(session.seq, session.id, session.content(), out);
}

}  // namespace muster::crdt
