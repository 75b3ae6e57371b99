// The head of a frame whose payload is not copied: all bytes before those of
// the payload, which ends the frame.
//
//   frame := beat, levels[0] { fields, levels[1] { fields, … payload }}
//
// Cost: O(bytes of the fields).
#ifndef MUSTER_NODE_CODEC_FRAME_HEAD_H_
#define MUSTER_NODE_CODEC_FRAME_HEAD_H_

#include <google/protobuf/message_lite.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>

namespace muster::codec {

// A message on the way to the payload: its number in the message around it
// (PeerFrame around the first), and what it holds before the next one.
struct Level {
  int field;
  const google::protobuf::MessageLite& fields;
};
// Of the innermost level. Field 0: the frame ends with that level's fields.
struct PayloadField {
  int field = 0;
  size_t size = 0;
};

// REQUIRES: at most kMaxLevels.
inline constexpr size_t kMaxLevels = 4;
std::string FrameHead(uint64_t beat, std::initializer_list<Level> levels,
                      PayloadField payload);

}  // namespace muster::codec

#endif  // MUSTER_NODE_CODEC_FRAME_HEAD_H_
