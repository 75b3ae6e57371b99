// Puts a whole load into a node as fast as it takes it, and holds it there.
#ifndef MUSTER_BENCH_LOADER_H_
#define MUSTER_BENCH_LOADER_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "bench/base.h"
#include "bench/sessions_stream.h"
#include "bench/workload.h"

namespace muster::bench {

struct LoadTimes {
  Nanos first_send = 0;
  Nanos last_answer = 0;
  size_t tracked = 0;
};

class Loader {
 public:
  // Opens one stream for each of the load's, dealt over `connections`.
  // `load` must outlive the loader.
  Loader(const std::string& address, const Load& load, size_t connections);

  // Sends everything, at most `window` messages of a stream unanswered, and
  // returns when all of it is acknowledged. The sessions live until the
  // loader goes. Called once.
  LoadTimes Run(size_t window);

  // The node is about to be killed.
  void ForgiveErrors();

 private:
  void OnAnswer(size_t stream, const Answer& answer);

  const Load& load_;
  absl::Mutex mutex_;
  std::vector<size_t> sent_ ABSL_GUARDED_BY(mutex_);
  size_t unanswered_ ABSL_GUARDED_BY(mutex_) = 0;
  LoadTimes times_ ABSL_GUARDED_BY(mutex_);
  // Last: ended before what their answers touch.
  std::vector<std::unique_ptr<SessionsStream>> streams_;
};

}  // namespace muster::bench

#endif  // MUSTER_BENCH_LOADER_H_
