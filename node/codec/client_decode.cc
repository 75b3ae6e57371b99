#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "node/codec/client_codec.h"
#include "node/codec/utf8.h"

namespace muster::codec {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

// As much of a foreign string as an error repeats.
constexpr size_t kMaxQuoted = 64;

bool DecodeTrack(absl::string_view bytes, core::TrackOp* op) {
  WireReader reader(bytes);
  while (reader.Next()) {
    if (reader.Is(v1::TrackOp::kTopicFieldNumber, WireType::kBytes)) {
      op->topic = reader.bytes();
    } else if (reader.Is(v1::TrackOp::kKeyFieldNumber, WireType::kBytes)) {
      op->key = reader.bytes();
    } else if (reader.Is(v1::TrackOp::kMetaFieldNumber, WireType::kBytes)) {
      op->meta = reader.bytes();
    } else if (reader.Is(v1::TrackOp::kAllowDuplicateFieldNumber,
                         WireType::kVarint)) {
      op->allow_duplicate = reader.varint() != 0;
    }
  }
  return reader.ok();
}

bool DecodeUpdate(absl::string_view bytes, absl::string_view* ref,
                  absl::string_view* meta) {
  WireReader reader(bytes);
  while (reader.Next()) {
    if (reader.Is(v1::UpdateOp::kRefFieldNumber, WireType::kBytes)) {
      *ref = reader.bytes();
    } else if (reader.Is(v1::UpdateOp::kMetaFieldNumber, WireType::kBytes)) {
      *meta = reader.bytes();
    }
  }
  return reader.ok();
}

absl::Status NotUtf8(absl::string_view path, absl::string_view value) {
  return absl::InvalidArgumentError(
      absl::StrCat(path, " is not valid UTF-8: \"",
                   absl::CHexEscape(value.substr(0, kMaxQuoted)), "\""));
}

// Finds the first string that is not UTF-8. OK if there is none, whether or
// not the bytes are well formed.
absl::Status FindBadText(const Descriptor& type, absl::string_view bytes,
                         absl::string_view prefix) {
  WireReader reader(bytes);
  std::vector<int> seen(type.field_count(), 0);
  while (reader.Next()) {
    const FieldDescriptor* field = type.FindFieldByNumber(reader.field());
    if (field == nullptr || reader.type() != WireType::kBytes) continue;
    std::string path = absl::StrCat(prefix, field->name());
    if (field->is_repeated()) {
      absl::StrAppend(&path, "[", seen[field->index()]++, "]");
    }
    if (field->type() == FieldDescriptor::TYPE_STRING) {
      if (!IsUtf8(reader.bytes())) return NotUtf8(path, reader.bytes());
    } else if (field->type() == FieldDescriptor::TYPE_MESSAGE) {
      absl::Status bad = FindBadText(*field->message_type(), reader.bytes(),
                                     absl::StrCat(path, "."));
      if (!bad.ok()) return bad;
    }
  }
  return absl::OkStatus();
}

}  // namespace

OpField TakeOp(const WireReader& reader, const OpFields& fields,
               OpVisitor& visitor) {
  if (reader.type() != WireType::kBytes) return OpField::kOther;
  const int field = reader.field();
  if (field == fields.track) {
    core::TrackOp op;
    if (!DecodeTrack(reader.bytes(), &op)) return OpField::kMalformed;
    visitor.Track(op);
    return OpField::kTaken;
  }
  if (field == fields.update) {
    absl::string_view ref;
    absl::string_view meta;
    if (!DecodeUpdate(reader.bytes(), &ref, &meta)) return OpField::kMalformed;
    visitor.Update(ref, meta);
    return OpField::kTaken;
  }
  if (field == fields.untrack) {
    visitor.Untrack(reader.bytes());
    return OpField::kTaken;
  }
  return OpField::kOther;
}

absl::Status ParseMessage(absl::string_view bytes,
                          google::protobuf::Message* message) {
  if (message->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::OkStatus();
  }
  const Descriptor& type = *message->GetDescriptor();
  absl::Status bad = FindBadText(type, bytes, "");
  if (!bad.ok()) return bad;
  return absl::InvalidArgumentError(
      absl::StrCat("the request is no well-formed ", type.full_name(), " (",
                   bytes.size(), " bytes)"));
}

}  // namespace muster::codec
