#include "crdt/presence_store.h"

#include <algorithm>

#include "crdt/check.h"

namespace muster::crdt {
namespace {

constexpr uint32_t kAhead = 16;  // Rows of a session that are fetched.

}  // namespace

PresenceStore::PresenceStore(uint64_t hash_seed)
    : sessions_(rows_, hash_seed),
      topics_(rows_, hash_seed),
      keys_(rows_, topics_, hash_seed),
      by_id_({this}) {}

void PresenceStore::SetTime(int64_t wall_us) {
  if (wall_us > 0) {
    next_stamp_ = std::max(next_stamp_, static_cast<uint64_t>(wall_us));
  }
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
  streams_[stream] = {.ref_life = ref_life};
  return stream;
}

void PresenceStore::RemoveStream(StreamIdx stream) {
  MUSTER_CHECK(streams_[stream].entries == 0);
  MUSTER_CHECK(streams_[stream].sessions == 0);
  free_streams_.push_back(stream);
}

// ---------------------------------------------------------------- sessions

SessionIdx PresenceStore::PutSession(StreamIdx stream, ElementId id, Seq seq,
                                     const SessionContent& content) {
  StreamElements& s = streams_[stream];
  SessionIdx i = sessions_.Find(stream, id);
  if (i == kNone) {
    i = sessions_.Add(stream, id, content);
    ++s.sessions;
  } else {
    s.digest -= sessions_.Digest(i);
    s.sessions_by_seq.Unlink(sessions_, i);
    sessions_.SetContent(i, content);
  }
  sessions_[i].seq = seq;
  s.sessions_by_seq.Append(sessions_, i);
  s.digest += sessions_.Digest(i);
  return i;
}

void PresenceStore::RemoveSession(SessionIdx i) {
  StreamElements& s = streams_[sessions_[i].stream];
  s.digest -= sessions_.Digest(i);
  --s.sessions;
  s.sessions_by_seq.Unlink(sessions_, i);
  sessions_.Remove(i);
}

void PresenceStore::EncodeSession(SessionIdx i, std::string& out) const {
  const Session& session = sessions_[i];
  EncodePutSession(session.seq, session.id, session.content(), out);
}

// ----------------------------------------------------------------- entries

EntryRoot PresenceStore::root(RowIdx i) const {
  const EntryRoot root = rows_.explicit_root(i);
  if (!root.IsNone()) return root;
  const Ref ref = rows_.explicit_ref(i);
  if (!ref.IsNone()) return {ref.life, ref.id};
  return {streams_[stream_of(i)].ref_life, rows_[i].id};
}

Ref PresenceStore::ref(RowIdx i) const {
  constexpr uint16_t kMask = EntryRows::kHasRef | EntryRows::kHasSeq;
  if ((rows_[i].flags & kMask) == EntryRows::kHasRef) {
    return rows_.explicit_ref(i);
  }
  return {streams_[stream_of(i)].ref_life, rows_[i].id, seq(i)};
}

RowIdx PresenceStore::FindEntry(StreamIdx stream, ElementId id) const {
  uint64_t hash = ElementHash(stream, id);
  for (RowIdx i = by_id_.First(hash); i != kNone; i = by_id_.Next(i)) {
    if (rows_[i].id == id && stream_of(i) == stream) return i;
  }
  return kNone;
}

uint64_t PresenceStore::RowDigest(RowIdx i) const {
  return Mix(rows_.ContentHash(i, topic(i)) +
             sessions_[rows_[i].session].id.value);
}

RowIdx PresenceStore::AddEntry(SessionIdx session, ElementId id, Seq seq,
                               const EntryContent& content) {
  TopicIdx topic = topics_.Intern(content.topic);
  RowIdx i = rows_.Alloc();
  EntryRows::Row& row = rows_[i];
  row.stamp = next_stamp_++;
  row.id = id;
  row.session = session;
  row.topic = topic;
  row.key_hash = keys_.HashOf(content.key);
  rows_.SetContent(i, seq, content);

  sessions_.AddRow(i);
  by_id_.Insert(i);
  keys_.Enter(i);
  topics_.AppendRow(i);
  StreamElements& s = streams_[sessions_[session].stream];
  s.rows_by_seq.Append(rows_, i);
  ++s.entries;
  s.digest += RowDigest(i);
  return i;
}

void PresenceStore::UpdateEntry(RowIdx i, Seq seq, absl::string_view meta,
                                const Ref& explicit_ref) {
  StreamElements& s = streams_[stream_of(i)];
  Ref previous = ref(i);
  s.digest -= RowDigest(i);
  s.rows_by_seq.Unlink(rows_, i);
  rows_.SetContent(
      i, seq, {{}, {}, key(i), meta, explicit_ref, rows_.explicit_root(i)});
  s.rows_by_seq.Append(rows_, i);
  s.digest += RowDigest(i);
  if (shown(i) && observer_ != nullptr) observer_->OnUpdated(i, previous);
}

void PresenceStore::LeaveStream(RowIdx i) {
  StreamElements& s = streams_[stream_of(i)];
  s.digest -= RowDigest(i);
  --s.entries;
  s.rows_by_seq.Unlink(rows_, i);
  by_id_.Erase(i);
}

void PresenceStore::MoveToSeqTail(RowIdx i) {
  StreamElements& s = streams_[stream_of(i)];
  s.rows_by_seq.Unlink(rows_, i);
  s.rows_by_seq.Append(rows_, i);
}

void PresenceStore::Detach(RowIdx i) {
  MUSTER_CHECK(!detached(i));
  LeaveStream(i);
  rows_[i].flags |= EntryRows::kDetached;
  sessions_.MoveRowToEnd(i);
}

void PresenceStore::RemoveEntry(RowIdx i) {
  if (shown(i)) Hide(i);
  if (!detached(i)) LeaveStream(i);
  keys_.Leave(i);
  topics_.EraseRow(i);
  sessions_.RemoveRow(i);
  const TopicIdx topic = rows_[i].topic;
  rows_.Free(i);
  topics_.Release(topic);
}

void PresenceStore::EncodeEntry(RowIdx i, std::string& out) const {
  const EntryRows::Strings strings = rows_.strings(i);
  EncodePutEntry(seq(i), rows_[i].id,
                 {sessions_[rows_[i].session].id, topic(i), strings.key,
                  strings.meta, rows_.explicit_ref(i), rows_.explicit_root(i)},
                 out);
}

void PresenceStore::PrefetchRows(SessionIdx i) const {
  const Session& session = sessions_[i];
  if (session.first_row == kNone) return;
  rows_.PrefetchDown(session.first_row, std::min(session.entries, kAhead));
}

void PresenceStore::PrefetchContents(SessionIdx i) const {
  RowIdx row = sessions_[i].first_row;
  for (uint32_t n = 0; n < kAhead && row != kNone; ++n) {
    rows_.PrefetchContent(row);
    row = rows_[row].session_next;
  }
}

// ------------------------------------------------------------------- shown

void PresenceStore::SetShown(RowIdx i, bool on) {
  const int by = on ? 1 : -1;
  key_changed_ = keys_.SetShown(i, on);
  const int keys = key_changed_ ? by : 0;
  topics_.CountShown(rows_[i].topic, by, keys);
  shown_entries_ += by;
  shown_keys_ += keys;
}

void PresenceStore::Show(RowIdx row) {
  MUSTER_CHECK(!shown(row));
  SetShown(row, true);
  if (observer_ != nullptr) observer_->OnShown(row);
}

void PresenceStore::Hide(RowIdx row) {
  MUSTER_CHECK(shown(row));
  SetShown(row, false);
  if (observer_ != nullptr) observer_->OnHidden(row);
}

void PresenceStore::Transfer(RowIdx from, RowIdx to) {
  MUSTER_CHECK(shown(from) && !shown(to) && from != to);
  topics_.EraseRow(from);
  topics_.EraseRow(to);
  keys_.SwapStamps(from, to);
  topics_.InsertRow(from);
  topics_.InsertRow(to);
  SetShown(to, true);
  SetShown(from, false);
  Ref previous = ref(from);
  if (observer_ != nullptr && previous != ref(to)) {
    observer_->OnUpdated(to, previous);
  }
}

// ------------------------------------------------------------------ memory

PresenceStore::Memory PresenceStore::memory() const {
  constexpr size_t kOrderBytes = 5;  // A row in the order of its topic.
  Memory memory;
  memory.rows = rows_.bytes();
  memory.sessions = sessions_.bytes();
  memory.topics = topics_.bytes();
  memory.blobs = rows_.slab().bytes();
  memory.indexes = size_t{by_id_.buckets()} * sizeof(uint32_t) +
                   sessions_.index_bytes() + topics_.index_bytes() +
                   keys_.bytes() + rows_.size() * kOrderBytes;
  return memory;
}

size_t PresenceStore::bytes() const {
  const Memory parts = memory();
  return parts.rows + parts.sessions + parts.topics + parts.blobs +
         parts.indexes;
}

}  // namespace muster::crdt
