#include "node/core/pubsub/confirmations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace muster::core {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Up = Confirmations::Up;

constexpr crdt::LifeId kB{0, 2};
constexpr crdt::LifeId kC{0, 3};
constexpr Instant kStart{1000000};

std::vector<uint64_t> Take(Confirmations& confirmations,
                           const std::vector<Up>& up, Instant now = kStart) {
  std::vector<uint64_t> requests;
  for (const Confirmations::Held& held : confirmations.Take(up, now)) {
    requests.push_back(held.request);
  }
  return requests;
}

TEST(ConfirmationsTest, ALoneNodeAnswersOnceItIsWritten) {
  Confirmations confirmations;
  confirmations.Ask(1, 10, 5, kStart);
  EXPECT_THAT(Take(confirmations, {}), IsEmpty());
  confirmations.OnWritten(4, crdt::Seq(1));
  EXPECT_THAT(Take(confirmations, {}), IsEmpty());
  confirmations.OnWritten(5, crdt::Seq(2));
  EXPECT_THAT(Take(confirmations, {}), ElementsAre(10));
  EXPECT_FALSE(confirmations.waiting());
}

TEST(ConfirmationsTest, EveryNodeThatIsUpIsWaitedFor) {
  Confirmations confirmations;
  confirmations.Ask(1, 10, 1, kStart);
  confirmations.OnWritten(1, crdt::Seq(7));
  confirmations.OnApplied(kB, crdt::Seq(7));
  EXPECT_THAT(Take(confirmations, {{kB}, {kC}}), IsEmpty());
  confirmations.OnApplied(kC, crdt::Seq(6));
  EXPECT_THAT(Take(confirmations, {{kB}, {kC}}), IsEmpty());
  confirmations.OnApplied(kC, crdt::Seq(9));
  EXPECT_THAT(Take(confirmations, {{kB}, {kC}}), ElementsAre(10));
}

TEST(ConfirmationsTest, ANodeThatIsDownIsNotWaitedFor) {
  Confirmations confirmations;
  confirmations.Ask(1, 10, 1, kStart);
  confirmations.OnWritten(1, crdt::Seq(7));
  EXPECT_THAT(Take(confirmations, {{kB}}), IsEmpty());
  EXPECT_THAT(Take(confirmations, {}), ElementsAre(10));
}

TEST(ConfirmationsTest, ASuspectIsWaitedForHalfASecond) {
  Confirmations confirmations;
  confirmations.Ask(1, 10, 1, kStart);
  confirmations.OnWritten(1, crdt::Seq(7));
  const std::vector<Up> up = {{kB, /*suspect=*/true}};
  EXPECT_THAT(Take(confirmations, up, kStart + absl::Milliseconds(499)),
              IsEmpty());
  EXPECT_THAT(Take(confirmations, up, kStart + absl::Milliseconds(500)),
              ElementsAre(10));
}

TEST(ConfirmationsTest, AnswersComeInTheOrderOfAsking) {
  Confirmations confirmations;
  confirmations.Ask(1, 10, 1, kStart);
  confirmations.Ask(2, 20, 2, kStart);
  confirmations.Ask(1, 11, 2, kStart);
  confirmations.OnWritten(1, crdt::Seq(1));
  EXPECT_THAT(Take(confirmations, {}), ElementsAre(10));
  confirmations.OnWritten(2, crdt::Seq(2));
  EXPECT_THAT(Take(confirmations, {}), ElementsAre(20, 11));
}

}  // namespace
}  // namespace muster::core
