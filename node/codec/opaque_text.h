// Texts that clients hand back without looking into them: versions of a watch
// and page tokens. base64url of fixed fields; the parsers are strict and
// total, and what they return may still be stale or of another node: the
// caller compares.
#ifndef MUSTER_NODE_CODEC_OPAQUE_TEXT_H_
#define MUSTER_NODE_CODEC_OPAQUE_TEXT_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "crdt/types.h"

namespace muster::codec {

// Where a watch stands: which life of which node served it, a hash of what is
// watched, and that node's count of changes.
struct Version {
  crdt::LifeId life;
  uint64_t scope = 0;
  uint64_t counter = 0;
  bool operator==(const Version&) const = default;
};
inline constexpr size_t kVersionText = 43;

std::string VersionText(const Version& version);
bool ParseVersion(absl::string_view text, Version* version);

// Where the next page of a list goes on: only the life that made it knows.
struct ListPosition {
  uint64_t life = 0;   // LifeId::hi of the node that was asked.
  uint64_t scope = 0;  // Hash of the topic.
  uint64_t next = 0;   // core::ListReply::next.
  bool operator==(const ListPosition&) const = default;
};
std::string ListToken(const ListPosition& position);
bool ParseListToken(absl::string_view text, ListPosition* position);

// Where the next page of names goes on: after the last one, on any node.
std::string NameToken(absl::string_view last);
bool ParseNameToken(absl::string_view text, std::string* last);

}  // namespace muster::codec

#endif  // MUSTER_NODE_CODEC_OPAQUE_TEXT_H_
