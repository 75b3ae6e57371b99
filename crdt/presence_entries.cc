#include <cstring>
#include <utility>

#include "crdt/check.h"
#include "crdt/presence_bytes.h"
#include "crdt/presence_store.h"

namespace muster::crdt {
namespace {

constexpr size_t kSeqBytes = 8;
constexpr size_t kRefBytes = 24;
constexpr size_t kRootBytes = 16;

}  // namespace

size_t PresenceStore::BlobHead(const Row& row) {
  return ((row.flags & kHasSeq) != 0 ? kSeqBytes : 0) +
         ((row.flags & kHasRef) != 0 ? kRefBytes : 0) +
         ((row.flags & kHasRoot) != 0 ? kRootBytes : 0);
}

void PresenceStore::FillBlob(Row& row, Seq seq, const EntryContent& content) {
  const absl::string_view key = content.key;
  const absl::string_view meta = content.meta;
  row.flags &= ~(kHasSeq | kHasRef | kHasRoot);
  if (seq.value != row.id.value) row.flags |= kHasSeq;
  if (!content.ref.IsNone()) row.flags |= kHasRef;
  if (!content.root.IsNone()) row.flags |= kHasRoot;
  size_t size = BlobHead(row) + VarintSize(key.size()) +
                VarintSize(meta.size()) + key.size() + meta.size();
  Slab::Handle old = row.blob;
  row.blob = slab_.Alloc(size);
  char* at = slab_.Data(row.blob);
  if ((row.flags & kHasSeq) != 0) {
    std::memcpy(at, &seq.value, kSeqBytes);
    at += kSeqBytes;
  }
  if ((row.flags & kHasRef) != 0) {
    std::memcpy(at, &content.ref, kRefBytes);
    at += kRefBytes;
  }
  if ((row.flags & kHasRoot) != 0) {
    std::memcpy(at, &content.root, kRootBytes);
    at += kRootBytes;
  }
  at = PutVarint(at, key.size());
  at = PutVarint(at, meta.size());
  std::memcpy(at, key.data(), key.size());
  if (!meta.empty()) std::memcpy(at + key.size(), meta.data(), meta.size());
  // Only now: key and meta may be views into it.
  if (old != kNone) slab_.Free(old);
}

PresenceStore::BlobView PresenceStore::Blob(const Row& row) const {
  const char* at = slab_.Data(row.blob) + BlobHead(row);
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

EntryRoot PresenceStore::ExplicitRoot(const Row& row) const {
  static_assert(sizeof(EntryRoot) == kRootBytes);
  EntryRoot root;
  if ((row.flags & kHasRoot) == 0) return root;
  const char* at = slab_.Data(row.blob) + BlobHead(row) - kRootBytes;
  std::memcpy(static_cast<void*>(&root), at, kRootBytes);
  return root;
}

EntryRoot PresenceStore::root(RowIdx i) const {
  const Row& row = rows_[i];
  if ((row.flags & kHasRoot) != 0) return ExplicitRoot(row);
  if ((row.flags & kHasRef) == 0) {
    return {streams_[stream_of(i)].ref_life, row.id};
  }
  const Ref ref = ExplicitRef(row);
  return {ref.life, ref.id};
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
  if ((row.flags & kHasRoot) != 0) {
    EntryRoot root = ExplicitRoot(row);
    hash = Mix(hash ^ root.life) + root.id.value;
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
  FillBlob(row, seq, content);

  PrependToSession(i);
  Session& owner = sessions_[session];
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
  FillBlob(row, seq,
           {{}, {}, Blob(row).key, meta, explicit_ref, ExplicitRoot(row)});
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
  UnlinkFromSession(i);
  AppendToSession(i);
}

// The first row's link back leads to the last.
void PresenceStore::PrependToSession(RowIdx i) {
  Row& row = rows_[i];
  RowIdx& head = sessions_[row.session].first_row;
  if (head == kNone) return AppendToSession(i);
  row.session_prev = rows_[head].session_prev;
  row.session_next = head;
  rows_[head].session_prev = i;
  head = i;
}

void PresenceStore::AppendToSession(RowIdx i) {
  Row& row = rows_[i];
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

void PresenceStore::UnlinkFromSession(RowIdx i) {
  const Row& row = rows_[i];
  RowIdx& head = sessions_[row.session].first_row;
  if (head == i) {
    head = row.session_next;
  } else {
    rows_[row.session_prev].session_next = row.session_next;
  }
  const RowIdx after = row.session_next != kNone ? row.session_next : head;
  if (after != kNone) rows_[after].session_prev = row.session_prev;
}

void PresenceStore::RemoveEntry(RowIdx i) {
  if (shown(i)) Hide(i);
  if (!detached(i)) LeaveStream(i);
  Row& row = rows_[i];
  LeaveKey(i);
  orders_[topics_[row.topic].order].erase(row.stamp);
  --sessions_[row.session].entries;
  UnlinkFromSession(i);
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
                  blob.meta, ExplicitRef(row), ExplicitRoot(row)},
                 out);
}

}  // namespace muster::crdt
