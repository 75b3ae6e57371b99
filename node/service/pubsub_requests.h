// Requests of publishers and subscribers, from bytes to checked values; no
// gRPC. Errors are INVALID_ARGUMENT with a sentence that names the field, the
// value and the rule; see validate.h.
#ifndef MUSTER_NODE_SERVICE_PUBSUB_REQUESTS_H_
#define MUSTER_NODE_SERVICE_PUBSUB_REQUESTS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "node/core/message.h"
#include "node/service/limits.h"

namespace muster::service {

absl::StatusOr<std::shared_ptr<const core::MessageBatch>> DecodePublish(
    absl::string_view bytes, const Limits& limits);

struct SubscribeWish {
  uint64_t number = 0;
  bool report_gaps = false;
  core::SubscribeRequest names;
  // Names that are malformed or over a limit, and are not in `names`.
  std::vector<core::SubscribeError> errors;
  // For each list of `names`: the index that each name had in the request.
  std::vector<size_t> places[4];
};
// An error ends the stream: the request as a whole is malformed.
absl::StatusOr<SubscribeWish> DecodeSubscribe(absl::string_view bytes,
                                              const Limits& limits);
// All errors, by the client's indices: those of the core, of `names`, and those
// found before.
std::vector<core::SubscribeError> AllErrors(
    const SubscribeWish& wish, std::vector<core::SubscribeError> core_errors);

struct ChannelsPlan {
  std::string pattern;  // "*" for all.
  size_t page_size = 0;
  std::string after;
};
absl::StatusOr<ChannelsPlan> DecodeChannels(absl::string_view bytes,
                                            const Limits& limits);
absl::StatusOr<std::vector<std::string>> DecodeNumSub(absl::string_view bytes,
                                                      const Limits& limits);

}  // namespace muster::service

#endif  // MUSTER_NODE_SERVICE_PUBSUB_REQUESTS_H_
