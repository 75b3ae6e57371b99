#include "node/listener/fed_server.h"

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include <climits>
#include <utility>

#include "transport/peer/grpc_stream.h"

namespace muster {
namespace {

constexpr int kMinPingIntervalMs = 1'000;
constexpr int kHttpFrameBytes = 1 << 20;

int Millis(absl::Duration duration) {
  return static_cast<int>(absl::ToInt64Milliseconds(duration));
}

void SetArguments(const FedServer::Options& options,
                  grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(static_cast<int>(options.max_message_bytes));
  // A batch of 500 operations is 60 KiB: one frame, not four.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_FRAME_SIZE, kHttpFrameBytes);
  // Clients may keep idle connections alive through middle boxes, and find
  // within seconds that a node is frozen.
  builder.AddChannelArgument(
      GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
      kMinPingIntervalMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  // The node's own pings: a client that vanished answers none. gRPC by default
  // stops after two pings until it has data to send.
  const bool pings = options.keepalive != absl::ZeroDuration();
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS,
                             pings ? Millis(options.keepalive) : INT_MAX);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS,
                             Millis(options.keepalive_timeout));
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS,
                             Millis(options.handshake_timeout));
}

// For reflection alone, which knows no callbacks.
void KeepFewThreads(grpc::ServerBuilder& builder) {
  using Builder = grpc::ServerBuilder;
  builder.SetSyncServerOption(Builder::SyncServerOption::NUM_CQS, 1);
  builder.SetSyncServerOption(Builder::SyncServerOption::MIN_POLLERS, 1);
  builder.SetSyncServerOption(Builder::SyncServerOption::MAX_POLLERS, 1);
}

}  // namespace

FedServer::FedServer() = default;
FedServer::~FedServer() = default;

absl::StatusOr<std::unique_ptr<FedServer>> FedServer::Start(
    const Options& options, const std::vector<grpc::Service*>& services,
    grpc::CallbackGenericService* rest) {
  std::unique_ptr<FedServer> fed(new FedServer());
  grpc::ServerBuilder builder;
  using External =
      grpc::ServerBuilder::experimental_type::ExternalConnectionType;
  fed->acceptor_ = builder.experimental().AddExternalConnectionAcceptor(
      External::FROM_FD, grpc::InsecureServerCredentials());
  for (grpc::Service* service : services) builder.RegisterService(service);
  if (rest != nullptr) builder.RegisterCallbackGenericService(rest);
  SetArguments(options, builder);
  if (options.small) KeepFewThreads(builder);
  fed->server_ = builder.BuildAndStart();
  if (fed->server_ == nullptr) {
    return absl::InternalError("the gRPC server cannot be started");
  }
  return fed;
}

void FedServer::Take(int fd) {
  grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters
      connection;
  connection.fd = fd;
  acceptor_->HandleNewConnection(&connection);
}

void FedServer::Shutdown(std::chrono::system_clock::time_point limit) {
  server_->Shutdown(limit);
}

// ----------------------------------------------------------------- refusals

namespace {

class Refused final : public grpc::ServerGenericBidiReactor {
 public:
  explicit Refused(const std::string& reason) {
    Finish(grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, reason));
  }
  void OnDone() override { delete this; }
};

}  // namespace

RefuseCalls::RefuseCalls(std::string reason, OnRefused on_refused)
    : reason_(std::move(reason)), on_refused_(std::move(on_refused)) {}

grpc::ServerGenericBidiReactor* RefuseCalls::CreateReactor(
    grpc::GenericCallbackServerContext* context) {
  on_refused_(peer::RemoteAddress(context->peer()));
  return new Refused(reason_);
}

}  // namespace muster
