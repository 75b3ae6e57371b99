// Ctrl-C as a call. SIGINT, SIGTERM, SIGHUP (the terminal is closed) and
// SIGQUIT run the function of the OnInterrupt in force; with none, or the
// second time, they end the process at once with exit code 128 and their
// number. SIGHUP and SIGQUIT stay ignored where they are, as under nohup.
//
// Interrupt is made before any other thread, so that all inherit the blocked
// signals.
// Threads: the function runs on a thread of its own, never after the
// OnInterrupt's destructor.
#ifndef MUSTER_NODE_CLI_INTERRUPT_H_
#define MUSTER_NODE_CLI_INTERRUPT_H_

#include <atomic>
#include <csignal>
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
  const sigset_t signals_;
  std::function<void()> function_ ABSL_GUARDED_BY(mutex_);
  std::function<void()> at_exit_ ABSL_GUARDED_BY(mutex_);
  std::atomic<bool> done_ = false;
  std::thread thread_;
};

// The object is in force as long as it lives; one at a time. `at_exit` runs
// before a second signal ends the process.
class OnInterrupt {
 public:
  OnInterrupt(Interrupt& interrupt, std::function<void()> function,
              std::function<void()> at_exit = nullptr);
  ~OnInterrupt();
  OnInterrupt(const OnInterrupt&) = delete;
  OnInterrupt& operator=(const OnInterrupt&) = delete;

 private:
  Interrupt& interrupt_;
};

}  // namespace muster::cli

#endif  // MUSTER_NODE_CLI_INTERRUPT_H_
