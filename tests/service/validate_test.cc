#include "node/service/validate.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace muster::service {
namespace {

using ::testing::HasSubstr;

const Limits kLimits;

TEST(ValidateTest, ANameOverTheLimitIsNamedWithItsSizeAndTheFlag) {
  const absl::Status status =
      CheckName({"track", 3, "key"}, std::string(300, 'k'), kLimits);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(),
            "track[3].key is 300 bytes; the limit is 256 (--max-name-bytes)");
}

TEST(ValidateTest, ANameOfExactlyTheLimitIsTaken) {
  EXPECT_TRUE(
      CheckName({nullptr, 0, "topic"}, std::string(256, 't'), kLimits).ok());
}

TEST(ValidateTest, AnEmptyNameIsRefused) {
  const absl::Status status = CheckName({"topics", 2}, "", kLimits);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(),
            "topics[2] is empty; it must have at least 1 byte");
}

TEST(ValidateTest, MalformedUtf8IsShownEscaped) {
  const absl::Status status = CheckName({nullptr, 0, "key"}, "a\xff", kLimits);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "key is not valid UTF-8: \"a\\xff\"");
}

TEST(ValidateTest, MetaIsBoundedByItsOwnLimit) {
  EXPECT_TRUE(
      CheckMeta({"track", 0, "meta"}, std::string(65536, 'm'), kLimits).ok());
  EXPECT_THAT(std::string(CheckMeta({"track", 0, "meta"},
                                    std::string(65537, 'm'), kLimits)
                              .message()),
              HasSubstr("track[0].meta is 65537 bytes; the limit is 65536 "
                        "(--max-meta-bytes)"));
}

TEST(ValidateTest, AnUnknownRefIsNotFound) {
  crdt::Ref ref;
  const absl::Status status = CheckRef({"untrack", 1}, "nonsense", &ref);
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("untrack[1] is \"nonsense\""));
}

TEST(ValidateTest, TimesHaveDefaultsAndRanges) {
  EXPECT_EQ(*GrantTtl(0, kLimits), absl::Seconds(30));
  EXPECT_EQ(*GrantTtl(1000, kLimits), absl::Seconds(1));
  EXPECT_THAT(std::string(GrantTtl(999, kLimits).status().message()),
              HasSubstr("ttl_ms is 999; it must be at least 1000"));
  EXPECT_THAT(std::string(GrantTtl(600001, kLimits).status().message()),
              HasSubstr("ttl_ms is 600001; the limit is 600000"));
  EXPECT_EQ(*GrantGrace(0, kLimits), absl::ZeroDuration());
  EXPECT_EQ(*GrantGrace(600000, kLimits), absl::Seconds(600));
  EXPECT_THAT(std::string(GrantGrace(600001, kLimits).status().message()),
              HasSubstr("grace_ms is 600001; the limit is 600000 "
                        "(--max-grace-ms)"));
  EXPECT_EQ(*GrantInterval(0, kLimits), absl::Seconds(1));
  EXPECT_FALSE(GrantInterval(99, kLimits).ok());
  EXPECT_FALSE(GrantInterval(60001, kLimits).ok());
}

TEST(ValidateTest, PagesHaveADefaultAndALimit) {
  EXPECT_EQ(*GrantPageSize(0, kLimits), 1000u);
  EXPECT_EQ(*GrantPageSize(7, kLimits), 7u);
  EXPECT_THAT(std::string(GrantPageSize(1001, kLimits).status().message()),
              HasSubstr("page_size is 1001; the limit is 1000"));
}

}  // namespace
}  // namespace muster::service
