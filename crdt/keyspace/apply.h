// Applying ops: how each kind changes the versions of its key. Of this folder
// alone; others go through Keyspace::Apply and Transaction.
//
// Each op reads and replaces only versions that `seen` covers, so the versions
// that the leader did not know stay as they are.
#ifndef MUSTER_CRDT_KEYSPACE_APPLY_H_
#define MUSTER_CRDT_KEYSPACE_APPLY_H_

#include "crdt/keyspace/context.h"
#include "crdt/keyspace/key_store.h"
#include "crdt/keyspace/op.h"

namespace muster::kv {

void ApplyOp(KeyStore& store, const Op& op, const Seen& seen, Stamp stamp);

// Notes whether a key holds more than it shows. O(its elements).
void CheckSettled(KeyStore& store, const KeyName& key);

}  // namespace muster::kv

#endif  // MUSTER_CRDT_KEYSPACE_APPLY_H_
