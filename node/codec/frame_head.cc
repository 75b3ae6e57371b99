#include "node/codec/frame_head.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/wire_format_lite.h>

#include <array>

#include "crdt/check.h"
#include "muster/v1/peer.pb.h"

namespace muster::codec {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedOutputStream;

constexpr size_t kMaxBeatBytes = 11;

uint32_t BytesTag(int field) {
  return WireFormatLite::MakeTag(field,
                                 WireFormatLite::WIRETYPE_LENGTH_DELIMITED);
}
size_t FieldBytes(int field, size_t size) {
  return CodedOutputStream::VarintSize32(BytesTag(field)) +
         CodedOutputStream::VarintSize64(size) + size;
}

}  // namespace

std::string FrameHead(uint64_t beat, std::initializer_list<Level> levels,
                      PayloadField payload) {
  MUSTER_CHECK(levels.size() <= kMaxLevels);
  std::array<size_t, kMaxLevels> sizes{};
  size_t inner =
      payload.field == 0 ? 0 : FieldBytes(payload.field, payload.size);
  for (size_t i = levels.size(); i-- > 0;) {
    const Level& level = levels.begin()[i];
    sizes[i] = level.fields.ByteSizeLong() + inner;
    inner = FieldBytes(level.field, sizes[i]);
  }
  std::string head;
  head.reserve(kMaxBeatBytes + inner - payload.size);
  google::protobuf::io::StringOutputStream text(&head);
  CodedOutputStream out(&text);
  if (beat != 0) {
    out.WriteTag(WireFormatLite::MakeTag(v1::PeerFrame::kBeatFieldNumber,
                                         WireFormatLite::WIRETYPE_VARINT));
    out.WriteVarint64(beat);
  }
  for (size_t i = 0; i < levels.size(); ++i) {
    const Level& level = levels.begin()[i];
    out.WriteTag(BytesTag(level.field));
    out.WriteVarint64(sizes[i]);
    level.fields.SerializeWithCachedSizes(&out);
  }
  if (payload.field != 0) {
    out.WriteTag(BytesTag(payload.field));
    out.WriteVarint64(payload.size);
  }
  out.Trim();
  return head;
}

}  // namespace muster::codec
