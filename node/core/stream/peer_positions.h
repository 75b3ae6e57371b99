// The positions of a peer: how far it is in each stream, as told on one link.
//
// There is a position for every link and stream, 2,000,000 in a cluster of
// 1,000. So they are kept in vectors by Stream::idx, 11 bytes each, and 8 more
// until this node has caught up.
//
// Full positions name all streams that the peer has; they may come in parts.
// The peer has dropped a stream that they do not name.
//
// Invariant: nothing is known of a stream that was never told of, was dropped
// by Forget, or was not named by the last full positions.
// Cost: O(1) a call, O(streams) for BeginFull and EndFull. Threads: one.
#ifndef MUSTER_NODE_CORE_STREAM_PEER_POSITIONS_H_
#define MUSTER_NODE_CORE_STREAM_PEER_POSITIONS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "crdt/types.h"
#include "node/core/stream/stream.h"

namespace muster::core {

struct PeerPosition {
  crdt::Seq seq;
  bool wanted = false;
  bool rebasing = false;
  // Since the stream's origin was heard of, as the peer told: to 10 ms, and
  // 655 s at most.
  absl::Duration age;
};

class PeerPositions {
 public:
  bool Has(const Stream& stream) const { return Find(stream).has_value(); }
  std::optional<PeerPosition> Find(const Stream& stream) const;
  // True: nothing was known of the stream before.
  bool Set(const Stream& stream, const PeerPosition& position);
  void Forget(const Stream& stream);

  // All that are Set between the two are named; the others are forgotten.
  void BeginFull();
  void EndFull();
  bool in_full() const { return in_full_; }

  // Whether `here(kind, idx)` has reached, for all wanted streams, the lowest
  // position that the peer ever told: a part that the peer has given up since,
  // as it could not be made whole, is not waited for. True after
  // StopCatchingUp.
  using Here = absl::FunctionRef<crdt::Seq(crdt::StreamKind, StreamIdx)>;
  bool CaughtUp(Here here) const;
  void StopCatchingUp();

 private:
  enum Flag : uint8_t { kKnown = 1, kWanted = 2, kRebasing = 4, kNamed = 8 };
  struct Kind {
    std::vector<uint8_t> flags;
    std::vector<crdt::Seq> seqs;
    std::vector<uint16_t> ages;  // In units of 10 ms.
    std::vector<crdt::Seq> first;
  };

  std::array<Kind, 4> kinds_;  // By crdt::StreamKind.
  bool in_full_ = false;
  bool catching_up_ = true;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_STREAM_PEER_POSITIONS_H_
