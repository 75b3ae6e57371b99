// The sessions of the presence store: their records, the copies of each, and
// the list of the rows of each.
//
//   (stream, id) ---> session            session id ---> its copies, one a
//   stream session ---> live rows ... | detached rows
//
// Many sessions agree in epoch, grace, TTL and state: what they have in common
// is held once for all that agree.
//
// Who decides what is shown has a *slot* in each record, a time and a few
// marks: the table carries them, begins them at zero, and never reads them.
// Cost: O(1); 88 bytes a session, and 2 and 8 in indexes. Limits: 2^32 - 2
// sessions. Threads: one.
#ifndef MUSTER_CRDT_SESSION_TABLE_H_
#define MUSTER_CRDT_SESSION_TABLE_H_

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "crdt/entry_rows.h"
#include "crdt/group_index.h"
#include "crdt/linear_hash.h"
#include "crdt/mutation.h"
#include "crdt/paged_array.h"
#include "crdt/presence_hash.h"
#include "crdt/types.h"

namespace muster::crdt {

class SessionTable {
 public:
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
    int64_t slot_time = 0;
    StreamIdx stream = kNone;
    uint32_t entries = 0;  // Live and detached rows.
    RowIdx first_row = kNone;
    uint32_t seq_next = kNone;
    uint32_t seq_prev = kNone;
    uint32_t id_next = kNone;
    RingLinks sid_ring;
    uint16_t slot_marks = 0;
    uint16_t round = 0;  // The rebase in which it was last named.

    SessionState state() const { return shared->state; }
    SessionContent content() const {
      return {
          session,        shared->epoch, shared->resume,     shared->grace_ms,
          shared->ttl_ms, shared->state, shared->moved_life, shared->moved_seq};
    }
  };
  static_assert(sizeof(Session) == 88);
  // What a slot holds.
  struct Slot {
    int64_t& time;
    uint16_t& marks;
  };

  // `rows` outlives the table.
  SessionTable(EntryRows& rows, uint64_t hash_seed);
  SessionTable(const SessionTable&) = delete;
  SessionTable& operator=(const SessionTable&) = delete;

  // ---- look-ups ----
  const Session& operator[](SessionIdx i) const { return sessions_[i]; }
  SessionIdx Find(StreamIdx stream, ElementId id) const;
  // Whether it is the only copy of its session.
  bool Sole(SessionIdx session) const;
  // First copy of a session of any stream; go on with NextCopy.
  SessionIdx FirstCopy(SessionId session) const;
  SessionIdx NextCopy(SessionIdx session) const;
  uint64_t Digest(SessionIdx session) const;
  uint32_t size() const { return sessions_.size(); }

  // ---- changes, by the store ----
  Session& operator[](SessionIdx i) { return sessions_[i]; }
  Slot slot(SessionIdx i) {
    return {sessions_[i].slot_time, sessions_[i].slot_marks};
  }
  // A session with no seq yet and no rows. REQUIRES: Find finds none.
  SessionIdx Add(StreamIdx stream, ElementId id, const SessionContent& content);
  void SetContent(SessionIdx session, const SessionContent& content);
  // REQUIRES: it has no rows.
  void Remove(SessionIdx session);
  // The row becomes one of its session: the first one.
  void AddRow(RowIdx row);
  // It is detached: live rows come first.
  void MoveRowToEnd(RowIdx row);
  void RemoveRow(RowIdx row);

  // Memory held: records; indexes.
  size_t bytes() const;
  size_t index_bytes() const {
    return size_t{by_id_.buckets()} * sizeof(uint32_t) + by_sid_.bytes();
  }
  // What of the session breaks an invariant of the store, or empty.
  std::string Audit(SessionIdx session) const;

 private:
  struct IdTraits {
    SessionTable* table;
    uint32_t& links(uint32_t i) const { return table->sessions_[i].id_next; }
    uint64_t hash(uint32_t i) const {
      const Session& session = table->sessions_[i];
      return ElementHash(session.stream, session.id);
    }
  };
  struct SidTraits {
    SessionTable* table;
    RingLinks& links(uint32_t i) const { return table->sessions_[i].sid_ring; }
    uint64_t hash(uint32_t i) const {
      return table->HashOf(table->sessions_[i].session);
    }
    void prefetch(uint32_t i) const {
      __builtin_prefetch(&table->sessions_[i].session);
      __builtin_prefetch(&table->sessions_[i].sid_ring);
    }
  };

  uint64_t HashOf(SessionId session) const {
    return Mix(session.lo ^ hash_seed_);
  }
  const SharedContent* Share(const SessionContent& content);
  void Unshare(const SharedContent* shared);
  void PrependRow(RowIdx row);
  void AppendRow(RowIdx row);
  void UnlinkRow(RowIdx row);

  EntryRows& rows_;
  const uint64_t hash_seed_;
  PagedArray<Session> sessions_;
  // With the number of sessions that have it.
  std::map<SharedContent, uint32_t> shared_;
  LinearHash<IdTraits> by_id_;
  GroupIndex<SidTraits> by_sid_;
};

}  // namespace muster::crdt

#endif  // MUSTER_CRDT_SESSION_TABLE_H_
