// How a node comes up and goes down.
#include <google/protobuf/stubs/logging.h>
#include <spdlog/async.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "node/codec/peer_codec.h"
#include "node/runtime/runtime_impl.h"
#include "transport/peer/address.h"
#include "transport/peer/grpc_stream.h"

namespace muster {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kTransportLimit{1200};
constexpr milliseconds kServerLimit{500};
constexpr milliseconds kStopLimit{5000};
// The services still receive a message this far above their limit, so that they
// can say why they refuse it.
constexpr size_t kMessageRoom = 4 << 20;

uint64_t Random64() {
  uint64_t value = 0;
  while (getrandom(&value, sizeof(value), 0) != sizeof(value)) {
  }
  return value;
}

// Logs to stderr without ever blocking the loop: a stalled reader of stderr
// costs log lines, not the node's life.
void EnsureLogger() {
  // Protobuf would print a line for every message that is not UTF-8.
  google::protobuf::SetLogHandler(nullptr);
  if (!spdlog::default_logger()->name().empty()) return;
  spdlog::set_default_logger(
      spdlog::create_async_nb<spdlog::sinks::stderr_color_sink_mt>("muster"));
}

// Ends the process if the object lives for longer than `limit`: a call that
// never ends must not make a node that never exits.
class Watchdog {
 public:
  explicit Watchdog(milliseconds limit)
      : over_(std::make_shared<Once<bool>>()) {
    std::thread([over = over_, limit] {
      if (over->WaitFor(limit)) return;
      spdlog::critical("the node did not stop within {} ms: giving up",
                       limit.count());
      spdlog::default_logger()->flush();
      _exit(1);
    }).detach();
  }
  ~Watchdog() { over_->Set(true); }

 private:
  std::shared_ptr<Once<bool>> over_;
};

}  // namespace

Runtime::Impl::Impl(RuntimeOptions options)
    : options_(std::move(options)), loop_(std::make_shared<Loop>()) {
  EnsureLogger();
}

Runtime::Impl::~Impl() { Stop(); }

absl::Status Runtime::Impl::CheckOptions() const {
  const core::Options& core = options_.core;
  absl::Status status = codec::CheckNodeName("--node", core.node);
  status.Update(codec::CheckNodeName("--cluster", core.cluster));
  for (const std::string& join : core.join) {
    status.Update(codec::CheckAddress(absl::StrCat("--join ", join), join));
  }
  return status;
}

absl::Status Runtime::Impl::Start(
    const std::vector<grpc::Service*>& services, ServiceSink* sink,
    const std::vector<grpc::Service*>& guest_services) {
  sink_ = sink;
  absl::Status status = CheckOptions();
  if (!status.ok()) return status;
  absl::StatusOr<Port> port = Bind(*loop_, options_.listen);
  if (!port.ok()) return port.status();
  asio::ip::tcp::endpoint bound = port->tcp.local_endpoint();
  listen_address_ = peer::ToText(bound);
  absl::StatusOr<std::string> address =
      AdvertisedAddress(options_.advertise, bound);
  if (!address.ok()) return address.status();
  options_.core.address = *address;
  MakeTransport();
  status = StartServers(services, guest_services);
  if (!status.ok()) return status;
  WarnOfInsecurity();
  sink_->OnStarted(server_->server());
  crdt::LifeId life{Random64(), Random64()};
  replica_ = std::make_unique<core::Replica>(options_.core, life, Random64(),
                                             ReadClocks());
  StartLoop(*std::move(port));
  return absl::OkStatus();
}

void Runtime::Impl::MakeTransport() {
  peer::TransportOptions transport;
  transport.policy.cluster = options_.core.cluster;
  transport.policy.address = options_.core.address;
  transport.policy.secret = options_.cluster_secret;
  transport.policy.secret_also = options_.cluster_secret_also;
  transport.policy.insecure_peers = options_.insecure_peers;
  transport.policy.max_frame_bytes = options_.max_frame_bytes;
  transport.max_inbound = options_.core.max_members + 64;
  transport.seed = Random64();
  transport_ = std::make_unique<peer::PeerTransport>(
      loop_, std::move(transport), peer::MakeGrpcConnector(), *this);
  peer_service_ = peer::MakeGrpcPeerService(
      [this](std::shared_ptr<peer::FrameStream> stream,
             const std::string& remote) {
        transport_->Accept(std::move(stream), remote);
      });
}

absl::Status Runtime::Impl::StartServers(
    const std::vector<grpc::Service*>& services,
    const std::vector<grpc::Service*>& guest_services) {
  FedServer::Options options;
  options.max_message_bytes = std::max(
      options_.max_message_bytes + kMessageRoom, options_.max_frame_bytes);
  options.handshake_timeout = options_.handshake_timeout;
  options.keepalive = options_.client_keepalive;
  options.keepalive_timeout = options_.client_keepalive_timeout;
  std::vector<grpc::Service*> all = services;
  all.push_back(peer_service_.get());
  absl::StatusOr<std::unique_ptr<FedServer>> server =
      FedServer::Start(options, all, nullptr);
  if (!server.ok()) return server.status();
  server_ = *std::move(server);

  // Calls come only once the listener is there, and the loop outlives it.
  refuse_calls_ = std::make_unique<RefuseCalls>(
      absl::StrCat("too many connections: --max-connections is ",
                   options_.max_connections),
      [this](const std::string& remote) {
        loop_->Post([this, remote] { listener_->Told(remote); });
      });
  options.small = true;
  all = guest_services;
  all.push_back(peer_service_.get());
  server = FedServer::Start(options, all, refuse_calls_.get());
  if (!server.ok()) return server.status();
  guest_server_ = *std::move(server);
  return absl::OkStatus();
}

void Runtime::Impl::MakeListener(asio::ip::tcp::acceptor acceptor) {
  Connections::Limits limits;
  limits.clients = options_.max_connections;
  limits.has_peers = [this](const asio::ip::address& host) {
    return transport_->HasPeers(host);
  };
  listener_ = std::make_unique<Listener>(
      *loop_, std::move(acceptor), std::move(limits),
      [this](int fd) { server_->Take(fd); },
      [this](int fd) { guest_server_->Take(fd); });
}

void Runtime::Impl::StartLoop(Port port) {
  MakeListener(std::move(port.tcp));
  if (port.udp) {
    transport_->UseUdp(*std::move(port.udp));
  } else {
    spdlog::warn("{}: beats travel on links alone", port.udp_fault);
    replica_->OnUdpUnavailable(port.udp_fault);
  }
  if (options_.handle_signals) {
    signals_ = std::make_unique<Signals>(*loop_, [this](const char* name) {
      spdlog::info("{}: draining", name);
      Drain();
    });
  }
  listener_->Start();
  tick_.emplace(loop_->io());
  ScheduleTick(Clock::now());
  running_ = true;
  loop_->Start();
}

void Runtime::Impl::WarnOfInsecurity() const {
  bool loopback = peer::IsLoopbackText(listen_address_);
  if (loopback) return;
  spdlog::warn(
      "clients are let in from anywhere: whoever reaches {} may read and "
      "change who is present (keep it inside a trusted network)",
      listen_address_);
  if (!options_.cluster_secret.empty()) return;
  if (options_.insecure_peers) {
    spdlog::warn("--insecure-peers: whoever reaches {} may join",
                 listen_address_);
  } else {
    spdlog::warn(
        "no --cluster-secret: peers are accepted on loopback only (or set "
        "--insecure-peers)");
  }
}

void Runtime::Impl::StopTransport() {
  auto done = std::make_shared<Once<bool>>();
  loop_->Post([this, done] {
    tick_->cancel();
    if (drain_limit_) drain_limit_->cancel();
    listener_->Stop();
    sink_->OnStopping();
    transport_->Shutdown([done] { done->Set(true); });
  });
  done->WaitFor(kTransportLimit);
}

void Runtime::Impl::Stop() {
  Watchdog watchdog(kStopLimit);
  if (running_) StopTransport();
  // The loop still runs: tasks that services post are carried out.
  const auto limit = std::chrono::system_clock::now() + kServerLimit;
  if (guest_server_ != nullptr) guest_server_->Shutdown(limit);
  if (server_ != nullptr) server_->Shutdown(limit);
  loop_->Stop();
  exit_.Set(absl::CancelledError("the node was stopped"));
}

}  // namespace muster
