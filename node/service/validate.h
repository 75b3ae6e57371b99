// Form and limits of clients' requests. Every error is INVALID_ARGUMENT, unless
// said otherwise below, with a sentence that names the field, the value and the
// rule, e.g.
//   track[3].key is 300 bytes; the limit is 256 (--max-name-bytes)
// A check costs a comparison or two; only a fault makes text.
#ifndef MUSTER_NODE_SERVICE_VALIDATE_H_
#define MUSTER_NODE_SERVICE_VALIDATE_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "crdt/types.h"
#include "node/codec/client_codec.h"
#include "node/service/limits.h"

namespace muster::service {

// The place of a value: `list[index].field`, `list[index]`, or `field`.
struct Where {
  const char* list = nullptr;
  size_t index = 0;
  const char* field = nullptr;
};
std::string Text(const Where& where);
// For an error: in quotes, escaped, and no more than its beginning.
std::string Quoted(absl::string_view text);

// A request as it was sent: at most max_message_bytes bytes.
absl::Status CheckRequest(absl::string_view bytes, const Limits& limits);
// The same, and parses it.
absl::Status ParseRequest(absl::string_view bytes, const Limits& limits,
                          google::protobuf::Message* message);

// A topic, key or prefix: UTF-8, 1 to max_name_bytes bytes.
absl::Status CheckName(const Where& where, absl::string_view name,
                       const Limits& limits);
absl::Status CheckMeta(const Where& where, absl::string_view meta,
                       const Limits& limits);
// At most `limit` of something; `flag` sets the limit.
absl::Status CheckCount(const char* field, size_t count, size_t limit,
                        const char* flag);
// NOT_FOUND if `text` is not the text of a ref.
absl::Status CheckRef(const Where& where, absl::string_view text,
                      crdt::Ref* ref);

// Values with a default, as granted.
absl::StatusOr<absl::Duration> GrantTtl(uint32_t ttl_ms, const Limits& limits);
absl::StatusOr<absl::Duration> GrantGrace(uint32_t grace_ms,
                                          const Limits& limits);
absl::StatusOr<absl::Duration> GrantInterval(uint32_t interval_ms,
                                             const Limits& limits);
absl::StatusOr<size_t> GrantPageSize(uint32_t page_size, const Limits& limits);

}  // namespace muster::service

#endif  // MUSTER_NODE_SERVICE_VALIDATE_H_
