#include "transport/peer/address.h"

#include <netdb.h>

#include <algorithm>
#include <cstring>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace muster::peer {
namespace {

using asio::ip::tcp;

absl::Status Malformed(absl::string_view field, absl::string_view text) {
  return absl::InvalidArgumentError(
      absl::StrCat(field, ": \"", text, "\" is not HOST:PORT"));
}

tcp::endpoint FromSockaddr(const sockaddr* address, size_t size) {
  tcp::endpoint endpoint;
  std::memcpy(endpoint.data(), address, std::min(size, endpoint.capacity()));
  return endpoint;
}

}  // namespace

absl::StatusOr<HostPort> ParseHostPort(absl::string_view field,
                                       absl::string_view text,
                                       bool port_optional) {
  absl::string_view host = text;
  absl::string_view port;
  size_t bracket = text.rfind(']');
  size_t colon = text.rfind(':');
  bool has_port = colon != absl::string_view::npos &&
                  (bracket == absl::string_view::npos || colon > bracket);
  if (has_port) {
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
  } else if (!port_optional) {
    return Malformed(field, text);
  }
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find_first_of("[]:") != absl::string_view::npos) {
    return Malformed(field, text);
  }
  uint32_t number = 0;
  bool good = !has_port || (absl::SimpleAtoi(port, &number) && number <= 65535);
  if (host.empty() || !good) return Malformed(field, text);
  return HostPort{std::string(host), static_cast<uint16_t>(number)};
}

std::string ToText(const HostPort& address) {
  bool v6 = address.host.find(':') != std::string::npos;
  return v6 ? absl::StrCat("[", address.host, "]:", address.port)
            : absl::StrCat(address.host, ":", address.port);
}

std::string ToText(const tcp::endpoint& endpoint) {
  return ToText(HostPort{endpoint.address().to_string(), endpoint.port()});
}

bool IsLoopback(const asio::ip::address& address) {
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6())
        .is_loopback();
  }
  return address.is_loopback();
}

bool IsLoopbackText(absl::string_view address) {
  std::vector<tcp::endpoint> endpoint = NumericEndpoint(address);
  return !endpoint.empty() && IsLoopback(endpoint[0].address());
}

std::vector<tcp::endpoint> NumericEndpoint(absl::string_view address) {
  absl::StatusOr<HostPort> parsed = ParseHostPort("", address);
  if (!parsed.ok()) return {};
  std::error_code error;
  asio::ip::address ip = asio::ip::make_address(parsed->host, error);
  if (error) return {};
  return {tcp::endpoint(ip, parsed->port)};
}

Resolved ResolveNow(const std::string& address) {
  absl::StatusOr<HostPort> parsed = ParseHostPort("address", address);
  if (!parsed.ok()) return parsed.status();
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  int error = getaddrinfo(parsed->host.c_str(),
                          absl::StrCat(parsed->port).c_str(), &hints, &found);
  if (error != 0) {
    return absl::UnavailableError(absl::StrCat("cannot resolve ", parsed->host,
                                               ": ", gai_strerror(error)));
  }
  std::vector<tcp::endpoint> endpoints;
  for (addrinfo* a = found; a != nullptr; a = a->ai_next) {
    endpoints.push_back(FromSockaddr(a->ai_addr, a->ai_addrlen));
  }
  freeaddrinfo(found);
  std::sort(endpoints.begin(), endpoints.end());
  endpoints.erase(std::unique(endpoints.begin(), endpoints.end()),
                  endpoints.end());
  return endpoints;
}

void Resolve(std::shared_ptr<Loop> loop, std::string address,
             std::function<void(Resolved)> done) {
  std::vector<tcp::endpoint> numeric = NumericEndpoint(address);
  if (!numeric.empty()) {
    loop->Post([done = std::move(done), numeric = std::move(numeric)] {
      done(numeric);
    });
    return;
  }
  // Detached: a name server that is silent must not hold up an exit.
  std::thread([loop = std::move(loop), address = std::move(address),
               done = std::move(done)]() mutable {
    Resolved resolved = ResolveNow(address);
    Loop* on = loop.get();
    on->Post([done = std::move(done), resolved = std::move(resolved)] {
      done(resolved);
    });
  }).detach();
}

}  // namespace muster::peer
