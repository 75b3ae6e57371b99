// The pieces of all encodings of the keyspace's own sources: nothing outside
// crdt/keyspace includes it.
//
// Each Take takes its piece off the front of `bytes`; false: they do not begin
// with one.
#ifndef MUSTER_CRDT_KEYSPACE_WIRE_H_
#define MUSTER_CRDT_KEYSPACE_WIRE_H_

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>

#include "absl/strings/string_view.h"
#include "crdt/keyspace/place.h"
#include "crdt/keyspace/types.h"
#include "crdt/varint.h"

namespace muster::kv {

using crdt::AppendVarint;
using crdt::TakeVarint;

inline bool TakeByte(absl::string_view& bytes, uint8_t& byte) {
  if (bytes.empty()) return false;
  byte = static_cast<uint8_t>(bytes[0]);
  bytes.remove_prefix(1);
  return true;
}

inline bool TakeBytes(absl::string_view& bytes, absl::string_view& taken) {
  uint64_t size = 0;
  if (!TakeVarint(bytes, size) || size > bytes.size()) return false;
  taken = bytes.substr(0, size);
  bytes.remove_prefix(size);
  return true;
}

// Little-endian, as the machine.
static_assert(std::endian::native == std::endian::little);

inline void AppendFixed(uint64_t number, std::string& out) {
  out.append(reinterpret_cast<const char*>(&number), sizeof(number));
}

inline bool TakeFixed(absl::string_view& bytes, uint64_t& number) {
  if (bytes.size() < sizeof(number)) return false;
  std::memcpy(&number, bytes.data(), sizeof(number));
  bytes.remove_prefix(sizeof(number));
  return true;
}

inline void AppendSigned(int64_t number, std::string& out) {
  AppendVarint(
      static_cast<uint64_t>(number) << 1 ^ static_cast<uint64_t>(number >> 63),
      out);
}

inline bool TakeSigned(absl::string_view& bytes, int64_t& number) {
  uint64_t zigzag = 0;
  if (!TakeVarint(bytes, zigzag)) return false;
  number = static_cast<int64_t>(zigzag >> 1 ^ (~(zigzag & 1) + 1));
  return true;
}

inline void AppendDouble(double number, std::string& out) {
  AppendFixed(std::bit_cast<uint64_t>(number), out);
}

// No NaN.
inline bool TakeDouble(absl::string_view& bytes, double& number) {
  uint64_t bits = 0;
  if (!TakeFixed(bytes, bits)) return false;
  number = std::bit_cast<double>(bits);
  return !std::isnan(number);
}

inline void AppendLife(const LifeId& life, std::string& out) {
  AppendFixed(life.hi, out);
  AppendFixed(life.lo, out);
}

inline bool TakeLife(absl::string_view& bytes, LifeId& life) {
  return TakeFixed(bytes, life.hi) && TakeFixed(bytes, life.lo);
}

inline void AppendDot(const Dot& dot, std::string& out) {
  AppendLife(dot.life, out);
  AppendVarint(dot.seq.value, out);
  AppendVarint(dot.index, out);
}

// Not nil.
inline bool TakeDot(absl::string_view& bytes, Dot& dot) {
  uint64_t index = 0;
  if (!TakeLife(bytes, dot.life) || !TakeVarint(bytes, dot.seq.value) ||
      dot.seq.value == 0 || !TakeVarint(bytes, index) || index > UINT32_MAX) {
    return false;
  }
  dot.index = static_cast<uint32_t>(index);
  return true;
}

}  // namespace muster::kv

#endif  // MUSTER_CRDT_KEYSPACE_WIRE_H_
