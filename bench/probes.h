// Steady work on a node whose latency is recorded.
//
// All of it is an open loop: latency counts from when an operation was due,
// so a node that stalls is charged for all that waited behind it.
#ifndef MUSTER_BENCH_PROBES_H_
#define MUSTER_BENCH_PROBES_H_

#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "bench/base.h"
#include "bench/node_client.h"
#include "bench/node_process.h"
#include "bench/sessions_stream.h"

namespace muster::bench {

// Calls `operation`, which blocks until it is done, every `interval` on a
// thread of its own.
class Probe {
 public:
  Probe(absl::Duration interval, std::function<void()> operation);
  ~Probe();

  // Ends the thread and returns what it recorded. Called once.
  Samples Stop();

 private:
  void Run();

  const Nanos interval_;
  const std::function<void()> operation_;
  std::atomic<bool> stop_{false};
  Samples latency_;  // Of the thread until it ends.
  std::thread thread_;
};

// Reads of one node in turn: a page of 100 of `topic`, its count, one entry.
std::function<void()> MixedReads(NodeClient& node, std::string topic);

struct FlowOptions {
  std::string topic;        // All entries go into it.
  size_t first_user = 0;    // Keys are those of the users from here on.
  absl::Duration interval;  // Of messages.
  size_t tracks_per_message = 1;
  // Each message is a session of its own, and ends the one that came so many
  // messages before: the number of entries stays what it is.
  size_t live_messages = 1'000;
};

// Sends tracks at a fixed rate and records how long the answers take.
class TrackFlow {
 public:
  TrackFlow(NodeClient& node, const FlowOptions& options);

  // Forgets what was recorded so far and returns it.
  Samples Take();
  // When message `number` was sent, by the user whose key it tracked first.
  Nanos SentAt(size_t user) const;
  // Stops sending and waits for the answers.
  void Stop();

 private:
  void SendNext();
  void OnAnswer(uint64_t number);

  const FlowOptions options_;
  mutable absl::Mutex mutex_;
  std::vector<Nanos> due_ ABSL_GUARDED_BY(mutex_);  // By message.
  size_t answered_ ABSL_GUARDED_BY(mutex_) = 0;
  Samples latency_ ABSL_GUARDED_BY(mutex_);
  SessionsStream stream_;
  std::unique_ptr<Probe> sender_;
};

// Follows the memory of a node while it lives.
class RssProbe {
 public:
  explicit RssProbe(const NodeProcess& node);
  // The most that it grew since the start, in bytes.
  uint64_t Growth();

 private:
  const uint64_t before_;
  std::atomic<uint64_t> most_;
  Probe probe_;
};

}  // namespace muster::bench

#endif  // MUSTER_BENCH_PROBES_H_
