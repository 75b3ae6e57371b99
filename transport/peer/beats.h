// Beats: small datagrams to and from the port that the node also listens on.
//
// An incoming datagram is bounded, checked (cluster, MAC, form) and handed
// over, or dropped and counted; the first of each kind of fault is logged. A
// send never waits: a beat that cannot be sent now is worth nothing later.
//
// Limits: kMaxDatagramBytes, kReceiveBatch datagrams a step, kMaxNames cached
// addresses. Threads: the loop's.
#ifndef MUSTER_TRANSPORT_PEER_BEATS_H_
#define MUSTER_TRANSPORT_PEER_BEATS_H_

#include <array>
#include <asio/ip/tcp.hpp>
#include <asio/ip/udp.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "node/core/frames.h"
#include "node/runtime/loop.h"
#include "transport/peer/counters.h"
#include "transport/peer/handshake.h"

namespace muster::peer {

class Beats {
 public:
  static constexpr size_t kReceiveBatch = 32;
  static constexpr size_t kMaxNames = 4096;

  // A beat and the TCP endpoint of the same address and port.
  using OnBeat = std::function<void(const core::BeatDatagram& beat,
                                    const asio::ip::tcp::endpoint& from)>;

  Beats(std::shared_ptr<Loop> loop, const LinkPolicy& policy,
        Counters& counters, OnBeat on_beat);

  // Begins to receive on a bound socket. Before it, nothing is sent.
  void Open(asio::ip::udp::socket socket);
  // The one of the policy's two that the peer knows.
  enum class Secret : uint8_t { kFirst, kAlso };
  // A beat that was also the last one is encoded and signed already.
  void Send(const std::string& address,
            std::shared_ptr<const core::BeatDatagram> beat, Secret secret);
  // Handles what has arrived, without waiting.
  void Poll();
  void Close();

 private:
  using Clock = std::chrono::steady_clock;
  struct Name {
    bool resolving = false;
    Clock::time_point until;
    std::optional<asio::ip::udp::endpoint> endpoint;
  };

  const std::string& Signed(std::shared_ptr<const core::BeatDatagram> beat,
                            Secret secret);
  void Wait();
  // False if no datagram is left to read.
  bool ReceiveOne();
  // Proved by either secret.
  absl::StatusOr<core::BeatDatagram> Decode(absl::string_view bytes) const;
  void Handle(absl::string_view bytes, const asio::ip::udp::endpoint& from);
  std::optional<asio::ip::udp::endpoint> Find(const std::string& address);
  // The first that this socket's family can send to.
  std::optional<asio::ip::udp::endpoint> Reachable(
      const std::vector<asio::ip::tcp::endpoint>& peers) const;
  asio::ip::udp::endpoint Mapped(const asio::ip::tcp::endpoint& peer) const;
  void SayOnce(const std::string& what, const std::string& detail);

  const std::shared_ptr<Loop> loop_;
  const LinkPolicy& policy_;
  Counters& counters_;
  const OnBeat on_beat_;
  const uint64_t cluster_;
  std::optional<asio::ip::udp::socket> socket_;
  bool dual_stack_ = false;
  std::map<std::string, Name> names_;
  // The last beat that was sent, by secret.
  struct {
    std::shared_ptr<const core::BeatDatagram> beat;
    std::string bytes;
  } signed_[2];
  std::set<std::string> said_;
  std::array<char, core::kMaxDatagramBytes + 1> buffer_;
};

}  // namespace muster::peer

#endif  // MUSTER_TRANSPORT_PEER_BEATS_H_
