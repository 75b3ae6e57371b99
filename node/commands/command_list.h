// A list of commands in one string: what a client sends, what a node forwards
// to the leader, and what the leader walks.
//
//   commands := command*
//   command  := argc (size bytes)*          varints, as in crdt/varint.h
//
//   CommandList list;
//   list.Add({"SET", "k", "v"});
//   CommandReader reader(list.bytes());
//   std::vector<absl::string_view> argv;
//   while (reader.Next(argv)) …             views into the list
//
// Cost: O(bytes); reading allocates nothing but the vector. The bytes go from
// node to node.
#ifndef MUSTER_NODE_COMMANDS_COMMAND_LIST_H_
#define MUSTER_NODE_COMMANDS_COMMAND_LIST_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "node/commands/command.h"

namespace muster::commands {

class CommandList {
 public:
  CommandList() = default;
  // REQUIRES: IsCommandList(bytes, count).
  CommandList(std::string bytes, uint32_t count)
      : bytes_(std::move(bytes)), count_(count) {}

  void Add(Argv argv);
  // The same in parts: the head, then as many arguments as it says.
  void Begin(size_t argc);
  void AddArg(absl::string_view arg);

  uint32_t count() const { return count_; }
  bool empty() const { return count_ == 0; }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
  uint32_t count_ = 0;
};

class CommandReader {
 public:
  explicit CommandReader(const CommandList& list) : rest_(list.bytes()) {}
  // False: there are no more.
  bool Next(std::vector<absl::string_view>& argv);

 private:
  absl::string_view rest_;
};

// Whether the bytes are exactly so many commands, each with a name.
bool IsCommandList(absl::string_view bytes, uint32_t count);

}  // namespace muster::commands

#endif  // MUSTER_NODE_COMMANDS_COMMAND_LIST_H_
