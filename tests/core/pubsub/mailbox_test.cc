#include "node/core/pubsub/mailbox.h"

#include <gtest/gtest.h>

#include <deque>
#include <random>
#include <string>
#include <vector>

#include "crdt/message_bytes.h"

namespace muster::core {
namespace {

using namespace std::string_literals;

std::string Encoded(absl::string_view payload) {
  std::string bytes;
  crdt::AppendMessage("c", payload, bytes);
  return bytes;
}

MailFrame Frame(uint64_t epoch, uint64_t first, uint32_t count) {
  MailFrame frame;
  frame.epoch = epoch;
  frame.first = first;
  frame.count = count;
  return frame;
}

TEST(OutboxTest, NumbersOfAFrameFollowEachOther) {
  Outbox outbox({}, 1);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(outbox.Push(Encoded("x")));
  auto frame = outbox.Next(crdt::Seq(9), {});
  ASSERT_TRUE(frame.has_value());
  EXPECT_EQ(frame->first, 1u);
  EXPECT_EQ(frame->count, 3u);
  EXPECT_EQ(frame->interest, crdt::Seq(9));
  EXPECT_TRUE(crdt::ValidateMessages(*frame->messages, 3));
  EXPECT_FALSE(outbox.Next({}, {}).has_value());
}

TEST(OutboxTest, TheWindowBoundsWhatIsInFlight) {
  MailOptions options;
  options.window_bytes = 100;
  options.frame_bytes = 40;
  Outbox outbox(options, 1);
  for (int i = 0; i < 50; ++i) outbox.Push(Encoded("0123456789"));
  uint64_t last = 0;
  while (auto frame = outbox.Next({}, {})) {
    last = frame->first + frame->count - 1;
    EXPECT_LE(outbox.in_flight_bytes(), 140u);
  }
  EXPECT_LT(last, 50u);
  outbox.OnAck(/*epoch=*/2, last);
  EXPECT_FALSE(outbox.Next({}, {}).has_value()) << "of another epoch";
  outbox.OnAck(1, last);
  EXPECT_TRUE(outbox.Next({}, {}).has_value());
}

TEST(OutboxTest, PastItsLimitAMessageIsDroppedAndItsNumberUsedUp) {
  MailOptions options;
  options.max_bytes = 60;
  Outbox outbox(options, 1);
  int pushed = 0;
  while (outbox.Push(Encoded("0123456789"))) ++pushed;
  EXPECT_EQ(outbox.dropped(), 1u);
  Inbox inbox;
  while (auto frame = outbox.Next({}, {})) {
    const Inbox::Taken taken = inbox.Take(*frame);
    const bool announcement = frame->count == 0;
    EXPECT_EQ(taken.missed, announcement ? 1u : 0u);
  }
  EXPECT_EQ(inbox.last(), static_cast<uint64_t>(pushed) + 1);
}

TEST(OutboxTest, WhatIsLostInFlightIsAnnounced) {
  Outbox outbox({}, 1);
  outbox.Push(Encoded("x"));
  ASSERT_TRUE(outbox.Next({}, {}).has_value());
  outbox.LoseInFlight();
  Inbox inbox;
  auto frame = outbox.Next({}, {});
  ASSERT_TRUE(frame.has_value());
  EXPECT_EQ(frame->count, 0u);
  EXPECT_EQ(inbox.Take(*frame).missed, 1u);
  EXPECT_TRUE(outbox.idle());
}

TEST(OutboxTest, WithoutAcknowledgementsTheWindowOpensAgain) {
  MailOptions options;
  options.window_bytes = 1;
  Outbox outbox(options, 1);
  outbox.Push(Encoded("x"));
  ASSERT_TRUE(outbox.Next({}, Instant{0}).has_value());
  options.frame_bytes = 1;
  outbox.Push(Encoded("y"));
  outbox.Tick(Instant{0} + absl::Seconds(1));
  EXPECT_FALSE(outbox.Next({}, Instant{0} + absl::Seconds(1)).has_value());
  outbox.Tick(Instant{0} + Outbox::kAckPatience);
  EXPECT_TRUE(outbox.Next({}, Instant{0} + absl::Seconds(3)).has_value());
}

TEST(InboxTest, LateAndDoubleMessagesAreDropped) {
  Inbox inbox;
  EXPECT_EQ(inbox.Take(Frame(1, 1, 3)).skip, 0u);
  EXPECT_EQ(inbox.Take(Frame(1, 1, 3)).skip, 3u);
  const Inbox::Taken overlap = inbox.Take(Frame(1, 3, 2));
  EXPECT_EQ(overlap.skip, 1u);
  EXPECT_EQ(overlap.missed, 0u);
  EXPECT_EQ(inbox.Take(Frame(1, 7, 1)).missed, 2u);
  EXPECT_EQ(inbox.Take(Frame(1, 5, 2)).skip, 2u) << "given up before";
}

TEST(InboxTest, AHigherEpochBeginsAnewAndALowerOneIsOver) {
  Inbox inbox;
  inbox.Take(Frame(1, 1, 9));
  const Inbox::Taken anew = inbox.Take(Frame(2, 1, 1));
  EXPECT_EQ(anew.skip, 0u);
  EXPECT_EQ(anew.missed, 0u);
  EXPECT_TRUE(inbox.Take(Frame(1, 10, 1)).stale);
  EXPECT_EQ(inbox.last(), 1u);
}

// Over a way that loses, doubles and swaps frames: nothing twice, nothing out
// of order, and all that is missing is counted.
TEST(MailboxTest, NothingComesTwiceOrOutOfOrderAndGapsAddUp) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    std::mt19937_64 random(seed);
    MailOptions options;
    options.window_bytes = 200;
    options.max_bytes = 400;
    options.frame_bytes = 50;
    Outbox outbox(options, 1);
    Inbox inbox;
    std::deque<MailFrame> way;
    uint64_t pushed = 0;
    uint64_t given = 0;
    uint64_t missed = 0;
    uint64_t last_given = 0;
    const auto arrive = [&](const MailFrame& frame) {
      const Inbox::Taken taken = inbox.Take(frame);
      ASSERT_FALSE(taken.stale);
      missed += taken.missed;
      for (uint32_t i = taken.skip; i < frame.count; ++i) {
        ASSERT_GT(frame.first + i, last_given) << "seed " << seed;
        last_given = frame.first + i;
        ++given;
      }
    };
    for (int step = 0; step < 400; ++step) {
      for (uint64_t n = random() % 4; n > 0; --n) {
        outbox.Push(Encoded(std::string(random() % 20, 'x')));
        ++pushed;
      }
      while (auto frame = outbox.Next({}, {})) way.push_back(*frame);
      if (way.empty()) continue;
      const MailFrame frame = way.front();
      const uint64_t fate = random() % 10;
      if (fate < 2) {
        way.pop_front();
      } else if (fate < 4 && way.size() > 1) {
        std::swap(way[0], way[1]);
      } else {
        arrive(frame);
        if (fate < 9) way.pop_front();
        if (fate < 8) outbox.OnAck(1, inbox.last());
      }
      if (random() % 20 == 0) outbox.LoseInFlight();
    }
    // What is left arrives; then all numbers are accounted for.
    for (const MailFrame& frame : way) arrive(frame);
    for (int i = 0; i < 100 && !outbox.idle(); ++i) {
      outbox.LoseInFlight();
      while (auto frame = outbox.Next({}, {})) arrive(*frame);
    }
    EXPECT_EQ(given + missed, inbox.last()) << "seed " << seed;
    EXPECT_EQ(inbox.last(), pushed) << "seed " << seed;
  }
}

}  // namespace
}  // namespace muster::core
