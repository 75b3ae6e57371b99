#include "node/core/pubsub/mailbox.h"

#include <utility>

#include "crdt/mutant.h"

namespace muster::core {

using crdt::Mutant;
using crdt::Mutated;

namespace {

// What a message takes beside its bytes: its place in queues and frames.
constexpr size_t kMessageOverhead = 16;

}  // namespace

// ------------------------------------------------------------------ outbox

bool Outbox::Push(absl::string_view message) {
  const uint64_t number = next_number_++;
  const size_t cost = message.size() + kMessageOverhead;
  if (queued_bytes_ + cost > options_.max_bytes) {
    ++dropped_;
    announce_ = true;
    return false;
  }
  // The numbers of a chunk have no gap: one that was dropped ends it.
  const bool fits =
      !queue_.empty() && queue_.back().first + queue_.back().count == number &&
      queue_.back().bytes.size() + message.size() <= options_.frame_bytes;
  if (!fits) queue_.push_back({number, 0, {}});
  Chunk& chunk = queue_.back();
  chunk.bytes.append(message.data(), message.size());
  ++chunk.count;
  queued_bytes_ += cost;
  announce_ = false;
  return true;
}

std::optional<MailFrame> Outbox::Next(crdt::Seq interest, Instant now) {
  MailFrame frame;
  frame.epoch = epoch_;
  frame.interest = interest;
  if (queue_.empty()) {
    if (!std::exchange(announce_, false)) return std::nullopt;
    frame.first = next_number_;
    frame.messages = std::make_shared<const std::string>();
    return frame;
  }
  if (in_flight_bytes_ >= options_.window_bytes) return std::nullopt;
  Chunk chunk = std::move(queue_.front());
  queue_.pop_front();
  queued_bytes_ -= chunk.bytes.size() + chunk.count * kMessageOverhead;
  if (in_flight_.empty()) waiting_since_ = now;
  acked_ = acked_ && !in_flight_.empty();
  in_flight_.push_back({chunk.first + chunk.count - 1, chunk.bytes.size()});
  in_flight_bytes_ += chunk.bytes.size();
  frame.first = chunk.first;
  frame.count = chunk.count;
  frame.messages = std::make_shared<const std::string>(std::move(chunk.bytes));
  return frame;
}

void Outbox::OnAck(uint64_t epoch, uint64_t number) {
  if (epoch != epoch_) return;
  while (!in_flight_.empty() && in_flight_.front().last <= number) {
    in_flight_bytes_ -= in_flight_.front().bytes;
    in_flight_.pop_front();
    acked_ = true;
  }
}

void Outbox::LoseInFlight() {
  if (in_flight_.empty()) return;
  in_flight_.clear();
  in_flight_bytes_ = 0;
  if (queue_.empty()) announce_ = true;
}

void Outbox::Tick(Instant now) {
  if (in_flight_.empty()) return;
  if (std::exchange(acked_, false)) waiting_since_ = now;
  if (now - waiting_since_ >= kAckPatience) LoseInFlight();
}

// ------------------------------------------------------------------- inbox

Inbox::Taken Inbox::Take(const MailFrame& frame) {
  Taken taken;
  if (frame.epoch < epoch_ && !Mutated(Mutant::kOldEpochMail)) {
    taken.stale = true;
    return taken;
  }
  if (frame.epoch != epoch_) {
    epoch_ = frame.epoch;
    next_ = 1;
  }
  const uint64_t end = frame.first + frame.count;
  if (end <= next_) {
    if (!Mutated(Mutant::kMailTwice)) taken.skip = frame.count;
    return taken;
  }
  if (frame.first > next_) {
    taken.missed = frame.first - next_;
  } else {
    taken.skip = static_cast<uint32_t>(next_ - frame.first);
  }
  next_ = end;
  return taken;
}

}  // namespace muster::core
