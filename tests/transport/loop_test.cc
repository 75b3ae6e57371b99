#include "node/runtime/loop.h"

#include <gtest/gtest.h>

#include <asio/steady_timer.hpp>
#include <atomic>
#include <future>
#include <memory>
#include <thread>
#include <vector>

namespace muster {
namespace {

// Returns when all that was posted before has run.
void Flush(Loop& loop) {
  std::promise<void> done;
  loop.Post([&] { done.set_value(); });
  done.get_future().wait();
}

void Busy(std::chrono::microseconds time) {
  auto until = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < until) {
  }
}

TEST(LoopTest, TasksOfEachThreadRunInTheirOrderOnOneThread) {
  constexpr int kThreads = 4;
  constexpr int kTasks = 5000;
  Loop loop;
  loop.Start();
  std::vector<int> next(kThreads, 0);  // Of the loop thread, unguarded.
  std::atomic<bool> good = true;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kTasks; ++i) {
        loop.Post([&, t, i] {
          if (next[t]++ != i || !loop.OnLoopThread()) good = false;
        });
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  Flush(loop);
  EXPECT_TRUE(good);
  EXPECT_EQ(next, std::vector<int>(kThreads, kTasks));
}

TEST(LoopTest, WhatIsPostedFirstTakesTurnsWithWhatWaits) {
  Loop loop;
  std::vector<int> order;
  for (int i = 0; i < 4; ++i) loop.Post([&, i] { order.push_back(i); });
  for (int i = 10; i < 16; ++i) loop.PostFirst([&, i] { order.push_back(i); });
  std::promise<void> done;
  loop.PostFirst([&] { done.set_value(); });
  loop.Start();
  done.get_future().wait();
  EXPECT_EQ(order, (std::vector<int>{10, 0, 11, 1, 12, 2, 13, 3, 14, 15}));
}

TEST(LoopTest, AReadWaitsForOneTaskOfEachOtherKind) {
  Loop loop;
  std::vector<int> order;
  for (int i = 0; i < 3; ++i) loop.Post([&, i] { order.push_back(i); });
  for (int i = 10; i < 13; ++i) loop.PostFirst([&, i] { order.push_back(i); });
  for (int i = 20; i < 22; ++i) loop.PostRead([&, i] { order.push_back(i); });
  std::promise<void> done;
  loop.Post([&] { done.set_value(); });
  loop.Start();
  done.get_future().wait();
  EXPECT_EQ(order, (std::vector<int>{10, 20, 0, 11, 21, 1, 12, 2}));
}

TEST(LoopTest, TimersAreServedWhileTasksKeepComing) {
  Loop loop;
  std::promise<void> rang;
  asio::steady_timer timer(loop.io(), std::chrono::milliseconds(5));
  std::atomic<bool> over = false;
  timer.async_wait([&](const std::error_code&) {
    over = true;
    rang.set_value();
  });
  std::function<void()> again = [&] {
    Busy(std::chrono::microseconds(50));
    if (!over) loop.Post(again);
  };
  for (int i = 0; i < 100; ++i) loop.Post(again);
  loop.Start();
  EXPECT_EQ(rang.get_future().wait_for(std::chrono::seconds(10)),
            std::future_status::ready);
  over = true;
  loop.Stop();
}

TEST(LoopTest, TheLongestStepIsTheLag) {
  Loop loop;
  loop.Start();
  Flush(loop);
  loop.Post([] { Busy(std::chrono::milliseconds(30)); });
  Flush(loop);
  Flush(loop);
  EXPECT_GE(loop.lag(), absl::Milliseconds(30));
  EXPECT_GE(loop.lag_max(), loop.lag());
}

TEST(LoopTest, AfterStopTasksAreDestroyedAndNotRun) {
  auto held = std::make_shared<int>(1);
  std::weak_ptr<int> watch = held;
  bool ran = false;
  Loop loop;
  loop.Start();
  loop.Stop();
  loop.Post([&ran, held = std::move(held)] { ran = *held == 1; });
  EXPECT_TRUE(watch.expired());
  EXPECT_FALSE(ran);
}

TEST(LoopTest, StopDestroysTheTasksThatWait) {
  auto held = std::make_shared<int>(1);
  std::weak_ptr<int> watch = held;
  Loop loop;  // Never started: nothing runs.
  loop.Post([held = std::move(held)] {});
  EXPECT_FALSE(watch.expired());
  loop.Stop();
  EXPECT_TRUE(watch.expired());
}

}  // namespace
}  // namespace muster
