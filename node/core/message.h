// Messages and subscriptions as core values.
#ifndef MUSTER_NODE_CORE_MESSAGE_H_
#define MUSTER_NODE_CORE_MESSAGE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "crdt/byte_arena.h"

namespace muster::core {

// One Subscribe stream of a client of this node; never used again.
using SubscriberId = uint64_t;

// Channel and payload are bytes, any bytes; the channel is not empty.
struct Message {
  absl::string_view channel;
  absl::string_view payload;
};

// What was published together, in order. Immutable once it is shared.
struct MessageBatch {
  // So many messages of this publisher's node were lost before these.
  uint64_t missed = 0;
  std::vector<Message> messages;  // They view the arena.
  crdt::ByteArena arena;
};

// Messages of one batch, [first, first + count), that go to the same
// subscriptions.
struct MessageRun {
  std::shared_ptr<const MessageBatch> batch;
  size_t first = 0;
  size_t count = 0;
  // The pattern that matched, or null: a subscription to the channel itself.
  std::shared_ptr<const std::string> pattern;
};

// One run for many subscribers: encoded once. With `missed` there is no run:
// so many messages, of whatever channels, did not come.
struct MessageDelivery {
  MessageRun run;
  uint64_t missed = 0;
  std::vector<SubscriberId> subscribers;
};

// What one client asks to change. Names are bytes.
struct SubscribeRequest {
  std::vector<std::string> subscribe;
  std::vector<std::string> psubscribe;
  std::vector<std::string> unsubscribe;
  std::vector<std::string> punsubscribe;
};
// Why one name was not taken: its place in its list of the request.
struct SubscribeError {
  enum class List { kSubscribe, kPsubscribe, kUnsubscribe, kPunsubscribe };
  List list = List::kSubscribe;
  size_t index = 0;
  absl::Status status;
};
// A request of a subscriber holds on every node that is up.
struct SubscribeHeld {
  SubscriberId subscriber = 0;
  uint64_t request = 0;
};

// A channel, or a pattern, and how many of this node's clients subscribe.
struct InterestChange {
  bool pattern = false;
  std::string name;
  uint64_t subscribers = 0;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_MESSAGE_H_
