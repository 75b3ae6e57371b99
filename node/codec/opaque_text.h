// Opaque texts that clients hand back: versions of a watch and page tokens.
// Each is base64url of fixed fields. The parsers are strict and total. Their
// results may still be stale or of another node: the caller compares.
#ifndef MUSTER_NODE_CODEC_OPAQUE_TEXT_H_
#define MUSTER_NODE_CODEC_OPAQUE_TEXT_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "crdt/types.h"

namespace muster::codec {

// The position of a watch: the life that served it, a hash of its scope, and
// that node's count of changes.
struct Version {
  crdt::LifeId life;
  uint64_t scope = 0;
  uint64_t counter = 0;
  bool operator==(const Version&) const = default;
};
inline constexpr size_t kVersionText = 43;

std::string VersionText(const Version& version);
bool ParseVersion(absl::string_view text, Version* version);

// The position of the next page of a list: only the life that made it can use
// it.
struct ListPosition {
  uint64_t life = 0;   // LifeId::hi of the node that was asked.
  uint64_t scope = 0;  // Hash of the topic.
  uint64_t next = 0;   // core::ListReply::next.
  bool operator==(const ListPosition&) const = default;
};
std::string ListToken(const ListPosition& position);
bool ParseListToken(absl::string_view text, ListPosition* position);

// The position of the next page of names: after the last name, on any node.
std::string NameToken(absl::string_view last);
bool ParseNameToken(absl::string_view text, std::string* last);

}  // namespace muster::codec

#endif  // MUSTER_NODE_CODEC_OPAQUE_TEXT_H_
