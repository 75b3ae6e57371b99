#include "node/service/validate.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "node/codec/ref_text.h"
#include "node/codec/utf8.h"

namespace muster::service {
namespace {

// As much of a foreign string as an error repeats.
constexpr size_t kMaxQuoted = 64;

absl::Status TooLong(const Where& where, size_t size, size_t limit,
                     const char* flag) {
  return absl::InvalidArgumentError(absl::StrCat(Text(where), " is ", size,
                                                 " bytes; the limit is ", limit,
                                                 " (", flag, ")"));
}

struct Range {
  absl::Duration min;
  absl::Duration max;
  const char* min_flag;
  const char* max_flag;
};

absl::StatusOr<absl::Duration> InRange(const char* field, uint32_t value_ms,
                                       const Range& range) {
  const absl::Duration value = absl::Milliseconds(value_ms);
  if (value < range.min) {
    return absl::InvalidArgumentError(absl::StrCat(
        field, " is ", value_ms, "; it must be at least ",
        absl::ToInt64Milliseconds(range.min), " (", range.min_flag, ")"));
  }
  if (value > range.max) {
    return absl::InvalidArgumentError(absl::StrCat(
        field, " is ", value_ms, "; the limit is ",
        absl::ToInt64Milliseconds(range.max), " (", range.max_flag, ")"));
  }
  return value;
}

}  // namespace

std::string Text(const Where& where) {
  std::string text;
  if (where.list != nullptr) {
    absl::StrAppend(&text, where.list, "[", where.index, "]");
    if (where.field != nullptr) absl::StrAppend(&text, ".");
  }
  if (where.field != nullptr) absl::StrAppend(&text, where.field);
  return text;
}

std::string Quoted(absl::string_view text) {
  return absl::StrCat("\"", absl::CHexEscape(text.substr(0, kMaxQuoted)),
                      text.size() > kMaxQuoted ? "..." : "", "\"");
}

absl::Status CheckRequest(absl::string_view bytes, const Limits& limits) {
  if (bytes.size() <= limits.max_message_bytes) return absl::OkStatus();
  return TooLong({nullptr, 0, "the request"}, bytes.size(),
                 limits.max_message_bytes, "--max-message-bytes");
}

absl::Status ParseRequest(absl::string_view bytes, const Limits& limits,
                          google::protobuf::Message* message) {
  const absl::Status status = CheckRequest(bytes, limits);
  return status.ok() ? codec::ParseMessage(bytes, message) : status;
}

absl::Status CheckName(const Where& where, absl::string_view name,
                       const Limits& limits) {
  if (name.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(Text(where), " is empty; it must have at least 1 byte"));
  }
  if (name.size() > limits.max_name_bytes) {
    return TooLong(where, name.size(), limits.max_name_bytes,
                   "--max-name-bytes");
  }
  if (!codec::IsUtf8(name)) {
    return absl::InvalidArgumentError(
        absl::StrCat(Text(where), " is not valid UTF-8: ", Quoted(name)));
  }
  return absl::OkStatus();
}

absl::Status CheckMeta(const Where& where, absl::string_view meta,
                       const Limits& limits) {
  if (meta.size() <= limits.max_meta_bytes) return absl::OkStatus();
  return TooLong(where, meta.size(), limits.max_meta_bytes, "--max-meta-bytes");
}

absl::Status CheckCount(const char* field, size_t count, size_t limit,
                        const char* flag) {
  if (count <= limit) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      field, " has ", count, "; the limit is ", limit, " (", flag, ")"));
}

absl::Status CheckRef(const Where& where, absl::string_view text,
                      crdt::Ref* ref) {
  if (codec::ParseRef(text, ref)) return absl::OkStatus();
  return absl::NotFoundError(absl::StrCat(
      Text(where), " is ", Quoted(text), "; no node has given out such a ref"));
}

absl::StatusOr<absl::Duration> GrantTtl(uint32_t ttl_ms, const Limits& limits) {
  if (ttl_ms == 0) return limits.default_ttl;
  return InRange(
      "ttl_ms", ttl_ms,
      {limits.min_ttl, limits.max_ttl, "--min-ttl-ms", "--max-ttl-ms"});
}

absl::StatusOr<absl::Duration> GrantGrace(uint32_t grace_ms,
                                          const Limits& limits) {
  return InRange(
      "grace_ms", grace_ms,
      {absl::ZeroDuration(), limits.max_grace, "", "--max-grace-ms"});
}

absl::StatusOr<absl::Duration> GrantInterval(uint32_t interval_ms,
                                             const Limits& limits) {
  if (interval_ms == 0) return limits.default_interval;
  return InRange("interval_ms", interval_ms,
                 {limits.min_interval, limits.max_interval, "--min-interval-ms",
                  "--max-interval-ms"});
}

absl::StatusOr<size_t> GrantPageSize(uint32_t page_size, const Limits& limits) {
  if (page_size == 0) return limits.max_page_size;
  if (page_size <= limits.max_page_size) return page_size;
  return absl::InvalidArgumentError(
      absl::StrCat("page_size is ", page_size, "; the limit is ",
                   limits.max_page_size, " (--max-page-size)"));
}

}  // namespace muster::service
