// Threads that spare the loop thread two kinds of work: encoding answers, and
// handing them to gRPC, whose writes are system calls.
//
// Two queues: urgent tasks (answers) go before bulk ones (watch events), so
// that a thousand watchers of a busy topic do not delay a read by more than
// one bulk task. Tasks of a queue begin in the order posted; with more than
// one thread they may overlap.
//
// The destructor runs the queued tasks, then joins. Threads: any.
#ifndef MUSTER_NODE_SERVICE_OFFLOAD_H_
#define MUSTER_NODE_SERVICE_OFFLOAD_H_

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "node/mutex.h"

namespace muster::service {

class Offload {
 public:
  using Task = absl::AnyInvocable<void()>;

  explicit Offload(int threads);
  ~Offload();
  Offload(const Offload&) = delete;
  Offload& operator=(const Offload&) = delete;

  void Urgent(Task task);
  void Bulk(Task task);

  // Tasks that wait.
  struct Queued {
    size_t urgent = 0;
    size_t bulk = 0;
  };
  Queued queued() const;

 private:
  void Work();
  // Waits for a task; false when there will be none.
  bool Take(Task* task);

  mutable Mutex mutex_;
  std::condition_variable_any wake_;
  std::deque<Task> urgent_ ABSL_GUARDED_BY(mutex_);
  std::deque<Task> bulk_ ABSL_GUARDED_BY(mutex_);
  int idle_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;

  std::vector<std::thread> threads_;
};

}  // namespace muster::service

#endif  // MUSTER_NODE_SERVICE_OFFLOAD_H_
