#include "crdt/slab.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace muster::crdt {
namespace {

constexpr size_t kPage = 64 << 10;

TEST(SlabTest, BlobsOfEverySizeKeepTheirBytes) {
  Slab slab;
  std::vector<std::pair<Slab::Handle, std::string>> blobs;
  for (size_t size = 1; size <= 6000; size += size < 600 ? 1 : 61) {
    std::string bytes(size, static_cast<char>(size * 31));
    Slab::Handle handle = slab.Alloc(size);
    std::memcpy(slab.Data(handle), bytes.data(), size);
    blobs.emplace_back(handle, bytes);
  }
  for (const auto& [handle, bytes] : blobs) {
    ASSERT_EQ(std::memcmp(slab.Data(handle), bytes.data(), bytes.size()), 0)
        << "size " << bytes.size();
  }
}

TEST(SlabTest, SizesOnTheEdgeOfAClassDoNotOverlap) {
  for (size_t size :
       {1,    15,   16,   17,   255,  256,   257,   288,   289,  511,
        512,  513,  576,  577,  1023, 1024,  1025,  2047,  2048, 2049,
        4095, 4096, 4097, 8192, 8193, 16384, 16385, 65536, 70000}) {
    Slab slab;
    std::vector<Slab::Handle> handles;
    for (int i = 0; i < 40; ++i) {
      handles.push_back(slab.Alloc(size));
      std::memset(slab.Data(handles.back()), i, size);
    }
    for (int i = 0; i < 40; ++i) {
      std::string wanted(size, static_cast<char>(i));
      ASSERT_EQ(std::memcmp(slab.Data(handles[i]), wanted.data(), size), 0)
          << "size " << size << ", blob " << i;
    }
  }
}

TEST(SlabTest, WasteIsUnderEightBytesASmallBlobAndAnEighthALargerOne) {
  for (size_t size = 16; size <= 16384; size += size < 4096 ? 7 : 101) {
    Slab slab;
    const size_t page = size <= 4096 ? kPage : 4 * kPage;
    // As many as surely fill many pages, so that the last one weighs little.
    size_t count = 40 * page / size;
    for (size_t i = 0; i < count; ++i) slab.Alloc(size);
    size_t most = size <= 256 ? size + 7 : size + size / 8;
    // A page's end, too short for one more blob, is lost as well.
    EXPECT_LE(slab.bytes(), count * most * page / (page - most) + page)
        << "size " << size;
  }
}

TEST(SlabTest, AFreedSlotIsUsedBeforeAPageIsAdded) {
  Slab slab;
  std::vector<Slab::Handle> handles;
  for (int i = 0; i < 5000; ++i) handles.push_back(slab.Alloc(80));
  size_t held = slab.bytes();
  for (size_t i = 0; i < handles.size(); i += 3) slab.Free(handles[i]);
  for (size_t i = 0; i < handles.size(); i += 3) slab.Alloc(80);
  EXPECT_EQ(slab.bytes(), held);
}

TEST(SlabTest, PagesOfAClassAreFreedAllButOne) {
  Slab slab;
  std::vector<Slab::Handle> handles;
  for (int i = 0; i < 50000; ++i) handles.push_back(slab.Alloc(80));
  ASSERT_GT(slab.bytes(), 50 * kPage);
  // In an order that leaves every page half full for long.
  for (size_t i = 0; i < handles.size(); i += 2) slab.Free(handles[i]);
  for (size_t i = 1; i < handles.size(); i += 2) slab.Free(handles[i]);
  EXPECT_LE(slab.bytes(), kPage);
}

TEST(SlabTest, ABlobAboveSixteenKiBTakesItsSizeAndGivesItBack) {
  Slab slab;
  Slab::Handle a = slab.Alloc(100000);
  Slab::Handle b = slab.Alloc(20000);
  EXPECT_EQ(slab.bytes(), 120000u);
  slab.Free(a);
  EXPECT_EQ(slab.bytes(), 20000u);
  slab.Free(b);
  EXPECT_EQ(slab.bytes(), 0u);
}

TEST(SlabTest, TheSmallestClassFillsAPageToItsLastSlot) {
  Slab slab;
  std::vector<Slab::Handle> handles;
  for (int i = 0; i < 4096; ++i) handles.push_back(slab.Alloc(16));
  EXPECT_EQ(slab.bytes(), kPage);
  handles.push_back(slab.Alloc(16));
  EXPECT_EQ(slab.bytes(), 2 * kPage);
  std::sort(handles.begin(), handles.end());
  EXPECT_EQ(std::unique(handles.begin(), handles.end()), handles.end());
}

TEST(SlabTest, PageNumbersOfTheFreedAreTakenAgain) {
  Slab slab;
  Slab::Handle first = slab.Alloc(9000);
  slab.Free(first);
  for (int i = 0; i < 100; ++i) {
    Slab::Handle handle = slab.Alloc(9000 + i);
    EXPECT_EQ(handle, first);
    slab.Free(handle);
  }
}

}  // namespace
}  // namespace muster::crdt
