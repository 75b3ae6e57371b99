// The typed calls of Kv: each one command of Redis, with typed arguments and a
// typed answer. One table:
//
//   {"HGet", "HGET", Decode<v1::KvFieldRequest>, EncodeValue}
//
// An error of the command is the status of the call; see StatusOfError.
#ifndef MUSTER_NODE_SERVICE_KV_TYPED_H_
#define MUSTER_NODE_SERVICE_KV_TYPED_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "node/core/keyspace_calls.h"
#include "node/service/kv_requests.h"
#include "node/service/limits.h"

namespace muster::service {

struct KvTypedCall {
  const char* method;   // "/muster.v1.Kv/HGet".
  const char* command;  // Of Redis.
  absl::StatusOr<KvPlan> (*decode)(absl::string_view command,
                                   absl::string_view bytes,
                                   const Limits& limits);
  // Of an answer that is OK.
  absl::StatusOr<std::string> (*encode)(const core::KvAnswer& answer);
};

absl::Span<const KvTypedCall> KvTypedCalls();

}  // namespace muster::service

#endif  // MUSTER_NODE_SERVICE_KV_TYPED_H_
