// What waits to be written to one link, in four classes: control frames go
// before deltas, deltas before messages of pub/sub, these before rebase frames;
// within a class first in, first out. A checkpoint is a delta: it must not
// overtake the deltas it is about. A control frame waits for the one frame that
// is being written, and for no queue (no head-of-line blocking).
//
// Limit: kMaxBytes; the core's windows keep it far below that.
// Cost: O(1). Not thread-safe.
#ifndef MUSTER_TRANSPORT_PEER_SEND_QUEUE_H_
#define MUSTER_TRANSPORT_PEER_SEND_QUEUE_H_

#include <array>
#include <cstddef>
#include <deque>
#include <utility>
#include <variant>

#include "node/codec/peer_codec.h"
#include "node/core/frames.h"

namespace muster::peer {

enum class FrameClass { kControl = 0, kDelta = 1, kMessage = 2, kRebase = 3 };

inline FrameClass ClassOf(const core::Frame& frame) {
  if (std::holds_alternative<core::DeltaFrame>(frame.body) ||
      std::holds_alternative<core::CheckpointFrame>(frame.body)) {
    return FrameClass::kDelta;
  }
  if (std::holds_alternative<core::RebaseFrame>(frame.body)) {
    return FrameClass::kRebase;
  }
  const auto* routed = std::get_if<core::RoutedFrame>(&frame.body);
  if (routed != nullptr &&
      std::holds_alternative<core::MailFrame>(routed->body)) {
    return FrameClass::kMessage;
  }
  return FrameClass::kControl;
}

class SendQueue {
 public:
  static constexpr size_t kMaxBytes = 8 << 20;

  // False, and nothing changed, if the queue would hold more than kMaxBytes.
  bool Push(FrameClass frame_class, codec::EncodedFrame frame) {
    size_t size = frame.size();
    if (bytes_ + size > kMaxBytes) return false;
    bytes_ += size;
    classes_[static_cast<size_t>(frame_class)].push_back(std::move(frame));
    return true;
  }
  // REQUIRES: not empty.
  codec::EncodedFrame Pop() {
    for (std::deque<codec::EncodedFrame>& frames : classes_) {
      if (frames.empty()) continue;
      codec::EncodedFrame frame = std::move(frames.front());
      frames.pop_front();
      bytes_ -= frame.size();
      return frame;
    }
    return {};
  }
  // Drops all but control frames.
  void DropBulk() {
    for (FrameClass bulk :
         {FrameClass::kDelta, FrameClass::kMessage, FrameClass::kRebase}) {
      std::deque<codec::EncodedFrame>& frames =
          classes_[static_cast<size_t>(bulk)];
      for (const codec::EncodedFrame& frame : frames) bytes_ -= frame.size();
      frames.clear();
    }
  }
  void Clear() {
    for (std::deque<codec::EncodedFrame>& frames : classes_) frames.clear();
    bytes_ = 0;
  }
  bool empty() const { return bytes_ == 0; }
  size_t bytes() const { return bytes_; }

 private:
  std::array<std::deque<codec::EncodedFrame>, 4> classes_;
  size_t bytes_ = 0;
};

}  // namespace muster::peer

#endif  // MUSTER_TRANSPORT_PEER_SEND_QUEUE_H_
