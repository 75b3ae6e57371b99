// SIGTERM, SIGINT and SIGHUP for a node: the first asks it to drain. A second
// SIGTERM or SIGINT ends the process at once, even if the loop is stuck; SIGHUP
// never does, since one closed terminal may send several. SIGHUP stays ignored
// where the process was started so (nohup).
#ifndef MUSTER_NODE_RUNTIME_SIGNALS_H_
#define MUSTER_NODE_RUNTIME_SIGNALS_H_

#include <asio/posix/stream_descriptor.hpp>
#include <functional>

#include "node/runtime/loop.h"

namespace muster {

// At most one at a time in a process. Restores the signal handlers of before.
// Constructed before the loop starts, destroyed after it has stopped.
class Signals {
 public:
  // `on_first` is called on the loop, with the name of the signal.
  Signals(Loop& loop, std::function<void(const char* name)> on_first);
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

 private:
  asio::posix::stream_descriptor pipe_;
  // The signal's number, as its handler wrote it.
  char number_ = 0;
};

}  // namespace muster

#endif  // MUSTER_NODE_RUNTIME_SIGNALS_H_
