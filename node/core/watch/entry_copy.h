// Copies what is shown of a row into an answer's or a batch's own arena.
#ifndef MUSTER_NODE_CORE_WATCH_ENTRY_COPY_H_
#define MUSTER_NODE_CORE_WATCH_ENTRY_COPY_H_

#include "absl/strings/string_view.h"
#include "crdt/byte_arena.h"
#include "crdt/presence_store.h"
#include "node/core/client.h"

namespace muster::core {

// `topic` is put in as it is: a view into `arena`, or empty where the answer
// names the topic once for all of its entries.
inline EntryView CopyEntry(const crdt::PresenceStore& store, crdt::RowIdx row,
                           absl::string_view topic, crdt::ByteArena& arena) {
  EntryView entry;
  entry.topic = topic;
  entry.key = arena.Copy(store.key(row));
  entry.meta = arena.Copy(store.meta(row));
  entry.ref = store.ref(row);
  return entry;
}

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_WATCH_ENTRY_COPY_H_
