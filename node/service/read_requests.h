// Requests of the reading calls and of Evict, from the bytes that a client
// sent: decoded, checked, with defaults filled in.
//
// Errors: INVALID_ARGUMENT malformed or over a limit; NOT_FOUND a page token
// that no node has given out. Each names the field, the value and the rule.
//
// Cost: O(bytes). All functions are total and thread-safe.
#ifndef MUSTER_NODE_SERVICE_READ_REQUESTS_H_
#define MUSTER_NODE_SERVICE_READ_REQUESTS_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "muster/v1/presence.pb.h"
#include "node/codec/opaque_text.h"
#include "node/core/client.h"
#include "node/service/limits.h"

namespace muster::service {

struct ListPlan {
  std::string topic;
  size_t page_size = 0;
  codec::ListPosition position;  // `next` is 0 for the first page.
};
absl::StatusOr<ListPlan> DecodeList(absl::string_view bytes,
                                    const Limits& limits);

// A page of names: the name it follows, and its size.
struct NamePlan {
  std::string name;  // A prefix or a key.
  std::string after;
  size_t page_size = 0;
};
absl::StatusOr<NamePlan> DecodeTopics(absl::string_view bytes,
                                      const Limits& limits);
absl::StatusOr<NamePlan> DecodeTopicsOf(absl::string_view bytes,
                                        const Limits& limits);

absl::StatusOr<v1::GetRequest> DecodeGet(absl::string_view bytes,
                                         const Limits& limits);
absl::StatusOr<v1::ExplainRequest> DecodeExplain(absl::string_view bytes,
                                                 const Limits& limits);
absl::StatusOr<core::EvictRequest> DecodeEvict(absl::string_view bytes,
                                               const Limits& limits);
absl::StatusOr<v1::CountRequest> DecodeCount(absl::string_view bytes,
                                             const Limits& limits);

// A watch: the core's request, and the scope, a hash of the request without its
// version.
struct WatchWish {
  core::WatchRequest request;
  uint64_t scope = 0;
};
absl::StatusOr<WatchWish> DecodeWatch(absl::string_view bytes,
                                      const Limits& limits);

}  // namespace muster::service

#endif  // MUSTER_NODE_SERVICE_READ_REQUESTS_H_
