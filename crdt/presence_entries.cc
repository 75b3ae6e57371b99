#include <cstring>
#include <utility>

#include "crdt/check.h"
#include "crdt/presence_bytes.h"
#include "crdt/presence_store.h"

namespace muster::crdt {
namespace {

constexpr size_t kSeqBytes = 8;
constexpr size_t kRefBytes = 24;

}  // namespace

void PresenceStore::FillBlob(Row& row, absl::string_view key,
                             absl::string_view meta, Seq seq,
                             const Ref& explicit_ref) {
  bool has_seq = seq.value != row.id.value;
  bool has_ref = !explicit_ref.IsNone();
  size_t size = (has_seq ? kSeqBytes : 0) + (has_ref ? kRefBytes : 0) +
                VarintSize(key.size()) + VarintSize(meta.size()) + key.size() +
                meta.size();
  Slab::Handle old = row.blob;
  row.blob = slab_.Alloc(size);
  row.flags &= ~(kHasSeq | kHasRef);
  char* at = slab_.Data(row.blob);
  if (has_seq) {
    row.flags |= kHasSeq;
    std::memcpy(at, &seq.value, kSeqBytes);
    at += kSeqBytes;
  }
  if (has_ref) {
    row.flags |= kHasRef;
    std::memcpy(at, &explicit_ref, kRefBytes);
    at += kRefBytes;
  }
  at = PutVarint(at, key.size());
  at = PutVarint(at, meta.size());
  std::memcpy(at, key.data(), key.size());
  if (!meta.empty()) std::memcpy(at + key.size(), meta.data(), meta.size());
  // Only now: key and meta may be views into it.
  if (old != kNone) slab_.Free(old);
}

PresenceStore::BlobView PresenceStore::Blob(const Row& row) const {
  const char* at = slab_.Data(row.blob);
  if ((row.flags & kHasSeq) != 0) at += kSeqBytes;
  if ((row.flags & kHasRef) != 0) at += kRefBytes;
  uint64_t key_size;
  uint64_t meta_size;
  at = GetVarint(at, key_size);
  at = GetVarint(at, meta_size);
  return {{at, key_size}, {at + key_size, meta_size}};
}

Ref PresenceStore::ExplicitRef(const Row& row) const {
  static_assert(sizeof(Ref) == kRefBytes);
  Ref ref;
  if ((row.flags & kHasRef) == 0) return ref;
  const char* at = slab_.Data(row.blob);
  if ((row.flags & kHasSeq) != 0) at += kSeqBytes;
  std::memcpy(static_cast<void*>(&ref), at, kRefBytes);
  return ref;
}

absl::string_view PresenceStore::topic(RowIdx row) const {
  return topic_name(rows_[row].topic);
}
absl::string_view PresenceStore::key(RowIdx row) const {
  return Blob(rows_[row]).key;
}
absl::string_view PresenceStore::meta(RowIdx row) const {
  return Blob(rows_[row]).meta;
}

Seq PresenceStore::seq(RowIdx i) const {
  const Row& row = rows_[i];
  if ((row.flags & kHasSeq) == 0) return Seq(row.id.value);
  Seq seq;
  std::memcpy(&seq.value, slab_.Data(row.blob), kSeqBytes);
  return seq;
}

Ref PresenceStore::ref(RowIdx row) const {
  if ((rows_[row].flags & (kHasRef | kHasSeq)) == kHasRef) {
    return ExplicitRef(rows_[row]);
  }
  return {streams_[stream_of(row)].ref_life, rows_[row].id, seq(row)};
}

RowIdx PresenceStore::FindEntry(StreamIdx stream, ElementId id) const {
  uint64_t hash = IdHash(stream, id);
  for (RowIdx i = by_id_.First(hash); i != kNone; i = by_id_.Next(i)) {
    if (rows_[i].id == id && stream_of(i) == stream) return i;
  }
  return kNone;
}

uint64_t PresenceStore::RowDigest(RowIdx i) const {
  const Row& row = rows_[i];
  BlobView blob = Blob(row);
  uint64_t hash = Mix(seq(i).value) + row.id.value;
  hash = HashBytes(topic_name(row.topic), hash);
  hash = HashBytes(blob.key, hash);
  hash = HashBytes(blob.meta, hash);
  if ((row.flags & kHasRef) != 0) {
    Ref ref = ExplicitRef(row);
    hash = Mix(hash ^ ref.life) + Mix(ref.id.value) + ref.seq.value;
  }
  return Mix(hash + sessions_[row.session].id.value);
}

RowIdx PresenceStore::AddEntry(SessionIdx session, ElementId id, Seq seq,
                               const EntryContent& content) {
  TopicIdx topic = InternTopic(content.topic);
  RowIdx i = rows_.Alloc();
  Row& row = rows_[i];
  row.stamp = next_stamp_++;
  row.id = id;
  row.session = session;
  row.topic = topic;
  row.blob = kNone;
  row.key_hash = HashName(content.key);
  row.flags = 0;
  FillBlob(row, content.key, content.meta, seq, content.ref);

  Session& owner = sessions_[session];
  row.session_prev = kNone;
  row.session_next = owner.first_row;
  if (owner.first_row != kNone) rows_[owner.first_row].session_prev = i;
  owner.first_row = i;
  ++owner.entries;

  by_id_.Insert(i);
  EnterKey(i);
  Order& order = orders_[topics_[topic].order];
  order.insert(order.end(), i);
  Stream& s = streams_[owner.stream];
  AppendBySeq(i, s);
  ++s.entries;
  s.digest += RowDigest(i);
  return i;
}

void PresenceStore::UpdateEntry(RowIdx i, Seq seq, absl::string_view meta,
                                const Ref& explicit_ref) {
  Row& row = rows_[i];
  Stream& s = streams_[stream_of(i)];
  Ref previous = ref(i);
  s.digest -= RowDigest(i);
  UnlinkBySeq(i, s);
  FillBlob(row, Blob(row).key, meta, seq, explicit_ref);
  AppendBySeq(i, s);
  s.digest += RowDigest(i);
  if ((row.flags & kShown) != 0 && observer_ != nullptr) {
    observer_->OnUpdated(i, previous);
  }
}

void PresenceStore::LeaveStream(RowIdx i) {
  Stream& s = streams_[stream_of(i)];
  s.digest -= RowDigest(i);
  --s.entries;
  UnlinkBySeq(i, s);
  by_id_.Erase(i);
}

void PresenceStore::MoveToSeqTail(RowIdx i) {
  Stream& s = streams_[stream_of(i)];
  UnlinkBySeq(i, s);
  AppendBySeq(i, s);
}

void PresenceStore::Detach(RowIdx i) {
  MUSTER_CHECK(!detached(i));
  LeaveStream(i);
  rows_[i].flags |= kDetached;
}

void PresenceStore::RemoveEntry(RowIdx i) {
  if (shown(i)) Hide(i);
  if (!detached(i)) LeaveStream(i);
  Row& row = rows_[i];
  LeaveKey(i);
  orders_[topics_[row.topic].order].erase(row.stamp);
  Session& owner = sessions_[row.session];
  --owner.entries;
  (row.session_prev == kNone ? owner.first_row
                             : rows_[row.session_prev].session_next) =
      row.session_next;
  if (row.session_next != kNone) {
    rows_[row.session_next].session_prev = row.session_prev;
  }
  slab_.Free(row.blob);
  TopicIdx topic = row.topic;
  rows_.Free(i);
  ReleaseTopic(topic);
}

void PresenceStore::EncodeEntry(RowIdx i, std::string& out) const {
  const Row& row = rows_[i];
  BlobView blob = Blob(row);
  EncodePutEntry(seq(i), row.id,
                 {sessions_[row.session].id, topic_name(row.topic), blob.key,
                  blob.meta, ExplicitRef(row)},
                 out);
}

}  // namespace muster::crdt
