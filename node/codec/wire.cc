#include "node/codec/wire.h"

#include <cstddef>

namespace muster::codec {
namespace {

constexpr int kMaxVarintBytes = 10;
constexpr int kFixed64Bytes = 8;
constexpr uint64_t kMaxField = (uint64_t{1} << 29) - 1;

size_t EncodeVarint(uint64_t value, char* to) {
  size_t size = 0;
  while (value >= 0x80) {
    to[size++] = static_cast<char>(value | 0x80);
    value >>= 7;
  }
  to[size++] = static_cast<char>(value);
  return size;
}

}  // namespace

bool WireReader::ReadVarint(uint64_t* value) {
  uint64_t result = 0;
  for (int i = 0; i < kMaxVarintBytes && at_ != end_; ++i) {
    const uint8_t byte = static_cast<uint8_t>(*at_++);
    result |= static_cast<uint64_t>(byte & 0x7F) << (7 * i);
    if (byte < 0x80) {
      *value = result;
      return true;
    }
  }
  return Fail();
}

bool WireReader::SkipFixed(size_t size) {
  if (static_cast<size_t>(end_ - at_) < size) return Fail();
  at_ += size;
  return true;
}

// Its bytes come lowest first, on every machine.
bool WireReader::ReadFixed64() {
  if (static_cast<size_t>(end_ - at_) < kFixed64Bytes) return Fail();
  varint_ = 0;
  for (int i = 0; i < kFixed64Bytes; ++i) {
    varint_ |= static_cast<uint64_t>(static_cast<uint8_t>(*at_++)) << (8 * i);
  }
  return true;
}

bool WireReader::Next() {
  if (!ok_ || at_ == end_) return false;
  uint64_t tag;
  if (!ReadVarint(&tag)) return false;
  const uint64_t field = tag >> 3;
  if (field == 0 || field > kMaxField) return Fail();
  field_ = static_cast<int>(field);
  type_ = static_cast<WireType>(tag & 7);
  switch (type_) {
    case WireType::kVarint:
      return ReadVarint(&varint_);
    case WireType::kFixed64:
      return ReadFixed64();
    case WireType::kFixed32:
      return SkipFixed(4);
    case WireType::kBytes: {
      uint64_t size;
      if (!ReadVarint(&size)) return false;
      if (size > static_cast<uint64_t>(end_ - at_)) return Fail();
      bytes_ = absl::string_view(at_, size);
      at_ += size;
      return true;
    }
  }
  return Fail();
}

void WireWriter::AppendVarint(uint64_t value) {
  if (value < 0x80) {
    out_->push_back(static_cast<char>(value));
    return;
  }
  char buffer[kMaxVarintBytes];
  out_->append(buffer, EncodeVarint(value, buffer));
}

void WireWriter::Varint(int field, uint64_t value) {
  AppendTag(field, WireType::kVarint);
  AppendVarint(value);
}

void WireWriter::Fixed64(int field, uint64_t value) {
  AppendTag(field, WireType::kFixed64);
  for (int i = 0; i < kFixed64Bytes; ++i) {
    out_->push_back(static_cast<char>(value >> (8 * i)));
  }
}

void WireWriter::Bytes(int field, absl::string_view bytes) {
  AppendTag(field, WireType::kBytes);
  AppendVarint(bytes.size());
  out_->append(bytes.data(), bytes.size());
}

size_t WireWriter::Begin(int field) {
  AppendTag(field, WireType::kBytes);
  // Room for the length of a message below 128 bytes, the common case.
  out_->push_back('\0');
  return out_->size();
}

void WireWriter::End(size_t mark) {
  const size_t size = out_->size() - mark;
  if (size < 0x80) {
    (*out_)[mark - 1] = static_cast<char>(size);
    return;
  }
  char buffer[kMaxVarintBytes];
  const size_t length = EncodeVarint(size, buffer);
  out_->replace(mark - 1, 1, buffer, length);
}

}  // namespace muster::codec
