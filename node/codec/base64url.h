// base64url (RFC 4648, section 5) without padding, strict: a text has one
// meaning and a value has one text. Abseil's decoder accepts padding, spaces
// and stray low bits, so that two texts could name one thing.
#ifndef MUSTER_NODE_CODEC_BASE64URL_H_
#define MUSTER_NODE_CODEC_BASE64URL_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace muster::codec {

inline constexpr char kBase64UrlDigits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

// The value of a digit, or -1.
int Base64UrlDigit(char c);

std::string Base64UrlEncode(absl::string_view bytes);
// False if `text` is not the encoding of any bytes.
bool Base64UrlDecode(absl::string_view text, std::string* bytes);

}  // namespace muster::codec

#endif  // MUSTER_NODE_CODEC_BASE64URL_H_
