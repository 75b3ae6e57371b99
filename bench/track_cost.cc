// Tracks, one a request, through the event loop into a core: nothing else of a
// node. For callgrind, which counts their instructions; ops/bench metrics-cost
// runs it and prints the share of what is counted for metrics.
//
//   track_cost COUNT
#include <cstdlib>
#include <future>
#include <iostream>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "node/core/replica/replica.h"
#include "node/runtime/loop.h"

namespace muster::bench {
namespace {

constexpr crdt::SessionId kSession{1, 2};

class Node {
 public:
  Node() : replica_(Named(), {1, 2}, 3, now_) {
    while (!replica_.ready()) {
      now_.mono = now_.mono + absl::Milliseconds(10);
      replica_.Tick(now_);
      replica_.output() = {};
    }
    core::OpenSessionRequest open;
    open.session = kSession;
    open.stream = true;
    if (!replica_.OpenSession(open, now_).ok()) std::abort();
    loop_.Start();
  }
  ~Node() { loop_.Stop(); }

  void Track(size_t count) {
    for (size_t i = 0; i < count; ++i) {
      std::promise<void> done;
      loop_.Post([this, i, &done] {
        TrackOne(i);
        done.set_value();
      });
      done.get_future().wait();
    }
  }

 private:
  static core::Options Named() {
    core::Options options;
    options.node = "a";
    options.address = "127.0.0.1:1";
    return options;
  }
  void TrackOne(size_t i) {
    const std::string topic = absl::StrCat("topic:", i / 100);
    const std::string key = absl::StrCat("user:", i);
    core::ApplyRequest request;
    request.session = kSession;
    request.track.push_back({topic, key, "{\"status\":\"online\"}"});
    const auto reply = replica_.Apply(request, now_);
    if (!reply.ok() || !reply->track_errors.empty()) std::abort();
    replica_.output() = {};
  }

  core::Now now_{{1'000'000}, 1'700'000'000'000'000};
  core::Replica replica_;
  Loop loop_;
};

}  // namespace
}  // namespace muster::bench

int main(int argc, char** argv) {
  size_t count = 0;
  if (argc != 2 || !absl::SimpleAtoi(argv[1], &count)) {
    std::cerr << "usage: track_cost COUNT\n";
    return 2;
  }
  muster::bench::Node().Track(count);
  return 0;
}
