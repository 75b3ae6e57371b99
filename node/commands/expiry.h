// Times in arguments: EX PX EXAT PXAT, and the options of SET and GETEX.
#ifndef MUSTER_NODE_COMMANDS_EXPIRY_H_
#define MUSTER_NODE_COMMANDS_EXPIRY_H_

#include <cstddef>
#include <cstdint>

#include "crdt/keyspace/types.h"
#include "node/commands/call.h"

namespace muster::commands {

struct StringOptions {
  enum Of : uint8_t { kSet, kGetEx };
  bool nx = false;
  bool xx = false;
  bool get = false;
  bool keep_ttl = false;
  bool persist = false;
  size_t time_at = 0;  // The argument that is a time; 0: none.
  uint64_t unit_ms = 1;
  bool absolute = false;
};

// The options from argument `first` on. False: a syntax error was answered.
bool ParseStringOptions(Call& call, size_t first, StringOptions::Of of,
                        StringOptions& out);

// The deadline that the options say, or none. False: it is no integer, not
// above 0 or too far away, which was answered.
bool ParseDue(Call& call, const StringOptions& options, kv::Deadline& out);

}  // namespace muster::commands

#endif  // MUSTER_NODE_COMMANDS_EXPIRY_H_
