#include "node/loop.h"

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
  std::vector<Task> dropped;
  {
    MutexLock lock(mutex_);
    stopped_ = true;
  }
  io_.stop();
  if (thread_.joinable()) thread_.join();
  {
    MutexLock lock(mutex_);
    dropped.swap(incoming_);
  }
  running_.clear();
}

void Loop::Post(Task task) {
  {
    MutexLock lock(mutex_);
    if (stopped_) return;
    incoming_.push_back(std::move(task));
    if (std::exchange(scheduled_, true)) return;
  }
  asio::post(io_, [this] { Drain(); });
}

bool Loop::Refill() {
  if (next_ < running_.size()) return true;
  running_.clear();
  next_ = 0;
  MutexLock lock(mutex_);
  running_.swap(incoming_);
  scheduled_ = !running_.empty();
  return scheduled_;
}

void Loop::Drain() {
  Clock::time_point begin = Clock::now();
  Clock::time_point start = begin;
  while (Refill()) {
    // Moved out, so that what it holds is freed when it has run.
    Task task = std::move(running_[next_++]);
    task();
    task = nullptr;
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
