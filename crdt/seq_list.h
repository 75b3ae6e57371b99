// The elements of a stream in the order of their seqs, as a list threaded
// through their records.
//
//   head -> 3 <-> 5 <-> 9 <- tail        an update of 5, as 10: 3, 9, 10
//
// A mutation has the highest seq so far, so its element goes to the end; a walk
// of a rebase is the list from its head. Records have `seq_next` and
// `seq_prev`.
// Cost: O(1); 8 bytes a stream, 8 a record. Threads: one.
#ifndef MUSTER_CRDT_SEQ_LIST_H_
#define MUSTER_CRDT_SEQ_LIST_H_

#include <cstdint>

#include "crdt/paged_array.h"

namespace muster::crdt {

struct SeqList {
  uint32_t head = kNone;
  uint32_t tail = kNone;

  // REQUIRES: `i` is not in the list; its seq is the highest one.
  template <typename Records>
  void Append(Records& records, uint32_t i) {
    auto& record = records[i];
    record.seq_next = kNone;
    record.seq_prev = tail;
    (tail == kNone ? head : records[tail].seq_next) = i;
    tail = i;
  }
  // REQUIRES: `i` is in the list.
  template <typename Records>
  void Unlink(Records& records, uint32_t i) {
    const auto& record = records[i];
    (record.seq_prev == kNone ? head : records[record.seq_prev].seq_next) =
        record.seq_next;
    (record.seq_next == kNone ? tail : records[record.seq_next].seq_prev) =
        record.seq_prev;
  }
};

}  // namespace muster::crdt

#endif  // MUSTER_CRDT_SEQ_LIST_H_
