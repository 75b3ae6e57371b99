// What is done to all items of a table is done in slices where there are many:
// so many a step, in the order of their keys, and then from the first again.
//
//   7 items, slices of 3:   1 2 3 | 4 5 6 | 7 | 1 2 3 | ...
//
// A slice ends with the table, so that a table that fits into one slice is gone
// through whole, from its first item on, in every step. Items may come and go
// between slices: the cursor is a key.
#ifndef MUSTER_NODE_CORE_SLICE_H_
#define MUSTER_NODE_CORE_SLICE_H_

#include <cstddef>
#include <optional>
#include <utility>

namespace muster::core {

// A table of so many is looked at whole; of a larger one a twentieth, so that
// all have had their turn after 20 ticks.
inline constexpr size_t kWholeTable = 256;
inline constexpr size_t SliceOf(size_t size) {
  return size <= kWholeTable ? kWholeTable : size / 20 + 1;
}

template <typename Key>
class SliceCursor {
 public:
  // Calls `visit(item)` for at most `count` items of a std::map or std::set, or
  // until it answers false. It may erase its item, and no other. True: this
  // slice ended with the table.
  template <typename Table, typename Visit>
  bool Run(Table& table, size_t count, Visit visit) {
    auto it = next_ ? table.lower_bound(*next_) : table.begin();
    bool more = true;
    for (; it != table.end() && count > 0 && more; --count) {
      auto at = it++;
      more = visit(*at);
    }
    next_.reset();
    if (it != table.end()) next_ = KeyOf(*it);
    return !next_.has_value();
  }
  void Restart() { next_.reset(); }

 private:
  static const Key& KeyOf(const Key& item) { return item; }
  template <typename Value>
  static const Key& KeyOf(const std::pair<const Key, Value>& item) {
    return item.first;
  }

  std::optional<Key> next_;  // Where the next slice begins; none: the first.
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_SLICE_H_
