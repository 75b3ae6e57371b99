// Turns changes, in the order in which they were made, into the parts of a
// diff.
//
// A client applies the joins of a part, then its updates, then its leaves.
// That gives the state after the last change unless a ref comes back after it
// has gone (a row hidden and shown again): such a change begins another part.
//
//   join r1, update r1->r2, leave r2        one part:  nothing is left
//   leave r1 | join r1                      two parts: r1 is there
//   update r1->r2 | join r1                 two parts: r1 and r2 are there
//
// A part holds about 64 KiB; only the last one of a diff has a version, as a
// client that has read half of it stands nowhere.
//
// Of keys the diff tells as a whole, with its last part: those that have
// another number of entries after it than before.
//
//   ann has 1:  join, join       ann 3
//               leave | join     nothing: to who asks for keys, ann was there
//               leave            ann 0, last out
//
// Cost: O(1) a change and the copy of its content. Threads: one.
#ifndef MUSTER_NODE_CORE_WATCH_WATCH_DIFF_H_
#define MUSTER_NODE_CORE_WATCH_WATCH_DIFF_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"
#include "crdt/types.h"
#include "node/core/client.h"
#include "node/core/watch/change_ring.h"

namespace muster::core {

// A message to watchers is closed once it holds this much.
inline constexpr size_t kWatchBatchBytes = 64 << 10;
// What an entry takes in a message besides its key and meta (refs, lengths).
inline constexpr size_t kEntryOverheadBytes = 48;

using WatchBatches = std::vector<std::shared_ptr<const WatchBatch>>;

// What of the changes is told.
struct DiffContent {
  // kNumbers: without what came in or went, while a state is not complete.
  enum class Keys : uint8_t { kNone, kNumbers, kChanges };

  DiffContent() = default;
  // `live`: the state is complete. Until then, who is told of entries knows
  // the keys from them.
  DiffContent(WatchDetail detail, bool live);

  bool entries = true;
  Keys keys = Keys::kNone;
};

class DiffBuilder {
 public:
  explicit DiffBuilder(crdt::LifeId self) : self_(self) {}

  // Of the changes up to the next Finish. REQUIRES: none was added yet.
  void Tell(const DiffContent& content) { content_ = content; }

  // Whether Add would begin a part, the first one included.
  bool BeginsPart(const Change& change) const;
  void Add(const Change& change);
  size_t parts() const { return done_.size() + (part_ == nullptr ? 0 : 1); }

  // Makes sure that there is a part, if only an empty one, and marks the last
  // one as the end of what a resumed watch has missed.
  void CompleteReplay();
  // The parts, the last one with this version (0: none has); begins anew. A
  // part in which nothing is left to tell is there only for its version.
  WatchBatches Finish(uint64_t version);

 private:
  // A key that joins or leaves have touched. The views are of a part's arena.
  struct Touched {
    absl::string_view topic;
    absl::string_view key;
    uint64_t before = 0;
    uint64_t after = 0;
  };

  EntryView AddEntry(const Change& change);
  void AddKey(const Change& change, const EntryView& copy);
  void BeginPart();
  void TellKeys();
  TopicDiff& DiffOf(absl::string_view topic);

  const crdt::LifeId self_;
  DiffContent content_;
  WatchBatches done_;
  std::vector<Touched> touched_;  // In the order of their first change.
  absl::flat_hash_map<std::pair<absl::string_view, absl::string_view>, size_t>
      touched_of_;

  // The part being built. Its sets are for look-ups only.
  std::shared_ptr<WatchBatch> part_;
  size_t entries_ = 0;
  absl::flat_hash_map<absl::string_view, size_t> diff_of_;
  absl::flat_hash_set<crdt::Ref> left_;
  absl::flat_hash_set<crdt::Ref> replaced_;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_WATCH_WATCH_DIFF_H_
