// Who is told of every change of what a presence store shows.
#ifndef MUSTER_CRDT_VIEW_OBSERVER_H_
#define MUSTER_CRDT_VIEW_OBSERVER_H_

#include "crdt/entry_rows.h"
#include "crdt/types.h"

namespace muster::crdt {

// Each call comes while the row still has the content in question.
class ViewObserver {
 public:
  virtual ~ViewObserver() = default;
  virtual void OnShown(RowIdx row) = 0;
  virtual void OnHidden(RowIdx row) = 0;
  // The row's content and ref are the new ones; `previous` was shown before.
  virtual void OnUpdated(RowIdx row, const Ref& previous) = 0;
};

}  // namespace muster::crdt

#endif  // MUSTER_CRDT_VIEW_OBSERVER_H_
