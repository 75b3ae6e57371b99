// Byte strings behind 32-bit handles, in size classes: keys, metas, refs.
//
// Sizes are rounded up to 8 bytes up to 256, then to an eighth of a power of
// two; above 16 KiB a blob has a page of its own. A page (64 KiB; 256 KiB for
// blobs above 4 KiB) holds blobs of one class and is freed when it is empty
// (one empty page a class is kept).
//
// Cost: O(1); waste under 8 bytes a small blob, under 1/8 a larger one. The
// memory of a blob is contiguous and stays where it is until it is freed.
// Limits: 2^20 pages, so 64 GiB of small blobs, a million above 16 KiB. full()
// says that an eighth of the pages is left: from then on new entries are
// refused where they may be.
#ifndef MUSTER_CRDT_SLAB_H_
#define MUSTER_CRDT_SLAB_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "crdt/paged_array.h"

namespace muster::crdt {

class Slab {
 public:
  using Handle = uint32_t;

  Slab();

  // At least `size` bytes, uninitialised. REQUIRES: size > 0.
  Handle Alloc(size_t size);
  void Free(Handle handle);

  char* Data(Handle handle) { return Place(handle); }
  const char* Data(Handle handle) const { return Place(handle); }

  // A size rounded up to what a blob of it takes; and what one takes.
  static size_t RoundUp(size_t size);
  size_t SlotBytes(Handle handle) const {
    return pages_[handle >> kSlotBits].slot_bytes;
  }

  bool full() const {
    return pages_.size() - vacant_.size() > size_t{kMaxPages} / 8 * 7;
  }
  // Memory held, free slots included.
  size_t bytes() const { return bytes_; }

 private:
  static constexpr uint32_t kSlotBits = 12;
  static constexpr uint32_t kSlotMask = (1u << kSlotBits) - 1;
  static constexpr uint32_t kMaxPages = 1u << (32 - kSlotBits);
  static constexpr size_t kPageBytes = 64 << 10;
  static constexpr size_t kLargePageBytes = 256 << 10;
  static constexpr size_t kMinSlot = 16;
  static constexpr size_t kMaxSmall = 4096;
  static constexpr size_t kMaxShared = 16384;

  struct Page {
    std::unique_ptr<char[]> memory;
    uint32_t slot_bytes = 0;
    uint16_t slots = 0;
    uint16_t live = 0;
    uint16_t fresh = 0;
    uint16_t free = 0;  // 1 + first free slot; 0: none.
    uint16_t size_class = 0;
  };

  char* Place(Handle handle) const {
    const Page& page = pages_[handle >> kSlotBits];
    return page.memory.get() + size_t{handle & kSlotMask} * page.slot_bytes;
  }
  static uint16_t ClassOf(size_t slot_bytes);
  uint32_t AddPage(size_t slot_bytes, uint16_t slots, uint16_t size_class);
  void DropPage(uint32_t page_number);

  std::vector<Page> pages_;
  std::vector<uint32_t> vacant_;
  // For each class, the pages with a free slot.
  std::vector<std::vector<uint32_t>> open_;
  size_t bytes_ = 0;
};

}  // namespace muster::crdt

#endif  // MUSTER_CRDT_SLAB_H_
