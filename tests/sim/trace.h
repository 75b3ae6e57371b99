// What happened in a simulation, step by step: always as a hash (FNV-1a, 64
// bits), and as readable lines on request. Two runs of one seed and one set of
// options have equal hashes, whatever compiled them.
#ifndef MUSTER_TESTS_SIM_TRACE_H_
#define MUSTER_TESTS_SIM_TRACE_H_

#include <cstdint>
#include <cstdio>
#include <string>

#include "absl/strings/string_view.h"

namespace muster::sim {

class Trace {
 public:
  // With `to`, lines are written there.
  explicit Trace(std::FILE* to = nullptr) : to_(to) {}

  void Mix(uint64_t number) {
    for (int i = 0; i < 8; ++i) MixByte(static_cast<uint8_t>(number >> 8 * i));
  }
  void Mix(absl::string_view bytes) {
    Mix(bytes.size());
    for (char c : bytes) MixByte(static_cast<uint8_t>(c));
  }

  // Guard for building a line's text.
  bool printing() const { return to_ != nullptr; }
  void Print(int64_t time_us, absl::string_view who, const std::string& text) {
    if (to_ == nullptr) return;
    std::fprintf(to_, "%10.4f %-6.*s %s\n",
                 static_cast<double>(time_us) / 1'000'000,
                 static_cast<int>(who.size()), who.data(), text.c_str());
  }
  uint64_t hash() const { return hash_; }

 private:
  void MixByte(uint8_t byte) { hash_ = (hash_ ^ byte) * 0x100000001b3u; }

  std::FILE* to_;
  uint64_t hash_ = 0xcbf29ce484222325u;
};

}  // namespace muster::sim

#endif  // MUSTER_TESTS_SIM_TRACE_H_
