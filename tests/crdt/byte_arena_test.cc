#include "crdt/byte_arena.h"

#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace muster::crdt {
namespace {

TEST(ByteArenaTest, CopiesStayWhenTheArenaGrowsAndIsMoved) {
  ByteArena arena;
  std::vector<absl::string_view> views;
  std::vector<std::string> wanted;
  size_t total = 0;
  for (size_t i = 0; i < 2000; ++i) {
    wanted.emplace_back(i % 300, static_cast<char>('a' + i % 26));
    views.push_back(arena.Copy(wanted.back()));
    total += wanted.back().size();
  }
  ByteArena moved = std::move(arena);
  for (size_t i = 0; i < wanted.size(); ++i) EXPECT_EQ(views[i], wanted[i]);
  EXPECT_EQ(moved.used(), total);
}

TEST(ByteArenaTest, OneCopyMayBeLargerThanAnyBlock) {
  ByteArena arena;
  std::string large(300 << 10, 'x');
  absl::string_view view = arena.Copy(large);
  absl::string_view after = arena.Copy("after");
  EXPECT_EQ(view, large);
  EXPECT_EQ(after, "after");
}

TEST(ByteArenaTest, NothingCopiedIsNothing) {
  ByteArena arena;
  EXPECT_TRUE(arena.Copy("").empty());
  EXPECT_EQ(arena.used(), 0u);
}

}  // namespace
}  // namespace muster::crdt
