// Errors as gRPC clients see them: the same code and message. UNAVAILABLE also
// has a google.rpc.RetryInfo, so that generic clients know that and when they
// may try again.
#ifndef MUSTER_NODE_SERVICE_GRPC_STATUS_H_
#define MUSTER_NODE_SERVICE_GRPC_STATUS_H_

#include <grpcpp/support/status.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace muster::service {

// The delay that RetryInfo names.
inline constexpr absl::Duration kRetryDelay = absl::Milliseconds(200);

grpc::Status ToGrpc(const absl::Status& status);

// Calls of this process that ended with an error, by name and in byte order:
// "calls_failed_aborted" and so on, one for each code that services answer
// with. From any thread.
std::vector<std::pair<std::string, uint64_t>> FailedCalls();

}  // namespace muster::service

#endif  // MUSTER_NODE_SERVICE_GRPC_STATUS_H_
