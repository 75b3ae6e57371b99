#include "node/metrics/metrics_server.h"

#include <prometheus/exposer.h>

#include <algorithm>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <exception>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "transport/peer/address.h"

namespace muster::metrics {
namespace {

using asio::ip::tcp;

std::string Flag(const Options& options) {
  return absl::StrCat("--metrics-listen ", options.listen);
}

// The endpoint to listen on, if it may be.
absl::StatusOr<tcp::endpoint> Endpoint(const Options& options) {
  // Without a host it is every address, as of --listen.
  const std::string listen = absl::StartsWith(options.listen, ":")
                                 ? absl::StrCat("0.0.0.0", options.listen)
                                 : options.listen;
  absl::StatusOr<peer::HostPort> parsed =
      peer::ParseHostPort(Flag(options), listen);
  if (!parsed.ok()) return parsed.status();
  const peer::Resolved resolved = peer::ResolveNow(listen);
  if (!resolved.ok()) {
    return absl::UnavailableError(
        absl::StrCat(Flag(options), ": ", resolved.status().message()));
  }
  const bool loopback = std::all_of(
      resolved->begin(), resolved->end(), [](const tcp::endpoint& endpoint) {
        return peer::IsLoopback(endpoint.address());
      });
  if (!loopback && !options.insecure) {
    return absl::InvalidArgumentError(
        absl::StrCat(Flag(options),
                     ": must be a loopback address, since whoever reaches it "
                     "reads all metrics; --metrics-insecure allows any other"));
  }
  // Debian's civetweb is built without IPv6.
  const auto v4 = std::find_if(
      resolved->begin(), resolved->end(),
      [](const tcp::endpoint& endpoint) { return endpoint.address().is_v4(); });
  if (v4 == resolved->end()) {
    return absl::InvalidArgumentError(
        absl::StrCat(Flag(options), ": must be an IPv4 address"));
  }
  return *v4;
}

// Why nobody could listen there, now that somebody has tried in vain.
absl::Status WhyNot(const Options& options, const tcp::endpoint& endpoint,
                    const char* what) {
  asio::io_context io;
  tcp::acceptor acceptor(io);
  std::error_code error;
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(1, error);
  std::string why = error ? error.message() : what;
  if (error == asio::error::address_in_use) why = "the port is already taken";
  return absl::UnavailableError(absl::StrCat(Flag(options), ": ", why));
}

}  // namespace

MetricsServer::MetricsServer() = default;
MetricsServer::~MetricsServer() = default;

absl::StatusOr<std::unique_ptr<MetricsServer>> MetricsServer::Start(
    const Options& options) {
  absl::StatusOr<tcp::endpoint> endpoint = Endpoint(options);
  if (!endpoint.ok()) return endpoint.status();
  std::unique_ptr<MetricsServer> server(new MetricsServer());
  try {
    server->exposer_ = std::make_unique<prometheus::Exposer>(
        std::vector<std::string>{"listening_ports", peer::ToText(*endpoint),  //
                                 "num_threads", "2",                          //
                                 "request_timeout_ms", "5000"});
  } catch (const std::exception& error) {
    return WhyNot(options, *endpoint, error.what());
  }
  const std::vector<int> ports = server->exposer_->GetListeningPorts();
  if (!ports.empty()) endpoint->port(static_cast<uint16_t>(ports.front()));
  server->address_ = peer::ToText(*endpoint);
  return server;
}

void MetricsServer::Serve(std::shared_ptr<Collector> collector) {
  collector_ = std::move(collector);
  exposer_->RegisterCollectable(collector_);
}

}  // namespace muster::metrics
