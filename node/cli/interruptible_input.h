// A file read to its end, unless Ctrl-C comes first.
//
// Threads: none; one caller at a time.
#ifndef MUSTER_NODE_CLI_INTERRUPTIBLE_INPUT_H_
#define MUSTER_NODE_CLI_INTERRUPTIBLE_INPUT_H_

#include <atomic>
#include <optional>
#include <string>

#include "node/cli/interrupt.h"

namespace muster::cli {

// Takes the interrupt for as long as it lives.
class InterruptibleInput {
 public:
  explicit InterruptibleInput(Interrupt& interrupt);
  ~InterruptibleInput();
  InterruptibleInput(const InterruptibleInput&) = delete;
  InterruptibleInput& operator=(const InterruptibleInput&) = delete;

  // All of `fd`; less if interrupted.
  std::string ReadAll(int fd);
  bool interrupted() const { return interrupted_; }

 private:
  const int event_;  // Readable once interrupted.
  std::atomic<bool> interrupted_ = false;
  std::optional<OnInterrupt> on_interrupt_;  // Ends before `event_` is closed.
};

}  // namespace muster::cli

#endif  // MUSTER_NODE_CLI_INTERRUPTIBLE_INPUT_H_
