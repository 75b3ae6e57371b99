// What waits to be written to one link, in five classes: control frames go
// before calls of the keyspace and their answers, these before deltas, deltas
// before messages of pub/sub, these before rebase frames and parts of
// exchanges; within a class first in, first out. A checkpoint is a delta: it
// must not overtake the deltas it is about. A control frame waits for the one
// frame that is being written, and for no queue (no head-of-line blocking).
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

enum class FrameClass {
  kControl = 0,
  kCall = 1,
  kDelta = 2,
  kMessage = 3,
  kRebase = 4,
};

// The base of a term and its mutations stay in their order.
inline FrameClass ClassOf(const core::KvBody& body) {
  if (std::holds_alternative<core::KvForward>(body) ||
      std::holds_alternative<core::KvAnswers>(body)) {
    return FrameClass::kCall;
  }
  if (std::holds_alternative<core::KvMutations>(body) ||
      std::holds_alternative<core::KvTermBase>(body)) {
    return FrameClass::kDelta;
  }
  return std::holds_alternative<core::KvExchangePart>(body)
             ? FrameClass::kRebase
             : FrameClass::kControl;
}

inline FrameClass ClassOf(const core::Frame& frame) {
  if (std::holds_alternative<core::DeltaFrame>(frame.body) ||
      std::holds_alternative<core::CheckpointFrame>(frame.body)) {
    return FrameClass::kDelta;
  }
  if (std::holds_alternative<core::RebaseFrame>(frame.body)) {
    return FrameClass::kRebase;
  }
  const auto* routed = std::get_if<core::RoutedFrame>(&frame.body);
  if (routed == nullptr) return FrameClass::kControl;
  if (std::holds_alternative<core::MailFrame>(routed->body)) {
    return FrameClass::kMessage;
  }
  const auto* keys = std::get_if<core::KvBody>(&routed->body);
  return keys != nullptr ? ClassOf(*keys) : FrameClass::kControl;
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
    for (FrameClass bulk : {FrameClass::kCall, FrameClass::kDelta,
                            FrameClass::kMessage, FrameClass::kRebase}) {
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
  std::array<std::deque<codec::EncodedFrame>, 5> classes_;
  size_t bytes_ = 0;
};

}  // namespace muster::peer

#endif  // MUSTER_TRANSPORT_PEER_SEND_QUEUE_H_
