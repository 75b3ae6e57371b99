// Records of one type behind 32-bit indexes, in pages that never move.
//
// A page is freed when no record in it is live, unless it is the only page with
// a free slot. So freed records hold no memory. Indexes are reused; kNone is
// never an index.
//
// Cost: Alloc and Free O(1) (one page allocation now and then); sizeof(T)
// bytes a record and 24 a page. T must be trivially copyable and at least four
// bytes: a free slot holds the index of the next free one.
#ifndef MUSTER_CRDT_PAGED_ARRAY_H_
#define MUSTER_CRDT_PAGED_ARRAY_H_

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <type_traits>
#include <vector>

namespace muster::crdt {

inline constexpr uint32_t kNone = UINT32_MAX;

template <typename T, uint32_t kPageBits = 10>
class PagedArray {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) >= 4);

 public:
  T& operator[](uint32_t i) { return *Slot(i); }
  const T& operator[](uint32_t i) const { return *Slot(i); }

  // The index of a new record, value-initialised.
  uint32_t Alloc() {
    if (open_.empty()) AddPage();
    uint32_t page_number = open_.back();
    Page& page = pages_[page_number];
    uint32_t i;
    if (page.free != kNone) {
      i = page.free;
      std::memcpy(&page.free, static_cast<void*>(Slot(i)), 4);
    } else {
      i = page_number << kPageBits | page.fresh++;
    }
    if (++page.live == kPageSize) open_.pop_back();
    ++size_;
    new (static_cast<void*>(Slot(i))) T{};
    return i;
  }

  void Free(uint32_t i) {
    uint32_t page_number = i >> kPageBits;
    Page& page = pages_[page_number];
    --size_;
    if (page.live-- == kPageSize) open_.push_back(page_number);
    if (page.live == 0 && open_.size() > 1) return DropPage(page_number);
    std::memcpy(static_cast<void*>(Slot(i)), &page.free, 4);
    page.free = i;
  }

  // Prefetches `count` records into the cache: `i`, `i` - 1 and so on, as far
  // as their page goes.
  void PrefetchDown(uint32_t i, uint32_t count) const {
    const T* last = Slot(i);
    count = std::min(count, (i & (kPageSize - 1)) + 1);
    for (uint32_t n = 0; n < count; ++n) __builtin_prefetch(last - n);
  }

  uint32_t size() const { return size_; }
  size_t bytes() const { return held_ * kPageSize * sizeof(T); }

 private:
  static constexpr uint32_t kPageSize = 1u << kPageBits;
  struct Raw {
    alignas(T) unsigned char bytes[sizeof(T)];
  };
  struct Page {
    std::unique_ptr<Raw[]> slots;
    uint32_t live = 0;
    uint32_t fresh = 0;  // Slots from here on were never used.
    uint32_t free = kNone;
  };

  T* Slot(uint32_t i) const {
    return reinterpret_cast<T*>(
        &pages_[i >> kPageBits].slots[i & (kPageSize - 1)]);
  }

  void AddPage() {
    uint32_t page_number;
    if (!vacant_.empty()) {
      page_number = vacant_.back();
      vacant_.pop_back();
    } else {
      page_number = static_cast<uint32_t>(pages_.size());
      pages_.emplace_back();
    }
    // Not value-initialised: a page costs memory only as it is used.
    pages_[page_number].slots.reset(new Raw[kPageSize]);
    open_.push_back(page_number);
    ++held_;
  }

  void DropPage(uint32_t page_number) {
    pages_[page_number] = Page{};
    for (uint32_t& open : open_) {
      if (open == page_number) {
        open = open_.back();
        open_.pop_back();
        break;
      }
    }
    vacant_.push_back(page_number);
    --held_;
  }

  std::vector<Page> pages_;
  std::vector<uint32_t> open_;    // Pages with a free slot.
  std::vector<uint32_t> vacant_;  // Page numbers without memory.
  uint32_t size_ = 0;
  size_t held_ = 0;
};

}  // namespace muster::crdt

#endif  // MUSTER_CRDT_PAGED_ARRAY_H_
