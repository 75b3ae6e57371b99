#include "node/codec/pubsub_codec.h"

#include "node/codec/wire.h"

namespace muster::codec {
namespace {

using List = core::SubscribeError::List;

// Bytes of a message beside its channel and payload, as a guess for reserve().
constexpr size_t kMessageOverhead = 12;

bool TakeMessage(absl::string_view bytes, core::Message& message) {
  using Proto = v1::PublishRequest::Message;
  WireReader reader(bytes);
  while (reader.Next()) {
    if (reader.Is(Proto::kChannelFieldNumber, WireType::kBytes)) {
      message.channel = reader.bytes();
    } else if (reader.Is(Proto::kPayloadFieldNumber, WireType::kBytes)) {
      message.payload = reader.bytes();
    }
  }
  return reader.ok();
}

v1::SubscribeError::List ToProto(List list) {
  switch (list) {
    case List::kUnsubscribe:
      return v1::SubscribeError::LIST_UNSUBSCRIBE;
    case List::kPunsubscribe:
      return v1::SubscribeError::LIST_PUNSUBSCRIBE;
    case List::kSubscribe:
      return v1::SubscribeError::LIST_SUBSCRIBE;
    case List::kPsubscribe:
      return v1::SubscribeError::LIST_PSUBSCRIBE;
  }
  return v1::SubscribeError::LIST_UNSPECIFIED;
}

}  // namespace

bool ForEachPublished(absl::string_view bytes,
                      const std::function<void(const core::Message&)>& take) {
  WireReader reader(bytes);
  while (reader.Next()) {
    if (!reader.Is(v1::PublishRequest::kMessagesFieldNumber,
                   WireType::kBytes)) {
      continue;
    }
    core::Message message;
    if (!TakeMessage(reader.bytes(), message)) return false;
    take(message);
  }
  return reader.ok();
}

std::string EncodePublishResponse(const std::vector<uint64_t>& subscriptions) {
  v1::PublishResponse response;
  response.mutable_subscriptions()->Add(subscriptions.begin(),
                                        subscriptions.end());
  return response.SerializeAsString();
}

std::string EncodeFirst(uint64_t first) {
  std::string bytes;
  WireWriter out(&bytes);
  out.Varint(v1::SubscribeResponse::kFirstFieldNumber, first);
  return bytes;
}

std::string EncodeRunBody(const core::MessageRun& run) {
  using Proto = v1::PubSubMessage;
  const absl::string_view pattern =
      run.pattern == nullptr ? absl::string_view() : *run.pattern;
  const auto begin =
      run.batch->messages.begin() + static_cast<ptrdiff_t>(run.first);
  const auto end = begin + static_cast<ptrdiff_t>(run.count);
  size_t size = 0;
  for (auto message = begin; message != end; ++message) {
    size += message->channel.size() + message->payload.size() + pattern.size() +
            kMessageOverhead;
  }
  std::string bytes;
  bytes.reserve(size);
  WireWriter out(&bytes);
  for (auto message = begin; message != end; ++message) {
    const size_t mark = out.Begin(v1::SubscribeResponse::kMessagesFieldNumber);
    out.Bytes(Proto::kChannelFieldNumber, message->channel);
    out.BytesIfSet(Proto::kPayloadFieldNumber, message->payload);
    out.BytesIfSet(Proto::kPatternFieldNumber, pattern);
    out.End(mark);
  }
  return bytes;
}

std::string EncodeMissed(uint64_t missed) {
  std::string bytes;
  WireWriter out(&bytes);
  out.Varint(v1::SubscribeResponse::kMissedFieldNumber, missed);
  return bytes;
}

std::string EncodeSubscribed(uint64_t number,
                             const std::vector<core::SubscribeError>& errors) {
  v1::SubscribeResponse response;
  response.set_number(number);
  for (const core::SubscribeError& error : errors) {
    v1::SubscribeError* to = response.add_errors();
    to->set_list(ToProto(error.list));
    to->set_index(static_cast<uint32_t>(error.index));
    to->set_code(static_cast<int32_t>(error.status.code()));
    to->set_message(std::string(error.status.message()));
  }
  return response.SerializeAsString();
}

}  // namespace muster::codec
