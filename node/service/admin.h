// Administrative calls: which callers may make them. These are the calls of an
// operator, such as Drain, and not those of a client.
//
//   node has       caller on loopback      caller elsewhere
//   no token       allowed                 PERMISSION_DENIED: set one
//   a token        shows it, or is refused, wherever it is
//
// A caller shows the token as metadata `authorization: Bearer TOKEN`.
// UNAUTHENTICATED: the call has no token. PERMISSION_DENIED: it has another.
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

// The caller, as the transport and the call's metadata show it.
struct Caller {
  std::string address;  // HOST:PORT as the node sees it.
  bool loopback = false;
  // The token of `authorization: Bearer …`, if there is such metadata.
  std::optional<std::string> bearer;
};

// The caller at a peer as gRPC names it: "ipv4:10.0.0.1:4711",
// "ipv6:%5B::1%5D:4711". A peer of any other form is not on loopback.
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

// Checks that the caller may make an administrative call. Returns the caller,
// for the log.
absl::StatusOr<Caller> CheckAdmin(const Context& context,
                                  const grpc::CallbackServerContext& call);

}  // namespace muster::service

#endif  // MUSTER_NODE_SERVICE_ADMIN_H_
