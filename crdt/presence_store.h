// The presence set: the live elements of all presence streams, and what is
// shown of them.
//
// An element is a session or an entry of a session; it belongs to the stream
// of the origin that wrote it. Each is held once, as a record that all indexes
// are threaded through. This header composes them, and keeps them agreed:
//
//   entry_rows.h      the record of an entry, and its content
//   session_table.h   sessions, their copies and the rows of each
//   topic_table.h     topics by name, and their rows by stamp
//   key_index.h       rows by key and by (topic, key); counts of crowds
//   session_rows.h    a row of a session, by topic and key
//   here              streams: rows by id, elements by seq, digests; showing
//
// *Live* is what the streams say. *Shown* is what this node shows clients: an
// entry may be live and hidden (its node is down, another copy of its session
// is in force), or shown and not live any more (*detached*: removed by an
// owner that has moved the session to a node we have not heard yet). The
// store does not decide what is shown; its user does, by Show, Hide and
// Transfer. Each of them reports one change to the observer.
//
// Invariants (Audit() checks them all, for tests):
//   1. A live row is in every index; a detached one in all but id and seq.
//   2. The seq list of a stream is strictly ascending (once a rebase is over).
//   3. digest(stream) is the sum of the hashes of its live elements.
//   4. counts equal the number of shown rows, of topics, keys and the whole.
//   5. Of the rows of a key, and so of a (topic, key), shown ones come first.
//   6. No two shown rows have the same ref. (Kept by the callers.)
//   7. The rows of a key hash are a crowd all or none (see key_index.h).
//   8. Of the rows of a session, live ones come first.
//   9. EntriesOfPair equals the number of shown rows of the (topic, key).
//
// Cost: every operation is O(1) plus O(log n) in the entries of one topic or
// crowd, none depends on the size of the state. Bytes an entry: 64 for the row,
// 2 and 8 in indexes, 5 in the topic's order, the blob; more in a crowd.
// Threads: one. Limits: 2^32 - 2 rows, sessions, topics.
#ifndef MUSTER_CRDT_PRESENCE_STORE_H_
#define MUSTER_CRDT_PRESENCE_STORE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "crdt/entry_rows.h"
#include "crdt/key_index.h"
#include "crdt/linear_hash.h"
#include "crdt/mutation.h"
#include "crdt/presence_hash.h"
#include "crdt/seq_list.h"
#include "crdt/session_table.h"
#include "crdt/topic_table.h"
#include "crdt/types.h"
#include "crdt/view_observer.h"

namespace muster::crdt {

class PresenceStore {
 public:
  using Session = SessionTable::Session;

  // `hash_seed` places records in hash indexes; it never reaches an output.
  explicit PresenceStore(uint64_t hash_seed);
  PresenceStore(const PresenceStore&) = delete;
  PresenceStore& operator=(const PresenceStore&) = delete;

  void SetObserver(ViewObserver* observer) { observer_ = observer; }
  // Unix time in microseconds; stamps what arrives from now on.
  void SetTime(int64_t wall_us);

  // ---- views: what may be looked up beside what is below ----
  const SessionTable& sessions() const { return sessions_; }
  const TopicTable& topics() const { return topics_; }
  const KeyIndex& keys() const { return keys_; }

  // ---- streams ----
  // `ref_life` is LifeId::hi of the origin.
  StreamIdx AddStream(uint64_t ref_life);
  // REQUIRES: no sessions and no entries in it.
  void RemoveStream(StreamIdx stream);
  uint64_t Digest(StreamIdx stream) const { return streams_[stream].digest; }
  uint32_t EntryCount(StreamIdx s) const { return streams_[s].entries; }
  uint32_t SessionCount(StreamIdx s) const { return streams_[s].sessions; }

  // ---- sessions ----
  // Creates the element, or replaces its content.
  SessionIdx PutSession(StreamIdx stream, ElementId id, Seq seq,
                        const SessionContent& content);
  // REQUIRES: it has no rows.
  void RemoveSession(SessionIdx session);
  const Session& session(SessionIdx i) const { return sessions_[i]; }
  // See session_table.h.
  SessionTable::Slot session_slot(SessionIdx i) { return sessions_.slot(i); }
  RowIdx FirstRowOf(SessionIdx i) const { return sessions_[i].first_row; }
  RowIdx NextRowOf(RowIdx row) const { return rows_[row].session_next; }

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

  absl::string_view topic(RowIdx row) const {
    return topics_.name(rows_[row].topic);
  }
  absl::string_view key(RowIdx row) const { return rows_.key(row); }
  absl::string_view meta(RowIdx row) const { return rows_.meta(row); }
  // Its dot; of an adopted entry that was not updated since, adopted_as.
  Ref ref(RowIdx row) const;
  // The explicit ref: the one it had where it was adopted from, or none.
  Ref adopted_as(RowIdx row) const { return rows_.explicit_ref(row); }
  // As which it was first tracked: the explicit one, or what the ref says.
  EntryRoot root(RowIdx row) const;
  EntryRoot explicit_root(RowIdx row) const { return rows_.explicit_root(row); }
  Seq seq(RowIdx row) const { return rows_.seq(row); }
  ElementId id(RowIdx row) const { return rows_[row].id; }
  SessionIdx session_of(RowIdx row) const { return rows_[row].session; }
  StreamIdx stream_of(RowIdx row) const {
    return sessions_[rows_[row].session].stream;
  }
  TopicIdx topic_of(RowIdx row) const { return rows_[row].topic; }
  bool shown(RowIdx row) const { return rows_.shown(row); }
  bool detached(RowIdx row) const { return rows_.detached(row); }
  // Unix microseconds at which this node learnt of the entry; unique, and the
  // entry's place in its topic's order.
  uint64_t stamp(RowIdx row) const { return rows_[row].stamp; }
  uint32_t row_count() const { return rows_.size(); }

  // ---- what is shown ----
  void Show(RowIdx row);
  void Hide(RowIdx row);
  // `from` stops being shown and `to` is shown in its stead, at its place in
  // the topic's order. Reports an update if their refs differ, else nothing.
  // REQUIRES: same (topic, key); `from` shown, `to` not.
  void Transfer(RowIdx from, RowIdx to);
  // Whether the last Show or Hide brought the key of its row into the row's
  // topic, or took the last one of it away.
  bool key_changed() const { return key_changed_; }
  uint64_t shown_entries() const { return shown_entries_; }
  uint64_t shown_keys() const { return shown_keys_; }  // (topic, key) pairs.

  // ---- topics that somebody has an interest in ----
  // Finds or makes it. Pinned topics stay until they are unpinned.
  TopicIdx PinTopic(absl::string_view name) { return topics_.Pin(name); }
  void UnpinTopic(TopicIdx topic) { topics_.Unpin(topic); }
  // See topic_table.h.
  void SetTopicSlot(TopicIdx t, uint32_t slot) { topics_.SetSlot(t, slot); }

  // Fetch into the cache: what an AddEntry of this key will read; the rows of a
  // session, which mostly were added one after another; and, once those have
  // come, their keys and metas.
  void PrefetchKey(absl::string_view key) const { keys_.Prefetch(key); }
  void PrefetchRows(SessionIdx session) const;
  void PrefetchContents(SessionIdx session) const;

  // ---- rebase: elements in seq order, marks ----
  SessionIdx FirstSessionBySeq(StreamIdx s) const {
    return streams_[s].sessions_by_seq.head;
  }
  SessionIdx NextSessionBySeq(SessionIdx i) const {
    return sessions_[i].seq_next;
  }
  RowIdx FirstRowBySeq(StreamIdx s) const {
    return streams_[s].rows_by_seq.head;
  }
  RowIdx NextRowBySeq(RowIdx row) const { return rows_[row].seq_next; }
  uint16_t round(RowIdx row) const { return rows_[row].round; }
  void set_round(RowIdx row, uint16_t round) { rows_[row].round = round; }
  uint16_t session_round(SessionIdx i) const { return sessions_[i].round; }
  void set_session_round(SessionIdx i, uint16_t round) {
    sessions_[i].round = round;
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
  bool full() const { return rows_.slab().full(); }
  // Checks every invariant; the first that does not hold, or empty. O(n log n).
  std::string Audit() const;

 private:
  struct StreamElements {
    uint64_t ref_life = 0;
    uint64_t digest = 0;
    uint32_t entries = 0;
    uint32_t sessions = 0;
    SeqList rows_by_seq;
    SeqList sessions_by_seq;
  };
  struct IdTraits {
    PresenceStore* store;
    uint32_t& links(uint32_t i) const { return store->rows_[i].id_next; }
    uint64_t hash(uint32_t i) const {
      return ElementHash(store->stream_of(i), store->rows_[i].id);
    }
  };

  uint64_t RowDigest(RowIdx row) const;
  void LeaveStream(RowIdx row);  // Out of the id and seq indexes, digest.
  void SetShown(RowIdx row, bool on);

  std::string AuditStream(StreamIdx stream) const;
  std::string AuditTopic(TopicIdx topic, uint64_t& rows) const;
  std::string AuditTopics() const;

  ViewObserver* observer_ = nullptr;
  uint64_t next_stamp_ = 1;

  EntryRows rows_;
  SessionTable sessions_;
  TopicTable topics_;
  KeyIndex keys_;
  std::vector<StreamElements> streams_;
  std::vector<StreamIdx> free_streams_;
  LinearHash<IdTraits> by_id_;

  uint64_t shown_entries_ = 0;
  uint64_t shown_keys_ = 0;
  bool key_changed_ = false;
};

}  // namespace muster::crdt

#endif  // MUSTER_CRDT_PRESENCE_STORE_H_
