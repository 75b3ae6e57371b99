// A replica, "a", whose peers and clients are the bytes of a fuzzer: a list of
// inputs, each a byte that says which and what it takes. Frames and datagrams
// come through the codec, as on a real link.
//
// What must hold whatever peers say:
//   1. the store passes its audit;
//   2. what is counted is what is listed;
//   3. jobs come to an end.
// And to the watcher that sees all, every leave and update names what it was
// shown before.
#ifndef MUSTER_TESTS_FUZZ_REPLICA_DRIVER_H_
#define MUSTER_TESTS_FUZZ_REPLICA_DRIVER_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "node/core/replica/replica.h"
#include "tests/fuzz/byte_source.h"

namespace muster::fuzz {

enum class Input : uint8_t {
  kFrame,     // link, text: a PeerFrame
  kDatagram,  // text: a BeatDatagram of kCluster
  kLinkUp,    // link: of the peer of that number
  kLinkDown,  // link
  kTick,      // milliseconds, a Short
  kJobs,
  kOpen,        // session, grace in units of 100 ms
  kTrack,       // session, topic, key, text: meta
  kUpdate,      // session, ref, text: meta
  kUntrack,     // session, ref
  kResume,      // session, resume number, refs to keep: a bit set
  kDisconnect,  // session
  kClose,       // session
  kProbe,       // outcome
  kWatch,       // kind, topic
  kRead,        // topic, key
  kDrain,       // kReally; below 32: evict, forget
  kInputs,
};

class ReplicaDriver {
 public:
  static constexpr uint64_t kCluster = 1;
  static constexpr int kPeers = 4;
  static constexpr uint8_t kReally = 0xa5;

  // Peer `number`, 0 to kPeers - 1: "b", "c", …
  static core::PeerHello HelloOf(int number);

  ReplicaDriver();
  // Takes one input. False once the replica is gone.
  bool Step(ByteSource& source);
  // Runs all jobs and checks what must hold.
  void Finish();

  // Frames to peers since the last call.
  std::vector<core::SendFrame> TakeFrames();

 private:
  static constexpr size_t kMaxRefs = 64;

  void OnFrame(ByteSource& source);
  void OnLinkUp(int number);
  void OnLinkDown(int number);
  void OnTick(uint16_t milliseconds);
  void Track(ByteSource& source);
  void Update(ByteSource& source);
  void Untrack(ByteSource& source);
  void Resume(ByteSource& source);
  void Administer(uint8_t what);
  void OnProbe(uint8_t outcome);
  void Watch(ByteSource& source);
  void Read(ByteSource& source);
  void Apply(const core::ApplyRequest& request);
  crdt::Ref RefOf(uint8_t number) const;
  core::Now now() const { return {at_, wall_us_}; }

  void TakeOutput();
  void Show(const core::WatchBatch& batch);
  std::multiset<crdt::Ref> ListAll();

  core::Instant at_{1'000'000'000};
  int64_t wall_us_ = 1'000'000;
  core::Replica replica_;
  std::map<int, core::LinkId> links_;  // By peer.
  core::LinkId last_link_ = 0;
  core::RequestId last_request_ = 0;
  std::vector<core::SendFrame> frames_;
  std::vector<uint64_t> probes_;
  std::vector<uint64_t> hello_probes_;
  std::vector<crdt::Ref> refs_;  // The newest that clients were given.
  std::vector<core::WatchId> watches_;
  std::optional<core::WatchId> everything_;
  bool state_complete_ = false;
  std::multiset<crdt::Ref> shown_;  // To `everything_`.
  bool more_work_ = false;
  bool gone_ = false;
};

}  // namespace muster::fuzz

#endif  // MUSTER_TESTS_FUZZ_REPLICA_DRIVER_H_
