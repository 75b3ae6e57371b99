// The node's port: TCP connections for gRPC, and the UDP socket of the same
// number for beats.
//
// The runtime accepts connections itself and hands them to the gRPC server. So
// the number of the port is known before the server is built (port 0), a port
// in use is an error and never shared, and connections can be counted.
//
// A connection over the limit is told so with an HTTP/2 GOAWAY and closed.
//
// Threads: Bind and AdvertisedAddress any; a Listener the loop's.
#ifndef MUSTER_NODE_LISTENER_H_
#define MUSTER_NODE_LISTENER_H_

#include <sys/types.h>

#include <asio/ip/tcp.hpp>
#include <asio/ip/udp.hpp>
#include <asio/ip/v6_only.hpp>
#include <asio/steady_timer.hpp>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "node/loop.h"

namespace muster {

struct Port {
  asio::ip::tcp::acceptor tcp;
  // Absent if UDP is not to be had on this number; then `udp_fault` says why.
  std::optional<asio::ip::udp::socket> udp;
  std::string udp_fault;
};

// Listens on HOST:PORT, or on :PORT, every address. With port 0 on a number
// that is free for both protocols. INVALID_ARGUMENT: malformed; UNAVAILABLE:
// taken, not an address of this machine, not permitted.
absl::StatusOr<Port> Bind(Loop& loop, const std::string& listen);

// What others dial: `advertise` with the port filled in; without it the bound
// address, or of a wildcard the first address of this machine that is not
// loopback.
absl::StatusOr<std::string> AdvertisedAddress(
    absl::string_view advertise, const asio::ip::tcp::endpoint& bound);

class Listener {
 public:
  // Takes a connected socket over.
  using Hand = std::function<void(int fd)>;

  Listener(Loop& loop, asio::ip::tcp::acceptor acceptor, size_t max_connections,
           Hand hand);

  void Start();
  void Stop();

  // From any thread.
  uint64_t accepted() const { return accepted_.load(); }
  uint64_t refused() const { return refused_.load(); }

 private:
  void Accept();
  void OnAccept(asio::ip::tcp::socket socket);
  void Refuse(asio::ip::tcp::socket socket);
  // Whether one more may be open. Closed ones are only looked for at the limit.
  bool HasRoom();

  Loop& loop_;
  asio::ip::tcp::acceptor acceptor_;
  asio::steady_timer retry_;
  const size_t max_connections_;
  const Hand hand_;
  std::atomic<uint64_t> accepted_{0};
  std::atomic<uint64_t> refused_{0};
  // Descriptors handed over, with the inode of their socket: a closed one is
  // gone, or another file by now.
  std::map<int, ino_t> handed_;
  std::chrono::steady_clock::time_point swept_;
  bool accept_fault_said_ = false;
};

}  // namespace muster

#endif  // MUSTER_NODE_LISTENER_H_
