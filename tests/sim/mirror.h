// A watcher's picture of its topics, made of a state and the diffs after it,
// with every rule that a stream of WatchBatches must keep:
//
//   M1 a joined ref was not there before; a left or updated one was;
//   M2 an update stays in its topic and key, and its ref is new;
//   M3 a state comes only first, or after a reset, and names no ref twice;
//   M4 versions go up, and none is given while a state is not complete;
//   M5 a watch that asks for keys, too, is told at each version, and only then,
//      of just the keys that have another number of entries than at the last.
//
// Cost: O(log n) an entry. Single-threaded.
#ifndef MUSTER_TESTS_SIM_MIRROR_H_
#define MUSTER_TESTS_SIM_MIRROR_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "node/core/client.h"
#include "tests/sim/model.h"

namespace muster::sim {

inline RefKey KeyOf(const crdt::Ref& ref) {
  return {ref.life, ref.id.value, ref.seq.value};
}
inline crdt::Ref RefOf(const RefKey& key) {
  return {key.life, crdt::ElementId(key.id), crdt::Seq(key.seq)};
}
Content ContentOf(absl::string_view topic, const core::EntryView& entry);

class Mirror {
 public:
  // Told of each change, after the mirror has it.
  class Listener {
   public:
    virtual ~Listener() = default;
    // `state`: the entry is a part of a state, not news.
    virtual void OnJoin(const RefKey& ref, const Content& entry,
                        bool state) = 0;
    virtual void OnUpdate(const RefKey& old, const RefKey& ref,
                          const Content& entry) = 0;
    virtual void OnLeave(const RefKey& ref, const Content& entry) = 0;
    virtual void OnReset() = 0;
  };

  // The watch asks for entries and keys.
  void ExpectKeys() { expect_keys_ = true; }

  // The rule that the batch breaks, or empty.
  std::string Apply(const core::WatchBatch& batch, Listener* listener);

  const Model::Entries& entries() const { return entries_; }
  bool complete() const { return complete_; }
  crdt::LifeId version_life() const { return life_; }
  uint64_t version() const { return version_; }
  uint64_t states() const { return states_; }
  uint64_t diffs() const { return diffs_; }
  const std::map<std::string, core::CountReply>& counts() const {
    return counts_;
  }

 private:
  std::string ApplyState(const core::TopicState& state, Listener* listener);
  std::string ApplyDiff(const core::TopicDiff& diff, Listener* listener);
  std::string ApplyUpdate(const std::string& topic,
                          const core::EntryView& entry, Listener* listener);
  std::string Versions(const core::WatchBatch& batch);
  // Entries of a key: now, and as the watch has told of them.
  struct KeyEntries {
    uint64_t now = 0;
    uint64_t told = 0;
  };
  void Count(const Content& entry, int by);
  std::string ApplyKeys(const core::WatchBatch& batch);
  std::string ApplyKey(absl::string_view topic, const core::KeyChange& change);

  Model::Entries entries_;
  bool complete_ = false;
  crdt::LifeId life_;
  uint64_t version_ = 0;
  uint64_t states_ = 0;  // Entries that came as state;
  uint64_t diffs_ = 0;   // and as joins, updates and leaves.
  std::map<std::string, core::CountReply> counts_;
  bool expect_keys_ = false;
  std::map<std::pair<std::string, std::string>, KeyEntries> keys_;
  // Keys with joins or leaves since the last version.
  std::set<std::pair<std::string, std::string>> touched_;
};

}  // namespace muster::sim

#endif  // MUSTER_TESTS_SIM_MIRROR_H_
