// Any bytes: what the codec lets through can be encoded again, and comes back.
#include <google/protobuf/stubs/logging.h>

#include <cstddef>
#include <cstdint>

#include "crdt/check.h"
#include "node/codec/peer_codec.h"

namespace {

using muster::codec::DecodeDatagram;
using muster::codec::DecodeMessage;

constexpr uint64_t kCluster = 1;

void TryMessage(absl::string_view bytes) {
  auto message = DecodeMessage(bytes);
  if (!message.ok()) return;
  const auto* frame = std::get_if<muster::core::Frame>(&*message);
  if (frame == nullptr) return;
  muster::codec::EncodedFrame encoded = muster::codec::EncodeFrame(*frame);
  std::string flat = encoded.head;
  if (encoded.payload != nullptr) flat += *encoded.payload;
  auto again = DecodeMessage(flat);
  MUSTER_CHECK(again.ok());
  MUSTER_CHECK(std::get<muster::core::Frame>(*again).body.index() ==
               frame->body.index());
}

void TryDatagram(absl::string_view bytes) {
  auto beat = DecodeDatagram(bytes, kCluster, "");
  if (!beat.ok()) return;
  std::string again = muster::codec::EncodeDatagram(*beat, kCluster, "");
  MUSTER_CHECK(DecodeDatagram(again, kCluster, "").ok());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  google::protobuf::SetLogHandler(nullptr);
  absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  TryMessage(bytes);
  TryDatagram(bytes);
  return 0;
}
