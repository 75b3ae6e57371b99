// Reads the state of a scope, the snapshot that a watch begins with, slice by
// slice, in the order of watch_scope.h.
//
// A slice moves the cursor over at most about kSliceRows rows, shown or not,
// and fills at most about 64 KiB; so it takes well under a millisecond however
// large the state is. What it has read is what is shown at that moment: the
// caller keeps the part of the state that the cursor covers up to date.
//
// Where only keys are told of, a key is in each slice that has an entry of it,
// with all its entries of that moment.
//
// Cost: O(rows of the slice), O(log n) each in a key of n entries. Threads:
// one.
#ifndef MUSTER_NODE_CORE_WATCH_WATCH_STATE_H_
#define MUSTER_NODE_CORE_WATCH_WATCH_STATE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"
#include "crdt/presence_store.h"
#include "node/core/client.h"
#include "node/core/watch/watch_scope.h"

namespace muster::core {

// Rows of one slice. Finding a name costs as much as one row.
inline constexpr size_t kSliceRows = 256;

// The counts of one name of the scope: of a topic its entries and keys, of a
// key its entries and the topics it is in.
CountReply CountName(const crdt::PresenceStore& store, WatchScope::Kind kind,
                     absl::string_view name);

class StateReader {
 public:
  explicit StateReader(const crdt::PresenceStore& store) : store_(store) {}

  // Adds the next slice of entries, or of counts, to the batch. `done`: the
  // cursor covers the whole scope. `rows`: what it cost.
  struct Slice {
    bool done = false;
    size_t rows = 0;
  };
  // Of the first `names` names of the scope; `done` only if these are all.
  Slice Read(const WatchScope& scope, size_t names, StateCursor& cursor,
             WatchBatch& batch);

 private:
  // These return whether there was room for the whole name.
  bool ReadTopic(const WatchScope& scope, crdt::TopicIdx topic,
                 uint64_t& stamp);
  bool ReadKey(const WatchScope& scope, StateCursor& cursor);
  void ReadCount(const WatchScope& scope, absl::string_view name);

  bool HasRoom() const;
  void AddRow(const WatchScope& scope, crdt::RowIdx row);
  void AddKey(crdt::RowIdx row, TopicState& state);
  TopicState& StateOf(absl::string_view topic);
  // The next name of the scope after `name`; false: there is none.
  bool NextName(const WatchScope& scope, size_t names, std::string& name) const;

  const crdt::PresenceStore& store_;

  // Of the slice being read.
  WatchBatch* batch_ = nullptr;
  size_t rows_ = 0;
  size_t entries_ = 0;
  absl::flat_hash_map<absl::string_view, size_t> state_of_;
  // Topics and keys, where only keys are told of.
  absl::flat_hash_set<std::pair<absl::string_view, absl::string_view>> keys_;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_WATCH_WATCH_STATE_H_
