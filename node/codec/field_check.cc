#include "node/codec/field_check.h"

#include <algorithm>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "crdt/mutation.h"
#include "node/codec/peer_codec.h"

namespace muster::codec {
namespace {

std::string Path(Field field) {
  std::string path = field.message;
  if (field.index >= 0) absl::StrAppend(&path, "[", field.index, "]");
  if (*field.name != '\0') {
    absl::StrAppend(&path, path.empty() ? "" : ".", field.name);
  }
  return path;
}

bool IsControl(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

// Why `address` is no HOST:PORT, or "".
absl::string_view AddressFault(absl::string_view address) {
  size_t colon = address.rfind(':');
  if (colon == absl::string_view::npos) return "must be HOST:PORT";
  absl::string_view host = address.substr(0, colon);
  bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (host.empty()) return "the host is missing";
  if (!bracketed && host.find(':') != absl::string_view::npos) {
    return "an IPv6 host must be in brackets, as in [::1]:7400";
  }
  for (char c : host) {
    bool plain = c > ' ' && c < 0x7f && c != '[' && c != ']' && c != '/';
    if (!plain) return "the host must be a name or an IP address";
  }
  uint32_t port = 0;
  bool digits = absl::SimpleAtoi(address.substr(colon + 1), &port);
  if (!digits || port < 1 || port > 65535) {
    return "the port must be a number from 1 to 65535";
  }
  return "";
}

}  // namespace

void FieldCheck::Text(Field field, absl::string_view text, size_t min,
                      size_t max) {
  Size(field, text.size(), min, max);
  Require(field, crdt::IsValidUtf8(text), "must be valid UTF-8");
  Require(field, std::none_of(text.begin(), text.end(), IsControl),
          "must not hold control characters");
}

void FieldCheck::Address(Field field, absl::string_view address) {
  Size(field, address.size(), 1, kMaxAddressBytes);
  if (!ok()) return;
  absl::string_view fault = AddressFault(address);
  Require(field, fault.empty(), fault);
}

void FieldCheck::BadNumber(Field field, uint64_t value, uint64_t min,
                           uint64_t max) {
  status_ = absl::InvalidArgumentError(
      absl::StrCat(Path(field), ": ", value, "; must be ", min, " to ", max));
}

void FieldCheck::BadSize(Field field, size_t size, size_t min, size_t max) {
  status_ = absl::InvalidArgumentError(absl::StrCat(
      Path(field), ": ", size, " bytes; ",
      size < min ? "at least " : "at most ", size < min ? min : max));
}

void FieldCheck::Fail(Field field, absl::string_view rule) {
  status_ = absl::InvalidArgumentError(absl::StrCat(Path(field), ": ", rule));
}

absl::Status CheckNodeName(absl::string_view field, absl::string_view name) {
  FieldCheck check;
  std::string terminated(field);
  check.Text({terminated.c_str(), -1, ""}, name, 1, kMaxNodeNameBytes);
  return check.status();
}

absl::Status CheckAddress(absl::string_view field, absl::string_view address) {
  FieldCheck check;
  std::string terminated(field);
  check.Address({terminated.c_str(), -1, ""}, address);
  return check.status();
}

}  // namespace muster::codec
