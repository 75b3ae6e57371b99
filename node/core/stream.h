// One stream as this node holds it: how far it has applied it, whether it is
// shown, and from whom it comes.
#ifndef MUSTER_NODE_CORE_STREAM_H_
#define MUSTER_NODE_CORE_STREAM_H_

#include <algorithm>
#include <cstdint>
#include <string>

#include "crdt/presence_store.h"
#include "crdt/types.h"
#include "node/core/frames.h"
#include "node/core/time.h"

namespace muster::core {

struct Stream {
  // ---- fixed ----
  crdt::Origin origin;
  crdt::StreamKind kind = crdt::StreamKind::kPresence;
  crdt::StreamIdx idx = crdt::kNone;  // In the store and the log.
  bool own = false;
  Instant learnt{0};

  // ---- how far ----
  crdt::Seq vv;  // Every mutation up to it is applied; none after it, but in
                 // the middle of a rebase.
  // The origin's latest beat number, and when it advanced to it, on this node's
  // clock: see Heard.
  uint64_t beat = 0;
  Instant advanced{0};

  // ---- shown or not ----
  // No live evidence, or not caught up since it came back: sessions without
  // grace are not shown, the others until their grace is over.
  bool hidden = false;
  crdt::Seq show_at;     // Hidden until vv reaches it.
  bool waiting = false;  // Alive again, but vv < show_at, or not known.
  // Somebody who knows has named show_at; else it is waited for, a while.
  bool show_known = false;
  Instant waiting_since{0};
  bool ended = false;  // A later life of the node was admitted.
  bool dropping = false;
  // Hidden: until then, in lived microseconds, a session with grace may be
  // shown.
  int64_t wanted_until_us = 0;
  int jobs = 0;  // That have not looked at all of its sessions yet.

  // ---- rebase ----
  // From the first frame of one until one has come to its end: elements later
  // than vv may be here, and others not. It is served to nobody.
  bool rebasing = false;
  crdt::Seq applied;   // The latest of them, if it is above vv.
  uint16_t round = 0;  // Elements named or put in this round carry it.

  crdt::StreamId id() const { return {origin.life, kind}; }

  // Only a later number counts. An age leaves out the ways it was told by, so
  // that one told round and round would make the dead ever younger.
  void Heard(const LastBeat& last) {
    if (last.number <= beat) return;
    advanced = std::max(advanced, last.at);
    if (!last.late) beat = last.number;
  }
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_STREAM_H_
