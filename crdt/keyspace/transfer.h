// The ops move and copy: what is shown of one key, as new versions of another.
// Of this folder alone.
//
//   h: f0 "red", f1 "5" +2     --copy h g-->     g: f0 "red", f1 "7"
//
// All new versions have the dot of the op, but items, which are named by their
// dots: these have its indexes, in the order of the list. Counts are folded
// into values. The deadline in force goes with the key. What was seen of the
// destination is replaced; versions that the leader had not seen stay, on both
// sides.
// Cost: O(elements of both).
#ifndef MUSTER_CRDT_KEYSPACE_TRANSFER_H_
#define MUSTER_CRDT_KEYSPACE_TRANSFER_H_

#include "crdt/keyspace/context.h"
#include "crdt/keyspace/key_store.h"
#include "crdt/keyspace/op.h"

namespace muster::kv {

// REQUIRES: `op` is a move or a copy. The source stays as it is.
void TransferKey(KeyStore& store, const Op& op, const Seen& seen, Stamp stamp);

}  // namespace muster::kv

#endif  // MUSTER_CRDT_KEYSPACE_TRANSFER_H_
