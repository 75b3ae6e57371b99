#include "node/core/replica/leave_gate.h"

#include <algorithm>

namespace muster::core {
namespace {

// No deltas wait where none has come for this long and two round trips.
constexpr absl::Duration kDrained = absl::Milliseconds(30);
// What a datagram may take longer than a ping.
constexpr absl::Duration kDatagram = absl::Milliseconds(100);

}  // namespace

void LeaveGate::Tick(bool waiting, Output& out) {
  known_until_ = kLongAgo;
  if (!waiting) return;
  const Instant now = streams_.now().mono;
  const std::vector<LivePeer> peers = membership_.LivePeers();
  if (peers.empty()) {
    known_until_ = now;
    return;
  }
  const bool all = std::all_of(
      peers.begin(), peers.end(),
      [](const LivePeer& peer) { return !peer.suspect && peer.link != 0; });
  if (!all || now - disturbed_ < kUnsettled) return;
  known_until_ = now;
  for (const LivePeer& peer : peers) {
    known_until_ = std::min(known_until_, Known(peer));
  }
  membership_.Ping(kPeriod + kPeriodPerPeer * static_cast<double>(peers.size()),
                   streams_.now(), out);
}

Instant LeaveGate::Known(const LivePeer& peer) const {
  if (!peer.pong) return kLongAgo;
  const Stream* stream =
      streams_.Find({peer.life, crdt::StreamKind::kPresence});
  if (stream == nullptr || stream->vv < peer.presence_seq ||
      !replication_.IsDirect(*stream)) {
    return kLongAgo;
  }
  const Pong& pong = *peer.pong;
  const Instant answered = pong.sent - pong.took - kMargin;
  const absl::Duration quiet =
      streams_.now().mono - replication_.BulkAt(peer.link);
  if (quiet >= kDrained + 2 * pong.took) return answered;
  return std::min(answered, peer.datagram - kDatagram - 2 * pong.took);
}

}  // namespace muster::core
