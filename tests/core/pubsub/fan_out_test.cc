// Subscriptions and the fan-out of messages to them.
#include "node/core/pubsub/fan_out.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "crdt/glob.h"
#include "node/core/pubsub/subscriptions.h"

namespace muster::core {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

using Pairs = std::vector<std::pair<std::string, std::string>>;

std::shared_ptr<const MessageBatch> Batch(const Pairs& messages) {
  auto batch = std::make_shared<MessageBatch>();
  for (const auto& [channel, payload] : messages) {
    batch->messages.push_back(
        {batch->arena.Copy(channel), batch->arena.Copy(payload)});
  }
  return batch;
}

// "subscriber channel payload [pattern]" of each delivery, in order.
std::vector<std::string> Lines(const std::vector<MessageDelivery>& deliveries) {
  std::vector<std::string> lines;
  for (const MessageDelivery& delivery : deliveries) {
    for (SubscriberId subscriber : delivery.subscribers) {
      for (size_t i = 0; i < delivery.run.count; ++i) {
        const Message& message =
            delivery.run.batch->messages[delivery.run.first + i];
        std::string line = std::to_string(subscriber) + " " +
                           std::string(message.channel) + " " +
                           std::string(message.payload);
        if (delivery.run.pattern) line += " " + *delivery.run.pattern;
        lines.push_back(line);
      }
    }
  }
  return lines;
}

class FanOutTest : public testing::Test {
 protected:
  std::vector<std::string> Deliver(const Pairs& messages) {
    EXPECT_TRUE(fan_out_.Push(Batch(messages)));
    std::vector<MessageDelivery> out;
    while (fan_out_.Run(100, out)) continue;
    return Lines(out);
  }
  Subscriptions subscriptions_;
  FanOut fan_out_{subscriptions_, 1000};
};

TEST_F(FanOutTest, AMessageGoesToTheSubscribersOfItsChannel) {
  const SubscriberId a = subscriptions_.Open();
  const SubscriberId b = subscriptions_.Open();
  EXPECT_TRUE(subscriptions_.Add(a, false, "news"));
  EXPECT_TRUE(subscriptions_.Add(b, false, "chat"));
  EXPECT_FALSE(subscriptions_.Add(a, false, "news"));
  EXPECT_THAT(Deliver({{"news", "x"}}), ElementsAre("1 news x"));
  EXPECT_THAT(Deliver({{"nobody", "x"}}), IsEmpty());
}

TEST_F(FanOutTest, APatternThatMatchesTooIsASecondMessage) {
  const SubscriberId a = subscriptions_.Open();
  subscriptions_.Add(a, true, "n*");
  subscriptions_.Add(a, false, "news");
  EXPECT_THAT(Deliver({{"news", "x"}, {"news", "y"}, {"nothing", "z"}}),
              ElementsAre("1 news x", "1 news x n*", "1 news y", "1 news y n*",
                          "1 nothing z n*"));
}

TEST_F(FanOutTest, OneSubscriberSeesTheOrderOverAllItsChannels) {
  const SubscriberId a = subscriptions_.Open();
  subscriptions_.Add(a, false, "p");
  subscriptions_.Add(a, false, "q");
  EXPECT_THAT(Deliver({{"p", "1"}, {"p", "2"}, {"q", "3"}, {"p", "4"}}),
              ElementsAre("1 p 1", "1 p 2", "1 q 3", "1 p 4"));
}

TEST_F(FanOutTest, NeighboursOfAChannelAreOneRun) {
  const SubscriberId a = subscriptions_.Open();
  subscriptions_.Add(a, false, "p");
  ASSERT_TRUE(fan_out_.Push(Batch({{"p", "1"}, {"p", "2"}, {"p", "3"}})));
  std::vector<MessageDelivery> out;
  EXPECT_FALSE(fan_out_.Run(100, out));
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(out[0].run.count, 3u);
}

TEST_F(FanOutTest, ASliceServesNoMoreThanItsBudget) {
  for (int i = 0; i < 10; ++i) {
    subscriptions_.Add(subscriptions_.Open(), false, "p");
  }
  ASSERT_TRUE(fan_out_.Push(Batch({{"p", "1"}})));
  std::vector<MessageDelivery> out;
  EXPECT_TRUE(fan_out_.Run(5, out));
  EXPECT_EQ(Lines(out).size(), 4u);  // One of five is the look-up.
  EXPECT_FALSE(fan_out_.Run(100, out));
  EXPECT_EQ(Lines(out).size(), 10u);
}

TEST_F(FanOutTest, PastItsLimitABatchIsRefusedWhole) {
  ASSERT_TRUE(fan_out_.Push(Batch({{"p", std::string(2000, 'x')}})))
      << "an only batch is always taken";
  EXPECT_FALSE(fan_out_.Push(Batch({{"p", "x"}})));
  std::vector<MessageDelivery> out;
  while (fan_out_.Run(100, out)) continue;
  EXPECT_EQ(fan_out_.waiting_bytes(), 0u);
  EXPECT_TRUE(fan_out_.Push(Batch({{"p", "x"}})));
}

TEST_F(FanOutTest, ChangesOfANameThatWaitAreOne) {
  const SubscriberId a = subscriptions_.Open();
  const SubscriberId b = subscriptions_.Open();
  subscriptions_.Add(a, false, "p");
  subscriptions_.Add(a, true, "q");
  subscriptions_.Add(b, false, "p");
  EXPECT_EQ(subscriptions_.last_ticket(), 2u);
  EXPECT_EQ(subscriptions_.taken_ticket(), 0u);
  auto change = subscriptions_.TakeChange();
  ASSERT_TRUE(change.has_value());
  EXPECT_EQ(change->name, "p");
  EXPECT_EQ(change->subscribers, 2u);
  change = subscriptions_.TakeChange();
  ASSERT_TRUE(change.has_value());
  EXPECT_TRUE(change->pattern);
  EXPECT_EQ(subscriptions_.taken_ticket(), 2u);
  EXPECT_FALSE(subscriptions_.TakeChange().has_value());
  // A name that is gone is told of once, as 0.
  EXPECT_TRUE(subscriptions_.Remove(a, true, "q"));
  EXPECT_FALSE(subscriptions_.Remove(a, true, "q"));
  change = subscriptions_.TakeChange();
  ASSERT_TRUE(change.has_value());
  EXPECT_EQ(change->subscribers, 0u);
}

TEST_F(FanOutTest, ASubscriberThatGoesIsTakenOutInSlices) {
  const SubscriberId a = subscriptions_.Open();
  for (int i = 0; i < 10; ++i) {
    subscriptions_.Add(a, false, "c" + std::to_string(i));
  }
  EXPECT_EQ(subscriptions_.CountOf(a), 10u);
  EXPECT_FALSE(subscriptions_.CloseSome(a, 6));
  EXPECT_EQ(subscriptions_.CountOf(a), 4u);
  EXPECT_TRUE(subscriptions_.CloseSome(a, 6));
  EXPECT_FALSE(subscriptions_.IsOpen(a));
}

// Subscribers come and go between slices of a fan-out. Whoever was subscribed
// from the push to the end is given the message once; whoever left, nothing
// after it; nobody anything twice.
TEST_F(FanOutTest, ChangesBetweenSlicesNeitherDoubleNorLose) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 300; ++round) {
    Subscriptions subscriptions;
    FanOut fan_out(subscriptions, 1 << 20);
    std::set<SubscriberId> there;
    std::set<SubscriberId> all_along;
    for (int i = 0; i < 20; ++i) {
      const SubscriberId id = subscriptions.Open();
      subscriptions.Add(id, false, "p");
      there.insert(id);
    }
    all_along = there;
    ASSERT_TRUE(fan_out.Push(Batch({{"p", "x"}})));
    std::map<SubscriberId, int> given;
    for (bool more = true; more;) {
      std::vector<MessageDelivery> out;
      more = fan_out.Run(1 + random() % 4, out);
      for (const MessageDelivery& delivery : out) {
        for (SubscriberId id : delivery.subscribers) {
          EXPECT_TRUE(there.contains(id)) << "after it had left";
          ++given[id];
        }
      }
      if (random() % 2 == 0 && !there.empty()) {
        auto victim = there.begin();
        std::advance(victim, random() % there.size());
        EXPECT_TRUE(subscriptions.Remove(*victim, false, "p"));
        all_along.erase(*victim);
        there.erase(victim);
      }
      if (random() % 3 == 0) {
        const SubscriberId id = subscriptions.Open();
        subscriptions.Add(id, false, "p");
        there.insert(id);
      }
      while (random() % 2 == 0 && subscriptions.TakeChange()) continue;
    }
    for (SubscriberId id : all_along) EXPECT_EQ(given[id], 1);
    for (const auto& [id, times] : given) EXPECT_EQ(times, 1);
  }
}

}  // namespace
}  // namespace muster::core
