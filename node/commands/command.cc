#include "node/commands/command.h"

#include <array>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/ascii.h"

namespace muster::commands {
namespace {

// No name is longer.
constexpr size_t kMaxNameBytes = 32;

using ByName = absl::flat_hash_map<absl::string_view, const Command*>;

std::vector<const Command*> Collect() {
  std::vector<const Command*> all;
  for (const absl::Span<const Command> family :
       {StringCommands(), CounterCommands(), HashCommands(), SetCommands(),
        ListCommands(), BlockingListCommands(), SortedSetCommands(),
        SortedSetRangeCommands(), KeyCommands(), ExpiryCommands(),
        ConnectionCommands()}) {
    for (const Command& command : family) all.push_back(&command);
  }
  return all;
}

}  // namespace

absl::string_view NameOf(Family family) {
  switch (family) {
    case Family::kStrings:
      return "strings";
    case Family::kHashes:
      return "hashes";
    case Family::kSets:
      return "sets";
    case Family::kLists:
      return "lists";
    case Family::kSortedSets:
      return "sorted sets";
    case Family::kKeys:
      return "keys";
    case Family::kConnection:
      return "connection";
  }
  return "";
}

const std::vector<const Command*>& AllCommands() {
  static const auto* const all = new std::vector<const Command*>(Collect());
  return *all;
}

const Command* FindCommand(absl::string_view name) {
  static const auto* const by_name = [] {
    auto* map = new ByName;
    for (const Command* command : AllCommands()) {
      map->emplace(command->name, command);
    }
    return map;
  }();
  if (name.size() > kMaxNameBytes) return nullptr;
  std::array<char, kMaxNameBytes> lower;
  for (size_t i = 0; i < name.size(); ++i) {
    lower[i] = absl::ascii_tolower(static_cast<unsigned char>(name[i]));
  }
  const auto found =
      by_name->find(absl::string_view(lower.data(), name.size()));
  return found == by_name->end() ? nullptr : found->second;
}

}  // namespace muster::commands
