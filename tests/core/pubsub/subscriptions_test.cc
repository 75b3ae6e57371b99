#include "node/core/pubsub/subscriptions.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace muster::core {
namespace {

// The names of the changes that wait, in order.
std::vector<std::string> Changes(Subscriptions& subscriptions) {
  std::vector<std::string> names;
  while (auto change = subscriptions.TakeChange()) {
    names.push_back(change->name);
  }
  return names;
}

TEST(SubscriptionsTest, NamesAreGivenUpInTheOrderInWhichTheyCame) {
  std::vector<std::string> names;
  for (int i = 0; i < 64; ++i) names.push_back("name" + std::to_string(i));
  Subscriptions subscriptions;
  // The allocator gives freed memory out again, the last first: addresses fall
  // in some rounds and rise in others.
  for (int round = 0; round < 4; ++round) {
    std::reverse(names.begin(), names.end());
    const SubscriberId subscriber = subscriptions.Open();
    for (const std::string& name : names) {
      subscriptions.Add(subscriber, false, name);
    }
    EXPECT_EQ(names, Changes(subscriptions)) << "round " << round;
    EXPECT_TRUE(subscriptions.CloseSome(subscriber, names.size()));
    EXPECT_EQ(names, Changes(subscriptions)) << "round " << round;
  }
}

}  // namespace
}  // namespace muster::core
