// The sessions of one stream by slot: 16 bytes a session, in pages, so that
// the table grows without ever being copied and low slots cost least.
#ifndef MUSTER_NODE_SERVICE_SLOT_TABLE_H_
#define MUSTER_NODE_SERVICE_SLOT_TABLE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "crdt/types.h"

namespace muster::service {

class SlotTable {
 public:
  // Zero: the slot is free.
  crdt::SessionId Get(uint32_t slot) const {
    const size_t page = slot / kPage;
    if (page >= pages_.size() || pages_[page] == nullptr) return {};
    return (*pages_[page])[slot % kPage];
  }
  // REQUIRES: `id` is not zero.
  void Set(uint32_t slot, crdt::SessionId id) {
    const size_t page = slot / kPage;
    if (page >= pages_.size()) pages_.resize(page + 1);
    if (pages_[page] == nullptr) pages_[page] = std::make_unique<Page>();
    (*pages_[page])[slot % kPage] = id;
  }
  void Free(uint32_t slot) {
    const size_t page = slot / kPage;
    if (page < pages_.size() && pages_[page] != nullptr) {
      (*pages_[page])[slot % kPage] = {};
    }
  }
  // All slots are below this.
  uint32_t end() const { return static_cast<uint32_t>(pages_.size() * kPage); }

 private:
  static constexpr size_t kPage = 8;
  using Page = std::array<crdt::SessionId, kPage>;
  std::vector<std::unique_ptr<Page>> pages_;
};

}  // namespace muster::service

#endif  // MUSTER_NODE_SERVICE_SLOT_TABLE_H_
