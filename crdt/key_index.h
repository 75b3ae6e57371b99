// The rows of a key, and of a key in one topic: who else is there under this
// name, how often, and in which order.
//
//   key hash ---> ring of rows: shown ... | hidden ...
//   a crowd  ---> the same by (topic, hidden or not, stamp), and counted
//
// The rows of a (topic, key), a *pair*, are found among those of the key. A key
// hash of more than kCrowd rows is a *crowd*: its rows are also kept in order
// and counted, so that no look-up walks many.
//
// Invariants (see presence_store.h, 5, 7 and 9):
//   1. Of the rows of a key, and so of a pair, shown ones come first.
//   2. The rows of a key hash are a crowd all or none; they become one with the
//      row after the first kCrowd, and stay one until they are gone.
//   3. EntriesOfPair equals the number of shown rows of the pair.
// Cost: O(1), O(log n) in a crowd. Bytes: 7 to 8 a key hash; 28 a row of a
// crowd, and about 10 a topic in which the crowd's key has several shown rows.
// Threads: one.
#ifndef MUSTER_CRDT_KEY_INDEX_H_
#define MUSTER_CRDT_KEY_INDEX_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <tuple>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/strings/string_view.h"
#include "crdt/entry_rows.h"
#include "crdt/group_index.h"
#include "crdt/presence_hash.h"
#include "crdt/topic_table.h"

namespace muster::crdt {

// Shown rows of a key, and topics that have one.
struct KeyCount {
  uint64_t entries = 0;
  uint64_t topics = 0;
};

class KeyIndex {
 public:
  // Both outlive the index.
  KeyIndex(EntryRows& rows, const TopicTable& topics, uint64_t hash_seed);
  KeyIndex(const KeyIndex&) = delete;
  KeyIndex& operator=(const KeyIndex&) = delete;

  // ---- rows of a pair, of a key; shown or not. kNone ends ----
  RowIdx FirstOfPair(absl::string_view topic, absl::string_view key) const;
  RowIdx NextOfPair(RowIdx row) const;
  // Of the rows of the pair that are shown, or that are not, the first one with
  // a stamp above `after`, or kNone: where a walk in slices goes on.
  RowIdx PairRowAfter(absl::string_view topic, absl::string_view key,
                      bool shown, uint64_t after) const;
  // Shown rows of the topic and key of `row`. O(1); O(log n) in a crowd.
  uint32_t EntriesOfPair(RowIdx row) const;
  RowIdx FirstOfKey(absl::string_view key) const;
  RowIdx NextOfKey(RowIdx row) const;
  // The rows of a key have an order: by the name of their topic, then shown
  // ones by stamp, then the others. The first one after the shown ones of
  // `topic` up to `stamp`, or after all of `topic` if that is kWholeTopic.
  static constexpr uint64_t kWholeTopic = UINT64_MAX;
  RowIdx RowAfter(absl::string_view key, absl::string_view topic,
                  uint64_t stamp) const;
  KeyCount CountOf(absl::string_view key) const;
  // Fetches into the cache what an Enter of this key will read.
  void Prefetch(absl::string_view key) const {
    by_key_.Prefetch(SlotHash(HashOf(key)));
  }

  // ---- changes, by the store ----
  // The value of Row::key_hash for this key.
  uint32_t HashOf(absl::string_view key) const;
  // REQUIRES: topic, key hash, content and stamp of the row are set.
  void Enter(RowIdx row);
  void Leave(RowIdx row);
  // The row is shown from now on, or hidden. Returns whether this brought the
  // key into the row's topic, or took the last one of it away. REQUIRES: it was
  // not, or was, shown.
  bool SetShown(RowIdx row, bool on);
  // Each gets the stamp of the other. REQUIRES: one pair.
  void SwapStamps(RowIdx a, RowIdx b);

  size_t bytes() const;
  // The invariant that the row, or the crowds, break, in words; or empty.
  std::string AuditRow(RowIdx row) const;
  std::string AuditCrowds() const;

 private:
  // Rows of one key hash beyond which they are a crowd.
  static constexpr uint32_t kCrowd = 16;
  // The place of a row among crowds: by key hash, topic name, hidden, stamp.
  struct CrowdPlace {
    uint32_t key_hash;
    TopicIdx topic;
    uint64_t stamp;
    RowIdx row;
    bool hidden;
  };
  // A place that may have no row.
  struct CrowdSearch {
    uint32_t key_hash;
    absl::string_view topic;
    bool hidden;
    uint64_t stamp;
  };
  struct CrowdOrder {
    const TopicTable* topics;
    using is_transparent = void;
    bool operator()(const CrowdPlace& a, const CrowdPlace& b) const {
      if (a.key_hash != b.key_hash) return a.key_hash < b.key_hash;
      if (a.topic != b.topic)
        return topics->name(a.topic) < topics->name(b.topic);
      return std::tie(a.hidden, a.stamp) < std::tie(b.hidden, b.stamp);
    }
    bool operator()(const CrowdPlace& a, const CrowdSearch& b) const {
      return Compare(a, b) < 0;
    }
    bool operator()(const CrowdSearch& a, const CrowdPlace& b) const {
      return Compare(b, a) > 0;
    }
    int Compare(const CrowdPlace& a, const CrowdSearch& b) const;
  };
  struct Crowd {  // Of a key.
    KeyCount shown;
    uint32_t rows;
    // Shown rows in each topic that has two or more.
    absl::btree_map<TopicIdx, uint32_t> several;

    uint32_t EntriesIn(TopicIdx topic) const;  // 1, unless there are several.
    void AddTo(TopicIdx topic);     // REQUIRES: it has a shown row besides.
    void TakeFrom(TopicIdx topic);  // REQUIRES: the same.
  };
  struct KeyTraits {
    EntryRows* rows;
    RingLinks& links(uint32_t i) const { return (*rows)[i].key_ring; }
    uint64_t hash(uint32_t i) const { return SlotHash((*rows)[i].key_hash); }
    void prefetch(uint32_t i) const { __builtin_prefetch(&(*rows)[i]); }
  };

  static uint64_t SlotHash(uint32_t key_hash) { return Mix(key_hash); }

  absl::string_view TopicOf(RowIdx row) const {
    return topics_.name(rows_[row].topic);
  }
  bool SamePair(RowIdx a, RowIdx b) const;
  RowIdx MatchPair(RowIdx from, RowIdx first, TopicIdx topic,
                   absl::string_view key) const;
  RowIdx MatchCrowd(TopicIdx topic, const CrowdSearch& from,
                    absl::string_view key) const;
  RowIdx MatchKey(RowIdx from, absl::string_view key) const;
  // Whether `a` comes before `b` in the order of their key.
  bool EarlierOfKey(RowIdx a, RowIdx b) const;
  RowIdx CrowdRowAfter(uint32_t key_hash, absl::string_view key,
                       absl::string_view topic, uint64_t stamp) const;
  bool PairShown(RowIdx row) const;  // Is any row of its pair shown?
  CrowdPlace PlaceOf(RowIdx row) const;
  void EnterCrowd(RowIdx row);

  EntryRows& rows_;
  const TopicTable& topics_;
  const uint64_t hash_seed_;
  GroupIndex<KeyTraits> by_key_;
  absl::btree_set<CrowdPlace, CrowdOrder> crowds_;
  absl::btree_map<std::string, Crowd, std::less<>> crowd_counts_;
};

}  // namespace muster::crdt

#endif  // MUSTER_CRDT_KEY_INDEX_H_
