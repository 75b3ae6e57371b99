#include "node/listener.h"

#include <fcntl.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
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
constexpr std::chrono::milliseconds kSweepEvery{100};
constexpr std::chrono::milliseconds kAcceptRetry{100};

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

// SETTINGS, then GOAWAY with ENHANCE_YOUR_CALM and a reason (RFC 9113).
std::string GoAway(const std::string& reason) {
  std::string bytes("\0\0\0\4\0\0\0\0\0", 9);
  size_t size = 8 + reason.size();
  bytes.push_back(0);
  bytes.push_back(static_cast<char>(size >> 8));
  bytes.push_back(static_cast<char>(size));
  bytes.append("\7\0\0\0\0\0", 6);
  bytes.append("\0\0\0\0\0\0\0\x0b", 8);
  return bytes + reason;
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

Listener::Listener(Loop& loop, tcp::acceptor acceptor, size_t max_connections,
                   Hand hand)
    : loop_(loop),
      acceptor_(std::move(acceptor)),
      retry_(loop.io()),
      max_connections_(max_connections),
      hand_(std::move(hand)) {}

void Listener::Start() { Accept(); }

void Listener::Stop() {
  std::error_code ignored;
  acceptor_.close(ignored);
  retry_.cancel();
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
  if (!HasRoom()) return Refuse(std::move(socket));
  accepted_.fetch_add(1);
  std::error_code error;
  socket.set_option(tcp::no_delay(true), error);
  int fd = socket.release(error);
  if (error) return;
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  struct stat info;
  if (fstat(fd, &info) == 0) handed_[fd] = info.st_ino;
  hand_(fd);
}

bool Listener::HasRoom() {
  if (handed_.size() < max_connections_) return true;
  auto now = std::chrono::steady_clock::now();
  if (now - swept_ < kSweepEvery) return false;
  swept_ = now;
  std::erase_if(handed_, [](const auto& entry) {
    struct stat info;
    return fstat(entry.first, &info) != 0 || info.st_ino != entry.second;
  });
  return handed_.size() < max_connections_;
}

void Listener::Refuse(tcp::socket socket) {
  if (refused_.fetch_add(1) == 0) {
    spdlog::warn(
        "more than {} connections (--max-connections): further ones are "
        "refused",
        max_connections_);
  }
  std::error_code ignored;
  socket.non_blocking(true, ignored);
  std::string bytes = GoAway(absl::StrCat(
      "too many connections: --max-connections is ", max_connections_));
  socket.write_some(asio::buffer(bytes), ignored);
  socket.shutdown(tcp::socket::shutdown_send, ignored);
  // Unread bytes at close would reset the connection before it reads ours.
  std::array<char, 4096> unread;
  socket.read_some(asio::buffer(unread), ignored);
}

}  // namespace muster
