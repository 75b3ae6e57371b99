// What one step of the watch hub does at most, and has left.
//
// Work is counted in messages to watchers: routing, building and delivering
// each take some. What a step leaves is done by the next one.
#ifndef MUSTER_NODE_CORE_WATCH_WATCH_WORK_H_
#define MUSTER_NODE_CORE_WATCH_WATCH_WORK_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace muster::core {

// Of all watches of this life.
struct WatchCounters {
  uint64_t states = 0;    // Begun, fresh starts of lagging watchers included.
  uint64_t resumes = 0;   // Watches that were told only what they missed.
  uint64_t lagged = 0;    // Times that a watcher began to lag.
  uint64_t batches = 0;   // Built.
  uint64_t messages = 0;  // Sent: a batch to a watcher.
};

// What one step does at most.
struct WatchStep {
  size_t messages = 2048;  // Flush, in messages to watchers; about 0.2 ms.
  size_t names = 256;      // That enter or leave the index, each.
};

class WorkLeft {
 public:
  explicit WorkLeft(size_t messages) : left_(messages) {}

  bool none() const { return left_ == 0; }
  bool Covers(size_t messages) const { return messages <= left_; }
  void Take(size_t messages) { left_ -= std::min(left_, messages); }
  void Restart(size_t messages) { left_ = messages; }
  // Whoever makes the changes waits: back-pressure.
  void Unlimited() { left_ = std::numeric_limits<size_t>::max(); }

 private:
  size_t left_;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_WATCH_WATCH_WORK_H_
