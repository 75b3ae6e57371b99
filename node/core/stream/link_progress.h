// How far replication has come with one link: what its peer has told of its
// streams and been told of this node's, what it is served, and the flow control
// of both ways. As etcd's raft keeps a Progress for each follower.
//
// Internal to replication.
#ifndef MUSTER_NODE_CORE_STREAM_LINK_PROGRESS_H_
#define MUSTER_NODE_CORE_STREAM_LINK_PROGRESS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>

#include "crdt/types.h"
#include "node/core/frames.h"
#include "node/core/slice.h"
#include "node/core/stream/flow_window.h"
#include "node/core/stream/link_hearing.h"
#include "node/core/stream/peer_positions.h"
#include "node/core/stream/served_stream.h"
#include "node/core/time.h"

namespace muster::core {

struct LinkProgress {
  LinkId id = 0;
  crdt::Origin origin;
  uint32_t feature_level = 1;
  LinkHearing hearing;
  PeerPositions positions;  // The peer's.
  std::map<crdt::StreamId, ServedStream> serving;
  bool full_is_news = false;  // Those that come in parts.
  // News up to this number was told, but of the streams in `untold`: those
  // it was served then, or that were too old.
  uint64_t told = 0;
  std::set<crdt::StreamId> untold;
  // Full positions are on their way, in parts:
  SliceCursor<crdt::StreamId> full_next;  // the next begins here,
  std::optional<uint64_t> full_news;      // they began after this news.
  FlowWindow window;                      // Of what is sent on it.
  BulkReceipts receipts;                  // Of what comes on it.
  Instant brought{0};                     // The last of that came.
  Instant last_send{0};
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_STREAM_LINK_PROGRESS_H_
