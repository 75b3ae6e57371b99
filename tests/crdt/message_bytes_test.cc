#include "crdt/message_bytes.h"

#include <gtest/gtest.h>

#include <string>

namespace muster::crdt {
namespace {

using namespace std::string_literals;

TEST(MessageBytesTest, AMessageComesBackAsItWasWritten) {
  std::string bytes;
  AppendMessage("any\0\xff"s, "", bytes);
  AppendMessage("c", "payload\0"s, bytes);
  EXPECT_TRUE(ValidateMessages(bytes, 2));
  EXPECT_FALSE(ValidateMessages(bytes, 1));
  EXPECT_FALSE(ValidateMessages(bytes, 3));
  absl::string_view rest = bytes;
  absl::string_view channel;
  absl::string_view payload;
  ASSERT_TRUE(TakeMessage(rest, channel, payload));
  EXPECT_EQ(channel, "any\0\xff"s);
  EXPECT_EQ(payload, "");
  ASSERT_TRUE(TakeMessage(rest, channel, payload));
  EXPECT_EQ(payload, "payload\0"s);
}

TEST(MessageBytesTest, MalformedMessagesAreRefused) {
  for (const std::string& bytes :
       {""s, "\x00\x00"s, "\x05c"s, "\x01"s + "c", "\x01"s + "c\x05x"}) {
    EXPECT_FALSE(ValidateMessages(bytes, 1)) << testing::PrintToString(bytes);
  }
}

}  // namespace
}  // namespace muster::crdt
