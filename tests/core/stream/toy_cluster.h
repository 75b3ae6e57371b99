// Nodes that replicate streams of the toy kind over links that the test makes,
// cuts and spoils. Real replication, rebase and stream table; nothing of
// presence, and no membership to speak of: peers are known by their links.
#ifndef MUSTER_TESTS_CORE_STREAM_TOY_CLUSTER_H_
#define MUSTER_TESTS_CORE_STREAM_TOY_CLUSTER_H_

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "node/core/membership/membership.h"
#include "node/core/stream/replication.h"
#include "node/core/stream/stream_table.h"
#include "tests/core/stream/toy_kind.h"

namespace muster::core {

// One node. Frames go in by Step and come out of `out`.
struct ToyNode {
  ToyNode(const Options& options, uint64_t life, Instant now);
  ToyNode(const ToyNode&) = delete;

  void SetTime(Instant now);
  void Step(LinkId link, const Frame& frame);
  void Tick(Instant now);
  // Runs the jobs to their end.
  void RunJobs();
  uint64_t Counter(const std::string& name) const;

  const crdt::Origin origin;
  StreamTable streams;
  ToyState state{streams};
  Membership membership;
  Replication replication;
  Stream* own = nullptr;
  Output out;
};

// Options with little room everywhere, so that few mutations are too many for
// the log and few bytes for a window.
Options SmallOptions(const std::string& name);

class ToyCluster {
 public:
  explicit ToyCluster(int nodes);

  ToyNode& node(int i) { return *nodes_[i]; }
  int size() const { return static_cast<int>(nodes_.size()); }
  Instant now() const { return now_; }

  void Connect(int a, int b);
  void Cut(int a, int b);
  bool connected(int a, int b) const { return links_.contains(Pair(a, b)); }
  // Delivers what is on its way, and lets time pass, in ticks of 10 ms.
  void Run(absl::Duration time);
  // Whether all nodes hold all streams, alike.
  bool Equal() const;
  std::string Text() const;

  // What becomes of each frame: how many times it arrives. Default: once.
  std::function<int(int from, int to, const Frame& frame)> arrives;

 private:
  static std::pair<int, int> Pair(int a, int b) {
    return {std::min(a, b), std::max(a, b)};
  }
  void Collect();

  struct OnItsWay {
    LinkId link;
    int to;
    Frame frame;
  };
  Instant now_{1'000'000'000};
  std::vector<std::unique_ptr<ToyNode>> nodes_;
  std::map<std::pair<int, int>, LinkId> links_;
  std::deque<OnItsWay> wire_;
  LinkId next_link_ = 1;
};

}  // namespace muster::core

#endif  // MUSTER_TESTS_CORE_STREAM_TOY_CLUSTER_H_
