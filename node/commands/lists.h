// What LMOVE and BLMOVE, LPOP and BLPOP share.
#ifndef MUSTER_NODE_COMMANDS_LISTS_H_
#define MUSTER_NODE_COMMANDS_LISTS_H_

#include <cstddef>

#include "crdt/keyspace/transaction.h"
#include "node/commands/call.h"

namespace muster::commands {

using ListEnd = kv::Transaction::End;

// LEFT or RIGHT. False: neither, which was answered.
bool ParseListEnd(Call& call, size_t i, ListEnd& out);

// Pops `count` elements of the list at argument `key` and answers each.
// REQUIRES: it is a list, and not empty.
void PopAndAnswer(Call& call, size_t key, ListEnd end, uint64_t count);

// Moves an element from the list at argument 1 to that at argument 2, and
// answers it, or WRONGTYPE. REQUIRES: the first is a list, and not empty.
void MoveAndAnswer(Call& call, ListEnd from, ListEnd to);

}  // namespace muster::commands

#endif  // MUSTER_NODE_COMMANDS_LISTS_H_
