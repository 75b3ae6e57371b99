// The connections of a node: which of them have a place, and which are closed.
//
//   a connection --Admit--> client   has a place: --max-connections of them
//                     |---> guest    no place is free: in for two seconds
//                     `---> closed   no room for guests either, or turned away
//   SetPeer: a client or a guest has proved to be a peer. Until its link is
//   over it takes no place of clients, nor of guests.
//
//   --max-connections 1:  c1 client, c2 guest, … c65 guest, c66 closed
//                         c2 proves to be a peer: c67 is a guest
//
// A server of their own serves guests: it answers the calls of operators,
// probes and peers, and tells all others that the node is full. A guest that
// was told so and stays until it is closed belongs to a client that will
// connect again at once. So the next connection from its host is closed before
// a byte of HTTP/2, once: its channel backs off or takes another address.
//
// Invariants
//   1. Open clients <= Limits::clients; open guests <= Limits::guests, and
//      Limits::peer_guests more from hosts where peers are known to be.
//   2. The table closes only guests past their time. It does so by a descriptor
//      of its own, so it never closes a connection that has got the same number
//      since.
//
// Cost: Admit O(log n) while there is room; else a look at every connection, at
// most every n * 10 us, and at every guest. Memory: about 250 bytes each.
// Limits: kMaxHosts hosts are remembered as told.
//
// Threads: the loop's, except counters().
#ifndef MUSTER_NODE_LISTENER_CONNECTIONS_H_
#define MUSTER_NODE_LISTENER_CONNECTIONS_H_

#include <sys/types.h>

#include <asio/ip/tcp.hpp>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace muster {

// Read by any thread, changed by the loop's.
struct ConnectionCounters {
  using Count = std::atomic<uint64_t>;
  Count accepted{0};  // Had a place of clients.
  Count guests{0};    // Were let in as guests.
  Count peers{0};     // Proved to be peers.
  // Closed at once: there was no room for guests; an earlier guest was told.
  Count refused_full{0};
  Count refused_told{0};
  Count guests_closed{0};  // Their two seconds were over.
  Count calls_refused{0};  // Of guests, with RESOURCE_EXHAUSTED.
  // Now.
  Count open_clients{0};
  Count open_guests{0};
  Count open_peers{0};

  uint64_t refused() const { return refused_full + refused_told; }
  // By name, in byte order.
  std::vector<std::pair<std::string, uint64_t>> All() const;
};

class Connections {
 public:
  using Clock = std::chrono::steady_clock;
  using Endpoint = asio::ip::tcp::endpoint;
  static constexpr size_t kMaxGuests = 64;
  static constexpr size_t kMaxPeerGuests = 16;
  static constexpr std::chrono::seconds kGuestTime{2};
  // How long a host is remembered whose guest was told.
  static constexpr std::chrono::seconds kToldTime{10};
  static constexpr size_t kMaxHosts = 1024;

  struct Limits {
    size_t clients = 10'000;
    size_t guests = kMaxGuests;
    size_t peer_guests = kMaxPeerGuests;
    // Whether peers are known to be at the host.
    std::function<bool(const asio::ip::address&)> has_peers;
  };
  enum class Place { kClient, kGuest, kClosed };

  explicit Connections(Limits limits);
  ~Connections();
  Connections(const Connections&) = delete;
  Connections& operator=(const Connections&) = delete;

  // The place of a connection that has just come. The caller closes `fd` if the
  // place is kClosed, and hands `fd` on otherwise.
  Place Admit(int fd, const Endpoint& remote, Clock::time_point now);
  // The connection from `remote` proved to be a peer; `peer` false: it is one
  // no more.
  void SetPeer(const Endpoint& remote, bool peer, Clock::time_point now);
  // A call of the guest from `remote` was refused.
  void Told(const Endpoint& remote);
  // Closes guests whose time is over. Returns when to call again, if ever.
  std::optional<Clock::time_point> CloseOverdue(Clock::time_point now);

  const Limits& limits() const { return limits_; }
  const ConnectionCounters& counters() const { return counters_; }

 private:
  struct Handed {
    // A closed descriptor has none, or by now that of another file.
    ino_t inode = 0;
    Endpoint remote;
    bool peer = false;
  };
  struct Guest {
    int fd = -1;  // A duplicate.
    Endpoint remote;
    Clock::time_point until;
    bool peer = false;
    bool told = false;
  };
  struct Host {
    uint32_t owed = 0;  // Connections to turn away.
    Clock::time_point until;
  };

  bool HasRoom(Clock::time_point now);
  bool HasRoomForGuest(const asio::ip::address& host);
  bool TurnAway(const asio::ip::address& host, Clock::time_point now);
  void Owe(const asio::ip::address& host, Clock::time_point now);
  void AddClient(int fd, const Endpoint& remote);
  bool AddGuest(int fd, const Endpoint& remote, Clock::time_point now);
  void Erase(std::map<int, Handed>::iterator it);
  void Sweep();
  void DropClosedGuests();
  void Count();

  const Limits limits_;
  ConnectionCounters counters_;
  std::map<int, Handed> handed_;
  std::map<Endpoint, int> by_remote_;  // Of handed_.
  size_t peers_handed_ = 0;            // Of handed_.
  std::vector<Guest> guests_;          // Oldest first.
  std::map<asio::ip::address, Host> hosts_;
  Clock::time_point next_sweep_;
};

// The endpoint in a form that both ends write alike: an IPv4 address within
// IPv6 becomes IPv4, and a link-local address loses its scope.
asio::ip::tcp::endpoint Plain(const asio::ip::tcp::endpoint& endpoint);
// The Plain endpoint of HOST:PORT as gRPC names the other end; port 0 if the
// text is malformed.
asio::ip::tcp::endpoint PlainEndpoint(const std::string& remote);

}  // namespace muster

#endif  // MUSTER_NODE_LISTENER_CONNECTIONS_H_
