// One stream as this node holds it: how far it has applied it, whether it is
// shown, and from whom it comes.
#ifndef MUSTER_NODE_CORE_STREAM_STREAM_H_
#define MUSTER_NODE_CORE_STREAM_STREAM_H_

#include <algorithm>
#include <cstdint>
#include <string>

#include "crdt/log.h"
#include "crdt/types.h"
#include "node/core/frames.h"
#include "node/core/stream/stream_visibility.h"
#include "node/core/time.h"

namespace muster::core {

// Of a stream among those of its kind.
using StreamIdx = crdt::MutationLog::StreamIdx;

// The feature level from which on a node can read streams of this kind.
constexpr uint32_t LevelOf(crdt::StreamKind kind) {
  return kind == crdt::StreamKind::kPresence ? 1 : kRoutedLevel;
}

struct Stream {
  // ---- fixed ----
  crdt::Origin origin;
  crdt::StreamKind kind = crdt::StreamKind::kPresence;
  StreamIdx idx = 0;  // In the state and the log of its kind.
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
  StreamVisibility visibility;

  // ---- rebase ----
  // From the first frame of one until one has come to its end: elements later
  // than vv may be here, and others not. It is served to nobody.
  bool rebasing = false;
  crdt::Seq applied;   // The latest of them, if it is above vv.
  uint16_t round = 0;  // Elements named or put in this round carry it.

  crdt::StreamId id() const { return {origin.life, kind}; }
  bool hidden() const { return visibility.hidden(); }
  bool dropping() const { return visibility.dropping(); }

  // Only a later number counts. An age leaves out the ways it was told by, so
  // that one told round and round would make the dead ever younger.
  void Heard(const LastBeat& last) {
    if (last.number <= beat) return;
    advanced = std::max(advanced, last.at);
    if (!last.late) beat = last.number;
  }
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_STREAM_STREAM_H_
