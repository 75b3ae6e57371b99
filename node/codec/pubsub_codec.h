// Messages of publishers and subscribers: muster.v1 PubSub messages to and from
// the core values of node/core/message.h.
//
// Publish requests and message deliveries are read and written by hand, since
// they come by the hundred thousand a second; all others go through the
// generated classes. The caller checks limits.
//
// Cost: O(bytes). All functions are total and thread-safe.
#ifndef MUSTER_NODE_CODEC_PUBSUB_CODEC_H_
#define MUSTER_NODE_CODEC_PUBSUB_CODEC_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "muster/v1/pubsub.pb.h"
#include "node/core/message.h"

namespace muster::codec {

// Hands each message of a PublishRequest to `take`, as views into `bytes`.
// False if they are malformed.
bool ForEachPublished(absl::string_view bytes,
                      const std::function<void(const core::Message&)>& take);

std::string EncodePublishResponse(const std::vector<uint64_t>& subscriptions);

// A SubscribeResponse with messages in two parts, to be concatenated: `first`
// is a stream's own, the body is the same for all streams that share the run.
// Bodies of consecutive runs may be concatenated, too.
std::string EncodeFirst(uint64_t first);
std::string EncodeRunBody(const core::MessageRun& run);

// Whole SubscribeResponses.
std::string EncodeMissed(uint64_t missed);
std::string EncodeSubscribed(uint64_t number,
                             const std::vector<core::SubscribeError>& errors);

}  // namespace muster::codec

#endif  // MUSTER_NODE_CODEC_PUBSUB_CODEC_H_
