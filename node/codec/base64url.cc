#include "node/codec/base64url.h"

#include <array>
#include <cstddef>

namespace muster::codec {
namespace {

constexpr std::array<int8_t, 256> MakeValues() {
  std::array<int8_t, 256> values{};
  for (int8_t& value : values) value = -1;
  for (int8_t i = 0; i < 64; ++i) {
    values[static_cast<uint8_t>(kBase64UrlDigits[i])] = i;
  }
  return values;
}
constexpr std::array<int8_t, 256> kValues = MakeValues();

}  // namespace

int Base64UrlDigit(char c) { return kValues[static_cast<uint8_t>(c)]; }

std::string Base64UrlEncode(absl::string_view bytes) {
  std::string text;
  text.reserve((bytes.size() * 4 + 2) / 3);
  uint32_t bits = 0;
  int held = 0;
  for (const char byte : bytes) {
    bits = bits << 8 | static_cast<uint8_t>(byte);
    held += 8;
    while (held >= 6) {
      held -= 6;
      text.push_back(kBase64UrlDigits[bits >> held & 63]);
    }
  }
  if (held > 0) text.push_back(kBase64UrlDigits[bits << (6 - held) & 63]);
  return text;
}

bool Base64UrlDecode(absl::string_view text, std::string* bytes) {
  if (text.size() % 4 == 1) return false;
  std::string result;
  result.reserve(text.size() * 3 / 4);
  uint32_t bits = 0;
  int held = 0;
  for (const char c : text) {
    const int digit = Base64UrlDigit(c);
    if (digit < 0) return false;
    bits = bits << 6 | static_cast<uint32_t>(digit);
    held += 6;
    if (held >= 8) {
      held -= 8;
      result.push_back(static_cast<char>(bits >> held & 0xFF));
    }
  }
  // The bits left over must be zero, or two texts would mean the same bytes.
  if ((bits & ((1u << held) - 1)) != 0) return false;
  *bytes = std::move(result);
  return true;
}

}  // namespace muster::codec
