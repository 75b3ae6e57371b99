// Judges histories: whether what clients were answered about a key can be
// explained by one order of their operations, in which each takes effect at one
// moment between its call and its answer (linearizability).
//
//   client  called  answered  operation           answer
//   1       10      30        SET k a          => +OK
//   2       20      40        GET k            => $a      fine: SET, then GET
//   1       50      60        SET k b          => +OK
//   2       70      80        GET k            => $a      no order explains it
//
// Keys are judged one by one, which is enough: a history is linearizable if it
// is for each of its keys (Herlihy, Wing, 1990). An operation whose outcome is
// unknown takes effect at any moment after its call, or never.
//
// Text form, one operation a line; empty lines and those with # are skipped:
//   client called answered COMMAND key argument… => result
//   answered  a number, or - for unknown, with the result ?
//   result    :1 integer, $text bulk, +OK simple, _ nil, -WORD… error
// Times are numbers of any one unit. Bytes that are no printable ASCII, spaces
// and % are written %XX, an empty word as a % alone.
//
// Commands: GET SET [NX] SETNX DEL EXISTS INCR INCRBY, RPUSH LPUSH LPOP RPOP
// BLPOP BRPOP LLEN, SADD SREM SISMEMBER SCARD, HSET HGET HDEL. A blocking pop
// is a pop; where it gave up, the key had nothing at one moment meanwhile.
// Deadlines are not known: keys that have them cannot be judged.
//
// Cost: what is under way at one moment decides it: exponential in that, and
// linear in the length. Limits: kMostStates a key.
// Sources: Wing, Gong, Testing and verifying concurrent objects (1993); Lowe,
// Testing for linearizability (2017): just-in-time linearization with
// memoised states.
#ifndef MUSTER_TESTS_SIM_LINEARIZABILITY_H_
#define MUSTER_TESTS_SIM_LINEARIZABILITY_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace muster::sim {

// One call, as its client saw it.
struct Operation {
  static constexpr int64_t kUnknown = std::numeric_limits<int64_t>::max();

  int client = 0;
  int64_t called = 0;
  int64_t answered = kUnknown;
  std::vector<std::string> command;  // Its name, the key, arguments.
  std::string result;                // As in the text form; "" if unknown.

  bool known() const { return answered != kUnknown; }
  bool operator==(const Operation&) const = default;
};
using History = std::vector<Operation>;

std::string ToText(const Operation& operation);
// Appends the operations of `text`. Empty, or what is wrong with which line.
std::string ReadHistory(std::string_view text, History& history);

struct Verdict {
  enum class Outcome : uint8_t { kLinearizable, kNot, kTooManyStates };
  Outcome outcome = Outcome::kLinearizable;
  std::string key;
  // Of the key: what was called before the first answer that no order
  // explains, which is the last here.
  History failing;
  bool ok() const { return outcome == Outcome::kLinearizable; }
};
// States of a key, and operations that took effect, that are looked at, at
// most.
inline constexpr size_t kMostStates = 2'000'000;
// REQUIRES: each command is one of those above, with its arguments, as those
// are that ReadHistory has read.
Verdict Judge(const History& history, size_t most_states = kMostStates);
// "OK", or the key and its failing operations.
std::string ToText(const Verdict& verdict);

// ---- one key, by itself ----
// Nothing, a string, or the parts of a list, a set or a hash in their order.
struct KeyState {
  enum class Type : uint8_t { kNone, kString, kList, kSet, kHash };
  Type type = Type::kNone;
  std::vector<std::string> parts;
  auto operator<=>(const KeyState&) const = default;
};
// Whether it is one that Perform knows, with as many arguments as it takes.
bool IsKnown(const std::vector<std::string>& command);
// Carries out a command that is known, and returns its result.
std::string Perform(const std::vector<std::string>& command, KeyState& state);

}  // namespace muster::sim

#endif  // MUSTER_TESTS_SIM_LINEARIZABILITY_H_
