// Messages of pub/sub as bytes, as nodes send them to each other.
//
// Cost: O(bytes), no allocation but that of `out`; decoded messages are views
// into the input. Limits: kMaxChannelBytes.
#ifndef MUSTER_CRDT_MESSAGE_BYTES_H_
#define MUSTER_CRDT_MESSAGE_BYTES_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace muster::crdt {

// message := channel payload, each a varint length and bytes.
void AppendMessage(absl::string_view channel, absl::string_view payload,
                   std::string& out);
// Takes one message off the front; false if it is malformed (an empty channel,
// a length over its limit or the input).
bool TakeMessage(absl::string_view& bytes, absl::string_view& channel,
                 absl::string_view& payload);
bool ValidateMessages(absl::string_view bytes, uint32_t count);

}  // namespace muster::crdt

#endif  // MUSTER_CRDT_MESSAGE_BYTES_H_
