// The loop and its core without gRPC, sockets or real time: a thread that runs
// tasks on a replica and passes on what it says. Time goes on by itself while
// there is nothing to do.
#ifndef MUSTER_TESTS_SERVICE_FAKE_CORE_H_
#define MUSTER_TESTS_SERVICE_FAKE_CORE_H_

#include <atomic>
#include <chrono>
#include <deque>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "node/core/replica/replica.h"
#include "node/mutex.h"
#include "node/runtime/core_port.h"

namespace muster::service {

class FakeCore final : public CorePort {
 public:
  FakeCore() : replica_(MakeOptions(), {1, 2}, 3, now_) {}
  ~FakeCore() override { Stop(); }

  // `sink` outlives Stop.
  void Start(ServiceSink* sink) {
    sink_ = sink;
    thread_ = std::thread([this] { Run(); });
  }
  void Stop() {
    stopping_ = true;
    if (thread_.joinable()) thread_.join();
    MutexLock lock(mutex_);
    tasks_.clear();
  }

  void Post(CoreTask task) override {
    MutexLock lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  void PostRead(CoreTask task) override { Post(std::move(task)); }
  RuntimeStats Stats() const override { return {}; }

  bool ready() const { return ready_; }
  // Nothing was posted when the loop last looked.
  bool idle() {
    MutexLock lock(mutex_);
    return tasks_.empty() && !busy_;
  }

 private:
  static core::Options MakeOptions() {
    core::Options options;
    options.node = "a";
    options.address = "127.0.0.1:1";
    return options;
  }
  void Run() {
    while (!stopping_) {
      std::deque<CoreTask> tasks;
      {
        MutexLock lock(mutex_);
        tasks.swap(tasks_);
        busy_ = !tasks.empty();
      }
      for (CoreTask& task : tasks) {
        task(replica_, now_);
        CarryOut();
      }
      now_.mono = now_.mono + absl::Milliseconds(1);
      now_.wall_us += 1000;
      replica_.Tick(now_);
      CarryOut();
      if (tasks.empty()) {
        std::this_thread::sleep_for(std::chrono::microseconds(200));
      }
    }
  }
  void CarryOut() {
    bool more = true;
    while (more) {
      core::Output output = std::exchange(replica_.output(), {});
      if (!output.replies.empty()) sink_->OnReplies(std::move(output.replies));
      if (!output.ended.empty()) {
        sink_->OnSessionsEnded(std::move(output.ended));
      }
      if (!output.evicted.empty()) sink_->OnEvicted(std::move(output.evicted));
      if (!output.orders.empty()) sink_->OnOrders(std::move(output.orders));
      if (!output.watch.empty()) sink_->OnWatchEvents(std::move(output.watch));
      if (output.ready_changed) {
        ready_ = replica_.ready();
        sink_->OnReadyChanged(ready_);
      }
      more = output.more_work;
      if (more) replica_.RunJobs(now_);
    }
  }

  core::Now now_{core::Instant{1'000'000}, 1'700'000'000'000'000};
  core::Replica replica_;
  ServiceSink* sink_ = nullptr;
  std::atomic<bool> ready_{false};
  std::atomic<bool> stopping_{false};
  Mutex mutex_;
  std::deque<CoreTask> tasks_ ABSL_GUARDED_BY(mutex_);
  bool busy_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace muster::service

#endif  // MUSTER_TESTS_SERVICE_FAKE_CORE_H_
