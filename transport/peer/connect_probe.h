// Is anybody listening there? A plain TCP connect, closed at once: the only way
// to learn of a refusal, which a gRPC channel does not show.
#ifndef MUSTER_TRANSPORT_PEER_CONNECT_PROBE_H_
#define MUSTER_TRANSPORT_PEER_CONNECT_PROBE_H_

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "node/runtime/loop.h"
#include "transport/peer/events.h"

namespace muster::peer {

inline constexpr std::chrono::milliseconds kConnectProbeLimit{300};

// Connects to all endpoints of `address` and calls `done` once, on the loop
// and not from inside this call: kConnected if any accepts, kRefused if every
// one refuses, else kNoAnswer after kConnectProbeLimit at the latest.
void StartConnectProbe(std::shared_ptr<Loop> loop, const std::string& address,
                       std::function<void(ConnectOutcome)> done);

}  // namespace muster::peer

#endif  // MUSTER_TRANSPORT_PEER_CONNECT_PROBE_H_
