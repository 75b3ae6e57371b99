#include "node/service/pubsub_requests.h"

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "node/codec/pubsub_codec.h"
#include "node/service/validate.h"

namespace muster::service {
namespace {

using List = core::SubscribeError::List;
using Names = google::protobuf::RepeatedPtrField<std::string>;

absl::Status CheckBytes(const Where& where, absl::string_view bytes,
                        size_t limit, const char* flag) {
  if (bytes.size() <= limit) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(Text(where), " is ", bytes.size(), " bytes; the limit is ",
                   limit, " (", flag, ")"));
}

absl::Status CheckChannel(const Where& where, absl::string_view channel,
                          const Limits& limits) {
  if (channel.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(Text(where), " is empty; it must have at least 1 byte"));
  }
  return CheckBytes(where, channel, limits.max_channel_bytes,
                    "--max-channel-bytes");
}

// The valid names of one list.
void TakeNames(List list, const char* field, const Names& from,
               const Limits& limits, SubscribeWish& wish,
               std::vector<std::string>& to) {
  for (int i = 0; i < from.size(); ++i) {
    const auto index = static_cast<size_t>(i);
    absl::Status status = CheckChannel({field, index}, from[i], limits);
    if (status.ok()) {
      to.push_back(from[i]);
      wish.places[static_cast<size_t>(list)].push_back(index);
    } else {
      wish.errors.push_back({list, index, std::move(status)});
    }
  }
}

}  // namespace

absl::StatusOr<std::shared_ptr<const core::MessageBatch>> DecodePublish(
    absl::string_view bytes, const Limits& limits) {
  absl::Status status = CheckRequest(bytes, limits);
  if (!status.ok()) return status;
  auto batch = std::make_shared<core::MessageBatch>();
  size_t count = 0;
  const bool formed = codec::ForEachPublished(bytes, [&](const core::Message&
                                                             message) {
    const size_t i = count++;
    if (count > limits.max_publish_messages || !status.ok()) return;
    status = CheckChannel({"messages", i, "channel"}, message.channel, limits);
    if (status.ok()) {
      status = CheckBytes({"messages", i, "payload"}, message.payload,
                          limits.max_payload_bytes, "--max-payload-bytes");
    }
    batch->messages.push_back({batch->arena.Copy(message.channel),
                               batch->arena.Copy(message.payload)});
  });
  if (!formed) {
    return absl::InvalidArgumentError("the request is no PublishRequest");
  }
  status.Update(CheckCount("messages", count, limits.max_publish_messages,
                           "--max-publish-messages"));
  if (!status.ok()) return status;
  return batch;
}

absl::StatusOr<SubscribeWish> DecodeSubscribe(absl::string_view bytes,
                                              const Limits& limits) {
  v1::SubscribeRequest message;
  absl::Status status = ParseRequest(bytes, limits, &message);
  if (status.ok() && message.number() == 0) {
    status = absl::InvalidArgumentError(
        "number is 0; it must be another, to be echoed in the answer");
  }
  if (!status.ok()) return status;
  SubscribeWish wish;
  wish.number = message.number();
  wish.report_gaps = message.report_gaps();
  TakeNames(List::kUnsubscribe, "unsubscribe", message.unsubscribe(), limits,
            wish, wish.names.unsubscribe);
  TakeNames(List::kPunsubscribe, "punsubscribe", message.punsubscribe(), limits,
            wish, wish.names.punsubscribe);
  TakeNames(List::kSubscribe, "subscribe", message.subscribe(), limits, wish,
            wish.names.subscribe);
  TakeNames(List::kPsubscribe, "psubscribe", message.psubscribe(), limits, wish,
            wish.names.psubscribe);
  return wish;
}

std::vector<core::SubscribeError> AllErrors(
    const SubscribeWish& wish, std::vector<core::SubscribeError> core_errors) {
  for (core::SubscribeError& error : core_errors) {
    error.index = wish.places[static_cast<size_t>(error.list)][error.index];
  }
  core_errors.insert(core_errors.end(), wish.errors.begin(), wish.errors.end());
  return core_errors;
}

absl::StatusOr<ChannelsPlan> DecodeChannels(absl::string_view bytes,
                                            const Limits& limits) {
  v1::ChannelsRequest message;
  absl::Status status = ParseRequest(bytes, limits, &message);
  status.Update(CheckBytes({nullptr, 0, "pattern"}, message.pattern(),
                           limits.max_channel_bytes, "--max-channel-bytes"));
  if (!status.ok()) return status;
  const auto page_size = GrantPageSize(message.page_size(), limits);
  if (!page_size.ok()) return page_size.status();
  ChannelsPlan plan;
  plan.pattern = message.pattern().empty() ? "*" : message.pattern();
  plan.page_size = *page_size;
  if (!absl::WebSafeBase64Unescape(message.page_token(), &plan.after)) {
    return absl::NotFoundError(
        "page_token is not one that a node has given out; begin at the first "
        "page");
  }
  return plan;
}

absl::StatusOr<std::vector<std::string>> DecodeNumSub(absl::string_view bytes,
                                                      const Limits& limits) {
  v1::NumSubRequest message;
  absl::Status status = ParseRequest(bytes, limits, &message);
  status.Update(CheckCount("channels",
                           static_cast<size_t>(message.channels_size()),
                           limits.max_page_size, "--max-page-size"));
  for (int i = 0; i < message.channels_size() && status.ok(); ++i) {
    status = CheckChannel({"channels", static_cast<size_t>(i)},
                          message.channels(i), limits);
  }
  if (!status.ok()) return status;
  return std::vector<std::string>(message.channels().begin(),
                                  message.channels().end());
}

}  // namespace muster::service
