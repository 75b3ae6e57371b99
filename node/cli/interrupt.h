// Ctrl-C as a call. SIGINT and SIGTERM run the function of the OnInterrupt in
// force; with none, or the second time, they end the process at once with exit
// code 130 or 143.
//
// Interrupt is made before any other thread, so that all inherit the blocked
// signals.
// Threads: the function runs on a thread of its own, never after the
// OnInterrupt's destructor.
#ifndef MUSTER_NODE_CLI_INTERRUPT_H_
#define MUSTER_NODE_CLI_INTERRUPT_H_

#include <atomic>
#include <functional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "node/mutex.h"

namespace muster::cli {

class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

 private:
  friend class OnInterrupt;
  void Loop();

  Mutex mutex_;
  std::function<void()> function_ ABSL_GUARDED_BY(mutex_);
  std::atomic<bool> done_ = false;
  std::thread thread_;
};

// In force as long as it lives; one at a time.
class OnInterrupt {
 public:
  OnInterrupt(Interrupt& interrupt, std::function<void()> function);
  ~OnInterrupt();
  OnInterrupt(const OnInterrupt&) = delete;
  OnInterrupt& operator=(const OnInterrupt&) = delete;

 private:
  Interrupt& interrupt_;
};

}  // namespace muster::cli

#endif  // MUSTER_NODE_CLI_INTERRUPT_H_
