// One running node: the event loop, the core on it, and all of its I/O.
//
//   gRPC server --(decoded requests)--> CorePort::Post --+
//   peer links, beats, probes (transport/peer) ----------+--> Loop --> Replica
//   10 ms tick, jobs ------------------------------------+       |
//   frames, beats, dials, probes, log, ServiceSink <---Output----+
//
// The runtime carries the replica's Output out after every call, so no output
// waits for a timer. Jobs of the core run in slices between input.
//
// Life: construct, Start, (Drain), Wait, destroy.
//   Runtime runtime(options);
//   MyServices services(runtime, ...);           // CorePort, ServiceSink
//   absl::Status status = runtime.Start(services.all(), &services);
//   std::cout << "ready node=a grpc=" << runtime.listen_address() << "\n";
//   status = runtime.Wait();                     // why the node exits
//
// Signals. With `handle_signals`, SIGTERM, SIGINT and SIGHUP drain; a second
// SIGTERM or SIGINT exits the process at once with status 143 or 130. SIGHUP
// stays ignored in a process that was started so (nohup).
//
// Shutdown. After a drain, or when the core says so (Output::exit), Wait
// returns; the destructor ends links, calls and the loop within about two
// seconds and never waits longer. Services must outlive the runtime.
//
// Threads. The loop thread owns the replica. gRPC's threads encode, decode and
// post. Public methods may be called from any thread, except Start and the
// destructor, which belong to the owner.
#ifndef MUSTER_NODE_RUNTIME_RUNTIME_H_
#define MUSTER_NODE_RUNTIME_RUNTIME_H_

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "node/core/measures.h"
#include "node/core/options.h"
#include "node/runtime/core_port.h"

namespace grpc {
class Service;
}

namespace muster {

struct RuntimeOptions {
  // The address on which gRPC (TCP) and beats (UDP) listen: HOST:PORT or
  // [IPV6]:PORT, or :PORT for every address. Port 0 takes any number that is
  // free for both.
  std::string listen = "127.0.0.1:7400";
  // The address that peers and clients dial: HOST[:PORT]; port 0 or none means
  // the port that is listened on. Empty: the listening address, or of a
  // wildcard the first address of this machine that is not loopback.
  std::string advertise;
  // Both sides of a peer link prove that they know it; it is never sent. Empty:
  // none.
  std::string cluster_secret;
  // A second valid secret, while nodes are changed over to another, one by one.
  std::string cluster_secret_also;
  // Without a secret, peers that are not on loopback are refused, unless this
  // is set.
  bool insecure_peers = false;
  // TCP connections of clients; peers do not count. A further one is let in for
  // two seconds and told that the node is full: node/listener/connections.h.
  size_t max_connections = 10'000;
  // How long a connection may take to open HTTP/2.
  absl::Duration handshake_timeout = absl::Seconds(10);
  // HTTP/2 keepalive of the node's side, on every connection: it sends a PING
  // after this long without a byte, zero for never; and how long the answer may
  // take. The connection of a frozen or cut-off client or peer ends after both.
  absl::Duration client_keepalive = absl::Seconds(10);
  absl::Duration client_keepalive_timeout = absl::Seconds(5);
  // Largest message of a client, in bytes. The services refuse a larger one and
  // say why; gRPC refuses one that is larger by 4 MiB.
  size_t max_message_bytes = 4 << 20;
  // Largest message of a peer, in bytes.
  size_t max_frame_bytes = core::kDefaultMaxFrameBytes;
  // A drain that has not ended by then is cut short.
  absl::Duration drain_timeout = absl::Seconds(10);
  // SIGTERM, SIGINT and SIGHUP drain; see above.
  bool handle_signals = false;
  // The core's own. `core.address` is filled in by the runtime.
  core::Options core;
};

class Runtime final : public CorePort {
 public:
  explicit Runtime(RuntimeOptions options);
  ~Runtime() override;
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  // Binds, starts the server with `services` and the loop. Guests, connections
  // without a place, are served `guest_services` alone. Errors:
  // INVALID_ARGUMENT a malformed option; UNAVAILABLE the address cannot be
  // listened on, e.g. "--listen 127.0.0.1:7400: the port is already taken".
  // After an error only the destructor may be called.
  absl::Status Start(const std::vector<grpc::Service*>& services,
                     ServiceSink* sink,
                     const std::vector<grpc::Service*>& guest_services = {});

  // HOST:PORT as bound, and as advertised. Valid after Start.
  std::string listen_address() const;
  std::string advertised_address() const;

  // Begins to drain; Wait returns when it is over.
  void Drain();
  // Waits until the node exits: OK after a drain, else why (its name is in use,
  // another life of it won).
  absl::Status Wait();

  // CorePort
  void Post(CoreTask task) override;
  void PostRead(CoreTask task) override;
  RuntimeStats Stats() const override;

  // Gives `done` the measures of the loop and its core, on the loop thread. As
  // quick as a read. From any thread.
  struct LoopMeasures {
    core::Measures core;
    core::KvStatusView keyspace;
    core::StepTimes steps{core::kStepBounds};
    core::StepTimes lag{core::kStepBounds};
  };
  void Measure(absl::AnyInvocable<void(LoopMeasures)> done);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace muster

#endif  // MUSTER_NODE_RUNTIME_RUNTIME_H_
