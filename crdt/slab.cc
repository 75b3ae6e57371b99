#include "crdt/slab.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "crdt/check.h"

namespace muster::crdt {
namespace {

constexpr size_t kFine = 256;  // Below it, classes are 8 bytes apart.
constexpr uint16_t kFineClasses = kFine / 8 + 1;
constexpr uint16_t kOwnPage = UINT16_MAX;

}  // namespace

Slab::Slab() : open_(kFineClasses + 8 * 6 + 1) {}

size_t Slab::RoundUp(size_t size) {
  if (size <= kFine) return std::max(kMinSlot, (size + 7) & ~size_t{7});
  if (size > kMaxShared) return size;
  size_t step = std::bit_floor(size - 1) / 8;
  return (size + step - 1) / step * step;
}

uint16_t Slab::ClassOf(size_t slot_bytes) {
  if (slot_bytes <= kFine) return static_cast<uint16_t>(slot_bytes / 8);
  if (slot_bytes > kMaxShared) return kOwnPage;
  size_t floor = std::bit_floor(slot_bytes - 1);  // 256 to 8192
  auto octave = static_cast<uint16_t>(std::bit_width(floor) - 9);
  return static_cast<uint16_t>(kFineClasses + 8 * octave +
                               (slot_bytes - floor) / (floor / 8) - 1);
}

Slab::Handle Slab::Alloc(size_t size) {
  size_t slot_bytes = RoundUp(size);
  uint16_t size_class = ClassOf(slot_bytes);
  if (size_class == kOwnPage) {
    uint32_t page_number = AddPage(slot_bytes, 1, kOwnPage);
    pages_[page_number].live = 1;
    return page_number << kSlotBits;
  }
  std::vector<uint32_t>& open = open_[size_class];
  if (open.empty()) {
    const size_t page = slot_bytes > kMaxSmall ? kLargePageBytes : kPageBytes;
    auto slots = static_cast<uint16_t>(
        std::min<size_t>(page / slot_bytes, kSlotMask + 1));
    open.push_back(AddPage(slot_bytes, slots, size_class));
  }
  uint32_t page_number = open.back();
  Page& page = pages_[page_number];
  uint32_t slot;
  if (page.free != 0) {
    slot = page.free - 1u;
    std::memcpy(&page.free, page.memory.get() + size_t{slot} * page.slot_bytes,
                2);
  } else {
    slot = page.fresh++;
  }
  if (++page.live == page.slots) open.pop_back();
  return page_number << kSlotBits | slot;
}

void Slab::Free(Handle handle) {
  uint32_t page_number = handle >> kSlotBits;
  uint32_t slot = handle & kSlotMask;
  Page& page = pages_[page_number];
  if (page.size_class == kOwnPage) return DropPage(page_number);
  std::vector<uint32_t>& open = open_[page.size_class];
  if (page.live-- == page.slots) open.push_back(page_number);
  if (page.live == 0 && open.size() > 1) {
    open.erase(std::find(open.begin(), open.end(), page_number));
    return DropPage(page_number);
  }
  std::memcpy(page.memory.get() + size_t{slot} * page.slot_bytes, &page.free,
              2);
  page.free = static_cast<uint16_t>(slot + 1);
}

uint32_t Slab::AddPage(size_t slot_bytes, uint16_t slots, uint16_t size_class) {
  uint32_t page_number;
  if (!vacant_.empty()) {
    page_number = vacant_.back();
    vacant_.pop_back();
  } else {
    page_number = static_cast<uint32_t>(pages_.size());
    MUSTER_CHECK(page_number + 1 < kMaxPages);
    pages_.emplace_back();
  }
  Page& page = pages_[page_number];
  page.memory.reset(new char[slot_bytes * slots]);
  page.slot_bytes = static_cast<uint32_t>(slot_bytes);
  page.slots = slots;
  page.size_class = size_class;
  bytes_ += slot_bytes * slots;
  return page_number;
}

void Slab::DropPage(uint32_t page_number) {
  Page& page = pages_[page_number];
  bytes_ -= size_t{page.slot_bytes} * page.slots;
  page = Page{};
  vacant_.push_back(page_number);
}

}  // namespace muster::crdt
