// The event loop: one thread that runs an asio::io_context and the tasks that
// other threads post to it.
//
//   any thread --Post------> [others] --one wake-up for many--> Drain: task()
//        |------PostFirst--> [first] --/   these take turns
//        \------PostRead---> [reads] -/
//
// Invariants
//   1. Tasks that one thread posts the same way run in the order they were
//      posted, one at a time, on the loop thread; so do asio handlers of io().
//   2. Sockets and timers are served at least once per millisecond of tasks,
//      or once per task if one takes longer.
//   3. After Stop no task runs; those left are destroyed.
//
// Every task and every handler wrapped in Step is timed: `lag` is the longest
// that one of them held the loop.
//
// Cost: Post is one lock and, if the loop sleeps, one write to an eventfd.
#ifndef MUSTER_NODE_RUNTIME_LOOP_H_
#define MUSTER_NODE_RUNTIME_LOOP_H_

#include <array>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "node/core/histogram.h"
#include "node/mutex.h"

namespace muster {

class Loop {
 public:
  using Task = absl::AnyInvocable<void()>;

  Loop();
  // Stops.
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Sockets and timers of the loop. Used on the loop thread, or before Start.
  asio::io_context& io() { return io_; }

  void Start();
  // Returns when the loop thread has ended. Not on the loop thread.
  void Stop();

  // From any thread.
  void Post(Task task) ABSL_LOCKS_EXCLUDED(mutex_) {
    PostIn(kOthers, std::move(task));
  }
  // For peers' frames, which must not wait behind a queue of work: their
  // acknowledgements keep the deltas flowing.
  void PostFirst(Task task) ABSL_LOCKS_EXCLUDED(mutex_) {
    PostIn(kFirst, std::move(task));
  }
  // For short tasks that change nothing: clients' reads.
  void PostRead(Task task) ABSL_LOCKS_EXCLUDED(mutex_) {
    PostIn(kReads, std::move(task));
  }
  bool OnLoopThread() const {
    return thread_id_.load() == std::this_thread::get_id();
  }

  // Runs `body`, the work of an asio handler, and times it. On the loop thread.
  template <typename Body>
  void Step(Body&& body) {
    Clock::time_point start = Clock::now();
    std::forward<Body>(body)();
    Record(start, Clock::now());
  }

  // How long each step took. On the loop thread.
  const core::StepTimes& step_times() const { return step_times_; }
  // Tasks that wait: peers' frames, reads, all others. From any thread.
  struct Queued {
    size_t first = 0;
    size_t reads = 0;
    size_t others = 0;
  };
  Queued queued() const ABSL_LOCKS_EXCLUDED(mutex_);

  // The longest step of the last ten seconds, and of all time. From any thread.
  absl::Duration lag() const;
  absl::Duration lag_max() const;

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr size_t kLagSeconds = 10;
  static constexpr std::chrono::microseconds kDrainBudget{1000};

  // Lanes that hold tasks take turns, one task each.
  enum Lane : size_t { kFirst, kReads, kOthers, kLanes };

  void PostIn(Lane lane, Task task) ABSL_LOCKS_EXCLUDED(mutex_);
  void Drain() ABSL_LOCKS_EXCLUDED(mutex_);
  // The next task to run, or a null one.
  Task TakeNext() ABSL_LOCKS_EXCLUDED(mutex_);
  void Record(Clock::time_point start, Clock::time_point end);

  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  std::thread thread_;
  std::atomic<std::thread::id> thread_id_;

  mutable Mutex mutex_;
  std::array<std::deque<Task>, kLanes> lanes_ ABSL_GUARDED_BY(mutex_);
  // A Drain is on its way or running.
  bool scheduled_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;

  // The loop thread's own.
  size_t last_lane_ = kOthers;  // Of the last task.
  core::StepTimes step_times_{core::kStepBounds};

  // Written by the loop thread. lag_us_[s % 10] is the longest step that ended
  // in second lag_second_[s % 10] of the steady clock.
  struct LagSlot {
    std::atomic<int64_t> second{-1};
    std::atomic<int64_t> us{0};
  };
  std::array<LagSlot, kLagSeconds> lag_slots_;
  std::atomic<int64_t> lag_max_us_{0};
};

}  // namespace muster

#endif  // MUSTER_NODE_RUNTIME_LOOP_H_
