#include "node/service/admin.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "node/codec/peer_proof.h"
#include "node/service/context.h"

namespace muster::service {
namespace {

constexpr char kHeader[] = "authorization";
constexpr absl::string_view kScheme = "bearer ";

struct HostAndPort {
  std::string host;  // Without brackets.
  std::string port;
  bool v6 = false;
};

// Of "ipv4:10.0.0.1:4711" or "ipv6:%5B::1%5D:4711", as gRPC names a peer.
std::optional<HostAndPort> Split(absl::string_view peer) {
  const bool v6 = absl::ConsumePrefix(&peer, "ipv6:");
  if (!v6 && !absl::ConsumePrefix(&peer, "ipv4:")) return std::nullopt;
  const size_t colon = peer.rfind(':');
  if (colon == absl::string_view::npos) return std::nullopt;
  absl::string_view host = peer.substr(0, colon);
  if (!absl::ConsumePrefix(&host, "%5B")) absl::ConsumePrefix(&host, "[");
  if (!absl::ConsumeSuffix(&host, "%5D")) absl::ConsumeSuffix(&host, "]");
  return HostAndPort{std::string(host), std::string(peer.substr(colon + 1)),
                     v6};
}

// 127.0.0.0/8, ::1, and the former within IPv6.
bool IsLoopback(const HostAndPort& address) {
  constexpr uint8_t kNet = 127;
  in_addr v4;
  if (!address.v6) {
    return inet_pton(AF_INET, address.host.c_str(), &v4) == 1 &&
           ntohl(v4.s_addr) >> 24 == kNet;
  }
  in6_addr v6;
  if (inet_pton(AF_INET6, address.host.c_str(), &v6) != 1) return false;
  return IN6_IS_ADDR_LOOPBACK(&v6) != 0 ||
         (IN6_IS_ADDR_V4MAPPED(&v6) != 0 && v6.s6_addr[12] == kNet);
}

}  // namespace

Caller CallerAt(const std::string& peer) {
  const std::optional<HostAndPort> at = Split(peer);
  if (!at.has_value()) return {.address = peer};
  const bool v6 = at->v6;
  return {.address =
              absl::StrCat(v6 ? "[" : "", at->host, v6 ? "]:" : ":", at->port),
          .loopback = IsLoopback(*at)};
}

absl::StatusOr<Caller> CallerOf(const grpc::CallbackServerContext& call) {
  Caller caller = CallerAt(call.peer());
  const auto& metadata = call.client_metadata();
  const auto [begin, end] = metadata.equal_range(kHeader);
  for (auto it = begin; it != end; ++it) {
    const absl::string_view value(it->second.data(), it->second.size());
    if (!absl::StartsWithIgnoreCase(value, kScheme)) continue;
    if (caller.bearer.has_value()) {
      return absl::InvalidArgumentError(
          "authorization: the call must have one \"Bearer TOKEN\", not two");
    }
    caller.bearer = std::string(value.substr(kScheme.size()));
  }
  return caller;
}

AdminPolicy::AdminPolicy(std::string token) : token_(std::move(token)) {}

absl::Status AdminPolicy::Check(const Caller& caller) const {
  absl::Status status = Judge(caller);
  if (!status.ok()) ++refused_;
  return status;
}

absl::Status AdminPolicy::Judge(const Caller& caller) const {
  if (token_.empty()) {
    if (caller.loopback) return absl::OkStatus();
    return absl::PermissionDeniedError(absl::StrCat(
        "this node has no --admin-token, so that administrative calls are "
        "let in from loopback only, not from ",
        caller.address,
        ": call from the node's own machine, or start the node with "
        "--admin-token"));
  }
  if (!caller.bearer.has_value()) {
    return absl::UnauthenticatedError(
        "this node asks administrative calls for its --admin-token, as "
        "metadata `authorization: Bearer TOKEN`");
  }
  if (!codec::SameMac(token_, *caller.bearer)) {
    return absl::PermissionDeniedError(
        "the token of this call is not the node's --admin-token");
  }
  return absl::OkStatus();
}

absl::StatusOr<Caller> CheckAdmin(const Context& context,
                                  const grpc::CallbackServerContext& call) {
  absl::StatusOr<Caller> caller = CallerOf(call);
  if (!caller.ok()) return caller.status();
  const absl::Status status = context.admin.Check(*caller);
  if (!status.ok()) return status;
  return caller;
}

}  // namespace muster::service
