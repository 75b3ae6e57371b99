#include "node/runtime/loop.h"

#include <algorithm>
#include <asio/post.hpp>

namespace muster {
namespace {

int64_t SecondOf(std::chrono::steady_clock::time_point t) {
  return std::chrono::duration_cast<std::chrono::seconds>(t.time_since_epoch())
      .count();
}

}  // namespace

Loop::Loop() : work_(asio::make_work_guard(io_)) {}

Loop::~Loop() { Stop(); }

void Loop::Start() {
  thread_ = std::thread([this] {
    thread_id_ = std::this_thread::get_id();
    io_.run();
  });
}

void Loop::Stop() {
  std::array<std::deque<Task>, kLanes> dropped;
  {
    MutexLock lock(mutex_);
    stopped_ = true;
  }
  io_.stop();
  if (thread_.joinable()) thread_.join();
  MutexLock lock(mutex_);
  dropped.swap(lanes_);
}

void Loop::PostIn(Lane lane, Task task) {
  bool scheduled;
  {
    MutexLock lock(mutex_);
    if (stopped_) return;
    lanes_[lane].push_back(std::move(task));
    scheduled = std::exchange(scheduled_, true);
  }
  // Wakes the loop thread, if it needs it.
  if (!scheduled) asio::post(io_, [this] { Drain(); });
}

Loop::Task Loop::TakeNext() {
  MutexLock lock(mutex_);
  for (size_t i = 0; i < kLanes; ++i) {
    last_lane_ = (last_lane_ + 1) % kLanes;
    std::deque<Task>& lane = lanes_[last_lane_];
    if (lane.empty()) continue;
    Task task = std::move(lane.front());
    lane.pop_front();
    return task;
  }
  scheduled_ = false;
  return nullptr;
}

void Loop::Drain() {
  Clock::time_point begin = Clock::now();
  Clock::time_point start = begin;
  while (Task task = TakeNext()) {
    task();
    task = nullptr;  // What it holds is freed in its own time.
    Clock::time_point end = Clock::now();
    Record(start, end);
    start = end;
    if (end - begin >= kDrainBudget) {
      // Sockets and timers first, then the rest.
      asio::post(io_, [this] { Drain(); });
      return;
    }
  }
}

void Loop::Record(Clock::time_point start, Clock::time_point end) {
  int64_t us =
      std::chrono::duration_cast<std::chrono::microseconds>(end - start)
          .count();
  step_times_.Observe(us);
  int64_t second = SecondOf(end);
  LagSlot& slot = lag_slots_[second % kLagSeconds];
  if (slot.second.load(std::memory_order_relaxed) != second) {
    slot.us.store(us, std::memory_order_relaxed);
    slot.second.store(second, std::memory_order_relaxed);
  } else if (us > slot.us.load(std::memory_order_relaxed)) {
    slot.us.store(us, std::memory_order_relaxed);
  }
  if (us > lag_max_us_.load(std::memory_order_relaxed)) {
    lag_max_us_.store(us, std::memory_order_relaxed);
  }
}

Loop::Queued Loop::queued() const {
  MutexLock lock(mutex_);
  return {lanes_[kFirst].size(), lanes_[kReads].size(), lanes_[kOthers].size()};
}

absl::Duration Loop::lag() const {
  int64_t oldest = SecondOf(Clock::now()) - static_cast<int64_t>(kLagSeconds);
  int64_t us = 0;
  for (const LagSlot& slot : lag_slots_) {
    if (slot.second.load(std::memory_order_relaxed) > oldest) {
      us = std::max(us, slot.us.load(std::memory_order_relaxed));
    }
  }
  return absl::Microseconds(us);
}

absl::Duration Loop::lag_max() const {
  return absl::Microseconds(lag_max_us_.load(std::memory_order_relaxed));
}

}  // namespace muster
