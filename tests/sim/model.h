// What a cluster must show, as the simplest thing that can be: which client
// holds which entries, acknowledged by which process, and how long they may
// outlive a disconnect. It knows nothing of streams, vectors or links, and
// includes nothing of the product.
//
// A *session* has at most one *copy* on a process. The copy with the highest
// rank (epoch, resume number, origin) is the *top*: what its client was last
// acknowledged. A copy of a process that died may never have been heard of, so
// what lies below it is not certain:
//
//   copies, best first     a at #3: dead        b at #1: alive, connected
//   must be shown          –                    –
//   may be shown           a's, until grace     b's: a may have died unheard
//
// Units: microseconds of simulated time.
// Invariants: (1) a ref is made once, by one session, with one content;
// (2) an entry is in `must` only if it is in `may`.
#ifndef MUSTER_TESTS_SIM_MODEL_H_
#define MUSTER_TESTS_SIM_MODEL_H_

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace muster::sim {

struct RefKey {
  uint64_t life = 0;
  uint64_t id = 0;
  uint64_t seq = 0;
  auto operator<=>(const RefKey&) const = default;
};
std::string ToString(const RefKey& ref);

struct Content {
  std::string topic;
  std::string key;
  std::string meta;
  auto operator<=>(const Content&) const = default;
};

// Orders the copies of a session; `origin` is the adapter's translation of
// the origin's place in that order.
struct Rank {
  uint64_t epoch = 0;
  uint64_t resume = 0;
  std::vector<uint64_t> origin;
  auto operator<=>(const Rank&) const = default;
};

class Model {
 public:
  static constexpr int64_t kLate = 6'000'000;        // Past grace.
  static constexpr int64_t kDownWithin = 3'500'000;  // Silence of the dead.
  // A resume may be this long on its way to the node it takes a session from.
  static constexpr int64_t kUnheard = 2'000'000;

  using Entries = std::map<RefKey, Content>;
  struct Copy {
    int process = 0;
    Rank rank;
    Entries entries;
    bool pending = false;  // Its resume is not answered yet;
    bool fresh = false;    // and there was no copy before.
    bool connected = true;
    int64_t disconnected_at = 0;
    int64_t since = 0;  // Its client was acknowledged then.
    bool closed = false;
  };
  struct Session {
    int64_t grace = 0;
    std::map<int, Copy> copies;  // By process.
    std::set<int> processes;     // That ever held one.
    uint64_t highest_epoch = 0;
    bool ended = false;  // Its client closed it, or was told so.
    // The first at which a copy lapsed whose process has another now, since
    // AllHeard.
    int64_t lapse = INT64_MAX;
  };

  // ---- what clients did, and were told ----
  int Open(int process, const Rank& rank, int64_t grace);
  void ResumeBegun(int session, int process, uint64_t epoch,
                   const Entries& asked);
  void ResumeFailed(int session, int process);
  void Resumed(int session, int process, const Rank& rank, int64_t grace,
               const Entries& entries, int64_t now);
  void Tracked(int session, int process, const RefKey& ref,
               const Content& content);
  void Updated(int session, int process, const RefKey& old, const RefKey& ref,
               const std::string& meta);
  void Untracked(int session, int process, const RefKey& ref);
  // By an administrator. Other nodes that hold it may be told only now.
  void Evicted(int session, int process, const RefKey& ref);
  void Disconnected(int session, int process, int64_t now);
  void Closed(int session, int process);
  // The process stood still: what it counts, such as a time to live, waited.
  void StoodStill(int process, int64_t from, int64_t to);
  // Every node has heard of all that was until now.
  void AllHeard();
  // The process was killed, or told to drain.
  // `heard`: since long enough before that, others could hear it.
  void ProcessGone(int process, int64_t now, bool heard = true);

  // ---- what follows ----
  struct Expected {
    Entries must;
    Entries may;  // Includes `must`.
  };
  // What every node lists `now`, if all is healed and equal.
  Expected ExpectedAt(int64_t now) const;

  struct Made {
    int session = 0;
    Content content;
    RefKey successor;  // seq 0: none.
    RefKey updates;    // What it was made from; seq 0: it was tracked.
  };
  // Null if no client made it.
  const Made* Find(const RefKey& ref) const;
  const Session& session(int number) const {
    return sessions_[static_cast<size_t>(number)];
  }
  size_t sessions() const { return sessions_.size(); }
  size_t made() const { return made_.size(); }
  // It was made from `old` by an update, or several.
  bool Updates(RefKey ref, const RefKey& old) const;
  // No copy holds it, nor a later version: it must not come back where its end
  // was seen. Who sees a session lapse, and then taken up elsewhere, is shown
  // there what the copy held first.
  bool Dead(const RefKey& ref) const;
  // Every copy that may be in force holds the entry, in this version or a
  // later one, and is connected: it must not leave.
  bool MustStay(const RefKey& ref) const;
  // A copy holds it that nothing but copies of ended processes hide: an update
  // made by one of these may be taken back.
  bool MayReturn(const RefKey& ref) const;
  // The copy whose client holds the entry, if MustStay.
  const Copy* Holder(const RefKey& ref) const;
  // The earliest moment at which the entry may leave, if its session is
  // disconnected and not closed; 0 if it may leave at once, or if its node
  // died before it had told the others of the session's last connect.
  int64_t EarliestLeave(const RefKey& ref) const;
  // The moment past which no node may show the entry, and when the last of
  // those who hold it was disconnected; INT64_MAX if there is none.
  struct Latest {
    int64_t leave = INT64_MAX;
    int64_t disconnected = INT64_MAX;
  };
  Latest LatestLeave(const RefKey& ref) const;
  // Its client has left the process without a word, for one that has gone since
  // and may have told nobody.
  bool NeverTold(int session, int process) const;
  bool Gone(int process) const { return gone_.contains(process); }

 private:
  Copy* Find(int session, int process);
  Session& At(int session) { return sessions_[static_cast<size_t>(session)]; }
  int64_t Deadline(const Session& session, const Copy& copy) const;
  bool Holds(const Copy& copy, RefKey ref) const;
  // The copy with the highest rank, or null: a resume is under way, or the
  // session may have lapsed before its last one.
  const Copy* CertainTop(const Session& session) const;
  void AddExpected(const Session& session, int64_t now,
                   Expected& expected) const;

  std::vector<Session> sessions_;
  std::map<RefKey, Made> made_;
  std::set<RefKey> evicted_;     // By some node.
  std::map<int, int64_t> gone_;  // Process → when.
  std::set<int> unheard_;        // Gone, and what they did last is not known.
};

}  // namespace muster::sim

#endif  // MUSTER_TESTS_SIM_MODEL_H_
