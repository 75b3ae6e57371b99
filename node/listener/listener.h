// The node's port: TCP connections for gRPC, and the UDP socket of the same
// number for beats.
//
// The listener accepts connections itself and hands them to the gRPC servers.
// So the number of the port is known before a server is built (port 0), a port
// in use is an error and never shared, and connections can be counted.
// node/listener/connections.h decides which connections are let in.
//
// Threads: Bind and AdvertisedAddress any; a Listener the loop's.
#ifndef MUSTER_NODE_LISTENER_LISTENER_H_
#define MUSTER_NODE_LISTENER_LISTENER_H_

#include <asio/ip/tcp.hpp>
#include <asio/ip/udp.hpp>
#include <asio/ip/v6_only.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "node/listener/connections.h"
#include "node/runtime/loop.h"

namespace muster {

struct Port {
  asio::ip::tcp::acceptor tcp;
  // Absent if the UDP port of this number cannot be bound; `udp_fault` says
  // why.
  std::optional<asio::ip::udp::socket> udp;
  std::string udp_fault;
};

// Listens on HOST:PORT, or on :PORT, every address. Port 0 takes a number that
// is free for both protocols. INVALID_ARGUMENT: malformed; UNAVAILABLE: taken,
// not an address of this machine, not permitted.
absl::StatusOr<Port> Bind(Loop& loop, const std::string& listen);

// The address that others dial: `advertise` with the port filled in. If that is
// empty: the bound address, or, of a wildcard, the first address of this
// machine that is not loopback.
absl::StatusOr<std::string> AdvertisedAddress(
    absl::string_view advertise, const asio::ip::tcp::endpoint& bound);

class Listener {
 public:
  // Takes a connected socket over.
  using Hand = std::function<void(int fd)>;
  Listener(Loop& loop, asio::ip::tcp::acceptor acceptor,
           Connections::Limits limits, Hand to_clients, Hand to_guests);

  void Start();
  void Stop();

  // The connection from `remote` (as gRPC names it) proved to be a peer's;
  // `peer` false: it is one no more.
  void SetPeer(const std::string& remote, bool peer);
  // A call of the guest from `remote` was refused.
  void Told(const std::string& remote);

  // From any thread.
  const ConnectionCounters& counters() const { return connections_.counters(); }

 private:
  void Accept();
  void OnAccept(asio::ip::tcp::socket socket);
  void SayFull(Connections::Place place, const asio::ip::tcp::endpoint& remote);
  void CloseOverdue();

  Loop& loop_;
  asio::ip::tcp::acceptor acceptor_;
  asio::steady_timer retry_;
  asio::steady_timer overdue_;
  const Hand to_clients_;
  const Hand to_guests_;
  Connections connections_;
  // When the log may next say that there is a guest, or that a connection was
  // closed.
  std::chrono::steady_clock::time_point say_guest_;
  std::chrono::steady_clock::time_point say_closed_;
  bool accept_fault_said_ = false;
};

}  // namespace muster

#endif  // MUSTER_NODE_LISTENER_LISTENER_H_
