// A replica and the other members of its cluster, which are stubs: each beats
// (on its link and by datagram, with a sample of the others), answers pings,
// pulls the replica's streams and acknowledges what comes, and tells all
// positions when the replica does. Nobody but the replica has entries.
//
// All input and output of the replica goes through the wire format;
// datagrams are signed. Time is simulated.
//
// A *step* is what holds the loop of a real node at one time: an input, and
// its output encoded and signed; of a datagram, checking and decoding it, too.
// Processor time is that of the steps, and of decoding frames, which a real
// node does on other threads. Sockets and gRPC are not in it.
#ifndef MUSTER_BENCH_CROWD_H_
#define MUSTER_BENCH_CROWD_H_

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "bench/base.h"
#include "node/core/replica/replica.h"

namespace muster::bench {

// Processor time of the replica.
struct Spent {
  Nanos core = 0;
  Nanos encode = 0;
  Nanos decode = 0;
  Nanos total() const { return core + encode + decode; }
};
inline Spent operator-(const Spent& a, const Spent& b) {
  return {a.core - b.core, a.encode - b.encode, a.decode - b.decode};
}

class Crowd {
 public:
  explicit Crowd(size_t peers);

  // All peers come up, ten a simulated 10 ms, and time passes until the replica
  // serves and all is quiet.
  void Join();
  // `each` is called once a millisecond.
  void RunFor(absl::Duration duration, absl::FunctionRef<void()> each);
  // Lets a bit of time pass, and brings what is due in it.
  void Advance(absl::Duration duration);

  template <typename Call>
  void Step(Call call) {
    const Nanos before = spent_.total();
    Timed(spent_.core, [&] { call(*replica_); });
    CarryOut();
    steps_.push_back(spent_.total() - before);
    Answer();
  }

  core::Now now() const { return now_; }
  const Spent& spent() const { return spent_; }
  uint64_t bytes_sent() const { return bytes_sent_; }
  std::vector<Nanos> TakeSteps() { return std::exchange(steps_, {}); }
  // Heap in use now, less that before there was a replica.
  size_t MemoryOfReplica() const;

 private:
  struct Peer {
    crdt::Origin origin;
    std::string address;
    int64_t phase_us = 0;  // Of its beats.
    bool up = false;
    uint64_t received = 0;  // Bulk.
    bool pulled = false;
  };
  struct Input {
    core::Instant at;
    core::LinkId link;
    core::Frame frame;
  };

  // Without what it takes to read the clock.
  template <typename Body>
  void Timed(Nanos& spent, Body body) const {
    const Nanos begun = ThreadClock();
    body();
    spent += std::max<Nanos>(0, ThreadClock() - begun - clock_cost_);
  }
  Peer& PeerOf(core::LinkId link) { return peers_[link - 1]; }
  uint64_t BeatOf(const Peer& peer) const;
  void Up(core::LinkId link);
  void Beat(core::LinkId link);
  // A frame of a peer comes after a round trip.
  void Reply(core::LinkId link, core::Frame frame);
  void Deliver(core::LinkId link, const core::Frame& frame);
  void DeliverBytes(core::LinkId link, const std::string& bytes);
  void DeliverAll(core::LinkId link, const std::vector<std::string>& frames);
  void CarryOut();
  // The peers', to what the last step sent.
  void Answer();
  void AnswerFrame(const core::SendFrame& send);
  void Pull(core::LinkId link);
  // Of any peer: the same, as what it says of itself is in it.
  const std::vector<std::string>& Members();
  const std::vector<std::string>& Positions();

  const Nanos clock_cost_;
  core::Now now_;
  std::vector<Peer> peers_;
  std::map<int64_t, std::vector<core::LinkId>> beats_;  // By phase.
  std::deque<Input> inbox_;
  core::Instant next_tick_;
  core::Instant next_beats_;
  std::vector<std::string> members_, positions_;  // Frame by frame.
  core::Instant members_at_ = core::kLongAgo, positions_at_ = core::kLongAgo;
  size_t sample_ = 0;  // Reports in a beat of the replica.
  size_t next_report_ = 0;
  core::Output sent_;  // By the last step.
  Spent spent_;
  std::vector<Nanos> steps_;
  uint64_t bytes_sent_ = 0;
  size_t memory_before_ = 0;
  std::unique_ptr<core::Replica> replica_;
};

}  // namespace muster::bench

#endif  // MUSTER_BENCH_CROWD_H_
