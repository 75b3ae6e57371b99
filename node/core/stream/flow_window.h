// Flow control of bulk (deltas and rebase frames) on one link: the flow-control
// window of its sender, and the receipts of its receiver. A full window is the
// back-pressure of a slow peer: its streams wait in the log, and no memory.
// Byte counts are totals since the link was up, so that an acknowledgement says
// the same however often it comes.
//
//   sender                                      receiver
//   Sent(100), Sent(60)   in flight: 160 -----> Received(100), Received(60)
//   Acked(160)            in flight: 0   <----- ack of 160
//
// Invariant: bytes in flight <= limit + one frame, whatever is pulled, and
// however often. A link is in order and loses nothing while it is open, so what
// was sent is acknowledged sooner or later. We used to count all that was in
// flight as acknowledged when a peer pulled a stream again, so that bytes lost
// on the way would not hold the window for ever: with each such pull another
// window of bytes was sent. A link that does lose bytes stops acknowledging,
// and is closed as stalled (see peer_links.h).
#ifndef MUSTER_NODE_CORE_STREAM_FLOW_WINDOW_H_
#define MUSTER_NODE_CORE_STREAM_FLOW_WINDOW_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "crdt/check.h"

namespace muster::core {

class FlowWindow {
 public:
  FlowWindow() = default;
  explicit FlowWindow(size_t limit) : limit_(limit) {}

  uint64_t in_flight() const { return sent_ - acked_; }
  bool idle() const { return sent_ == acked_; }
  // Whether one more frame may be sent.
  bool open() const { return in_flight() < limit_; }
  // REQUIRES: open().
  void Sent(size_t bytes) {
    MUSTER_CHECK(open());
    sent_ += bytes;
  }
  // The peer has received so much in all. What was never sent means nothing.
  void Acked(uint64_t total) {
    if (total <= sent_) acked_ = std::max(acked_, total);
  }
  // Whether nothing waits for an acknowledgement, or one has come since this
  // was asked last.
  bool Progressed() {
    return std::exchange(acked_before_, acked_) != acked_ || idle();
  }

 private:
  uint64_t limit_ = 0;
  uint64_t sent_ = 0;
  uint64_t acked_ = 0;
  uint64_t acked_before_ = 0;
};

class BulkReceipts {
 public:
  void Received(size_t bytes) {
    total_ += bytes;
    due_ = true;
  }
  uint64_t total() const { return total_; }
  // Whether something was received that no acknowledgement tells of yet.
  bool due() const { return due_; }
  // The total to be told; nothing is due then.
  uint64_t Acknowledge() {
    due_ = false;
    return total_;
  }

 private:
  uint64_t total_ = 0;
  bool due_ = false;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_STREAM_FLOW_WINDOW_H_
