#include "node/codec/ref_text.h"

#include "node/codec/base64url.h"

namespace muster::codec {
namespace {

constexpr size_t kLifeDigits = 11;
constexpr char kHexDigits[] = "0123456789abcdef";

// 10 digits of 6 bits and one of the last 4 bits, followed by two zero bits.
void FormatLife(uint64_t life, char* to) {
  for (size_t i = 0; i < kLifeDigits - 1; ++i) {
    to[i] = kBase64UrlDigits[life >> (58 - 6 * i) & 63];
  }
  to[kLifeDigits - 1] = kBase64UrlDigits[life << 2 & 63];
}

bool ParseLife(absl::string_view text, uint64_t* life) {
  uint64_t value = 0;
  for (size_t i = 0; i < kLifeDigits - 1; ++i) {
    const int digit = Base64UrlDigit(text[i]);
    if (digit < 0) return false;
    value = value << 6 | static_cast<uint64_t>(digit);
  }
  const int last = Base64UrlDigit(text[kLifeDigits - 1]);
  if (last < 0 || (last & 3) != 0) return false;
  *life = value << 4 | static_cast<uint64_t>(last >> 2);
  return true;
}

// REQUIRES: value != 0.
size_t FormatHex(uint64_t value, char* to) {
  const size_t digits = (67 - static_cast<size_t>(__builtin_clzll(value))) / 4;
  for (size_t i = digits; i-- > 0; value >>= 4) {
    to[i] = kHexDigits[value & 15];
  }
  return digits;
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

// Takes hex digits off the front of `text`: 1 to 16, the first not 0.
bool TakeHex(absl::string_view* text, uint64_t* value) {
  uint64_t result = 0;
  size_t size = 0;
  for (; size < text->size(); ++size) {
    const int digit = HexDigit((*text)[size]);
    if (digit < 0) break;
    if (size == 16 || (size == 0 && digit == 0)) return false;
    result = result << 4 | static_cast<uint64_t>(digit);
  }
  if (size == 0) return false;
  text->remove_prefix(size);
  *value = result;
  return true;
}

bool TakeDot(absl::string_view* text) {
  if (text->empty() || text->front() != '.') return false;
  text->remove_prefix(1);
  return true;
}

}  // namespace

size_t FormatRefRest(const crdt::Ref& ref, char* to) {
  size_t size = FormatHex(ref.id.value, to);
  if (ref.seq.value != ref.id.value) {
    to[size++] = '.';
    size += FormatHex(ref.seq.value, to + size);
  }
  return size;
}

size_t FormatRef(const crdt::Ref& ref, char* to) {
  FormatLife(ref.life, to);
  to[kLifeDigits] = '.';
  return kRefPrefix + FormatRefRest(ref, to + kRefPrefix);
}

std::string RefText(const crdt::Ref& ref) {
  if (ref.IsNone()) return "";
  char buffer[kMaxRefText];
  return std::string(buffer, FormatRef(ref, buffer));
}

std::string RefPrefix(uint64_t life) {
  std::string prefix(kRefPrefix, '.');
  FormatLife(life, prefix.data());
  return prefix;
}

bool ParseRef(absl::string_view text, crdt::Ref* ref) {
  if (text.size() <= kRefPrefix) return false;
  uint64_t life;
  uint64_t id;
  if (!ParseLife(text, &life)) return false;
  text.remove_prefix(kLifeDigits);
  if (!TakeDot(&text) || !TakeHex(&text, &id)) return false;
  uint64_t seq = id;
  if (!text.empty()) {
    if (!TakeDot(&text) || !TakeHex(&text, &seq)) return false;
    if (seq == id || !text.empty()) return false;
  }
  *ref = {life, crdt::ElementId(id), crdt::Seq(seq)};
  return true;
}

}  // namespace muster::codec
