// Keyspace time: the clock of deadlines and stamps, one for the cluster.
//
// It is the monotonic clock of the leader, set by the wall clock of the first
// one. A follower measures how far its own monotonic clock is from it: each
// frame of the leader names its time, and the one that was fastest on its way
// tells most. The next leader goes on with what it has measured.
//
//   offset = the greatest (time named - own clock when it came) of the last
//            minute or two
//
// Stamps are hybrid logical clocks of the leader: never backwards on one node.
// Source: Kulkarni et al., Logical Physical Clocks (2014). Threads: the core's.
#ifndef MUSTER_NODE_CORE_KEYSPACE_KV_CLOCK_H_
#define MUSTER_NODE_CORE_KEYSPACE_KV_CLOCK_H_

#include <algorithm>
#include <cstdint>

#include "absl/time/time.h"
#include "crdt/keyspace/types.h"
#include "node/core/time.h"

namespace muster::core {

class KvClock {
 public:
  // What a sample counts for: this window and the next one.
  static constexpr absl::Duration kWindow = absl::Minutes(1);

  void SetTime(Now now) {
    mono_ = now.mono;
    if (!set_) offset_us_ = now.wall_us - now.mono.us;
    set_ = true;
  }

  uint64_t now_us() const {
    return static_cast<uint64_t>(std::max<int64_t>(mono_.us + offset_us_, 1));
  }
  kv::Time now() const { return kv::Time(now_us() / 1000); }

  // Another leader's time from now on.
  void Follow() { following_ = false; }
  // A frame of the leader named its time.
  void Heard(uint64_t time_us) {
    const int64_t sample = static_cast<int64_t>(time_us) - mono_.us;
    if (!following_) {
      following_ = true;
      window_ = mono_;
      offset_us_ = next_us_ = sample;
      return;
    }
    next_us_ = std::max(next_us_, sample);
    offset_us_ = std::max(offset_us_, sample);
    if (mono_ - window_ < kWindow) return;
    window_ = mono_;
    offset_us_ = next_us_;
    next_us_ = sample;
  }

  // A later one than all before it.
  kv::Stamp NextStamp() {
    const kv::Stamp now = kv::StampAt(now_us() / 1000, 0);
    stamp_ = std::max(now, stamp_.Next());
    return stamp_;
  }

 private:
  Instant mono_{0};
  int64_t offset_us_ = 0;
  bool set_ = false;
  bool following_ = false;
  Instant window_{0};
  int64_t next_us_ = 0;
  kv::Stamp stamp_;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_KEYSPACE_KV_CLOCK_H_
