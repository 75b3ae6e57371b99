// HOST:PORT as text and as endpoints.
#ifndef MUSTER_TRANSPORT_PEER_ADDRESS_H_
#define MUSTER_TRANSPORT_PEER_ADDRESS_H_

#include <asio/ip/tcp.hpp>
#include <asio/ip/udp.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "node/runtime/loop.h"

namespace muster::peer {

struct HostPort {
  std::string host;  // Without brackets.
  uint16_t port = 0;
};

// HOST:PORT, [IPV6]:PORT, or with `port_optional` HOST alone. Port 0 is
// accepted. INVALID_ARGUMENT starts with `field`.
absl::StatusOr<HostPort> ParseHostPort(absl::string_view field,
                                       absl::string_view text,
                                       bool port_optional = false);
std::string ToText(const HostPort& address);
std::string ToText(const asio::ip::tcp::endpoint& endpoint);

// 127.0.0.0/8, ::1, and the former within IPv6.
bool IsLoopback(const asio::ip::address& address);
// As IsLoopback, for HOST:PORT with a numeric host; false for a name.
bool IsLoopbackText(absl::string_view address);

// Either endpoints or why there are none ("no such host").
using Resolved = absl::StatusOr<std::vector<asio::ip::tcp::endpoint>>;

// The endpoint of a numeric address, without waiting; empty for a name or a
// malformed address.
std::vector<asio::ip::tcp::endpoint> NumericEndpoint(absl::string_view address);

// Resolves HOST:PORT on a detached thread of its own. Calls `done` on the loop,
// never from inside this call. Endpoints are sorted, without duplicates.
void Resolve(std::shared_ptr<Loop> loop, std::string address,
             std::function<void(Resolved)> done);
// Waits for the answer: for start-up only.
Resolved ResolveNow(const std::string& address);

}  // namespace muster::peer

#endif  // MUSTER_TRANSPORT_PEER_ADDRESS_H_
