// Two replicas in one process, joined by a link in memory, with the time of
// their own: what is measured between them is bytes and changes, and how long
// a step takes, not speed.
//
// Frames go through the wire format and back, and are counted as a peer link
// would send them. Datagrams arrive while the link is up.
#ifndef MUSTER_BENCH_REPLICA_PAIR_H_
#define MUSTER_BENCH_REPLICA_PAIR_H_

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "bench/base.h"
#include "node/core/replica/replica.h"

namespace muster::bench {

struct PairOptions {
  size_t log_bytes = 16 << 20;
};

class ReplicaPair {
 public:
  using OnWatch = std::function<void(const core::WatchBatch& batch)>;

  explicit ReplicaPair(const PairOptions& options);

  core::Replica& a() { return sides_[0].replica; }
  core::Replica& b() { return sides_[1].replica; }
  core::Now now() const { return now_; }

  // Joins and cuts the link between them.
  void Link();
  void Cut();
  // Lets time pass until `done`, carrying what they send; dies after a minute
  // of it.
  void RunUntil(const std::string& what, const std::function<bool()>& done);
  // Carries what is to be carried, without letting time pass.
  void Settle();

  // Everything that enters a replica is a *step*, and goes through this.
  template <typename Call>
  void Step(int side, Call call) {
    const Nanos begun = ThreadClock();
    call(sides_[side].replica);
    sides_[side].steps.push_back(ThreadClock() - begun);
  }
  // The processor time of each step of a side since they were last taken, in
  // order.
  std::vector<Nanos> TakeSteps(int side) {
    return std::exchange(sides_[side].steps, {});
  }

  // Every batch of every watch.
  void SetOnWatch(OnWatch on_watch) { on_watch_ = std::move(on_watch); }
  // Of frames, in both directions, since the start.
  uint64_t bytes_sent() const { return bytes_sent_; }

 private:
  struct Side {
    explicit Side(core::Options options, uint64_t number, core::Now now)
        : replica(std::move(options), crdt::LifeId(number, number), number,
                  now) {}
    core::Replica replica;
    std::deque<std::string> inbox;
    std::vector<Nanos> steps;
  };

  static core::Options OptionsOf(const std::string& node,
                                 const PairOptions& options);
  // Takes the output of one side and carries it out. False if there was none.
  bool Carry(int side);
  void CarryFrames(int side, core::Output& output);
  bool Deliver(int side);

  core::Now now_;
  std::array<Side, 2> sides_;
  core::LinkId link_ = 0;  // 0: cut.
  core::LinkId next_link_ = 1;
  uint64_t bytes_sent_ = 0;
  OnWatch on_watch_;
};

// Whether both hold the same of every stream.
bool Equal(ReplicaPair& pair);

}  // namespace muster::bench

#endif  // MUSTER_BENCH_REPLICA_PAIR_H_
