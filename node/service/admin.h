// Who may change a node from outside: Drain, and whatever else is an
// operator's and not a client's.
//
//   node has       caller on loopback      caller elsewhere
//   no token       allowed                 PERMISSION_DENIED: set one
//   a token        shows it, or is refused, wherever it is
//
// A caller shows the token as metadata `authorization: Bearer TOKEN`.
// UNAUTHENTICATED: it shows none. PERMISSION_DENIED: it shows another.
// Tokens are compared in a time that depends on their lengths alone.
//
// Threads: safe; immutable after construction, but for the counter.
#ifndef MUSTER_NODE_SERVICE_ADMIN_H_
#define MUSTER_NODE_SERVICE_ADMIN_H_

#include <grpcpp/server_context.h>

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace muster::service {

struct Context;

// Who makes a call, as the transport and its metadata show it.
struct Caller {
  std::string address;  // HOST:PORT as the node sees it.
  bool loopback = false;
  // Of `authorization: Bearer …`; none if there is no such metadata.
  std::optional<std::string> bearer;
};

// The address of a peer as gRPC names it: "ipv4:10.0.0.1:4711",
// "ipv6:%5B::1%5D:4711". What is neither is not on loopback.
Caller CallerAt(const std::string& peer);
// With its credential. Errors: INVALID_ARGUMENT if it sends two credentials.
absl::StatusOr<Caller> CallerOf(const grpc::CallbackServerContext& call);

class AdminPolicy {
 public:
  // `token`: of --admin-token; empty if none is set.
  explicit AdminPolicy(std::string token);

  absl::Status Check(const Caller& caller) const;
  uint64_t refused() const { return refused_; }

 private:
  absl::Status Judge(const Caller& caller) const;

  const std::string token_;
  mutable std::atomic<uint64_t> refused_ = 0;
};

// Whether the caller may make an administrative call; who it is, for the log.
absl::StatusOr<Caller> CheckAdmin(const Context& context,
                                  const grpc::CallbackServerContext& call);

}  // namespace muster::service

#endif  // MUSTER_NODE_SERVICE_ADMIN_H_
