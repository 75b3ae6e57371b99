// The table of commands: one for gRPC, the Redis door, the parity suite and
// the page of what is supported.
//
//   {"get", 2, kReadOnly | kFast, {1, 1, 1}, Get, Family::kStrings,
//    "Returns the string value of a key."}
//
// A new command is a handler and its line, both in the file of its family.
//
// Arity counts the name; negative: at least so many. Keys are the arguments
// first, first + step … last; a negative last counts from the end. All have
// Redis' own values, as its COMMAND tells them.
// Look-ups ignore case, O(1). Threads: any; the table is constant.
#ifndef MUSTER_NODE_COMMANDS_COMMAND_H_
#define MUSTER_NODE_COMMANDS_COMMAND_H_

#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace muster::commands {

class Call;

// What is known of every call of a command, before it is run.
enum Flag : uint32_t {
  // Needs a Transaction, so runs at the leader.
  kWrite = 1u << 0,
  // Reads keys; runs on any node.
  kReadOnly = 1u << 1,
  // Refused when memory is short.
  kDenyOom = 1u << 2,
  // O(1) or O(log n).
  kFast = 1u << 3,
  // May answer that it waits.
  kBlocking = 1u << 4,
  // Not in a script.
  kNoScript = 1u << 5,
  // Runs also without a leader or while the state is incomplete.
  kAlways = 1u << 6,
  // Its answer is a matter of chance.
  kRandom = 1u << 7,
};

enum class Family : uint8_t {
  kStrings,
  kHashes,
  kSets,
  kLists,
  kSortedSets,
  kKeys,
  kConnection,
};
absl::string_view NameOf(Family family);

struct KeyRange {
  int first = 0;  // 0: it has no keys.
  int last = 0;
  int step = 0;
};

using Argv = absl::Span<const absl::string_view>;
using Handler = void (*)(Call&);

struct Command {
  absl::string_view name;
  int arity = 0;
  uint32_t flags = 0;
  KeyRange keys;
  Handler handler = nullptr;
  Family family = Family::kStrings;
  absl::string_view summary;

  bool Has(uint32_t flag) const { return (flags & flag) != 0; }
  bool Takes(size_t arguments) const {
    const auto n = static_cast<int>(arguments);
    return arity >= 0 ? n == arity : n >= -arity;
  }
};

// Null: there is none of the name.
const Command* FindCommand(absl::string_view name);
// By family, in each in the order of its file.
const std::vector<const Command*>& AllCommands();
// The indexes in `argv` of its keys. REQUIRES: the command takes it.
template <typename Visit>
void VisitKeys(const Command& command, Argv argv, Visit visit) {
  const KeyRange& keys = command.keys;
  if (keys.first == 0) return;
  const auto size = static_cast<int>(argv.size());
  const int last = keys.last < 0 ? size + keys.last : keys.last;
  for (int i = keys.first; i <= last && i < size; i += keys.step) {
    visit(static_cast<size_t>(i));
  }
}

// The lines of each family, in its file.
absl::Span<const Command> StringCommands();
absl::Span<const Command> CounterCommands();
absl::Span<const Command> HashCommands();
absl::Span<const Command> SetCommands();
absl::Span<const Command> ListCommands();
absl::Span<const Command> BlockingListCommands();
absl::Span<const Command> SortedSetCommands();
absl::Span<const Command> SortedSetRangeCommands();
absl::Span<const Command> KeyCommands();
absl::Span<const Command> ExpiryCommands();
absl::Span<const Command> ConnectionCommands();

}  // namespace muster::commands

#endif  // MUSTER_NODE_COMMANDS_COMMAND_H_
