#include "node/service/pubsub_service.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "node/codec/pubsub_codec.h"
#include "node/service/pubsub_requests.h"
#include "node/service/subscribe_stream.h"
#include "node/service/unary.h"

namespace muster::service {
namespace {

// Counts of channels with copied names: the core's views are valid for its step
// only.
struct ChannelCounts {
  std::vector<std::pair<std::string, uint64_t>> channels;
  std::string next;
  uint64_t patterns = 0;
};

ChannelCounts TakeChannels(core::Replica& replica, const ChannelsPlan& plan) {
  const core::InterestState::Page page =
      replica.Channels(plan.pattern, plan.after, plan.page_size);
  ChannelCounts counts;
  for (const core::InterestState::Channel& channel : page.channels) {
    counts.channels.emplace_back(channel.name, channel.subscribers);
  }
  if (page.more) counts.next = std::string(page.next);
  return counts;
}

template <class Response>
void AddChannels(const ChannelCounts& counts, Response* response) {
  for (const auto& [name, subscribers] : counts.channels) {
    v1::ChannelCount* channel = response->add_channels();
    channel->set_channel(name);
    channel->set_subscribers(subscribers);
  }
}

}  // namespace

grpc::ServerUnaryReactor* PubSubService::Publish(Call*, const Buffer* request,
                                                 Buffer* response) {
  UnaryCall call = ServeUnary(response);
  auto batch = DecodePublish(ToString(*request), context_.limits);
  if (!batch.ok()) {
    Fail(std::move(call.reply), batch.status());
    return call.reactor;
  }
  AskCore(
      context_, std::move(call.reply),
      [batch = *std::move(batch)](core::Replica& replica, core::Now now) {
        return replica.Publish(batch, now);
      },
      codec::EncodePublishResponse);
  return call.reactor;
}

RawBidiReactor* PubSubService::Subscribe(Call*) {
  return ServeBidi(std::make_shared<SubscribeStream>(&context_));
}

grpc::ServerUnaryReactor* PubSubService::Channels(Call*, const Buffer* request,
                                                  Buffer* response) {
  UnaryCall call = ServeUnary(response);
  auto plan = DecodeChannels(ToString(*request), context_.limits);
  if (!plan.ok()) {
    Fail(std::move(call.reply), plan.status());
    return call.reactor;
  }
  ReadCore(
      context_, std::move(call.reply),
      [plan = *std::move(plan)](core::Replica& replica, core::Now) {
        return absl::StatusOr<ChannelCounts>(TakeChannels(replica, plan));
      },
      [](const ChannelCounts& counts) {
        v1::ChannelsResponse message;
        AddChannels(counts, &message);
        message.set_next_page_token(absl::WebSafeBase64Escape(counts.next));
        return message.SerializeAsString();
      });
  return call.reactor;
}

grpc::ServerUnaryReactor* PubSubService::NumSub(Call*, const Buffer* request,
                                                Buffer* response) {
  UnaryCall call = ServeUnary(response);
  auto names = DecodeNumSub(ToString(*request), context_.limits);
  if (!names.ok()) {
    Fail(std::move(call.reply), names.status());
    return call.reactor;
  }
  ReadCore(
      context_, std::move(call.reply),
      [names = *std::move(names)](core::Replica& replica, core::Now) mutable {
        ChannelCounts counts;
        for (std::string& name : names) {
          const uint64_t subscribers = replica.Subscribers(name);
          counts.channels.emplace_back(std::move(name), subscribers);
        }
        counts.patterns = replica.PatternCount();
        return absl::StatusOr<ChannelCounts>(std::move(counts));
      },
      [](const ChannelCounts& counts) {
        v1::NumSubResponse message;
        AddChannels(counts, &message);
        message.set_patterns(counts.patterns);
        return message.SerializeAsString();
      });
  return call.reactor;
}

}  // namespace muster::service
