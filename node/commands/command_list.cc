#include "node/commands/command_list.h"

#include "crdt/check.h"
#include "crdt/varint.h"

namespace muster::commands {
namespace {

bool TakeArg(absl::string_view& bytes, absl::string_view& arg) {
  uint64_t size = 0;
  if (!crdt::TakeVarint(bytes, size) || size > bytes.size()) return false;
  arg = bytes.substr(0, size);
  bytes.remove_prefix(size);
  return true;
}

}  // namespace

void CommandList::Add(Argv argv) {
  Begin(argv.size());
  for (const absl::string_view arg : argv) AddArg(arg);
}

void CommandList::Begin(size_t argc) {
  MUSTER_CHECK(argc > 0);
  crdt::AppendVarint(argc, bytes_);
  ++count_;
}

void CommandList::AddArg(absl::string_view arg) {
  crdt::AppendVarint(arg.size(), bytes_);
  bytes_.append(arg.data(), arg.size());
}

bool CommandReader::Next(std::vector<absl::string_view>& argv) {
  argv.clear();
  if (rest_.empty()) return false;
  uint64_t argc = 0;
  MUSTER_CHECK(crdt::TakeVarint(rest_, argc));
  argv.resize(argc);
  for (absl::string_view& arg : argv) MUSTER_CHECK(TakeArg(rest_, arg));
  return true;
}

bool IsCommandList(absl::string_view bytes, uint32_t count) {
  for (uint32_t n = 0; n < count; ++n) {
    uint64_t argc = 0;
    if (!crdt::TakeVarint(bytes, argc) || argc == 0) return false;
    absl::string_view arg;
    for (uint64_t i = 0; i < argc; ++i) {
      if (!TakeArg(bytes, arg)) return false;
    }
  }
  return bytes.empty();
}

}  // namespace muster::commands
