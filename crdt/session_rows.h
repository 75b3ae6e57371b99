// The rows of one session, whatever copy of it they belong to.
#ifndef MUSTER_CRDT_SESSION_ROWS_H_
#define MUSTER_CRDT_SESSION_ROWS_H_

#include "absl/strings/string_view.h"
#include "crdt/presence_store.h"
#include "crdt/types.h"

namespace muster::crdt {

// A row of any copy of the session, of this topic and key, that `matches`, or
// kNone. Walks the rows of the pair and those of the session side by side, and
// ends with the fewer. Cost: O(the rows of the pair, or of the session, if
// those are fewer).
template <typename Matches>
RowIdx FindOfSession(const PresenceStore& store, SessionId session,
                     absl::string_view topic, absl::string_view key,
                     Matches matches) {
  const SessionTable& sessions = store.sessions();
  SessionIdx copy = sessions.FirstCopy(session);
  RowIdx own = copy == kNone ? kNone : store.FirstRowOf(copy);
  for (RowIdx row = store.keys().FirstOfPair(topic, key); row != kNone;
       row = store.keys().NextOfPair(row)) {
    while (own == kNone) {
      copy = copy == kNone ? kNone : sessions.NextCopy(copy);
      if (copy == kNone) return kNone;
      own = store.FirstRowOf(copy);
    }
    if (sessions[store.session_of(row)].session == session && matches(row)) {
      return row;
    }
    if (store.key(own) == key && store.topic(own) == topic && matches(own)) {
      return own;
    }
    own = store.NextRowOf(own);
  }
  return kNone;
}

}  // namespace muster::crdt

#endif  // MUSTER_CRDT_SESSION_ROWS_H_
