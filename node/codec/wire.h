// Protocol Buffers wire format, read and written by hand, for batches of
// tracks, lists and watch diffs: generated code would cost one object and
// several strings an entry.
//
// The reader hands out views into its input and allocates nothing. It ends with
// ok() false at malformed bytes, and at a group, which proto3 does not have.
// The writer appends to a string. A nested message is begun and ended, and its
// length is filled in afterwards.
#ifndef MUSTER_NODE_CODEC_WIRE_H_
#define MUSTER_NODE_CODEC_WIRE_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace muster::codec {

enum class WireType : uint8_t {
  kVarint = 0,
  kFixed64 = 1,
  kBytes = 2,
  kFixed32 = 5,
};

class WireReader {
 public:
  explicit WireReader(absl::string_view input)
      : at_(input.data()), end_(input.data() + input.size()) {}

  // Moves to the next field and reads its value. False at the end of the
  // input, and when it is malformed.
  bool Next();
  // Whether the input is well formed so far.
  bool ok() const { return ok_; }

  // The current field. A value of another type than expected counts as an
  // unknown field: the caller asks `Is`, or compares `type`, first.
  int field() const { return field_; }
  WireType type() const { return type_; }
  bool Is(int field, WireType type) const {
    return field_ == field && type_ == type;
  }
  uint64_t varint() const { return varint_; }
  uint64_t fixed64() const { return varint_; }
  absl::string_view bytes() const { return bytes_; }

 private:
  bool Fail() {
    ok_ = false;
    return false;
  }
  bool ReadVarint(uint64_t* value);
  bool SkipFixed(size_t size);
  bool ReadFixed64();

  const char* at_;
  const char* end_;
  bool ok_ = true;
  int field_ = 0;
  WireType type_ = WireType::kVarint;
  uint64_t varint_ = 0;
  absl::string_view bytes_;
};

class WireWriter {
 public:
  explicit WireWriter(std::string* out) : out_(out) {}

  void Varint(int field, uint64_t value);
  void Fixed64(int field, uint64_t value);
  void Bytes(int field, absl::string_view bytes);
  // As proto3 does: a default value is not written.
  void VarintIfSet(int field, uint64_t value) {
    if (value != 0) Varint(field, value);
  }
  void BytesIfSet(int field, absl::string_view bytes) {
    if (!bytes.empty()) Bytes(field, bytes);
  }

  // A nested message: Begin, its fields, End with what Begin returned.
  size_t Begin(int field);
  void End(size_t mark);

  std::string* out() { return out_; }

 private:
  void AppendVarint(uint64_t value);
  void AppendTag(int field, WireType type) {
    AppendVarint(static_cast<uint64_t>(field) << 3 |
                 static_cast<uint64_t>(type));
  }

  std::string* out_;
};

}  // namespace muster::codec

#endif  // MUSTER_NODE_CODEC_WIRE_H_
