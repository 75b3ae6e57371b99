// The presence set: the live elements of all presence streams, and the views
// of what is shown of them.
//
// An element is a session or an entry of a session; it belongs to the stream
// of the origin that wrote it. The store holds each element once, as a row of
// fixed size plus a blob for key and meta, and threads every index through the
// rows: by (stream, id), by topic, by key, by session, and by seq within the
// stream. The rows of a (topic, key) are found among those of the key; a key
// of more than kCrowd rows is a *crowd*: its rows are kept by (topic, key) and
// stamp, and counted, too.
//
// *Live* is what the streams say. *Shown* is what this node shows clients: an
// entry may be live and hidden (its node is down, another copy of its session
// is in force), or shown and not live any more (*detached*: removed by an
// owner that has moved the session to a node we have not heard yet). The
// store does not decide what is shown; node/core does, by Show, Hide and
// Transfer. Each of them reports one change to the observer.
//
// Invariants (Audit() checks them all, for tests):
//   1. A live row is in every index; a detached one in all but id and seq.
//   2. The seq list of a stream is strictly ascending (once a rebase is over).
//   3. digest(stream) is the sum of the hashes of its live elements.
//   4. counts equal the number of shown rows, of topics, keys and the whole.
//   5. Of the rows of a key, and so of a (topic, key), shown ones come first.
//   6. No two shown rows have the same ref. (Kept by the callers.)
//   7. The rows of a key hash are a crowd all or none; they become one with the
//      row after the first kCrowd, and stay one until they are gone.
//   8. Of the rows of a session, live ones come first.
//   9. EntriesOfPair equals the number of shown rows of the (topic, key).
//
// Cost: every operation is O(1) plus O(log n) in the entries of one topic or
// crowd, none depends on the size of the state. Bytes an entry: sizeof(Row), 2
// and 8 in indexes, 5 in the topic's order, the blob; 28 more in a crowd, and
// about 10 a topic in which the crowd's key has several shown rows.
// Threads: one. Limits: 2^32 - 2 rows, sessions, topics.
#ifndef MUSTER_CRDT_PRESENCE_STORE_H_
#define MUSTER_CRDT_PRESENCE_STORE_H_

#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/strings/string_view.h"
#include "crdt/group_index.h"
#include "crdt/linear_hash.h"
#include "crdt/mutation.h"
#include "crdt/paged_array.h"
#include "crdt/slab.h"
#include "crdt/types.h"

namespace muster::crdt {

using StreamIdx = uint32_t;
using SessionIdx = uint32_t;
using RowIdx = uint32_t;
using TopicIdx = uint32_t;

// Told of every change of what is shown, while the row still has the content
// in question.
class ViewObserver {
 public:
  virtual ~ViewObserver() = default;
  virtual void OnShown(RowIdx row) = 0;
  virtual void OnHidden(RowIdx row) = 0;
  // The row's content and ref are the new ones; `previous` was shown before.
  virtual void OnUpdated(RowIdx row, const Ref& previous) = 0;
};

// Shown rows of a key, and topics that have one.
struct KeyCount {
  uint64_t entries = 0;
  uint64_t topics = 0;
};

class PresenceStore {
 public:
  // `hash_seed` places records in hash indexes; it never reaches an output.
  explicit PresenceStore(uint64_t hash_seed);
  PresenceStore(const PresenceStore&) = delete;
  PresenceStore& operator=(const PresenceStore&) = delete;

  void SetObserver(ViewObserver* observer) { observer_ = observer; }
  // Unix time in microseconds; stamps what arrives from now on.
  void SetTime(int64_t wall_us);

  // ---- streams ----
  // `ref_life` is LifeId::hi of the origin.
  StreamIdx AddStream(uint64_t ref_life);
  // REQUIRES: no sessions and no entries in it.
  void RemoveStream(StreamIdx stream);
  uint64_t Digest(StreamIdx stream) const { return streams_[stream].digest; }
  uint32_t EntryCount(StreamIdx s) const { return streams_[s].entries; }
  uint32_t SessionCount(StreamIdx s) const { return streams_[s].sessions; }

  // ---- sessions ----
  // What many sessions have in common: held once for all that agree.
  struct SharedContent {
    uint64_t epoch = 0;
    uint64_t resume = 0;
    uint32_t grace_ms = 0;
    uint32_t ttl_ms = 0;
    SessionState state = SessionState::kPending;
    LifeId moved_life;
    Seq moved_seq;
    auto operator<=>(const SharedContent&) const = default;
  };
  struct Session {
    SessionId session;
    const SharedContent* shared = nullptr;
    ElementId id;
    Seq seq;
    int64_t deadline_us = 0;  // For node/core: grace or TTL; 0 is none.
    StreamIdx stream = kNone;
    uint32_t entries = 0;  // Live and detached rows.
    RowIdx first_row = kNone;
    uint32_t seq_next = kNone;
    uint32_t seq_prev = kNone;
    uint32_t id_next = kNone;
    RingLinks sid_ring;
    uint32_t flags = 0;  // High half: round(); the rest is node/core's.

    SessionState state() const { return shared->state; }
    SessionContent content() const {
      return {
          session,        shared->epoch, shared->resume,     shared->grace_ms,
          shared->ttl_ms, shared->state, shared->moved_life, shared->moved_seq};
    }
  };
  static_assert(sizeof(Session) == 88);
  // The rebase round in which an element was last named: the high half of the
  // flags of a row or session, low half of a session's is node/core's.
  static constexpr uint32_t kRoundShift = 16;

  SessionIdx FindSession(StreamIdx stream, ElementId id) const;
  // Whether it is the only copy of its session.
  bool Sole(SessionIdx session) const;
  // First copy of a session of any stream; go on with NextCopy.
  SessionIdx FirstCopy(SessionId session) const;
  SessionIdx NextCopy(SessionIdx session) const;
  // Creates the element, or replaces its content.
  SessionIdx PutSession(StreamIdx stream, ElementId id, Seq seq,
                        const SessionContent& content);
  // REQUIRES: it has no rows.
  void RemoveSession(SessionIdx session);
  Session& session(SessionIdx i) { return sessions_[i]; }
  const Session& session(SessionIdx i) const { return sessions_[i]; }
  uint32_t session_count() const { return sessions_.size(); }

  // ---- entries ----
  RowIdx FindEntry(StreamIdx stream, ElementId id) const;
  // REQUIRES: no entry of that id; `session` is of that stream.
  // The row is not shown.
  RowIdx AddEntry(SessionIdx session, ElementId id, Seq seq,
                  const EntryContent& content);
  // New meta and ref of a live row (its topic, key, session and root stay).
  // Reports an update if it is shown.
  void UpdateEntry(RowIdx row, Seq seq, absl::string_view meta,
                   const Ref& explicit_ref);
  // Unchanged, but last in seq order: a rebase named it again. REQUIRES: live.
  void MoveToSeqTail(RowIdx row);
  // The row is gone: hidden if shown, then freed.
  void RemoveEntry(RowIdx row);
  // The row is not live any more, but stays as it is shown: the last row of its
  // session.
  void Detach(RowIdx row);

  absl::string_view topic(RowIdx row) const;
  absl::string_view key(RowIdx row) const;
  absl::string_view meta(RowIdx row) const;
  // Its dot; of an adopted entry that was not updated since, adopted_as.
  Ref ref(RowIdx row) const;
  // The explicit ref: the one it had where it was adopted from, or none.
  Ref adopted_as(RowIdx row) const { return ExplicitRef(rows_[row]); }
  // As which it was first tracked: the explicit one, or what the ref says.
  EntryRoot root(RowIdx row) const;
  EntryRoot explicit_root(RowIdx row) const { return ExplicitRoot(rows_[row]); }
  Seq seq(RowIdx row) const;
  ElementId id(RowIdx row) const { return rows_[row].id; }
  SessionIdx session_of(RowIdx row) const { return rows_[row].session; }
  StreamIdx stream_of(RowIdx row) const {
    return sessions_[rows_[row].session].stream;
  }
  TopicIdx topic_of(RowIdx row) const { return rows_[row].topic; }
  bool shown(RowIdx row) const { return (rows_[row].flags & kShown) != 0; }
  bool detached(RowIdx row) const {
    return (rows_[row].flags & kDetached) != 0;
  }
  // Unix microseconds at which this node learnt of the entry; unique, and the
  // entry's place in its topic's order.
  uint64_t stamp(RowIdx row) const { return rows_[row].stamp; }
  uint32_t row_count() const { return rows_.size(); }
  RowIdx FirstRowOf(SessionIdx session) const;
  RowIdx NextRowOf(RowIdx row) const;  // In its session.

  // ---- what is shown ----
  void Show(RowIdx row);
  void Hide(RowIdx row);
  // `from` stops being shown and `to` is shown in its stead, at its place in
  // the topic's order. Reports an update if their refs differ, else nothing.
  // REQUIRES: same (topic, key); `from` shown, `to` not.
  void Transfer(RowIdx from, RowIdx to);

  // ---- views ----
  struct Topic {
    TopicIdx hash_next = kNone;
    uint32_t name = kNone;  // Slab handle: varint length, bytes.
    uint32_t shown_entries = 0;
    uint32_t shown_keys = 0;
    uint32_t watch = kNone;  // For the watch hub.
    uint32_t pins = 0;       // Keeps it while it has no entries.
    uint32_t order = kNone;  // Index into orders_.
  };
  TopicIdx FindTopic(absl::string_view name) const;
  // Finds or makes it. Pinned topics stay until they are unpinned.
  TopicIdx PinTopic(absl::string_view name);
  void UnpinTopic(TopicIdx topic);
  const Topic& topic_record(TopicIdx t) const { return topics_[t]; }
  void SetTopicWatch(TopicIdx t, uint32_t watch) { topics_[t].watch = watch; }
  absl::string_view topic_name(TopicIdx t) const;
  uint32_t topic_count() const { return topics_.size(); }
  // Topics by name, byte order: the first at or after `name`, or kNone.
  TopicIdx TopicAtOrAfter(absl::string_view name) const;
  TopicIdx TopicAfter(TopicIdx topic) const;

  // Rows of a topic, shown or not, in stamp order: calls `visit(RowIdx)` for
  // rows with stamp > `after` until it returns false.
  template <typename Visit>
  void VisitTopic(TopicIdx topic, uint64_t after, Visit visit) const;

  // Rows of (topic, key) / of key, shown or not; shown ones of a (topic, key)
  // come first. kNone ends.
  RowIdx FirstOfPair(absl::string_view topic, absl::string_view key) const;
  RowIdx NextOfPair(RowIdx row) const;
  // Of the rows of (topic, key) that are shown, or that are not, the first one
  // with a stamp above `after`, or kNone: where a walk in slices goes on.
  RowIdx PairRowAfter(absl::string_view topic, absl::string_view key,
                      bool shown, uint64_t after) const;
  // A row of any copy of the session, of this topic and key, that `matches`, or
  // kNone. Cost: O(the rows of the pair, or of the session, if those are
  // fewer).
  template <typename Matches>
  RowIdx FindOfSession(SessionId session_id, absl::string_view topic_name,
                       absl::string_view key_name, Matches matches) const;
  RowIdx FirstOfKey(absl::string_view key) const;
  RowIdx NextOfKey(RowIdx row) const;
  // The rows of a key have an order: by the name of their topic, then shown
  // ones by stamp, then the others. The first one after the shown ones of
  // `topic` up to `stamp`, or after all of `topic` if that is kWholeTopic.
  static constexpr uint64_t kWholeTopic = UINT64_MAX;
  RowIdx KeyRowAfter(absl::string_view key, absl::string_view topic,
                     uint64_t stamp) const;
  KeyCount CountOfKey(absl::string_view key) const;

  // Whether the last Show or Hide brought the key of its row into the row's
  // topic, or took the last one of it away.
  bool key_changed() const { return key_changed_; }
  // Shown rows of the topic and key of `row`. O(1); O(log n) in a crowd.
  uint32_t EntriesOfPair(RowIdx row) const;
  uint64_t shown_entries() const { return shown_entries_; }
  uint64_t shown_keys() const { return shown_keys_; }  // (topic, key) pairs.
  // Fetch into the cache: what an AddEntry of this key will read; the rows of a
  // session, which mostly were added one after another; and, once those have
  // come, their keys and metas.
  void PrefetchKey(absl::string_view key) const;
  void PrefetchRows(SessionIdx session) const;
  void PrefetchContents(SessionIdx session) const;

  // ---- rebase: elements in seq order, marks ----
  SessionIdx FirstSessionBySeq(StreamIdx stream) const;
  SessionIdx NextSessionBySeq(SessionIdx session) const {
    return sessions_[session].seq_next;
  }
  RowIdx FirstRowBySeq(StreamIdx stream) const;
  RowIdx NextRowBySeq(RowIdx row) const { return rows_[row].seq_next; }
  uint16_t round(RowIdx row) const {
    return static_cast<uint16_t>(rows_[row].flags >> kRoundShift);
  }
  void set_round(RowIdx row, uint16_t round) {
    SetRound(rows_[row].flags, round);
  }
  uint16_t session_round(SessionIdx i) const {
    return static_cast<uint16_t>(sessions_[i].flags >> kRoundShift);
  }
  void set_session_round(SessionIdx i, uint16_t round) {
    SetRound(sessions_[i].flags, round);
  }

  // Encodes the element as a put mutation at its own seq.
  void EncodeSession(SessionIdx session, std::string& out) const;
  void EncodeEntry(RowIdx row, std::string& out) const;

  // Memory held, by part; `indexes` is estimated where it is in ordered
  // containers.
  struct Memory {
    size_t rows = 0;
    size_t sessions = 0;
    size_t topics = 0;
    size_t blobs = 0;  // Keys, metas, names of topics.
    size_t indexes = 0;
  };
  Memory memory() const;
  // All parts together.
  size_t bytes() const;
  // Little room is left for keys and metas: nothing more is to be taken from
  // clients, so that what peers have taken finds some.
  bool full() const { return slab_.full(); }
  // Checks every invariant; the first that does not hold, or empty. O(n log n).
  std::string Audit() const;

 private:
  struct alignas(64) Row {  // One line of the cache.
    uint64_t stamp;
    ElementId id;
    SessionIdx session;
    TopicIdx topic;
    Slab::Handle blob;
    uint32_t key_hash;
    uint32_t id_next;
    RingLinks key_ring;
    uint32_t seq_next;
    uint32_t seq_prev;
    RowIdx session_next;
    RowIdx session_prev;
    uint32_t flags;
  };
  static_assert(sizeof(Row) == 64);

  static constexpr uint32_t kShown = 1;
  static constexpr uint32_t kDetached = 2;
  static constexpr uint32_t kCrowded = 4;
  static constexpr uint32_t kHasSeq = 8;    // Blob holds a seq: it != id.
  static constexpr uint32_t kHasRef = 16;   // Blob holds an explicit ref,
  static constexpr uint32_t kHasRoot = 32;  // and an explicit root.

  struct Stream {
    uint64_t ref_life;
    uint64_t digest;
    uint32_t entries;
    uint32_t sessions;
    RowIdx row_head, row_tail;
    SessionIdx session_head, session_tail;
  };

  struct ByStamp {
    const PresenceStore* store;
    using is_transparent = void;
    bool operator()(RowIdx a, RowIdx b) const {
      return store->rows_[a].stamp < store->rows_[b].stamp;
    }
    bool operator()(uint64_t a, RowIdx b) const {
      return a < store->rows_[b].stamp;
    }
    bool operator()(RowIdx a, uint64_t b) const {
      return store->rows_[a].stamp < b;
    }
  };
  using Order = absl::btree_set<RowIdx, ByStamp>;

  // Rows of one key hash beyond which they are a crowd.
  static constexpr uint32_t kCrowd = 16;
  // The place of a row among crowds: by key hash, topic name, hidden, stamp.
  struct CrowdPlace {
    uint32_t key_hash;
    TopicIdx topic;
    uint64_t stamp;
    RowIdx row;
    bool hidden;
  };
  // A place that may have no row.
  struct CrowdSearch {
    uint32_t key_hash;
    absl::string_view topic;
    bool hidden;
    uint64_t stamp;
  };
  struct CrowdOrder {
    const PresenceStore* store;
    using is_transparent = void;
    bool operator()(const CrowdPlace& a, const CrowdPlace& b) const {
      if (a.key_hash != b.key_hash) return a.key_hash < b.key_hash;
      if (a.topic != b.topic) {
        return store->topic_name(a.topic) < store->topic_name(b.topic);
      }
      return std::tie(a.hidden, a.stamp) < std::tie(b.hidden, b.stamp);
    }
    bool operator()(const CrowdPlace& a, const CrowdSearch& b) const {
      return Compare(a, b) < 0;
    }
    bool operator()(const CrowdSearch& a, const CrowdPlace& b) const {
      return Compare(b, a) > 0;
    }
    int Compare(const CrowdPlace& a, const CrowdSearch& b) const;
  };
  struct Crowd {  // Of a key.
    KeyCount shown;
    uint32_t rows;
    // Shown rows in each topic that has two or more.
    absl::btree_map<TopicIdx, uint32_t> several;

    uint32_t EntriesIn(TopicIdx topic) const;  // 1, unless there are several.
    void AddTo(TopicIdx topic);     // REQUIRES: it has a shown row besides.
    void TakeFrom(TopicIdx topic);  // REQUIRES: the same.
  };

  struct RowIdTraits {
    PresenceStore* store;
    uint32_t& links(uint32_t i) const { return store->rows_[i].id_next; }
    uint64_t hash(uint32_t i) const {
      return IdHash(store->stream_of(i), store->rows_[i].id);
    }
  };
  struct KeyTraits {
    PresenceStore* store;
    RingLinks& links(uint32_t i) const { return store->rows_[i].key_ring; }
    uint64_t hash(uint32_t i) const {
      return KeySlotHash(store->rows_[i].key_hash);
    }
    void prefetch(uint32_t i) const { __builtin_prefetch(&store->rows_[i]); }
  };
  struct SessionIdTraits {
    PresenceStore* store;
    uint32_t& links(uint32_t i) const { return store->sessions_[i].id_next; }
    uint64_t hash(uint32_t i) const {
      const Session& session = store->sessions_[i];
      return IdHash(session.stream, session.id);
    }
  };
  struct SidTraits {
    PresenceStore* store;
    RingLinks& links(uint32_t i) const { return store->sessions_[i].sid_ring; }
    uint64_t hash(uint32_t i) const {
      return store->HashSid(store->sessions_[i].session);
    }
    void prefetch(uint32_t i) const {
      __builtin_prefetch(&store->sessions_[i].session);
      __builtin_prefetch(&store->sessions_[i].sid_ring);
    }
  };
  struct TopicTraits {
    PresenceStore* store;
    uint32_t& links(uint32_t i) const { return store->topics_[i].hash_next; }
    uint64_t hash(uint32_t i) const {
      return store->HashName(store->topic_name(i));
    }
  };

  static void SetRound(uint32_t& flags, uint16_t round) {
    flags = (flags & ((1u << kRoundShift) - 1)) | uint32_t{round}
                                                      << kRoundShift;
  }
  static uint64_t IdHash(StreamIdx stream, ElementId id);
  uint32_t HashName(absl::string_view name) const;
  uint64_t HashSid(SessionId session) const;
  static uint64_t KeySlotHash(uint32_t key_hash);

  // Blob: [seq 8] [ref 24] [root 16] varint key size, varint meta size, key,
  // meta.
  void FillBlob(Row& row, Seq seq, const EntryContent& content);
  static size_t BlobHead(const Row& row);  // Bytes of the three.
  struct BlobView {
    absl::string_view key, meta;
  };
  BlobView Blob(const Row& row) const;
  Ref ExplicitRef(const Row& row) const;
  EntryRoot ExplicitRoot(const Row& row) const;

  bool SamePair(const Row& a, const Row& b) const;
  RowIdx MatchPair(RowIdx from, RowIdx first, TopicIdx topic,
                   absl::string_view key) const;
  RowIdx MatchCrowd(TopicIdx topic, const CrowdSearch& from,
                    absl::string_view key) const;
  RowIdx MatchKey(RowIdx from, absl::string_view key) const;
  // Whether `a` comes before `b` in the order of their key.
  bool EarlierOfKey(RowIdx a, RowIdx b) const;
  RowIdx CrowdRowAfter(uint32_t key_hash, absl::string_view key,
                       absl::string_view topic, uint64_t stamp) const;
  bool PairShown(RowIdx row) const;  // Is any row of its group shown?
  CrowdPlace PlaceOf(RowIdx row) const;
  void EnterKey(RowIdx row);
  void LeaveKey(RowIdx row);
  void EnterCrowd(RowIdx row);
  void CountShown(RowIdx row, bool on);

  void AppendBySeq(RowIdx row, Stream& stream);
  void UnlinkBySeq(RowIdx row, Stream& stream);
  void AppendSessionBySeq(SessionIdx i, Stream& stream);
  void UnlinkSessionBySeq(SessionIdx i, Stream& stream);
  uint64_t RowDigest(RowIdx row) const;
  uint64_t SessionDigest(SessionIdx session) const;
  const SharedContent* Share(const SessionContent& content);
  void Unshare(const SharedContent* shared);
  void LeaveStream(RowIdx row);  // Out of the id and seq indexes, digest.
  void PrependToSession(RowIdx row);
  void AppendToSession(RowIdx row);
  void UnlinkFromSession(RowIdx row);
  TopicIdx InternTopic(absl::string_view name);
  void ReleaseTopic(TopicIdx topic);

  std::string AuditSession(SessionIdx session) const;
  std::string AuditStream(StreamIdx stream) const;
  std::string AuditRow(RowIdx row) const;
  std::string AuditTopics() const;
  std::string AuditCrowds() const;

  const uint64_t hash_seed_;
  ViewObserver* observer_ = nullptr;
  uint64_t next_stamp_ = 1;

  PagedArray<Row> rows_;
  PagedArray<Session> sessions_;
  // With the number of sessions that have it.
  std::map<SharedContent, uint32_t> shared_;
  PagedArray<Topic, 6> topics_;
  std::vector<Stream> streams_;
  std::vector<StreamIdx> free_streams_;
  std::vector<Order> orders_;  // One a topic.
  std::vector<uint32_t> free_orders_;
  Slab slab_;
  absl::btree_map<std::string, TopicIdx, std::less<>> topics_by_name_;

  LinearHash<RowIdTraits> by_id_;
  GroupIndex<KeyTraits> by_key_;
  absl::btree_set<CrowdPlace, CrowdOrder> crowds_;
  absl::btree_map<std::string, Crowd, std::less<>> crowd_counts_;
  LinearHash<SessionIdTraits> session_by_id_;
  GroupIndex<SidTraits> by_sid_;
  LinearHash<TopicTraits> by_topic_;

  uint64_t shown_entries_ = 0;
  uint64_t shown_keys_ = 0;
  bool key_changed_ = false;
};

template <typename Matches>
RowIdx PresenceStore::FindOfSession(SessionId session_id,
                                    absl::string_view topic_name,
                                    absl::string_view key_name,
                                    Matches matches) const {
  SessionIdx copy = FirstCopy(session_id);
  RowIdx own = copy == kNone ? kNone : FirstRowOf(copy);
  for (RowIdx row = FirstOfPair(topic_name, key_name); row != kNone;
       row = NextOfPair(row)) {
    while (own == kNone) {
      copy = copy == kNone ? kNone : NextCopy(copy);
      if (copy == kNone) return kNone;
      own = FirstRowOf(copy);
    }
    if (session(session_of(row)).session == session_id && matches(row)) {
      return row;
    }
    if (key(own) == key_name && topic(own) == topic_name && matches(own)) {
      return own;
    }
    own = NextRowOf(own);
  }
  return kNone;
}

template <typename Visit>
void PresenceStore::VisitTopic(TopicIdx topic, uint64_t after,
                               Visit visit) const {
  const Order& order = orders_[topics_[topic].order];
  for (auto it = order.upper_bound(after); it != order.end(); ++it) {
    if (!visit(*it)) return;
  }
}

}  // namespace muster::crdt

#endif  // MUSTER_CRDT_PRESENCE_STORE_H_
