#include "muster/client/address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace muster::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(AddressTest, TakesNamesIpv4AndIpv6InBrackets) {
  for (const char* good :
       {"localhost:7400", "10.0.0.1:1", "node-1.example_x:65535", "[::1]:7400",
        "[fe80::1%eth0]:7400", "dns:7400", "007:0042"}) {
    EXPECT_EQ(AddressFault(good), "") << good;
  }
}

struct Bad {
  const char* text;
  const char* fault;
};

TEST(AddressTest, WhatIsNoAddressIsToldTheRightForm) {
  const Bad kBad[] = {
      {"", "it is empty"},
      {" h:1", "it holds white space; write h:1"},
      {"h:1 g:2", "it holds white space"},
      {" h", "it holds white space"},
      {"http://h:7400", "a scheme stands before it; write h:7400"},
      {"grpc://h:7400/x", "a scheme stands before it; write h:7400"},
      {"http://h/", "a scheme stands before it"},
      {"h:7400/", "a path stands behind it; write h:7400"},
      {"::1:7502", "an IPv6 address stands in brackets; write [::1]:7502"},
      {"::1", "an IPv6 address stands in brackets; write [::1]:7400"},
      {"2001:db8::5:99999", "an IPv6 address stands in brackets"},
      {"h:1:2", "an IPv6 address stands in brackets"},
      {"h", "the port is missing; write h:7400"},
      {"[::1]", "the port is missing; write [::1]:7400"},
      {"7502", "the host is missing; write 127.0.0.1:7502"},
      {":7502", "the host is missing; write 127.0.0.1:7502"},
      {":", "the host is missing"},
      {"h:", "the port must be a number, 1 to 65535"},
      {"h:0", "the port must be a number, 1 to 65535"},
      {"h:65536", "the port must be a number, 1 to 65535"},
      {"h:99999999999", "the port must be a number, 1 to 65535"},
      {"h:+1", "the port must be a number, 1 to 65535"},
      {"h:http", "the port must be a number, 1 to 65535"},
      {"[::1:7400", "between brackets stands an IPv6 address"},
      {"[h]:7400", "between brackets stands an IPv6 address"},
      {"me@h:1", "the host must be a name or an IP address"},
  };
  for (const Bad& bad : kBad) {
    if (std::string(bad.fault).find("brackets stands") != std::string::npos) {
      EXPECT_THAT(AddressFault(bad.text), HasSubstr(bad.fault)) << bad.text;
    } else {
      EXPECT_EQ(AddressFault(bad.text), bad.fault) << bad.text;
    }
  }
}

TEST(AddressTest, PortZeroIsForWhoeverAllowsIt) {
  EXPECT_EQ(AddressFault("h:0", 0), "");
  EXPECT_EQ(AddressFault("h:65536", 0),
            "the port must be a number, 0 to 65535");
}

TEST(AddressTest, AHostAloneMayBeIpv6WithoutBrackets) {
  for (const char* good : {"h", "10.0.0.1", "::1", "[::1]"}) {
    EXPECT_EQ(HostFault(good), "") << good;
  }
  for (const char* bad : {"", "a b", "h:1", "http://h", "h/"}) {
    EXPECT_NE(HostFault(bad), "") << bad;
  }
}

TEST(AddressTest, AListNamesWhereItComesFromAndItsBadPart) {
  const auto good = ParseAddresses("a:1,[::1]:2");
  ASSERT_TRUE(good.ok()) << good.status();
  EXPECT_THAT(*good, ElementsAre("a:1", "[::1]:2"));
  EXPECT_EQ(ParseAddresses("a:1, b:2", "--at").status().message(),
            "--at: \" b:2\" is not HOST:PORT: it holds white space; write b:2");
  for (const char* gap : {"a:1,", ",a:1", "a:1,,b:2"}) {
    EXPECT_EQ(ParseAddresses(gap).status().message(),
              "addresses: \"\" is not HOST:PORT: it is empty");
  }
  for (const char* nothing : {"", " "}) {
    EXPECT_THAT(std::string(ParseAddresses(nothing).status().message()),
                HasSubstr("no address is given"));
  }
}

}  // namespace
}  // namespace muster::client
