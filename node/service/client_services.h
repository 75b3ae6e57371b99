// All services of a node for clients: muster.v1.Presence, PubSub, Kv and
// Cluster, grpc.health.v1 and reflection.
//
//   Runtime runtime(options);
//   service::ClientServices services({.node = "a", ...}, &runtime);
//   runtime.Start(services.all(), services.sink());
//
// Lifetime: must outlive the server that serves it and the loop that calls its
// sink, and be destroyed after both have stopped.
#ifndef MUSTER_NODE_SERVICE_CLIENT_SERVICES_H_
#define MUSTER_NODE_SERVICE_CLIENT_SERVICES_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "node/runtime/core_port.h"
#include "node/service/limits.h"

namespace grpc {
class Service;
}

namespace muster::service {

struct ServiceOptions {
  std::string node;
  std::string cluster;
  std::string version;
  Limits limits;
  // Administrative calls must show it; empty: they are allowed from loopback
  // alone.
  std::string admin_token;
  // Threads that encode and write answers.
  int threads = 2;
};

class ClientServices {
 public:
  // `core` outlives the services' use of it. Turns reflection on for every
  // server of this process that is built from now on.
  ClientServices(ServiceOptions options, CorePort* core);
  ~ClientServices();
  ClientServices(const ClientServices&) = delete;
  ClientServices& operator=(const ClientServices&) = delete;

  std::vector<grpc::Service*> all();
  // The services for guests, who have no place: health and Cluster.Status.
  std::vector<grpc::Service*> for_guests();
  ServiceSink* sink();

  // Name and value, as `status` shows them beside those of the core and the
  // runtime. From any thread, as Queued.
  std::vector<std::pair<std::string, uint64_t>> Counters() const;
  // Answers and watch batches that wait for a thread to encode them.
  struct Queued {
    size_t answers = 0;
    size_t watch_batches = 0;
  };
  Queued queued() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace muster::service

#endif  // MUSTER_NODE_SERVICE_CLIENT_SERVICES_H_
