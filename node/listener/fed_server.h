// A gRPC server that is handed connected sockets and listens on nothing.
//
// A node has two: one for clients and peers, and a small one for guests, who
// are let in while no place is free (node/listener/connections.h). Both treat a
// connection the same way.
//
// Threads: Take and Shutdown, any; the rest, one.
#ifndef MUSTER_NODE_LISTENER_FED_SERVER_H_
#define MUSTER_NODE_LISTENER_FED_SERVER_H_

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/server.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace grpc::experimental {
class ExternalConnectionAcceptor;
}

namespace muster {

class FedServer {
 public:
  struct Options {
    size_t max_message_bytes = 4 << 20;
    absl::Duration handshake_timeout = absl::Seconds(10);
    // The server pings after this long without a byte, zero for never; and
    // closes the connection if the answer takes longer than the timeout.
    absl::Duration keepalive = absl::Seconds(10);
    absl::Duration keepalive_timeout = absl::Seconds(5);
    // Of little use: it keeps few threads.
    bool small = false;
  };

  // `rest`, which may be null, takes the calls that no service knows. Services
  // and `rest` outlive the server. INTERNAL: gRPC does not say why.
  static absl::StatusOr<std::unique_ptr<FedServer>> Start(
      const Options& options, const std::vector<grpc::Service*>& services,
      grpc::CallbackGenericService* rest);
  ~FedServer();
  FedServer(const FedServer&) = delete;
  FedServer& operator=(const FedServer&) = delete;

  // Owns the socket from now on.
  void Take(int fd);
  // Ends every call that is not over by then. At most once.
  void Shutdown(std::chrono::system_clock::time_point limit);
  grpc::Server& server() { return *server_; }

 private:
  FedServer();

  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor_;
  std::unique_ptr<grpc::Server> server_;
};

// Answers every call RESOURCE_EXHAUSTED with `reason`, and says where it came
// from, HOST:PORT. Threads: gRPC's.
class RefuseCalls final : public grpc::CallbackGenericService {
 public:
  using OnRefused = std::function<void(const std::string& remote)>;
  RefuseCalls(std::string reason, OnRefused on_refused);

  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* context) override;

 private:
  const std::string reason_;
  const OnRefused on_refused_;
};

}  // namespace muster

#endif  // MUSTER_NODE_LISTENER_FED_SERVER_H_
