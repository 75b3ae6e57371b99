#include "crdt/message_bytes.h"

#include "crdt/interest.h"
#include "crdt/varint.h"

namespace muster::crdt {
namespace {

bool TakeBytes(absl::string_view& bytes, size_t limit,
               absl::string_view& taken) {
  uint64_t size = 0;
  if (!TakeVarint(bytes, size) || size > limit || size > bytes.size()) {
    return false;
  }
  taken = bytes.substr(0, size);
  bytes.remove_prefix(size);
  return true;
}

}  // namespace

void AppendMessage(absl::string_view channel, absl::string_view payload,
                   std::string& out) {
  AppendVarint(channel.size(), out);
  out.append(channel.data(), channel.size());
  AppendVarint(payload.size(), out);
  out.append(payload.data(), payload.size());
}

bool TakeMessage(absl::string_view& bytes, absl::string_view& channel,
                 absl::string_view& payload) {
  return TakeBytes(bytes, kMaxChannelBytes, channel) && !channel.empty() &&
         TakeBytes(bytes, bytes.size(), payload);
}

bool ValidateMessages(absl::string_view bytes, uint32_t count) {
  absl::string_view channel;
  absl::string_view payload;
  for (uint32_t n = 0; n < count; ++n) {
    if (!TakeMessage(bytes, channel, payload)) return false;
  }
  return bytes.empty();
}

}  // namespace muster::crdt
