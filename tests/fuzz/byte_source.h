// Values taken off the front of a fuzzer's input. Past its end every number is
// 0 and every text empty, so that any input is a whole one.
#ifndef MUSTER_TESTS_FUZZ_BYTE_SOURCE_H_
#define MUSTER_TESTS_FUZZ_BYTE_SOURCE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"

namespace muster::fuzz {

class ByteSource {
 public:
  ByteSource(const uint8_t* data, size_t size)
      : rest_(reinterpret_cast<const char*>(data), size) {}

  bool empty() const { return rest_.empty(); }
  uint8_t Byte() {
    if (rest_.empty()) return 0;
    const auto byte = static_cast<uint8_t>(rest_[0]);
    rest_.remove_prefix(1);
    return byte;
  }
  // Two bytes, the low one first.
  uint16_t Short() {
    const uint8_t low = Byte();
    return static_cast<uint16_t>(low | Byte() << 8);
  }
  // A text with its length, a Short, in front.
  absl::string_view Text() {
    const size_t said = Short();
    const size_t size = std::min(said, rest_.size());
    const absl::string_view text = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return text;
  }
  absl::string_view Rest() { return rest_; }

 private:
  absl::string_view rest_;
};

}  // namespace muster::fuzz

#endif  // MUSTER_TESTS_FUZZ_BYTE_SOURCE_H_
