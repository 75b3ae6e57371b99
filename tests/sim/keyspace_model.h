// What the keyspace must hold, as the simplest thing that can be: which
// versions were put, what removed each of them, how far each process has seen
// the mutations of each leader, and what clients were told. It includes nothing
// of the product.
//
//   #0 leads: mutation 5 puts a at "s0"       context of #1: {#0: 5}: holds a
//             mutation 6 removes a, puts b    context of #2: {#0: 6}: holds b
//
// A *life* is a process that led and made mutations, numbered by itself: 1, 2,
// 3, … A context says, for each life, up to which one they were seen. What a
// process must hold follows from its context alone: all that was put and is
// covered, but for what a covered mutation has removed. What one step of a
// leader did at once may be several mutations: then it is known only that it
// was one of them, and what was put and removed within the step is found where
// another process holds it in between.
//
// Rules, broken ones are returned as text:
//   K1 a process that is whole holds what follows from its context; no version
//      is there that nobody put; equal contexts, equal digests;
//   K2 what is acknowledged was executed, is applied at the node that answers,
//      and is not lost unless two failures came together;
//   K3 nothing is executed twice;
//   K4 a counter is the sum of the increments that were executed.
// (K5 and on are the adapters': tests/sim/key_clients.h and key_checks.h.)
//
// Effects are named by their unique argument: a value, or the amount of an
// increment, which is a power of 4, so that the digits of a sum tell what is in
// it, and how often.
#ifndef MUSTER_TESTS_SIM_KEYSPACE_MODEL_H_
#define MUSTER_TESTS_SIM_KEYSPACE_MODEL_H_

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace muster::sim {

class KeyspaceModel {
 public:
  using Context = std::map<int, uint64_t>;
  struct Version {
    std::string where;  // Its key, element and kind.
    int life = 0;
    uint64_t seq = 0;
    uint32_t index = 0;
    auto operator<=>(const Version&) const = default;
  };
  using Versions = std::set<Version>;
  struct State {
    Context context;
    Versions versions;
    uint64_t context_digest = 0;
    uint64_t digest = 0;
    bool whole = false;  // Not in the middle of taking something in.
  };

  // ---- what processes hold ----
  // After a step in which it may have changed.
  [[nodiscard]] std::string Holds(int process, State state);
  // K1 in full. REQUIRES: it is whole.
  [[nodiscard]] std::string Follows(int process) const;
  // The process has ended. `alone`: nothing else was wrong, so that no
  // acknowledged effect may go with it.
  [[nodiscard]] std::string Gone(int process, bool alone);
  // How far the process has come, in its latest state.
  const State& state(int process) const { return states_.at(process); }
  bool Knows(int process) const { return states_.contains(process); }
  // Of a life, as the process has seen it.
  uint64_t UptoOf(int process, int life) const;

  // ---- what clients asked for, and were told ----
  // A call with this unique effect was made.
  void Called(const std::string& effect) { effects_.try_emplace(effect); }
  // By a mutation in (after, upto] of that life. May be told more than once.
  [[nodiscard]] std::string Executed(const std::string& effect, int life,
                                     uint64_t after, uint64_t upto);
  // The same, where it is known which version it is.
  [[nodiscard]] std::string Executed(const std::string& effect,
                                     const Version& version);
  [[nodiscard]] std::string Acknowledged(const std::string& effect,
                                         int process);
  // By a transaction of several commands: a later one of them may have undone
  // it, so that nobody ever saw it.
  void MayBeUndone(const std::string& effect);
  // It was refused: never executed.
  [[nodiscard]] std::string Refused(const std::string& effect);
  // An element, put by that effect, was popped by a client's acknowledged call.
  [[nodiscard]] std::string Popped(const std::string& effect, int process);
  bool WasPopped(const std::string& effect) const;
  bool WasAcknowledged(const std::string& effect) const;
  // It may be lost: two failures came together.
  bool WasExcused(const std::string& effect) const;
  // So many processes that run hold it.
  int Holders(const std::string& effect) const;
  // Its place in the stream of the life that executed it; 0 if it was another.
  uint64_t PlaceOf(const std::string& effect, int life) const;
  // How far the process has seen what was acknowledged to clients at it.
  Context AcknowledgedAt(int process) const;

  // ---- when all is quiet ----
  // All processes are equal, and this is their context.
  [[nodiscard]] std::string Settled(int process);
  // K4. What was called with an amount of that power of 4 is `effects[power]`.
  [[nodiscard]] std::string Counted(const std::string& key, int64_t sum,
                                    const std::vector<std::string>& effects);

  uint64_t puts() const { return puts_made_; }
  uint64_t excused() const { return excused_; }

 private:
  // One step of a leader: the mutations (after, upto] of its life.
  struct Mutations {
    int life = 0;
    uint64_t after = 0;
    uint64_t upto = 0;
    bool IsCovered(const Context& context) const;
    bool IsUnseen(const Context& context) const;
  };
  struct Removal {
    Mutations by;
    bool certain = true;  // Else something else may have removed it.
    bool acknowledged = false;
    bool excused = false;
  };
  struct Put {
    std::vector<Removal> removals;
    // When all was quiet it was gone: it is, wherever that much is covered. A
    // process that has nothing yet may come by it again.
    std::optional<Context> gone_at;
    bool IsGone(const Context& context) const;
  };
  struct Effect {
    bool executed = false;
    Mutations by;
    Version version;  // Of an element.
    bool acknowledged = false;
    bool refused = false;
    bool excused = false;
    bool popped = false;
    // Of a step or a transaction in which it was put and removed: nobody can
    // say more.
    bool hidden = false;
  };
  enum class Fate : uint8_t { kHeld, kEither, kRemoved };

  static Fate FateOf(const Put& put, const Context& context);
  std::string SameDigest(int process, const State& state);
  bool FindBetween(const Version& version);
  bool MayBeHidden(Effect& effect) const;
  void NoteStep(int process, const State& before, const State& now);
  bool AnyoneElseHas(int gone, const Mutations& mutations) const;
  std::string GoneWith(int gone, bool alone, const std::string& what,
                       const Mutations& by, bool acknowledged, bool& excused);

  std::map<int, State> states_;  // Of those that run.
  std::map<Version, Put> puts_;
  std::map<std::string, Effect> effects_;
  std::map<int, Context> acknowledged_;
  std::map<int, std::vector<Mutations>> steps_;  // Of several mutations.
  // Of each context's digest, the state's, and who held it first.
  std::map<uint64_t, std::pair<uint64_t, int>> digests_;
  uint64_t puts_made_ = 0;
  uint64_t excused_ = 0;
};

std::string ToString(const KeyspaceModel::Version& version);
std::string ToString(const KeyspaceModel::Context& context);

}  // namespace muster::sim

#endif  // MUSTER_TESTS_SIM_KEYSPACE_MODEL_H_
