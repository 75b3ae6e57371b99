// A message of a link: what the codec lets through can be encoded again, and
// that encoding stands for itself.
#include <google/protobuf/stubs/logging.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>

#include "crdt/check.h"
#include "node/codec/peer_codec.h"

namespace {

using namespace muster::codec;

std::string Encoded(const PeerMessage& message) {
  struct Visitor {
    EncodedFrame operator()(const Hello& m) { return EncodeHello(m); }
    EncodedFrame operator()(const Proof& m) { return EncodeProof(m); }
    EncodedFrame operator()(const Refusal& m) { return EncodeRefusal(m); }
    EncodedFrame operator()(const muster::core::Frame& m) {
      return EncodeFrame(m);
    }
  };
  const EncodedFrame frame = std::visit(Visitor(), message);
  MUSTER_CHECK(frame.size() ==
               frame.head.size() + (frame.payload ? frame.payload->size() : 0));
  return frame.head + (frame.payload ? *frame.payload : "");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  google::protobuf::SetLogHandler(nullptr);
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto message = DecodeMessage(bytes);
  if (!message.ok()) {
    MUSTER_CHECK(!message.status().message().empty());
    return 0;
  }
  const std::string once = Encoded(*message);
  const auto again = DecodeMessage(once);
  MUSTER_CHECK(again.ok());
  MUSTER_CHECK(again->index() == message->index());
  MUSTER_CHECK(Encoded(*again) == once);
  return 0;
}
