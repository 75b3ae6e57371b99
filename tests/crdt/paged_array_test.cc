#include "crdt/paged_array.h"

#include <cstdint>
#include <vector>

#include "gtest/gtest.h"

namespace muster::crdt {
namespace {

struct Record {
  uint64_t a = 7;
  uint32_t b = 8;
};

constexpr size_t kPage = size_t{16} * sizeof(Record);
using Array = PagedArray<Record, 4>;  // 16 records a page.

TEST(PagedArrayTest, ANewRecordIsValueInitialisedAlsoInAUsedSlot) {
  Array array;
  uint32_t first = array.Alloc();
  array[first] = {1, 2};
  array.Free(first);
  uint32_t again = array.Alloc();
  EXPECT_EQ(again, first);
  EXPECT_EQ(array[again].a, 7u);
  EXPECT_EQ(array[again].b, 8u);
}

TEST(PagedArrayTest, RecordsStayWhereTheyAreWhileItGrows) {
  Array array;
  std::vector<uint32_t> indexes;
  Record* first = nullptr;
  for (uint32_t i = 0; i < 1000; ++i) {
    indexes.push_back(array.Alloc());
    array[indexes.back()].b = i;
    if (i == 0) first = &array[indexes[0]];
  }
  EXPECT_EQ(first, &array[indexes[0]]);
  for (uint32_t i = 0; i < 1000; ++i) EXPECT_EQ(array[indexes[i]].b, i);
  EXPECT_EQ(array.size(), 1000u);
  EXPECT_EQ(array.bytes(), (1000 + 15) / 16 * kPage);
}

TEST(PagedArrayTest, FreedIndexesAreUsedAgainBeforeAPageIsAdded) {
  Array array;
  std::vector<uint32_t> indexes;
  for (int i = 0; i < 64; ++i) indexes.push_back(array.Alloc());
  size_t full = array.bytes();
  for (int i = 0; i < 64; i += 2) array.Free(indexes[i]);
  for (int i = 0; i < 32; ++i) array.Alloc();
  EXPECT_EQ(array.bytes(), full);
  EXPECT_EQ(array.size(), 64u);
}

TEST(PagedArrayTest, PagesOfTheDeadAreFreedAllButOne) {
  Array array;
  std::vector<uint32_t> indexes;
  for (int i = 0; i < 1600; ++i) indexes.push_back(array.Alloc());
  for (uint32_t i : indexes) array.Free(i);
  EXPECT_EQ(array.size(), 0u);
  EXPECT_LE(array.bytes(), kPage);
}

TEST(PagedArrayTest, AFreedPageNumberIsTakenAgain) {
  Array array;
  uint32_t highest = 0;
  for (int round = 0; round < 50; ++round) {
    std::vector<uint32_t> indexes;
    for (int i = 0; i < 160; ++i) {
      indexes.push_back(array.Alloc());
      if (round == 0) highest = std::max(highest, indexes.back());
      ASSERT_LE(indexes.back(), highest);
    }
    for (uint32_t i : indexes) array.Free(i);
  }
}

}  // namespace
}  // namespace muster::crdt
