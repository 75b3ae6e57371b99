// Bytes that live as long as the arena: the memory behind the views of an
// answer or a watch batch. Append-only; not thread-safe while it grows, safe
// to read from any thread afterwards.
#ifndef MUSTER_CRDT_BYTE_ARENA_H_
#define MUSTER_CRDT_BYTE_ARENA_H_

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <vector>

#include "absl/strings/string_view.h"

namespace muster::crdt {

class ByteArena {
 public:
  // Copies `bytes`; the view stays valid when the arena is moved.
  absl::string_view Copy(absl::string_view bytes) {
    if (bytes.empty()) return {};
    if (bytes.size() > left_) Grow(bytes.size());
    char* to = at_;
    std::memcpy(to, bytes.data(), bytes.size());
    at_ += bytes.size();
    left_ -= bytes.size();
    used_ += bytes.size();
    return {to, bytes.size()};
  }
  size_t used() const { return used_; }

 private:
  void Grow(size_t at_least) {
    size_t size = std::max(at_least, next_block_);
    next_block_ = std::min<size_t>(next_block_ * 2, 64 << 10);
    blocks_.push_back(std::unique_ptr<char[]>(new char[size]));
    at_ = blocks_.back().get();
    left_ = size;
  }

  std::vector<std::unique_ptr<char[]>> blocks_;
  char* at_ = nullptr;
  size_t left_ = 0;
  size_t used_ = 0;
  size_t next_block_ = 256;
};

}  // namespace muster::crdt

#endif  // MUSTER_CRDT_BYTE_ARENA_H_
