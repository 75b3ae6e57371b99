#include "node/service/offload.h"

#include <utility>

namespace muster::service {
namespace {

// A lock as std::condition_variable_any asks for it.
struct Lockable {
  Mutex& mutex;
  void lock() ABSL_NO_THREAD_SAFETY_ANALYSIS { mutex.Lock(); }
  void unlock() ABSL_NO_THREAD_SAFETY_ANALYSIS { mutex.Unlock(); }
};

}  // namespace

Offload::Offload(int threads) {
  for (int i = 0; i < threads; ++i) {
    threads_.emplace_back([this] { Work(); });
  }
}

Offload::~Offload() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Offload::Urgent(Task task) {
  bool wake;
  {
    MutexLock lock(mutex_);
    urgent_.push_back(std::move(task));
    wake = idle_ > 0;
  }
  if (wake) wake_.notify_one();
}

void Offload::Bulk(Task task) {
  bool wake;
  {
    MutexLock lock(mutex_);
    bulk_.push_back(std::move(task));
    wake = idle_ > 0;
  }
  if (wake) wake_.notify_one();
}

Offload::Queued Offload::queued() const {
  MutexLock lock(mutex_);
  return {urgent_.size(), bulk_.size()};
}

void Offload::Work() {
  Task task;
  while (Take(&task)) {
    task();
    task = nullptr;
  }
}

bool Offload::Take(Task* task) {
  MutexLock lock(mutex_);
  while (urgent_.empty() && bulk_.empty()) {
    if (stopping_) return false;
    ++idle_;
    Lockable lockable{mutex_};
    wake_.wait(lockable);
    --idle_;
  }
  std::deque<Task>& queue = urgent_.empty() ? bulk_ : urgent_;
  *task = std::move(queue.front());
  queue.pop_front();
  return true;
}

}  // namespace muster::service
