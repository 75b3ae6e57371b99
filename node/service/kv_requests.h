// Calls on keys, from bytes to checked values, and errors of commands as
// statuses; no gRPC. Errors are INVALID_ARGUMENT with a sentence that names the
// field, the value and the rule; see validate.h.
//
// The commands themselves are judged by the core, which answers what is wrong
// with one as its value; what would be wrong with a whole call is found here.
//
// Cost: O(bytes), and a look-up a command. All functions are total and
// thread-safe.
#ifndef MUSTER_NODE_SERVICE_KV_REQUESTS_H_
#define MUSTER_NODE_SERVICE_KV_REQUESTS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "crdt/keyspace/keyspace.h"
#include "node/codec/kv_codec.h"
#include "node/core/keyspace_calls.h"
#include "node/service/limits.h"

namespace muster::service {

struct KvPlan {
  core::KvCall call;
  // Every command only reads: the call need not wait behind changes.
  bool only_reads = true;
};

absl::StatusOr<KvPlan> DecodeExecute(absl::string_view bytes,
                                     const Limits& limits);

// A request of a stream. An error of `plan` is the answer to it; one of the
// whole ends the stream: the bytes are malformed.
struct KvStreamRequest {
  uint64_t number = 0;
  absl::StatusOr<KvPlan> plan;
};
absl::StatusOr<KvStreamRequest> DecodeStreamRequest(absl::string_view bytes,
                                                    const Limits& limits);

// What is true of a typed call, too: its bytes and its commands' kinds.
// `options` are those of its message.
absl::StatusOr<KvPlan> FinishPlan(core::KvCall call, const Limits& limits);
// Puts the options into the call.
absl::Status TakeOptions(const codec::KvOptionsText& options,
                         core::KvCall& call);

absl::StatusOr<std::vector<kv::OwnedKey>> DecodeVersions(
    absl::string_view bytes, const Limits& limits);
std::string EncodeVersions(const std::vector<commands::Watched>& watched);

struct KvExplainPlan {
  kv::OwnedKey key;
  size_t limit = 0;
};
absl::StatusOr<KvExplainPlan> DecodeKvExplain(absl::string_view bytes,
                                              const Limits& limits);

// An error of a command, with Redis' words: FAILED_PRECONDITION what the key
// holds, RESOURCE_EXHAUSTED no memory, INVALID_ARGUMENT all else.
absl::Status StatusOfError(absl::string_view text);

// The answer of an Execute as its client may have it: OK, or what refuses the
// call as a whole. An answer over its limit is an error, too.
absl::Status StatusOfAnswer(const core::KvAnswer& answer, bool atomic,
                            const Limits& limits);

}  // namespace muster::service

#endif  // MUSTER_NODE_SERVICE_KV_REQUESTS_H_
