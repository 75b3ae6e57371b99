// Batches for sessions without a stream, from the bytes that a client sent:
// TrackRequest, UpdateRequest, UntrackRequest and HeartbeatRequest.
//
// A fault of one operation, or of one heartbeat, becomes an error of its index.
// A status returned here is a fault of the request as a whole: INVALID_ARGUMENT
// malformed or over a limit, NOT_FOUND a token that no node has made.
//
// Cost: O(bytes). All functions are total and thread-safe.
#ifndef MUSTER_NODE_SERVICE_BATCH_REQUESTS_H_
#define MUSTER_NODE_SERVICE_BATCH_REQUESTS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "crdt/types.h"
#include "node/codec/client_codec.h"
#include "node/service/limits.h"
#include "node/service/op_batch.h"

namespace muster::service {

struct Batch {
  std::string bytes;  // What the operations point into.
  OpBatch ops;
};

// Decodes `batch->bytes` into `batch->ops`. `type` is the message's name, for
// errors; `fields` says where its one list is.
absl::Status DecodeBatch(const char* type, const codec::OpFields& fields,
                         const Limits& limits, Batch* batch);

struct Beat {
  absl::StatusOr<crdt::SessionId> session;  // Of its token.
  uint64_t epoch;
};
absl::StatusOr<std::vector<Beat>> DecodeHeartbeats(absl::string_view bytes,
                                                   const Limits& limits);

}  // namespace muster::service

#endif  // MUSTER_NODE_SERVICE_BATCH_REQUESTS_H_
