#include "node/codec/opaque_text.h"

#include <cstddef>

#include "node/codec/base64url.h"
#include "node/codec/utf8.h"

namespace muster::codec {
namespace {

// The first byte of a token: one kind is never taken for another.
constexpr char kListKind = 'L';
constexpr char kNameKind = 'N';

void Append64(uint64_t value, std::string* to) {
  for (int shift = 56; shift >= 0; shift -= 8) {
    to->push_back(static_cast<char>(value >> shift & 0xFF));
  }
}

uint64_t Read64(absl::string_view bytes, size_t at) {
  uint64_t value = 0;
  for (size_t i = 0; i < 8; ++i) {
    value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
  }
  return value;
}

}  // namespace

std::string VersionText(const Version& version) {
  std::string bytes;
  bytes.reserve(32);
  Append64(version.life.hi, &bytes);
  Append64(version.life.lo, &bytes);
  Append64(version.scope, &bytes);
  Append64(version.counter, &bytes);
  return Base64UrlEncode(bytes);
}

bool ParseVersion(absl::string_view text, Version* version) {
  std::string bytes;
  if (text.size() != kVersionText || !Base64UrlDecode(text, &bytes)) {
    return false;
  }
  version->life = {Read64(bytes, 0), Read64(bytes, 8)};
  version->scope = Read64(bytes, 16);
  version->counter = Read64(bytes, 24);
  return !version->life.IsZero() && version->counter != 0;
}

std::string ListToken(const ListPosition& position) {
  std::string bytes(1, kListKind);
  Append64(position.life, &bytes);
  Append64(position.scope, &bytes);
  Append64(position.next, &bytes);
  return Base64UrlEncode(bytes);
}

bool ParseListToken(absl::string_view text, ListPosition* position) {
  std::string bytes;
  if (!Base64UrlDecode(text, &bytes)) return false;
  if (bytes.size() != 25 || bytes[0] != kListKind) return false;
  *position = {Read64(bytes, 1), Read64(bytes, 9), Read64(bytes, 17)};
  return position->next != 0;
}

std::string NameToken(absl::string_view last) {
  std::string bytes(1, kNameKind);
  bytes.append(last.data(), last.size());
  return Base64UrlEncode(bytes);
}

bool ParseNameToken(absl::string_view text, std::string* last) {
  std::string bytes;
  if (!Base64UrlDecode(text, &bytes)) return false;
  if (bytes.size() < 2 || bytes[0] != kNameKind) return false;
  bytes.erase(0, 1);
  if (!IsUtf8(bytes)) return false;
  *last = std::move(bytes);
  return true;
}

}  // namespace muster::codec
