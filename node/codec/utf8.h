// Whether a client's string is UTF-8. Names are mostly ASCII: that path costs
// an eighth of a comparison a byte.
#ifndef MUSTER_NODE_CODEC_UTF8_H_
#define MUSTER_NODE_CODEC_UTF8_H_

#include "absl/strings/string_view.h"

namespace muster::codec {

// As RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
bool IsUtf8(absl::string_view text);

}  // namespace muster::codec

#endif  // MUSTER_NODE_CODEC_UTF8_H_
