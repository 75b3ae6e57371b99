#include "node/commands/command_page.h"

#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "node/commands/command.h"

namespace muster::commands {
namespace {

constexpr char kIntroduction[] = R"(# Commands

<!-- Made by `muster command-doc` from node/commands/. -->

The commands on keys, for `Kv.Execute`, `Kv.Stream` and `muster kv`. Arguments,
answers and errors are those of Redis 7. [keyspace.md](keyspace.md) says how to use
them, and what holds over nodes.

*Arguments* counts those after the name. *Kind*: a command that **writes** runs at
the leader; one that **reads** on the node that is asked; one that **waits** may
wait for an element; one that is *refused* needs memory, and answers an error if
there is none (`--kv-max-memory`).
)";

std::string Arguments(const Command& command) {
  if (command.arity >= 0) return absl::StrCat(command.arity - 1);
  return absl::StrCat(std::abs(command.arity) - 1, " or more");
}

std::string Kind(const Command& command) {
  std::vector<std::string> kinds;
  if (command.Has(kWrite)) kinds.push_back("writes");
  if (command.Has(kReadOnly)) kinds.push_back("reads");
  if (command.Has(kBlocking)) kinds.push_back("waits");
  if (command.Has(kDenyOom)) kinds.push_back("refused");
  return kinds.empty() ? "–" : absl::StrJoin(kinds, ", ");
}

std::string Row(const Command& command) {
  return absl::StrCat("| `", absl::AsciiStrToUpper(command.name), "` | ",
                      Arguments(command), " | ", Kind(command), " | ",
                      absl::StrReplaceAll(command.summary, {{"|", "\\|"}}),
                      " |\n");
}

std::string Heading(Family family) {
  std::string name(NameOf(family));
  name.front() = absl::ascii_toupper(static_cast<unsigned char>(name.front()));
  return name;
}

}  // namespace

std::string CommandPage() {
  std::string page = kIntroduction;
  for (int family = 0; family <= static_cast<int>(Family::kConnection);
       ++family) {
    absl::StrAppend(&page, "\n## ", Heading(static_cast<Family>(family)),
                    "\n\n| command | arguments | kind | what it does "
                    "|\n|---|---|---|---|\n");
    for (const Command* command : AllCommands()) {
      if (command->family != static_cast<Family>(family)) continue;
      absl::StrAppend(&page, Row(*command));
    }
  }
  return page;
}

}  // namespace muster::commands
