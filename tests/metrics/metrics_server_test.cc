// The HTTP server: where it listens, and what it says there.
#include "node/metrics/metrics_server.h"

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/read.hpp>
#include <asio/streambuf.hpp>
#include <asio/write.hpp>
#include <iterator>
#include <memory>
#include <string>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/metrics/metrics_node.h"
#include "transport/peer/address.h"

namespace muster::metrics {
namespace {

using asio::ip::tcp;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// The whole answer to a GET, head and body.
std::string Get(const std::string& address, const std::string& path) {
  asio::io_context io;
  tcp::socket socket(io);
  std::error_code error;
  socket.connect(peer::NumericEndpoint(address).at(0), error);
  if (error) return error.message();
  asio::write(socket,
              asio::buffer(absl::StrCat("GET ", path,
                                        " HTTP/1.1\r\nHost: a\r\n"
                                        "Connection: close\r\n\r\n")),
              error);
  asio::streambuf answer;
  asio::read(socket, answer, error);
  return {std::istreambuf_iterator<char>(&answer), {}};
}

TEST(MetricsServerTest, APortThatIsFreeIsTakenAndNamed) {
  MetricsNode node("a");
  auto server = MetricsServer::Start({.listen = "127.0.0.1:0"});
  ASSERT_TRUE(server.ok()) << server.status();
  const std::string address = (*server)->address();
  EXPECT_THAT(address, StartsWith("127.0.0.1:"));
  EXPECT_FALSE(absl::EndsWith(address, ":0"));
  EXPECT_THAT(Get(address, "/metrics"), StartsWith("HTTP/1.1 404"));
  (*server)->Serve(node.collector());
  const std::string page = Get(address, "/metrics");
  EXPECT_THAT(page, StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(page, HasSubstr("# TYPE muster_entries gauge\nmuster_entries 0"));
  EXPECT_THAT(page, HasSubstr("# TYPE muster_loop_step_seconds histogram"));
  EXPECT_THAT(Get(address, "/"), StartsWith("HTTP/1.1 404"));
}

TEST(MetricsServerTest, ANameOfThisHostWillDo) {
  auto server = MetricsServer::Start({.listen = "localhost:0"});
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_THAT((*server)->address(), StartsWith("127.0.0.1:"));
}

TEST(MetricsServerTest, AnAddressOfIpv6IsRefusedByName) {
  const absl::Status status =
      MetricsServer::Start({.listen = "[::1]:0"}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(),
            "--metrics-listen [::1]:0: must be an IPv4 address");
}

TEST(MetricsServerTest, AnotherAddressThanLoopbackMustBeAllowed) {
  const absl::Status status =
      MetricsServer::Start({.listen = "0.0.0.0:0"}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(),
            "--metrics-listen 0.0.0.0:0: must be a loopback address, since "
            "whoever reaches it reads all metrics; --metrics-insecure allows "
            "any other");
  auto server = MetricsServer::Start({.listen = "0.0.0.0:0", .insecure = true});
  EXPECT_TRUE(server.ok()) << server.status();
}

TEST(MetricsServerTest, APortInUseIsAnErrorThatSaysSo) {
  auto first = MetricsServer::Start({.listen = "127.0.0.1:0"});
  ASSERT_TRUE(first.ok()) << first.status();
  const std::string address = (*first)->address();
  const absl::Status status =
      MetricsServer::Start({.listen = address}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(status.message(), absl::StrCat("--metrics-listen ", address,
                                           ": the port is already taken"));
}

TEST(MetricsServerTest, AnAddressOfAnotherMachineIsAnErrorThatSaysSo) {
  const absl::Status status =
      MetricsServer::Start({.listen = "192.0.2.1:0", .insecure = true})
          .status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()),
              StartsWith("--metrics-listen 192.0.2.1:0: "));
}

}  // namespace
}  // namespace muster::metrics
