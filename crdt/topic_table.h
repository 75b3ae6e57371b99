// The topics of the presence store: their names, and the order of their rows.
//
//   name, hash ---> topic: shown entries and keys, a slot, pins
//   names in byte order      its rows in the order of their stamps
//
// A topic is there while it has rows, shown or not, or is pinned.
//
// Who keeps something of its own with topics (the watch hub: which channels are
// concerned) has a *slot* in each record, which the table carries and never
// reads.
// Cost: O(1) by name; O(log n) in the order of names, and in that of the rows
// of one topic. Limits: 2^32 - 2 topics. Threads: one.
#ifndef MUSTER_CRDT_TOPIC_TABLE_H_
#define MUSTER_CRDT_TOPIC_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/strings/string_view.h"
#include "crdt/entry_rows.h"
#include "crdt/linear_hash.h"
#include "crdt/paged_array.h"

namespace muster::crdt {

class TopicTable {
 public:
  struct Topic {
    TopicIdx hash_next = kNone;
    uint32_t name = kNone;  // Slab handle: varint length, bytes.
    uint32_t shown_entries = 0;
    uint32_t shown_keys = 0;
    uint32_t slot = kNone;
    uint32_t pins = 0;       // Keeps it while it has no rows.
    uint32_t order = kNone;  // Index into orders_.
  };

  // `rows` outlives the table, and holds the bytes of the names.
  TopicTable(EntryRows& rows, uint64_t hash_seed);
  TopicTable(const TopicTable&) = delete;
  TopicTable& operator=(const TopicTable&) = delete;

  // ---- look-ups ----
  TopicIdx Find(absl::string_view name) const;
  const Topic& operator[](TopicIdx topic) const { return topics_[topic]; }
  absl::string_view name(TopicIdx topic) const;
  uint32_t size() const { return topics_.size(); }
  // By name, byte order: the first at or after `name`, or kNone.
  TopicIdx AtOrAfter(absl::string_view name) const;
  TopicIdx After(TopicIdx topic) const;
  // Rows of a topic, shown or not, in stamp order: calls `visit(RowIdx)` for
  // rows with stamp > `after` until it returns false.
  template <typename Visit>
  void VisitRows(TopicIdx topic, uint64_t after, Visit visit) const {
    const Order& order = orders_[topics_[topic].order];
    for (auto it = order.upper_bound(after); it != order.end(); ++it) {
      if (!visit(*it)) return;
    }
  }

  // ---- changes, by the store ----
  // Finds or makes it.
  TopicIdx Intern(absl::string_view name);
  // Frees it, if it has neither rows nor pins.
  void Release(TopicIdx topic);
  TopicIdx Pin(absl::string_view name);
  void Unpin(TopicIdx topic);
  void SetSlot(TopicIdx topic, uint32_t slot) { topics_[topic].slot = slot; }
  // A row enters the order of its topic, or leaves it; Append: as the last.
  void AppendRow(RowIdx row) {
    Order& order = OrderOf(row);
    order.insert(order.end(), row);
  }
  void InsertRow(RowIdx row) { OrderOf(row).insert(row); }
  void EraseRow(RowIdx row) { OrderOf(row).erase(rows_[row].stamp); }
  // So many more, or fewer, are shown.
  void CountShown(TopicIdx topic, int entries, int keys) {
    topics_[topic].shown_entries += entries;
    topics_[topic].shown_keys += keys;
  }

  // Memory held: records and names; heads of the index.
  size_t bytes() const;
  size_t index_bytes() const {
    return size_t{by_name_hash_.buckets()} * sizeof(uint32_t);
  }
  // Calls `visit(name, topic)` for all, in byte order.
  template <typename Visit>
  void VisitAll(Visit visit) const {
    for (const auto& [name, topic] : by_name_) visit(name, topic);
  }

 private:
  struct ByStamp {
    const EntryRows* rows;
    using is_transparent = void;
    bool operator()(RowIdx a, RowIdx b) const {
      return (*rows)[a].stamp < (*rows)[b].stamp;
    }
    bool operator()(uint64_t a, RowIdx b) const { return a < (*rows)[b].stamp; }
    bool operator()(RowIdx a, uint64_t b) const { return (*rows)[a].stamp < b; }
  };
  using Order = absl::btree_set<RowIdx, ByStamp>;

  struct NameTraits {
    TopicTable* table;
    uint32_t& links(uint32_t i) const { return table->topics_[i].hash_next; }
    uint64_t hash(uint32_t i) const { return table->HashOf(table->name(i)); }
  };

  uint32_t HashOf(absl::string_view name) const;
  Order& OrderOf(RowIdx row) {
    return orders_[topics_[rows_[row].topic].order];
  }

  EntryRows& rows_;
  const uint64_t hash_seed_;
  PagedArray<Topic, 6> topics_;
  std::vector<Order> orders_;  // One a topic.
  std::vector<uint32_t> free_orders_;
  absl::btree_map<std::string, TopicIdx, std::less<>> by_name_;
  LinearHash<NameTraits> by_name_hash_;
};

}  // namespace muster::crdt

#endif  // MUSTER_CRDT_TOPIC_TABLE_H_
