#include "node/service/tokens.h"

#include <set>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "node/codec/client_codec.h"

namespace muster::service {
namespace {

TEST(TokensTest, TheIdIsTheFirstHalfOfSha256OfTheText) {
  // printf 00000000000000000000000000000000 | sha256sum
  const auto id = SessionOf("00000000000000000000000000000000");
  ASSERT_TRUE(id.ok());
  EXPECT_EQ(codec::HexText(id->hi, id->lo), "84e0c0eafaa95a34c293f278ac52e45c");
}

TEST(TokensTest, NoTokenIsMadeTwiceOnAnyThread) {
  constexpr int kThreads = 4;
  constexpr int kEach = 5000;
  std::vector<std::vector<std::string>> made(kThreads);
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&made, i] {
      for (int n = 0; n < kEach; ++n) made[i].push_back(NewToken());
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<std::string> all;
  for (const auto& tokens : made) {
    for (const std::string& token : tokens) {
      EXPECT_TRUE(SessionOf(token).ok()) << token;
      all.insert(token);
    }
  }
  EXPECT_EQ(all.size(), static_cast<size_t>(kThreads * kEach));
}

TEST(TokensTest, WhatNoNodeCanHaveMadeIsNotFoundAndNotRepeated) {
  for (const char* bad :
       {"", "secret", "0000000000000000000000000000000",
        "000000000000000000000000000000000", "0000000000000000000000000000000G",
        "0000000000000000000000000000000A"}) {
    const auto id = SessionOf(bad);
    EXPECT_EQ(id.status().code(), absl::StatusCode::kNotFound) << bad;
    EXPECT_EQ(std::string(id.status().message()).find("secret"),
              std::string::npos);
  }
}

TEST(TokensTest, HashesTellTextsApart) {
  EXPECT_NE(HashText("a"), HashText("b"));
  EXPECT_EQ(HashText("a"), HashText("a"));
}

}  // namespace
}  // namespace muster::service
