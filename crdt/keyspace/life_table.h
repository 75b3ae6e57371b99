// Lives by small numbers: how dots are held in the state and in what is
// exchanged. Numbers are of this table alone; order is always that of the
// lives themselves.
// Cost: O(1). Limits: 2^32 lives; they are as many as wrote what is held or
// covered. Threads: one.
#ifndef MUSTER_CRDT_KEYSPACE_LIFE_TABLE_H_
#define MUSTER_CRDT_KEYSPACE_LIFE_TABLE_H_

#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "crdt/keyspace/types.h"

namespace muster::kv {

class LifeTable {
 public:
  uint32_t NumberOf(const LifeId& life) {
    if (last_ < lives_.size() && lives_[last_] == life) return last_;
    const auto [at, added] =
        numbers_.try_emplace(life, static_cast<uint32_t>(lives_.size()));
    if (added) lives_.push_back(life);
    return last_ = at->second;
  }
  const LifeId& operator[](uint32_t number) const { return lives_[number]; }
  uint32_t size() const { return static_cast<uint32_t>(lives_.size()); }

 private:
  std::vector<LifeId> lives_;
  absl::flat_hash_map<LifeId, uint32_t> numbers_;
  uint32_t last_ = 0;
};

}  // namespace muster::kv

#endif  // MUSTER_CRDT_KEYSPACE_LIFE_TABLE_H_
