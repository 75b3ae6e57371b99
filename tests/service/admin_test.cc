// Who may make administrative calls.
#include "node/service/admin.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace muster::service {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

const Caller kNear{.address = "127.0.0.1:5", .loopback = true};
const Caller kFar{.address = "10.0.0.9:5"};

Caller Showing(Caller caller, std::string token) {
  caller.bearer = std::move(token);
  return caller;
}

TEST(AdminPolicyTest, WithoutATokenOnlyLoopbackMay) {
  const AdminPolicy policy("");
  EXPECT_TRUE(policy.Check(kNear).ok());
  EXPECT_TRUE(policy.Check(Showing(kNear, "anything")).ok());
  const absl::Status refused = policy.Check(kFar);
  EXPECT_EQ(refused.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(std::string(refused.message()),
              AllOf(HasSubstr("10.0.0.9:5"), HasSubstr("--admin-token")));
  // An empty token is none.
  EXPECT_EQ(policy.Check(Showing(kFar, "")).code(),
            absl::StatusCode::kPermissionDenied);
}

TEST(AdminPolicyTest, WithATokenEveryoneShowsIt) {
  const AdminPolicy policy("open-sesame");
  for (const Caller& caller : {kNear, kFar}) {
    EXPECT_EQ(policy.Check(caller).code(), absl::StatusCode::kUnauthenticated);
    for (const char* wrong :
         {"", "open-sesam", "open-sesame2", "Open-sesame"}) {
      const absl::Status refused = policy.Check(Showing(caller, wrong));
      EXPECT_EQ(refused.code(), absl::StatusCode::kPermissionDenied) << wrong;
      // The token of the node is not for strangers to read.
      EXPECT_EQ(std::string(refused.message()).find("sesame"),
                std::string::npos);
    }
    EXPECT_TRUE(policy.Check(Showing(caller, "open-sesame")).ok());
  }
}

TEST(AdminPolicyTest, RefusalsAreCounted) {
  const AdminPolicy policy("");
  EXPECT_TRUE(policy.Check(kNear).ok());
  EXPECT_EQ(policy.refused(), 0u);
  EXPECT_FALSE(policy.Check(kFar).ok());
  EXPECT_EQ(policy.refused(), 1u);
}

TEST(CallerTest, LoopbackIsToldFromWhatGrpcCallsAPeer) {
  const auto is = [](const char* peer, const char* address, bool loopback) {
    const Caller caller = CallerAt(peer);
    EXPECT_EQ(caller.address, address);
    EXPECT_EQ(caller.loopback, loopback) << peer;
  };
  is("ipv4:127.0.0.1:4711", "127.0.0.1:4711", true);
  is("ipv4:127.8.9.10:4711", "127.8.9.10:4711", true);
  is("ipv4:10.0.0.1:4711", "10.0.0.1:4711", false);
  is("ipv6:%5B::1%5D:4711", "[::1]:4711", true);
  is("ipv6:[::1]:4711", "[::1]:4711", true);
  is("ipv6:%5B::ffff:127.0.0.1%5D:4711", "[::ffff:127.0.0.1]:4711", true);
  is("ipv6:%5B::ffff:10.0.0.1%5D:4711", "[::ffff:10.0.0.1]:4711", false);
  is("ipv6:%5Bfd00::127%5D:4711", "[fd00::127]:4711", false);
  is("ipv6:%5Bfe80::1%25eth0%5D:4711", "[fe80::1%25eth0]:4711", false);
  is("unix:/run/x", "unix:/run/x", false);
  is("ipv4:", "ipv4:", false);
  is("", "", false);
}

}  // namespace
}  // namespace muster::service
