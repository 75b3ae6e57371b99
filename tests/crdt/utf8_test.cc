#include <string>

#include "crdt/mutation.h"
#include "gtest/gtest.h"

namespace muster::crdt {
namespace {

struct Case {
  const char* what;
  std::string bytes;
};

TEST(Utf8Test, AcceptsTheFirstAndTheLastOfEveryLength) {
  const Case cases[] = {
      {"nothing", ""},
      {"NUL", std::string("\0", 1)},
      {"U+007F", "\x7f"},
      {"U+0080", "\xc2\x80"},
      {"U+07FF", "\xdf\xbf"},
      {"U+0800", "\xe0\xa0\x80"},
      {"U+D7FF, before the surrogates", "\xed\x9f\xbf"},
      {"U+E000, after the surrogates", "\xee\x80\x80"},
      {"U+FFFF", "\xef\xbf\xbf"},
      {"U+10000", "\xf0\x90\x80\x80"},
      {"U+10FFFF", "\xf4\x8f\xbf\xbf"},
      {"long and plain", std::string(100, 'a')},
      {"on the edge of a word of eight",
       "aaaaaaa\xc3\xa9"
       "aaaaaaaa"},
  };
  for (const Case& c : cases) EXPECT_TRUE(IsValidUtf8(c.bytes)) << c.what;
}

TEST(Utf8Test, RefusesWhatIsNotTheOneFormOfACodePoint) {
  const Case cases[] = {
      {"a lone continuation", "\x80"},
      {"overlong NUL in two", "\xc0\x80"},
      {"overlong slash in two", "\xc1\xbf"},
      {"overlong in three", "\xe0\x9f\xbf"},
      {"overlong in four", "\xf0\x8f\xbf\xbf"},
      {"the first surrogate", "\xed\xa0\x80"},
      {"the last surrogate", "\xed\xbf\xbf"},
      {"U+110000", "\xf4\x90\x80\x80"},
      {"lead F5", "\xf5\x80\x80\x80"},
      {"lead FF", "\xff"},
      {"two cut to one", "\xc3"},
      {"three cut to two", "\xe2\x82"},
      {"four cut to three", "\xf0\x9f\x98"},
      {"no continuation after a lead", "\xc3(ab"},
      {"a second byte that is none", "\xe2(\xa1"},
      {"a last byte that is none", "\xf0\x9f\x98(abcd"},
      {"bad after eight plain bytes", "aaaaaaaa\xff"},
      {"bad in the second word",
       "aaaaaaaaaaa\x80"
       "aaaaaaaa"},
  };
  for (const Case& c : cases) EXPECT_FALSE(IsValidUtf8(c.bytes)) << c.what;
}

TEST(Utf8Test, AgreesWithTheDefinitionOnEveryCodePoint) {
  for (uint32_t code = 0; code <= 0x10ffff; ++code) {
    std::string bytes;
    if (code < 0x80) {
      bytes = {static_cast<char>(code)};
    } else if (code < 0x800) {
      bytes = {static_cast<char>(0xc0 | code >> 6),
               static_cast<char>(0x80 | (code & 0x3f))};
    } else if (code < 0x10000) {
      bytes = {static_cast<char>(0xe0 | code >> 12),
               static_cast<char>(0x80 | (code >> 6 & 0x3f)),
               static_cast<char>(0x80 | (code & 0x3f))};
    } else {
      bytes = {static_cast<char>(0xf0 | code >> 18),
               static_cast<char>(0x80 | (code >> 12 & 0x3f)),
               static_cast<char>(0x80 | (code >> 6 & 0x3f)),
               static_cast<char>(0x80 | (code & 0x3f))};
    }
    bool surrogate = code >= 0xd800 && code <= 0xdfff;
    ASSERT_EQ(IsValidUtf8(bytes), !surrogate) << std::hex << code;
  }
}

}  // namespace
}  // namespace muster::crdt
