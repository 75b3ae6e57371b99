#include "transport/peer/dialer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "tests/transport/fake_node.h"
#include "transport/peer/address.h"

namespace muster::peer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// ---------------------------------------------------------------- addresses

TEST(AddressTest, HostAndPortAreTakenApart) {
  EXPECT_EQ(ParseHostPort("x", "host:7700")->host, "host");
  EXPECT_EQ(ParseHostPort("x", "host:7700")->port, 7700);
  EXPECT_EQ(ParseHostPort("x", "[::1]:7700")->host, "::1");
  EXPECT_EQ(ParseHostPort("x", "127.0.0.1:0")->port, 0);
  EXPECT_EQ(ParseHostPort("x", "host", true)->port, 0);
  EXPECT_EQ(ParseHostPort("x", "[::1]", true)->host, "::1");
  EXPECT_EQ(ToText(HostPort{"::1", 7}), "[::1]:7");
}

TEST(AddressTest, WhatIsNoAddressIsNamed) {
  for (const char* bad : {"", "host", ":1", "host:", "host:x", "host:65536",
                          "::1:7700", "[::1:7700", "a]:1", "host:-1"}) {
    absl::StatusOr<HostPort> parsed = ParseHostPort("--listen", bad);
    EXPECT_TRUE(absl::IsInvalidArgument(parsed.status())) << bad;
    EXPECT_EQ(std::string(parsed.status().message()),
              std::string("--listen: \"") + bad + "\" is not HOST:PORT");
  }
}

TEST(AddressTest, LoopbackIsKnownInEachForm) {
  EXPECT_TRUE(IsLoopbackText("127.0.0.1:1"));
  EXPECT_TRUE(IsLoopbackText("127.1.2.3:1"));
  EXPECT_TRUE(IsLoopbackText("[::1]:1"));
  EXPECT_TRUE(IsLoopbackText("[::ffff:127.0.0.1]:1"));
  EXPECT_FALSE(IsLoopbackText("10.0.0.1:1"));
  EXPECT_FALSE(IsLoopbackText("[::ffff:10.0.0.1]:1"));
  EXPECT_FALSE(IsLoopbackText("localhost:1"));
}

TEST(AddressTest, LocalhostResolvesAndNonsenseDoesNot) {
  Resolved found = ResolveNow("localhost:7700");
  ASSERT_TRUE(found.ok()) << found.status();
  for (const auto& endpoint : *found) {
    EXPECT_TRUE(IsLoopback(endpoint.address()));
    EXPECT_EQ(endpoint.port(), 7700);
  }
  EXPECT_FALSE(ResolveNow("no.such.host.invalid:7700").ok());
}

// ------------------------------------------------------------------- dialer

class DialerTest : public ::testing::Test, public Dialer::Actions {
 protected:
  DialerTest()
      : loop_(std::make_shared<Loop>()), dialer_(loop_, *this, /*seed=*/1) {}
  // The loop's thread calls what a constructor has not made yet.
  void SetUp() override { loop_->Start(); }
  void TearDown() override {
    Do([&] { dialer_.Stop(); });
    loop_->Stop();
  }

  void Do(std::function<void()> body) {
    std::promise<void> done;
    loop_->Post([&] {
      body();
      done.set_value();
    });
    done.get_future().wait();
  }
  size_t attempts() {
    std::lock_guard<std::mutex> lock(mutex_);
    return endpoints_.size();
  }
  std::vector<std::string> endpoints() {
    std::lock_guard<std::mutex> lock(mutex_);
    return endpoints_;
  }
  // Every attempt fails at once, until `n` were made.
  void FailUntil(size_t n) {
    for (size_t failed = 0; failed < n; ++failed) {
      ASSERT_TRUE(Await([&] { return attempts() > failed; }));
      Do([&] { dialer_.OnOver(failed + 1, {.why = "refused"}); });
    }
  }

  // Dialer::Actions
  uint64_t StartAttempt(const std::string&,
                        const Dialer::Endpoint& endpoint) override {
    std::lock_guard<std::mutex> lock(mutex_);
    endpoints_.push_back(ToText(endpoint));
    return endpoints_.size();
  }
  void AbortAttempt(uint64_t attempt) override {
    std::lock_guard<std::mutex> lock(mutex_);
    aborted_.push_back(attempt);
  }
  bool IsLinked(crdt::LifeId life) const override {
    return !life.IsZero() && life == linked_;
  }
  std::string Forbidden(const Dialer::Endpoint& endpoint) const override {
    return endpoint.port() == 13 ? "unlucky" : "";
  }
  void OnForbidden(const std::string&, const std::string&) override {}

  std::mutex mutex_;
  std::vector<std::string> endpoints_;
  std::vector<uint64_t> aborted_;
  crdt::LifeId linked_;  // The loop's.
  const std::shared_ptr<Loop> loop_;
  Dialer dialer_;
};

TEST_F(DialerTest, EachAddressIsDialledOnce) {
  Do([&] { dialer_.SetAddresses({"127.0.0.1:2", "127.0.0.1:1"}); });
  Do([&] { dialer_.SetAddresses({"127.0.0.1:1", "127.0.0.1:2"}); });
  EXPECT_THAT(endpoints(), ElementsAre("127.0.0.1:1", "127.0.0.1:2"));
}

TEST_F(DialerTest, ANameIsDialledAtEachOfItsEndpoints) {
  Do([&] { dialer_.SetAddresses({"localhost:5"}); });
  size_t known = ResolveNow("localhost:5")->size();
  EXPECT_TRUE(Await([&] { return attempts() == known; }));
}

TEST_F(DialerTest, AnAttemptNoLongerWantedIsGivenUp) {
  Do([&] { dialer_.SetAddresses({"127.0.0.1:1"}); });
  Do([&] { dialer_.SetAddresses({}); });
  EXPECT_THAT(aborted_, ElementsAre(1u));
  // Its late answer changes nothing.
  Do([&] { dialer_.OnEstablished(1, {1, 1}); });
  Do([&] { dialer_.OnOver(1, {.why = "late"}); });
  EXPECT_EQ(attempts(), 1u);
}

TEST_F(DialerTest, AnAnsweredAttemptNoLongerWantedComesToItsEnd) {
  Do([&] { dialer_.SetAddresses({"127.0.0.1:1"}); });
  Do([&] {
    dialer_.OnAnswered(1);
    dialer_.SetAddresses({});
  });
  EXPECT_THAT(aborted_, IsEmpty());
  Do([&] { dialer_.OnEstablished(1, {1, 1}); });
  // It is over later, and was not wanted any more.
  Do([&] { dialer_.OnOver(1, {.why = "replaced", .life = {1, 1}}); });
  Do([&] { dialer_.SetAddresses({"127.0.0.1:1"}); });
  EXPECT_TRUE(Await([&] { return attempts() == 2; }));
}

TEST_F(DialerTest, ALinkStaysWhenItsAddressIsNoLongerWanted) {
  Do([&] { dialer_.SetAddresses({"127.0.0.1:1"}); });
  Do([&] { dialer_.OnEstablished(1, {1, 1}); });
  Do([&] { dialer_.SetAddresses({}); });
  EXPECT_THAT(aborted_, IsEmpty());
  // Wanted again while it holds: nothing to do.
  Do([&] { dialer_.SetAddresses({"127.0.0.1:1"}); });
  EXPECT_EQ(attempts(), 1u);
  Do([&] { dialer_.OnOver(1, {.why = "broken", .life = {1, 1}}); });
  EXPECT_TRUE(Await([&] { return attempts() == 2; }));
}

TEST_F(DialerTest, TakingAnAddressOutAndInDialsItAfresh) {
  Do([&] { dialer_.SetAddresses({"127.0.0.1:1"}); });
  FailUntil(6);
  size_t before = attempts();
  Do([&] { dialer_.SetAddresses({}); });
  Do([&] { dialer_.SetAddresses({"127.0.0.1:1"}); });
  EXPECT_EQ(attempts(), before + 1);
}

TEST_F(DialerTest, ABeatFromAnEndpointEndsItsBackOff) {
  Do([&] { dialer_.SetAddresses({"127.0.0.1:1"}); });
  FailUntil(7);
  auto start = std::chrono::steady_clock::now();
  size_t before = attempts();
  ASSERT_TRUE(Await([&] {
    Do([&] { dialer_.OnBeatFrom(NumericEndpoint("127.0.0.1:1")[0]); });
    return attempts() > before;
  }));
  // The back-off after seven failures is 1.5 s at the least.
  EXPECT_LT(std::chrono::steady_clock::now() - start,
            std::chrono::milliseconds(1400));
}

TEST_F(DialerTest, ManyEndpointsThatFailAreDialledRarely) {
  std::vector<std::string> addresses;
  for (int i = 1; i <= 50; ++i) {
    addresses.push_back(absl::StrCat("127.0.0.2:", i + 100));
  }
  const auto start = std::chrono::steady_clock::now();
  Do([&] { dialer_.SetAddresses(addresses); });
  FailUntil(50);
  ASSERT_TRUE(Await([&] { return attempts() > 50; }));
  // Each of the 50 adds 20 ms to the first back-off, of which a quarter may be
  // left out.
  EXPECT_GE(std::chrono::steady_clock::now() - start,
            std::chrono::milliseconds(749));
}

TEST_F(DialerTest, AForbiddenEndpointIsNotDialled) {
  Do([&] { dialer_.SetAddresses({"127.0.0.1:13", "127.0.0.1:14"}); });
  EXPECT_THAT(endpoints(), ElementsAre("127.0.0.1:14"));
}

TEST_F(DialerTest, ARefusedEndpointIsDialledAgainWhenItsOtherLinkIsLost) {
  Do([&] { dialer_.SetAddresses({"127.0.0.1:1", "127.0.0.1:2"}); });
  Do([&] {
    linked_ = {7, 7};
    dialer_.OnOver(1, {.why = "twice", .permanent = true, .life = {7, 7}});
  });
  Do([&] { dialer_.OnBeatFrom(NumericEndpoint("127.0.0.1:1")[0]); });
  EXPECT_EQ(attempts(), 2u);
  Do([&] {
    linked_ = {};
    dialer_.OnLinkLost({7, 7});
  });
  EXPECT_TRUE(Await([&] { return attempts() == 3; }));
  EXPECT_EQ(endpoints().back(), "127.0.0.1:1");
}

// ----------------------------------------------------- links that do not hold

// As the core does: an address is not wanted while it is linked.
class DialerShortLinkTest : public DialerTest {
 protected:
  using Clock = std::chrono::steady_clock;
  using Milliseconds = std::chrono::milliseconds;
  static constexpr char kAddress[] = "127.0.0.1:1";

  // Attempt `n` comes up.
  void Establish(uint64_t n) {
    ASSERT_TRUE(Await([&] { return attempts() == n; }));
    Do([&] {
      dialer_.OnEstablished(n, {1, 1});
      dialer_.SetAddresses({});
    });
  }
  // Its link is over, and wanted again.
  void End(uint64_t n, const Dialer::Over& over) {
    Do([&] {
      dialer_.OnLinkLost({1, 1});
      dialer_.OnOver(n, over);
      dialer_.SetAddresses({kAddress});
    });
  }
  // Attempt `n` to n + 3 come up and are closed; how long until the next.
  Milliseconds FourShortLinks(uint64_t n) {
    const auto start = Clock::now();
    for (uint64_t last = n + 4; n < last; ++n) {
      Establish(n);
      End(n, {.why = "full", .life = {1, 1}});
    }
    EXPECT_TRUE(Await([&] { return attempts() == n; }));
    return std::chrono::duration_cast<Milliseconds>(Clock::now() - start);
  }
};

TEST_F(DialerShortLinkTest, LinksThatAreSoonClosedAreDialledLessAndLess) {
  Do([&] { dialer_.SetAddresses({kAddress}); });
  // 50, 100, 200 and 400 ms, of each of which a quarter may be left out.
  EXPECT_GE(FourShortLinks(1), Milliseconds(562));
  // It goes on where it was: 800 ms.
  const auto start = Clock::now();
  Establish(5);
  End(5, {.why = "full", .life = {1, 1}});
  EXPECT_TRUE(Await([&] { return attempts() == 6; }));
  EXPECT_GE(Clock::now() - start, Milliseconds(599));
}

TEST_F(DialerShortLinkTest, ALinkThatHeldForFiveSecondsStartsTheBackOffOver) {
  Do([&] { dialer_.SetAddresses({kAddress}); });
  FourShortLinks(1);
  Establish(5);
  const auto up = Clock::now();
  ASSERT_TRUE(Await([&] { return Clock::now() - up > Milliseconds(5'050); }));
  End(5, {.why = "broken", .life = {1, 1}});
  // At once, and not after the 800 ms that it had come to.
  EXPECT_EQ(attempts(), 6u);
}

TEST_F(DialerShortLinkTest, TakingAnAddressOutThatHasNoLinkEndsItsBackOff) {
  Do([&] { dialer_.SetAddresses({kAddress}); });
  FourShortLinks(1);
  Do([&] { dialer_.OnOver(5, {.why = "refused"}); });
  Do([&] { dialer_.SetAddresses({}); });
  Do([&] { dialer_.SetAddresses({kAddress}); });
  EXPECT_EQ(attempts(), 6u);
}

TEST_F(DialerShortLinkTest, ALostLinkEndsNoBackOffOfItsLife) {
  Do([&] { dialer_.SetAddresses({kAddress}); });
  FailUntil(6);
  const auto start = Clock::now();
  Establish(7);
  End(7, {.why = "full", .life = {1, 1}});
  // Links that the other side dials come and go.
  ASSERT_TRUE(Await([&] {
    Do([&] { dialer_.OnLinkLost({1, 1}); });
    return attempts() == 8;
  }));
  // The back-off after seven failures is 1.5 s at the least.
  EXPECT_GE(Clock::now() - start, Milliseconds(1'499));
}

TEST_F(DialerShortLinkTest, OneReasonIsLoggedOnce) {
  std::ostringstream text;
  const std::shared_ptr<spdlog::logger> before = spdlog::default_logger();
  spdlog::set_default_logger(std::make_shared<spdlog::logger>(
      "captured", std::make_shared<spdlog::sinks::ostream_sink_mt>(text)));
  Do([&] { dialer_.SetAddresses({kAddress}); });
  FourShortLinks(1);
  Do([&] { dialer_.OnOver(5, {.why = "connection refused"}); });
  spdlog::set_default_logger(before);
  const std::string log = text.str();
  EXPECT_THAT(log, HasSubstr("peer 127.0.0.1:1: full; trying again"));
  EXPECT_EQ(log.find("full"), log.rfind("full")) << log;
  EXPECT_THAT(log, HasSubstr("connection refused"));
}

// ------------------------------------------------------- limits of an attempt

class DialerLimitsTest : public DialerTest {
 protected:
  using Milliseconds = std::chrono::milliseconds;

  void SetUp() override {
    DialerTest::SetUp();
    Do([&] { dialer_.SetAddresses({"127.0.0.1:1"}); });
  }
  std::vector<uint64_t> aborted() {
    std::lock_guard<std::mutex> lock(mutex_);
    return aborted_;
  }
  // How long until attempt `n` is given up, if `meanwhile` goes on.
  Milliseconds GivenUpAfter(
      uint64_t n, const std::function<void()>& meanwhile = [] {}) {
    const auto start = std::chrono::steady_clock::now();
    EXPECT_TRUE(Await([&] {
      meanwhile();
      const std::vector<uint64_t> now = aborted();
      return std::find(now.begin(), now.end(), n) != now.end();
    }));
    return std::chrono::duration_cast<Milliseconds>(
        std::chrono::steady_clock::now() - start);
  }
  void Beat() {
    Do([&] { dialer_.OnBeatFrom(NumericEndpoint("127.0.0.1:1")[0]); });
  }
};

TEST_F(DialerLimitsTest, WhatNobodyAnswersIsGivenUpAfterFourSeconds) {
  EXPECT_GE(GivenUpAfter(1), Milliseconds(3'900));
  EXPECT_TRUE(Await([&] { return attempts() == 2; }));
}

TEST_F(DialerLimitsTest, WhileBeatsArriveThePatienceIsShortAndGrows) {
  EXPECT_GE(GivenUpAfter(1, [&] { Beat(); }), Milliseconds(650));
  // Where there is a way it is tried again at once.
  EXPECT_EQ(attempts(), 2u);
  EXPECT_GE(GivenUpAfter(2, [&] { Beat(); }), Milliseconds(2'700));
  EXPECT_EQ(attempts(), 3u);
}

TEST_F(DialerLimitsTest, WhatWasAnsweredHasTwoSecondsForTheRest) {
  Do([&] { dialer_.OnAnswered(1); });
  EXPECT_GE(GivenUpAfter(1, [&] { Beat(); }), Milliseconds(1'900));
  EXPECT_TRUE(Await([&] { return attempts() == 2; }));
}

}  // namespace
}  // namespace muster::peer
