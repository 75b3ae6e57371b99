// The sessions that this node owns. A session is a lease: its TTL is renewed by
// any call of its client, or lasts as long as the client's stream; then comes
// its grace, and its entries leave. Here are the clients' calls, deadlines,
// adoption from other nodes, and moving away to them.
//
//   Open ──> connected ──Disconnect/TTL──> disconnected ──grace──> lapsed
//               ^  └───────────Close────────────────> ended      gone <──┘
//   Resume ─────┴── adopt: pending copy, entries, then the record
//   a higher copy elsewhere ──> moved: record kept, entries removed
//
// A session whose grace is over leaves once no resume of it can be on its way
// from another node (see leave_gate.h), and at the latest leave_delay later.
// Records of ended and moved sessions, their tombstones, are kept for some
// time, max_ended of them at most: a further record replaces the oldest.
//
// A session with a few entries ends in one call. A larger session ends, and
// every resume runs, in slices of a job.
//
// Costs: each operation of a batch is O(1); Resume and ending O(entries) in
// slices. Errors are those of presence.proto. Threads: one.
#ifndef MUSTER_NODE_CORE_PRESENCE_LOCAL_SESSIONS_H_
#define MUSTER_NODE_CORE_PRESENCE_LOCAL_SESSIONS_H_

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "node/core/client.h"
#include "node/core/options.h"
#include "node/core/output.h"
#include "node/core/presence/evicted_refs.h"
#include "node/core/presence/own_stream.h"
#include "node/core/presence/roll.h"

namespace muster::core {

class LocalSessions {
 public:
  // `where` names the node of a life for people: "a (HOST:PORT)".
  LocalSessions(const SessionOptions& options, Roll& roll, OwnStream& own,
                std::function<std::string(crdt::LifeId)> where);

  absl::StatusOr<SessionInfo> Open(const OpenSessionRequest& request);
  absl::Status Close(crdt::SessionId session);
  void Disconnect(crdt::SessionId session);
  absl::Status Heartbeat(crdt::SessionId session, uint64_t epoch);
  // As Replica::ApplySome.
  absl::StatusOr<bool> Apply(const ApplyRequest& request, ApplyReply& reply,
                             size_t& budget);
  void Resume(RequestId id, ResumeRequest request, Output& out);

  // An eviction begins here: resumes under way do not adopt the evicted entries
  // that they have not looked at yet. See node/core/replica/eviction.h.
  void NoteEviction(const std::string& topic, const std::string& key,
                    const EvictedRefs::Reason& reason);
  // An entry of another node is evicted.
  void NoteEvicted(const crdt::Ref& ref, const EvictedRefs::Reason& reason) {
    evicted_.Add(ref, reason);
  }
  // Removes an entry of this node; its session stays, its client is told.
  // REQUIRES: the session has neither moved nor ended.
  void Evict(crdt::RowIdx row, const EvictedRefs::Reason& reason, Output& out);

  // The deadline of an own session has passed.
  void OnDeadline(crdt::ElementId id);
  // Ends some of the sessions whose grace is over, if it was by then; true if
  // more may be due.
  bool RunLapsed(Instant known_until);
  // Whether sessions wait for RunLapsed.
  bool has_lapsed() const { return !lapsed_.empty(); }
  // Own copies lost against higher ones elsewhere.
  void OnLosers(const std::vector<crdt::SessionIdx>& losers, Output& out);
  // One slice of the oldest job; true if more is left.
  bool RunJob(Output& out);
  bool has_work() const { return !endings_.empty() || !adoptions_.empty(); }
  size_t count() const { return live_; }
  // How many records were dropped before their time, ever.
  uint64_t records_dropped() const { return records_dropped_; }
  size_t endings() const { return endings_.size(); }
  size_t adoptions() const { return adoptions_.size(); }

 private:
  // Entries worked through in one slice.
  static constexpr size_t kSlice = 128;
  // A session with at most so many ends in the call that ends it.
  static constexpr size_t kInline = 16;

  struct Ending {
    crdt::ElementId id;
    // Keep the record for this long once the entries are gone; 0: drop it.
    absl::Duration keep;
  };
  // A session whose grace is over.
  struct Lapsed {
    crdt::ElementId id;
    crdt::Seq seq;  // Of its record: it changes if the session is resumed.
    Instant at;
    int64_t lived_us;  // The same.
  };
  struct Adoption {
    RequestId request;
    ResumeRequest wish;
    crdt::ElementId id;         // Of the pending copy, or the own one.
    bool own = false;           // The session was here already.
    bool lapsed = false;        // Its grace was over.
    bool disconnected = false;  // Its client has gone meanwhile.
    size_t next = 0;            // Of the entries wished.
    std::vector<crdt::Ref> missing;
    // Own: the rows that were wished, and where their sweep has come to.
    absl::btree_set<crdt::RowIdx> kept;
    crdt::RowIdx sweep = crdt::kNone;
    // The evictions that had begun before the adoption, and those since, of
    // which its client is to be told.
    uint64_t evictions_before = 0;
    std::map<crdt::Ref, EntryEvicted> evicted;
  };

  crdt::PresenceStore& store() { return roll_.store(); }
  crdt::SessionIdx OwnCopy(crdt::SessionId session) const;
  // Why this node cannot act for the session.
  absl::Status NotHere(crdt::SessionId session) const;
  // The own copy, connected (again, if it was in grace); or why not.
  absl::StatusOr<crdt::SessionIdx> Live(crdt::SessionId session);
  // Whether there is room for one more session.
  absl::Status MayAdd() const;
  // Whether a session that has moved away is in force here again.
  bool IsBack(crdt::SessionIdx moved) const;
  void DropOldRecords(crdt::SessionId session);
  void Rewrite(crdt::SessionIdx session, crdt::SessionState state);
  void Touch(crdt::SessionIdx session);
  SessionInfo Info(crdt::SessionIdx session) const;

  absl::StatusOr<crdt::Ref> Track(crdt::SessionIdx session, const TrackOp& op);
  absl::StatusOr<crdt::RowIdx> FindRef(crdt::SessionIdx session,
                                       const crdt::Ref& ref) const;
  absl::StatusOr<crdt::Ref> Update(crdt::SessionIdx session,
                                   const UpdateOp& op);
  absl::Status Untrack(crdt::SessionIdx session, const crdt::Ref& ref);
  void RemoveOwnEntry(crdt::RowIdx row);

  bool IsLate(const Lapsed& lapsed) const;
  void EndLapsed(const Lapsed& lapsed);
  bool IsLapsed(crdt::SessionIdx session, crdt::Seq seq) const;
  bool BeingAdopted(crdt::SessionIdx own) const;
  void End(crdt::SessionIdx session, absl::Duration keep);
  bool RunEnding(Ending& ending);
  void KeepRecord(crdt::SessionIdx session, absl::Duration keep);
  void DropRecord(crdt::SessionIdx session);
  bool BeingResumed(crdt::SessionId session) const;
  absl::Status MayResume(const ResumeRequest& request,
                         crdt::SessionIdx in_force) const;
  void StartAdoption(Adoption adoption, crdt::SessionIdx in_force);
  bool RunAdoption(Adoption& adoption, Output& out);
  void AdoptEntry(Adoption& adoption, crdt::SessionIdx copy,
                  const EntryView& wish);
  bool StillWanted(const Adoption& adoption, crdt::SessionIdx copy) const;
  bool KeepOwnEntries(Adoption& adoption, crdt::SessionIdx own);
  bool AdoptEntries(Adoption& adoption, crdt::SessionIdx copy);
  // Whether the wished entry is missing because it was evicted; if so, notes
  // that.
  bool WasEvicted(Adoption& adoption, const EntryView& wish);
  static void TellEvicted(Adoption& adoption, Output& out);
  void FinishAdoption(Adoption& adoption, crdt::SessionIdx copy, Output& out);

  const SessionOptions options_;
  Roll& roll_;
  OwnStream& own_;
  std::function<std::string(crdt::LifeId)> where_;
  size_t live_ = 0;  // Own sessions that are connected or in grace.
  // Sessions in the order in which their graces ended; those that another node
  // is adopting wait aside.
  std::deque<Lapsed> lapsed_;
  std::deque<Lapsed> adopted_elsewhere_;
  std::deque<Ending> endings_;
  std::deque<Adoption> adoptions_;
  // Records without entries, of sessions that ended or moved, the oldest first.
  absl::btree_map<crdt::Seq, crdt::ElementId> records_;
  uint64_t records_dropped_ = 0;
  // Own rows whose ref was made elsewhere.
  absl::btree_map<std::pair<crdt::SessionIdx, crdt::Ref>, crdt::RowIdx>
      adopted_;
  EvictedRefs evicted_;
  // Pairs evicted since the last moment without an adoption.
  struct Eviction {
    uint64_t number = 0;  // The latest one of the pair.
    EvictedRefs::Reason reason;
  };
  std::map<std::pair<std::string, std::string>, Eviction> evictions_;
  uint64_t evictions_begun_ = 0;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_PRESENCE_LOCAL_SESSIONS_H_
