// Refs as clients see them: opaque text, short, quick to write and to read.
//
//   "AAECAwQFBgc.1f"       life 0x0001020304050607, id 0x1f, seq 0x1f
//   "AAECAwQFBgc.1f.20"    the same element after an update: seq 0x20
//
// 11 characters of base64url for the 64 bits of the life, then id and, only
// if it differs, seq, in lower-case hex without leading zeros. Every ref has
// exactly one text, and the parser accepts no other.
#ifndef MUSTER_NODE_CODEC_REF_TEXT_H_
#define MUSTER_NODE_CODEC_REF_TEXT_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "crdt/types.h"

namespace muster::codec {

// 11 + '.' + 16 + '.' + 16.
inline constexpr size_t kMaxRefText = 45;
// 11 + '.': the prefix of all refs made in one life.
inline constexpr size_t kRefPrefix = 12;

// Writes the text of a ref that is not none to `to`, which has room for
// kMaxRefText; returns its length.
size_t FormatRef(const crdt::Ref& ref, char* to);
// The text, or "" for none.
std::string RefText(const crdt::Ref& ref);
// The prefix of all refs made in `life`, and the rest of one ref.
std::string RefPrefix(uint64_t life);
size_t FormatRefRest(const crdt::Ref& ref, char* to);

// False, and `ref` is untouched, if `text` is not the text of a ref.
bool ParseRef(absl::string_view text, crdt::Ref* ref);

}  // namespace muster::codec

#endif  // MUSTER_NODE_CODEC_REF_TEXT_H_
