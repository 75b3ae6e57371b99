#include "node/listener/listener.h"

#include <fcntl.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <chrono>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "node/codec/peer_codec.h"
#include "transport/peer/address.h"

namespace muster {
namespace {

using asio::ip::tcp;
using asio::ip::udp;

constexpr int kBindAttempts = 50;
constexpr std::chrono::milliseconds kAcceptRetry{100};
constexpr std::chrono::seconds kSayFullEvery{60};

absl::Status CannotListen(const std::string& listen,
                          const std::error_code& error) {
  if (error == asio::error::address_in_use) {
    return absl::UnavailableError(
        absl::StrCat("--listen ", listen, ": the port is already taken"));
  }
  return absl::UnavailableError(
      absl::StrCat("--listen ", listen, ": ", error.message()));
}

std::error_code Listen(tcp::acceptor& acceptor, const tcp::endpoint& at) {
  std::error_code error;
  acceptor.open(at.protocol(), error);
  // A restarted node takes its old port while old connections linger. Linux
  // still refuses a port on which somebody listens.
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error && at.address().is_v6()) {
    acceptor.set_option(asio::ip::v6_only(false), error);
  }
  if (!error) acceptor.bind(at, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  return error;
}

std::error_code BindUdp(udp::socket& socket, const udp::endpoint& at) {
  std::error_code error;
  socket.open(at.protocol(), error);
  if (!error && at.address().is_v6()) {
    socket.set_option(asio::ip::v6_only(false), error);
  }
  if (!error) socket.bind(at, error);
  return error;
}

// `udp_taken`: somebody else has the UDP port of this number.
absl::StatusOr<Port> TryBind(Loop& loop, const std::string& listen,
                             const tcp::endpoint& at, bool& udp_taken) {
  Port port{tcp::acceptor(loop.io()), std::nullopt, ""};
  if (std::error_code error = Listen(port.tcp, at)) {
    return CannotListen(listen, error);
  }
  tcp::endpoint bound = port.tcp.local_endpoint();
  udp::socket socket(loop.io());
  std::error_code error = BindUdp(socket, {at.address(), bound.port()});
  udp_taken = error == asio::error::address_in_use;
  if (error) {
    port.udp_fault =
        absl::StrCat("UDP port ", bound.port(), ": ", error.message());
  } else {
    port.udp = std::move(socket);
  }
  return port;
}

// ":7400", every address of the machine: both kinds, or only IPv4 where the
// system has no IPv6.
absl::StatusOr<Port> BindAny(Loop& loop, const std::string& listen) {
  const int probe = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (probe >= 0) close(probe);
  return Bind(loop, absl::StrCat(probe >= 0 ? "[::]" : "0.0.0.0", listen));
}

// The first IPv4 address of an interface that is up and not loopback, else
// the first such IPv6 address that is not link-local, else 127.0.0.1.
std::string FirstAddress() {
  ifaddrs* all = nullptr;
  if (getifaddrs(&all) != 0) return "127.0.0.1";
  std::string v4;
  std::string v6;
  for (ifaddrs* i = all; i != nullptr; i = i->ifa_next) {
    if (i->ifa_addr == nullptr) continue;
    if (i->ifa_addr->sa_family == AF_INET) {
      auto* in = reinterpret_cast<sockaddr_in*>(i->ifa_addr);
      asio::ip::address_v4 a(ntohl(in->sin_addr.s_addr));
      if (!a.is_loopback() && v4.empty()) v4 = a.to_string();
    } else if (i->ifa_addr->sa_family == AF_INET6) {
      auto* in = reinterpret_cast<sockaddr_in6*>(i->ifa_addr);
      asio::ip::address_v6::bytes_type bytes;
      std::copy(in->sin6_addr.s6_addr, in->sin6_addr.s6_addr + 16,
                bytes.begin());
      asio::ip::address_v6 a(bytes);
      bool usable = !a.is_loopback() && !a.is_link_local();
      if (usable && v6.empty()) v6 = a.to_string();
    }
  }
  freeifaddrs(all);
  if (!v4.empty()) return v4;
  return v6.empty() ? "127.0.0.1" : v6;
}

}  // namespace

absl::StatusOr<Port> Bind(Loop& loop, const std::string& listen) {
  if (absl::StartsWith(listen, ":")) return BindAny(loop, listen);
  absl::StatusOr<peer::HostPort> parsed =
      peer::ParseHostPort("--listen", listen);
  if (!parsed.ok()) return parsed.status();
  peer::Resolved found = peer::ResolveNow(peer::ToText(*parsed));
  if (!found.ok()) {
    return absl::UnavailableError(
        absl::StrCat("--listen ", listen, ": ", found.status().message()));
  }
  bool any_port = parsed->port == 0;
  bool udp_taken = false;
  absl::StatusOr<Port> port = TryBind(loop, listen, found->front(), udp_taken);
  for (int i = 1; any_port && udp_taken && i < kBindAttempts; ++i) {
    port = TryBind(loop, listen, found->front(), udp_taken);
  }
  return port;
}

absl::StatusOr<std::string> AdvertisedAddress(absl::string_view advertise,
                                              const tcp::endpoint& bound) {
  peer::HostPort address{bound.address().to_string(), bound.port()};
  if (!advertise.empty()) {
    auto parsed = peer::ParseHostPort("--advertise", advertise,
                                      /*port_optional=*/true);
    if (!parsed.ok()) return parsed.status();
    address.host = parsed->host;
    if (parsed->port != 0) address.port = parsed->port;
  } else if (bound.address().is_unspecified()) {
    address.host = FirstAddress();
  }
  std::string text = peer::ToText(address);
  if (absl::Status s = codec::CheckAddress("--advertise", text); !s.ok()) {
    return s;
  }
  return text;
}

Listener::Listener(Loop& loop, tcp::acceptor acceptor,
                   Connections::Limits limits, Hand to_clients, Hand to_guests)
    : loop_(loop),
      acceptor_(std::move(acceptor)),
      retry_(loop.io()),
      overdue_(loop.io()),
      to_clients_(std::move(to_clients)),
      to_guests_(std::move(to_guests)),
      connections_(std::move(limits)) {}

void Listener::Start() { Accept(); }

void Listener::Stop() {
  std::error_code ignored;
  acceptor_.close(ignored);
  retry_.cancel();
  overdue_.cancel();
}

void Listener::Accept() {
  acceptor_.async_accept(
      [this](const std::error_code& error, tcp::socket socket) {
        if (!acceptor_.is_open()) return;
        if (!error) {
          loop_.Step([&] { OnAccept(std::move(socket)); });
          return Accept();
        }
        // Out of descriptors, most likely: serve those that are open.
        if (!std::exchange(accept_fault_said_, true)) {
          spdlog::error("cannot accept connections: {}", error.message());
        }
        retry_.expires_after(kAcceptRetry);
        retry_.async_wait([this](const std::error_code& cancelled) {
          if (!cancelled && acceptor_.is_open()) Accept();
        });
      });
}

void Listener::OnAccept(tcp::socket socket) {
  accept_fault_said_ = false;
  std::error_code error;
  const tcp::endpoint remote = socket.remote_endpoint(error);
  if (error) return;  // Gone already.
  const Connections::Place place = connections_.Admit(
      socket.native_handle(), remote, std::chrono::steady_clock::now());
  if (place != Connections::Place::kClient) SayFull(place, remote);
  if (place == Connections::Place::kClosed) return;
  socket.set_option(tcp::no_delay(true), error);
  const int fd = socket.release(error);
  if (error) return;
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  if (place == Connections::Place::kClient) return to_clients_(fd);
  to_guests_(fd);
  CloseOverdue();
}

void Listener::SayFull(Connections::Place place, const tcp::endpoint& remote) {
  const bool guest = place == Connections::Place::kGuest;
  auto& next = guest ? say_guest_ : say_closed_;
  const auto now = std::chrono::steady_clock::now();
  if (now < next) return;
  next = now + kSayFullEvery;
  const ConnectionCounters& counters = connections_.counters();
  spdlog::warn(
      "full: {} connections of clients, and --max-connections is {}; one from "
      "{} is {}. So far {} were guests, and {} closed at once",
      counters.open_clients.load(), connections_.limits().clients,
      Plain(remote).address().to_string(), guest ? "a guest" : "closed",
      counters.guests.load(), counters.refused());
}

void Listener::CloseOverdue() {
  const auto next = connections_.CloseOverdue(std::chrono::steady_clock::now());
  if (!next) return;
  overdue_.expires_at(*next);
  overdue_.async_wait([this](const std::error_code& cancelled) {
    if (!cancelled) loop_.Step([this] { CloseOverdue(); });
  });
}

void Listener::SetPeer(const std::string& remote, bool peer) {
  connections_.SetPeer(PlainEndpoint(remote), peer,
                       std::chrono::steady_clock::now());
  CloseOverdue();
}

void Listener::Told(const std::string& remote) {
  connections_.Told(PlainEndpoint(remote));
}

}  // namespace muster
