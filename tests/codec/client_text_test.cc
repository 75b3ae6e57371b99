#include <cstdint>
#include <random>
#include <string>

#include "gtest/gtest.h"
#include "node/codec/base64url.h"
#include "node/codec/opaque_text.h"
#include "node/codec/ref_text.h"
#include "node/codec/utf8.h"

namespace muster::codec {
namespace {

crdt::Ref MakeRef(uint64_t life, uint64_t id, uint64_t seq) {
  return {life, crdt::ElementId(id), crdt::Seq(seq)};
}

TEST(RefTextTest, HasTheTextThatItsHeaderStates) {
  EXPECT_EQ(RefText(MakeRef(0x0001020304050607, 0x1f, 0x1f)), "AAECAwQFBgc.1f");
  EXPECT_EQ(RefText(MakeRef(0x0001020304050607, 0x1f, 0x20)),
            "AAECAwQFBgc.1f.20");
  EXPECT_EQ(RefText(crdt::Ref()), "");
}

TEST(RefTextTest, EveryRefSurvivesTheRoundTrip) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 100000; ++i) {
    const uint64_t id = (random() >> random() % 64) | 1;
    const uint64_t seq = i % 2 == 0 ? id : (random() >> random() % 64) | 1;
    const crdt::Ref ref = MakeRef(random(), id, seq);
    crdt::Ref parsed;
    ASSERT_TRUE(ParseRef(RefText(ref), &parsed)) << RefText(ref);
    ASSERT_EQ(parsed, ref) << RefText(ref);
  }
}

TEST(RefTextTest, TheLargestRefFits) {
  const crdt::Ref ref = MakeRef(UINT64_MAX, UINT64_MAX, UINT64_MAX - 1);
  EXPECT_EQ(RefText(ref).size(), kMaxRefText);
  crdt::Ref parsed;
  ASSERT_TRUE(ParseRef(RefText(ref), &parsed));
  EXPECT_EQ(parsed, ref);
}

TEST(RefTextTest, PrefixAndRestMakeTheWhole) {
  const crdt::Ref ref = MakeRef(0xfedcba9876543210, 77, 99);
  char rest[kMaxRefText];
  const size_t size = FormatRefRest(ref, rest);
  EXPECT_EQ(RefPrefix(ref.life) + std::string(rest, size), RefText(ref));
}

TEST(RefTextTest, NothingButTheOneTextOfARefIsTaken) {
  for (const char* bad : {
           "",
           ".",
           "AAECAwQFBgc",
           "AAECAwQFBgc.",
           "AAECAwQFBgc.0",
           "AAECAwQFBgc.01",
           "AAECAwQFBgc.1F",
           "AAECAwQFBgc.g",
           "AAECAwQFBgc.1f.",
           "AAECAwQFBgc.1f.1f",
           "AAECAwQFBgc.1f.0",
           "AAECAwQFBgc.1f.20.",
           "AAECAwQFBgc.1f.20.21",
           "AAECAwQFBgc.1f ",
           " AAECAwQFBgc.1f",
           "AAECAwQFBgd.1f",
           "AAECAwQFBg=.1f",
           "AAECAwQFBgc.11112222333344445",
           "AAECAwQFBgc-1f",
           "AAECAw+FBgc.1f",
       }) {
    crdt::Ref ref = MakeRef(1, 2, 3);
    EXPECT_FALSE(ParseRef(bad, &ref)) << bad;
    EXPECT_EQ(ref, MakeRef(1, 2, 3)) << bad;
  }
}

TEST(RefTextTest, RandomBytesNeverParseToAnotherText) {
  std::mt19937_64 random(11);
  const std::string alphabet = "AQgw048c.-_f1e";
  for (int i = 0; i < 200000; ++i) {
    std::string text(random() % 20, ' ');
    for (char& c : text) c = alphabet[random() % alphabet.size()];
    crdt::Ref ref;
    if (ParseRef(text, &ref)) {
      ASSERT_EQ(RefText(ref), text);
    }
  }
}

TEST(Base64UrlTest, BytesSurviveAndLooseTextsDoNot) {
  std::mt19937_64 random(3);
  for (size_t size = 0; size < 70; ++size) {
    std::string bytes(size, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    std::string back = "x";
    ASSERT_TRUE(Base64UrlDecode(Base64UrlEncode(bytes), &back));
    ASSERT_EQ(back, bytes);
  }
  std::string bytes;
  EXPECT_FALSE(Base64UrlDecode("A", &bytes));
  EXPECT_FALSE(Base64UrlDecode("AB", &bytes)) << "stray low bits";
  EXPECT_FALSE(Base64UrlDecode("AA==", &bytes));
  EXPECT_FALSE(Base64UrlDecode("A A", &bytes));
  EXPECT_FALSE(Base64UrlDecode("A+A", &bytes));
}

TEST(OpaqueTextTest, AVersionSurvivesTheRoundTrip) {
  const Version version{{1, 2}, 0xabcdef, 77};
  Version parsed;
  ASSERT_TRUE(ParseVersion(VersionText(version), &parsed));
  EXPECT_EQ(parsed, version);
  EXPECT_EQ(VersionText(version).size(), kVersionText);
}

TEST(OpaqueTextTest, AVersionNobodyGaveIsRefused) {
  Version version;
  EXPECT_FALSE(ParseVersion("", &version));
  EXPECT_FALSE(ParseVersion("abc", &version));
  EXPECT_FALSE(ParseVersion(std::string(kVersionText, '!'), &version));
  EXPECT_FALSE(ParseVersion(VersionText({{1, 2}, 3, 0}), &version));
  EXPECT_FALSE(ParseVersion(VersionText({{0, 0}, 3, 4}), &version));
}

TEST(OpaqueTextTest, PageTokensOfOneKindAreNotTakenForAnother) {
  const ListPosition position{1, 2, 3};
  ListPosition parsed;
  ASSERT_TRUE(ParseListToken(ListToken(position), &parsed));
  EXPECT_EQ(parsed, position);
  std::string name;
  ASSERT_TRUE(ParseNameToken(NameToken("room:ü"), &name));
  EXPECT_EQ(name, "room:ü");
  EXPECT_FALSE(ParseNameToken(ListToken(position), &name));
  EXPECT_FALSE(ParseListToken(NameToken("room"), &parsed));
  EXPECT_FALSE(ParseNameToken(NameToken("\xff"), &name));
}

TEST(Utf8Test, TakesEveryWellFormedSequence) {
  for (const char* good :
       {"", "a", "plain ascii, and long", "é", "€", "😀", "mixed é€😀 text",
        "\xED\x9F\xBF", "\xEE\x80\x80", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_TRUE(IsUtf8(good)) << good;
  }
}

TEST(Utf8Test, RefusesEveryMalformedSequence) {
  for (const char* bad :
       {"\x80", "\xBF", "\xC0\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80",
        "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5", "\xFF", "\xC3",
        "\xE2\x82", "\xF0\x9F\x98", "\xE2\x28\xA1", "eight..\xC3",
        "12345678\x80", "\xF0\x9F\x98\x28"}) {
    EXPECT_FALSE(IsUtf8(bad)) << bad;
  }
}

}  // namespace
}  // namespace muster::codec
