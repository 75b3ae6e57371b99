// Answers of a leader in one run of bytes: a frame has thousands, and a message
// of Protocol Buffers for each would cost two allocations.
//
//   answers := answer*
//   answer  := call outcome[1] seq count size reply
//
// with integers as varints (crdt/varint.h); `reply` are `count` values in
// `size` bytes, as in node/commands/reply.h.
// Cost: O(bytes).
#ifndef MUSTER_NODE_CODEC_ANSWER_BYTES_H_
#define MUSTER_NODE_CODEC_ANSWER_BYTES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "node/core/keyspace_frames.h"

namespace muster::codec {

std::string EncodeAnswers(const std::vector<core::KvAnswers::Answer>& answers);

// Foreign bytes: false, and `answers` hold anything, unless they are exactly
// `count` answers.
bool DecodeAnswers(absl::string_view bytes, uint32_t count,
                   std::vector<core::KvAnswers::Answer>& answers);

}  // namespace muster::codec

#endif  // MUSTER_NODE_CODEC_ANSWER_BYTES_H_
