// docs/commands.md, from the table.
#ifndef MUSTER_NODE_COMMANDS_COMMAND_PAGE_H_
#define MUSTER_NODE_COMMANDS_COMMAND_PAGE_H_

#include <string>

namespace muster::commands {

std::string CommandPage();

}  // namespace muster::commands

#endif  // MUSTER_NODE_COMMANDS_COMMAND_PAGE_H_
