// Limits of pub/sub.
#ifndef MUSTER_NODE_CORE_PUBSUB_OPTIONS_H_
#define MUSTER_NODE_CORE_PUBSUB_OPTIONS_H_

#include <cstddef>

#include "node/core/frames.h"

namespace muster::core {

// Messages to one other node; see mailbox.h.
struct MailOptions {
  size_t window_bytes = 1 << 20;  // Sent and not acknowledged.
  size_t max_bytes = 16 << 20;    // Queued; past it a message is dropped.
  size_t frame_bytes = kBulkFrameBytes;
};

struct PubSubOptions {
  size_t max_subscribers = 20'000;  // Subscribe streams of this node.
  // Channels and patterns of one of them.
  size_t max_names_per_subscriber = 100'000;
  // Messages that wait for their subscribers here.
  size_t max_undelivered_bytes = 64 << 20;
  size_t log_bytes = 4 << 20;  // The ring of encoded changes of interest.
  MailOptions mail;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_PUBSUB_OPTIONS_H_
