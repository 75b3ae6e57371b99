// The other nodes that this one remembers: one row a life, by life id, and
// which lives a name has.
//
//   name "b":  life 7 (incarnation 20, ended)   life 9 (incarnation 31, alive)
//
// A life *shows* itself while it is alive or suspect, or was heard within
// kShown. A later life that is known by relay alone may be long dead. So only a
// later life that shows itself, and has done so since the earlier one began,
// ends a life that shows itself.
//
// Invariants:
// 1. Of the lives of a name that show themselves at most one has not ended:
//    the one with the highest (incarnation, life).
// 2. A name is remembered as long as a life of it is, and no longer.
// 3. There are never more than `limit` rows. A new life takes the row of the
//    one that ended longest ago; if none has ended it is refused.
//
// Internal to membership. Pointers to rows are valid until the row goes.
// Cost: O(log members) a call, O(members) an Add to a full table.
#ifndef MUSTER_NODE_CORE_MEMBERSHIP_MEMBER_TABLE_H_
#define MUSTER_NODE_CORE_MEMBERSHIP_MEMBER_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "crdt/types.h"
#include "node/core/frames.h"
#include "node/core/membership/failure_detector.h"
#include "node/core/time.h"

namespace muster::core {

// A link closed: is the process gone? The proof of death is a refused connect,
// if no peer reports a beat from after `since` until `until`. A refusal proves
// nothing of a node that beats on although its address refuses.
struct RefusedCheck {
  Instant since;
  Instant until;
  uint64_t token = 0;  // Of the connect probe.
  std::optional<Instant> refused;
  // A dying process may still accept: look again then.
  Instant again = kNever;
};

struct Member {
  crdt::Origin origin;
  std::string address;
  MemberState state = MemberState::kDown;  // Until the first live evidence.
  std::optional<Instant> ended;

  uint64_t beat = 0;  // The highest number heard of; 0: none yet.
  Instant first_heard = kNever;
  // When it advanced, as passed on to others: never moved by a stall here.
  Instant advanced = kLongAgo;
  bool late = false;  // It waited while this node stood still.
  // The same for judging: moved by the time that this node did not run.
  Instant heard = kLongAgo;
  crdt::Seq presence_seq;  // The highest that a datagram named.
  GapWindow gaps;
  absl::Duration suspect_after;
  bool stream_only = false;

  Instant udp = kLongAgo;      // Its last datagram.
  Instant resumed = kLongAgo;  // Its first beat after a silence.
  Instant linked = kLongAgo;   // Since when there is a link, or none.
  Instant unlinked;
  int stalls = 0;  // Links closed for it since one brought anything forth.
  // Dial without regard to whose name is lower.
  bool dial_now = false;

  Instant suspected;
  Instant confirmed;         // When suspicion turns to down.
  Instant asked = kLongAgo;  // Others were, about this one.
  std::optional<RefusedCheck> check;
  int checks = 0;  // Since the link closed.
  // The last refusal was taken for death; older beats do not bring it back.
  Instant refused = kLongAgo;

  // When the life at its address was last asked for, and the token of that
  // probe.
  Instant who_asked = kLongAgo;
  uint64_t who_token = 0;

  // Beats of its own since it ended, while no later life shows itself.
  int returns = 0;

  uint64_t version = 0;  // Of the table, when this row last changed.
};

class MemberTable {
 public:
  enum class Outcome { kAdded, kKnown, kEnded, kFull, kLie };
  struct Added {
    Outcome outcome;
    Member* member = nullptr;  // If kAdded or kKnown.
    // Lives of the same name that this one ends.
    std::vector<Member*> ended;
    std::optional<crdt::Origin> evicted;
  };

  explicit MemberTable(size_t limit) : limit_(limit) {}

  static constexpr absl::Duration kShown = absl::Seconds(2);

  // `shown`: the life shows itself as it is added. kEnded: a later one does, or
  // is known while this one does not. kLie: the life is known under another
  // name or incarnation.
  Added Add(const crdt::Origin& origin, const std::string& address, bool shown,
            Instant now);
  // The earlier lives of its name that have not ended.
  std::vector<Member*> Earlier(const crdt::Origin& origin);
  // Whether an earlier life of its name shows itself, and was first heard after
  // `heard`: a life last heard at `heard` is no longer at work. (If a clock was
  // set back, the life that began later counts as the earlier one.)
  bool EarlierBeganSince(const crdt::Origin& origin, Instant heard,
                         Instant now) const;
  // A later life of its name shows itself.
  bool LaterShows(const crdt::Origin& origin, Instant now) const;
  Member* Find(crdt::LifeId life);
  const Member* Find(crdt::LifeId life) const;
  // The life is a member that is alive or suspect, and has not ended.
  bool IsAlive(crdt::LifeId life) const;
  void Remove(crdt::LifeId life);
  // The highest incarnation remembered of a name, or 0.
  crdt::Incarnation Highest(const std::string& name) const;
  // Gives the row the next version (2, 3, …): others are told of rows above
  // the version that they know.
  void Touch(Member& member);
  uint64_t version() const { return version_; }
  // The rows above a version, in the order of their lives.
  std::vector<const Member*> ChangedSince(uint64_t version) const;

  std::map<crdt::LifeId, Member>& rows() { return rows_; }
  const std::map<crdt::LifeId, Member>& rows() const { return rows_; }

 private:
  struct Name {
    crdt::Incarnation highest;
    std::vector<crdt::LifeId> lives;
  };
  static bool Shows(const Member& row, Instant now);
  bool HasLater(const crdt::Origin& origin) const;
  // A later life of its name for which `counts` is true.
  template <typename Counts>
  bool AnyLater(const crdt::Origin& origin, Counts counts) const;
  // Frees the row that ended first. False if none has.
  bool Evict(std::optional<crdt::Origin>& evicted);

  const size_t limit_;
  std::map<crdt::LifeId, Member> rows_;
  std::map<std::string, Name> names_;
  // Every row, by the version that it has.
  std::map<uint64_t, const Member*> by_version_;
  uint64_t version_ = 1;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_MEMBERSHIP_MEMBER_TABLE_H_
