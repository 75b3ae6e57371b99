#include "crdt/presence_store.h"

#include <algorithm>
#include <cstring>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "crdt/check.h"

namespace muster::crdt {
namespace {

constexpr size_t kSeqBytes = 8;
constexpr size_t kRefBytes = 24;

uint64_t HashBytes(absl::string_view bytes, uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

uint64_t Mix(uint64_t x) {
  x ^= x >> 32;
  x *= 0xd6e8feb86659fd93u;
  x ^= x >> 32;
  x *= 0xd6e8feb86659fd93u;
  return x ^ x >> 32;
}

size_t VarintSize(uint64_t value) {
  size_t size = 1;
  for (; value >= 0x80; value >>= 7) ++size;
  return size;
}

char* PutVarint(char* to, uint64_t value) {
  for (; value >= 0x80; value >>= 7) *to++ = static_cast<char>(value | 0x80);
  *to++ = static_cast<char>(value);
  return to;
}

const char* GetVarint(const char* from, uint64_t& value) {
  value = 0;
  for (int shift = 0;; shift += 7) {
    uint8_t byte = static_cast<uint8_t>(*from++);
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return from;
  }
}

}  // namespace

PresenceStore::PresenceStore(uint64_t hash_seed)
    : hash_seed_(hash_seed),
      by_id_({this}),
      by_pair_({this}),
      by_key_({this}),
      session_by_id_({this}),
      by_sid_({this}),
      by_topic_({this}) {}

void PresenceStore::SetTime(int64_t wall_us) {
  next_stamp_ = std::max(next_stamp_, static_cast<uint64_t>(wall_us));
}

uint64_t PresenceStore::HashKey(absl::string_view key) const {
  return static_cast<uint32_t>(HashBytes(key, hash_seed_));
}

uint64_t PresenceStore::IdHash(StreamIdx stream, ElementId id) {
  return Mix(id.value + (uint64_t{stream} << 48));
}

uint64_t PresenceStore::PairHash(TopicIdx topic, uint32_t key_hash) {
  return key_hash ^ Mix(topic + 1);
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
       i = session_by_id_.Next(i, hash)) {
    if (sessions_[i].id == id && sessions_[i].stream == stream) return i;
  }
  return kNone;
}

SessionIdx PresenceStore::FirstCopy(SessionId session) const {
  for (SessionIdx i = by_sid_.First(session.lo); i != kNone;
       i = by_sid_.Next(i, session.lo)) {
    if (sessions_[i].content.session == session) return i;
  }
  return kNone;
}

SessionIdx PresenceStore::NextCopy(SessionIdx i) const {
  SessionId session = sessions_[i].content.session;
  while ((i = by_sid_.Next(i, session.lo)) != kNone) {
    if (sessions_[i].content.session == session) return i;
  }
  return kNone;
}

uint64_t PresenceStore::SessionDigest(SessionIdx i) const {
  std::string bytes;
  EncodeSession(i, bytes);
  return HashBytes(bytes, Mix(sessions_[i].seq.value) + sessions_[i].id.value);
}

SessionIdx PresenceStore::PutSession(StreamIdx stream, ElementId id, Seq seq,
                                     const SessionContent& content) {
  Stream& s = streams_[stream];
  SessionIdx i = FindSession(stream, id);
  if (i == kNone) {
    i = sessions_.Alloc();
    Session& session = sessions_[i];
    session.id = id;
    session.stream = stream;
    session.content.session = content.session;
    session_by_id_.Insert(i);
    by_sid_.Insert(i);
    ++s.sessions;
  } else {
    s.digest -= SessionDigest(i);
    UnlinkSessionBySeq(i, s);
    if (sessions_[i].content.session != content.session) {
      by_sid_.Erase(i);
      sessions_[i].content.session = content.session;
      by_sid_.Insert(i);
    }
  }
  sessions_[i].content = content;
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
  EncodePutSession(session.seq, session.id, session.content, out);
}

// ---------------------------------------------------------------- entries

void PresenceStore::FillBlob(Row& row, absl::string_view key,
                             absl::string_view meta, Seq seq,
                             const Ref& explicit_ref) {
  bool has_seq = seq.value != row.id.value;
  bool has_ref = !explicit_ref.IsNone();
  size_t size = (has_seq ? kSeqBytes : 0) + (has_ref ? kRefBytes : 0) +
                VarintSize(key.size()) + VarintSize(meta.size()) + key.size() +
                meta.size();
  // The key may be a view into the old blob: it is read before that is freed.
  Slab::Handle old = row.blob;
  std::string key_copy(key);
  if (old == kNone || !slab_.Fits(old, size)) {
    if (old != kNone) slab_.Free(old);
    row.blob = slab_.Alloc(size);
  }
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
  at = PutVarint(at, key_copy.size());
  at = PutVarint(at, meta.size());
  std::memcpy(at, key_copy.data(), key_copy.size());
  if (!meta.empty())
    std::memcpy(at + key_copy.size(), meta.data(), meta.size());
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

bool PresenceStore::has_explicit_ref(RowIdx row) const {
  return (rows_[row].flags & kHasRef) != 0;
}

Ref PresenceStore::ref(RowIdx row) const {
  if (has_explicit_ref(row)) return ExplicitRef(rows_[row]);
  return {streams_[stream_of(row)].ref_life, rows_[row].id, seq(row)};
}

void PresenceStore::set_mark(RowIdx row, bool on) {
  uint32_t& flags = rows_[row].flags;
  flags = on ? flags | kRowMark : flags & ~kRowMark;
}

RowIdx PresenceStore::FindEntry(StreamIdx stream, ElementId id) const {
  uint64_t hash = IdHash(stream, id);
  for (RowIdx i = by_id_.First(hash); i != kNone; i = by_id_.Next(i, hash)) {
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
  row.key_hash = static_cast<uint32_t>(HashKey(content.key));
  row.flags = 0;
  FillBlob(row, content.key, content.meta, seq, content.ref);

  Session& owner = sessions_[session];
  row.session_prev = kNone;
  row.session_next = owner.first_row;
  if (owner.first_row != kNone) rows_[owner.first_row].session_prev = i;
  owner.first_row = i;
  ++owner.entries;

  by_id_.Insert(i);
  by_pair_.Insert(i);
  by_pair_.MoveToBack(i);
  by_key_.Insert(i);
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

void PresenceStore::Detach(RowIdx i) {
  MUSTER_CHECK(!detached(i));
  LeaveStream(i);
  rows_[i].flags |= kDetached;
}

void PresenceStore::RemoveEntry(RowIdx i) {
  if (shown(i)) Hide(i);
  if (!detached(i)) LeaveStream(i);
  Row& row = rows_[i];
  by_pair_.Erase(i);
  by_key_.Erase(i);
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

// ------------------------------------------------------------------- shown

bool PresenceStore::SamePair(const Row& a, const Row& b) const {
  return a.topic == b.topic && a.key_hash == b.key_hash &&
         Blob(a).key == Blob(b).key;
}

bool PresenceStore::PairShown(RowIdx i) const {
  const Row& row = rows_[i];
  uint64_t hash = PairHash(row.topic, row.key_hash);
  for (RowIdx j = by_pair_.First(hash); j != kNone;
       j = by_pair_.Next(j, hash)) {
    if (SamePair(rows_[j], row)) return (rows_[j].flags & kShown) != 0;
  }
  return false;
}

void PresenceStore::CountShown(RowIdx i, bool on) {
  Row& row = rows_[i];
  Topic& topic = topics_[row.topic];
  int by = on ? 1 : -1;
  topic.shown_entries += by;
  shown_entries_ += by;
  if (on) {
    bool key_was_shown = PairShown(i);
    row.flags |= kShown;
    by_pair_.MoveToFront(i);
    if (key_was_shown) return;
  } else {
    row.flags &= ~kShown;
    by_pair_.MoveToBack(i);
    if (PairShown(i)) return;
  }
  topic.shown_keys += by;
  shown_keys_ += by;
}

void PresenceStore::Show(RowIdx row) {
  MUSTER_CHECK(!shown(row));
  CountShown(row, true);
  if (observer_ != nullptr) observer_->OnShown(row);
}

void PresenceStore::Hide(RowIdx row) {
  MUSTER_CHECK(shown(row));
  CountShown(row, false);
  if (observer_ != nullptr) observer_->OnHidden(row);
}

void PresenceStore::Transfer(RowIdx from, RowIdx to) {
  MUSTER_CHECK(shown(from) && !shown(to) && from != to);
  Row& old_row = rows_[from];
  Row& new_row = rows_[to];
  Order& order = orders_[topics_[old_row.topic].order];
  order.erase(old_row.stamp);
  order.erase(new_row.stamp);
  std::swap(old_row.stamp, new_row.stamp);
  order.insert(from);
  order.insert(to);
  CountShown(to, true);
  CountShown(from, false);
  Ref previous = ref(from);
  if (observer_ != nullptr && previous != ref(to)) {
    observer_->OnUpdated(to, previous);
  }
}

// ------------------------------------------------------------------ topics

absl::string_view PresenceStore::topic_name(TopicIdx topic) const {
  uint64_t size;
  const char* at = GetVarint(slab_.Data(topics_[topic].name), size);
  return {at, size};
}

TopicIdx PresenceStore::FindTopic(absl::string_view name) const {
  uint64_t hash = HashKey(name);
  for (TopicIdx i = by_topic_.First(hash); i != kNone;
       i = by_topic_.Next(i, hash)) {
    if (topic_name(i) == name) return i;
  }
  return kNone;
}

TopicIdx PresenceStore::InternTopic(absl::string_view name) {
  TopicIdx found = FindTopic(name);
  if (found != kNone) return found;
  TopicIdx i = topics_.Alloc();
  Topic& topic = topics_[i];
  topic.name = slab_.Alloc(VarintSize(name.size()) + name.size());
  char* at = PutVarint(slab_.Data(topic.name), name.size());
  std::memcpy(at, name.data(), name.size());
  if (free_orders_.empty()) {
    topic.order = static_cast<uint32_t>(orders_.size());
    orders_.emplace_back(ByStamp{this});
  } else {
    topic.order = free_orders_.back();
    free_orders_.pop_back();
  }
  by_topic_.Insert(i);
  topics_by_name_.emplace(std::string(name), i);
  return i;
}

void PresenceStore::ReleaseTopic(TopicIdx i) {
  Topic& topic = topics_[i];
  if (topic.pins > 0 || !orders_[topic.order].empty()) return;
  topics_by_name_.erase(topics_by_name_.find(topic_name(i)));
  by_topic_.Erase(i);
  free_orders_.push_back(topic.order);
  slab_.Free(topic.name);
  topics_.Free(i);
}

TopicIdx PresenceStore::PinTopic(absl::string_view name) {
  TopicIdx topic = InternTopic(name);
  ++topics_[topic].pins;
  return topic;
}

void PresenceStore::UnpinTopic(TopicIdx topic) {
  --topics_[topic].pins;
  ReleaseTopic(topic);
}

TopicIdx PresenceStore::TopicAtOrAfter(absl::string_view name) const {
  auto it = topics_by_name_.lower_bound(name);
  return it == topics_by_name_.end() ? kNone : it->second;
}

TopicIdx PresenceStore::TopicAfter(TopicIdx topic) const {
  auto it = topics_by_name_.upper_bound(topic_name(topic));
  return it == topics_by_name_.end() ? kNone : it->second;
}

// ------------------------------------------------------------------- pairs

RowIdx PresenceStore::MatchPair(RowIdx i, uint64_t hash, TopicIdx topic,
                                uint32_t key_hash,
                                absl::string_view key) const {
  for (; i != kNone; i = by_pair_.Next(i, hash)) {
    const Row& row = rows_[i];
    if (row.topic == topic && row.key_hash == key_hash &&
        Blob(row).key == key) {
      return i;
    }
  }
  return kNone;
}

RowIdx PresenceStore::FirstOfPair(absl::string_view topic,
                                  absl::string_view key) const {
  TopicIdx t = FindTopic(topic);
  if (t == kNone) return kNone;
  auto key_hash = static_cast<uint32_t>(HashKey(key));
  uint64_t hash = PairHash(t, key_hash);
  return MatchPair(by_pair_.First(hash), hash, t, key_hash, key);
}

RowIdx PresenceStore::NextOfPair(RowIdx i) const {
  const Row& row = rows_[i];
  uint64_t hash = PairHash(row.topic, row.key_hash);
  return MatchPair(by_pair_.Next(i, hash), hash, row.topic, row.key_hash,
                   Blob(row).key);
}

RowIdx PresenceStore::MatchKey(RowIdx i, uint32_t key_hash,
                               absl::string_view key) const {
  for (; i != kNone; i = by_key_.Next(i, key_hash)) {
    if (rows_[i].key_hash == key_hash && Blob(rows_[i]).key == key) return i;
  }
  return kNone;
}

RowIdx PresenceStore::FirstOfKey(absl::string_view key) const {
  auto key_hash = static_cast<uint32_t>(HashKey(key));
  return MatchKey(by_key_.First(key_hash), key_hash, key);
}

RowIdx PresenceStore::NextOfKey(RowIdx i) const {
  const Row& row = rows_[i];
  return MatchKey(by_key_.Next(i, row.key_hash), row.key_hash, Blob(row).key);
}

void PresenceStore::EncodeEntry(RowIdx i, std::string& out) const {
  const Row& row = rows_[i];
  BlobView blob = Blob(row);
  EncodePutEntry(seq(i), row.id,
                 {sessions_[row.session].id, topic_name(row.topic), blob.key,
                  blob.meta, ExplicitRef(row)},
                 out);
}

size_t PresenceStore::bytes() const {
  return rows_.bytes() + sessions_.bytes() + topics_.bytes() + slab_.bytes() +
         4 * (size_t{by_id_.buckets()} + by_pair_.buckets() +
              by_key_.buckets() + session_by_id_.buckets() + by_sid_.buckets());
}

// ------------------------------------------------------------------- audit

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
