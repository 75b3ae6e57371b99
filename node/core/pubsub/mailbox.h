// Messages from one node to another: numbered, bounded, at most once.
//
//   publisher's node                      subscriber's node
//   Outbox: 7 8 9 | 10 11 (queued)  --->  Inbox: expects 7
//            in flight                    <--- ack 9
//
// Each pair has numbers of its own, 1, 2, 3, … A message that is dropped, at
// the outbox since too much waits or on its way, uses its number up: so the
// inbox counts what is missing, and drops what comes late or twice. Nothing is
// sent again.
//
// An outbox that is made anew (its node had forgotten the other one) has a
// higher epoch, and its numbers begin again.
//
// Flow control: at most `window_bytes` are in flight; what the other node has
// not acknowledged for kAckPatience counts as lost, as does all in flight when
// the way there changes. Past `max_bytes` queued a message is dropped.
//
// Invariants
//   1. An inbox gives no number of an epoch twice, and none after a higher one.
//   2. in_flight_bytes <= window_bytes + one frame.
//   3. Numbers given + numbers reported missing = the highest number given,
//      or announced.
// Cost: O(1) a message. Threads: one.
#ifndef MUSTER_NODE_CORE_PUBSUB_MAILBOX_H_
#define MUSTER_NODE_CORE_PUBSUB_MAILBOX_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "crdt/types.h"
#include "node/core/mail.h"
#include "node/core/options.h"
#include "node/core/time.h"

namespace muster::core {

class Outbox {
 public:
  static constexpr absl::Duration kAckPatience = absl::Seconds(2);

  Outbox(const MailOptions& options, uint64_t epoch)
      : options_(options), epoch_(epoch) {}

  // One encoded message; false: it is dropped.
  bool Push(absl::string_view message);
  // The next frame that the window allows.
  std::optional<MailFrame> Next(crdt::Seq interest, Instant now);
  // All up to `number` has arrived, of this epoch.
  void OnAck(uint64_t epoch, uint64_t number);
  // What is in flight does not arrive, as far as this node can tell.
  void LoseInFlight();
  // As LoseInFlight, if nothing was acknowledged for too long.
  void Tick(Instant now);

  bool idle() const {
    return queue_.empty() && in_flight_.empty() && !announce_;
  }
  size_t queued_bytes() const { return queued_bytes_; }
  size_t in_flight_bytes() const { return in_flight_bytes_; }
  uint64_t dropped() const { return dropped_; }

 private:
  struct Chunk {
    uint64_t first = 0;
    uint32_t count = 0;
    std::string bytes;
  };
  struct Sent {
    uint64_t last = 0;
    size_t bytes = 0;
  };

  const MailOptions options_;
  const uint64_t epoch_;
  uint64_t next_number_ = 1;
  std::deque<Chunk> queue_;
  size_t queued_bytes_ = 0;
  std::deque<Sent> in_flight_;
  size_t in_flight_bytes_ = 0;
  // If any is in flight: since when nothing of it was acknowledged.
  Instant waiting_since_{0};
  bool acked_ = false;  // Some of it was, since the last tick.
  // Numbers were used up, and nothing that was sent since says so.
  bool announce_ = false;
  uint64_t dropped_ = 0;
};

class Inbox {
 public:
  struct Taken {
    // Numbers that did not come and will not any more.
    uint64_t missed = 0;
    // Messages at the frame's front that had come, or were given up, before.
    uint32_t skip = 0;
    bool stale = false;  // All of it is of an epoch that is over.
  };
  Taken Take(const MailFrame& frame);
  // What to acknowledge.
  uint64_t epoch() const { return epoch_; }
  uint64_t last() const { return next_ - 1; }

 private:
  uint64_t epoch_ = 0;
  uint64_t next_ = 1;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_PUBSUB_MAILBOX_H_
