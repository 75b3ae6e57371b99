// This node's own beats, and the links that wait for a later beat of another
// life.
//
// Internal to membership. Deterministic for a seed.
#ifndef MUSTER_NODE_CORE_MEMBERSHIP_BEATS_H_
#define MUSTER_NODE_CORE_MEMBERSHIP_BEATS_H_

#include <cstdint>
#include <map>
#include <random>
#include <vector>

#include "absl/time/time.h"
#include "crdt/types.h"
#include "node/core/frames.h"
#include "node/core/membership/member_table.h"
#include "node/core/time.h"

namespace muster::core {

// Numbers the beats 1, 2, 3, … and says when the next is due: every interval,
// give or take a twentieth, so that nodes do not beat in step.
class BeatClock {
 public:
  BeatClock(absl::Duration interval, uint64_t seed, Instant now);

  // Advances the number if it is time.
  bool Advance(Instant now);
  // Advances it now, whenever it was due.
  void AdvanceAtOnce(Instant now);
  uint64_t number() const { return number_; }
  Instant advanced() const { return advanced_; }

 private:
  const absl::Duration interval_;
  std::mt19937_64 random_;
  uint64_t number_ = 1;
  Instant advanced_;
  Instant next_;
};

// The reports of other lives in a beat: a few at a time, in turns, so that a
// datagram stays within kMaxDatagramBytes. Past kWhole members a beat has fewer
// reports the more members there are, down to kFewest: as many others report
// each life then, and the reports that a node receives in a second grow with
// the number of members alone.
class BeatSample {
 public:
  static constexpr size_t kWhole = 64;
  static constexpr size_t kFewest = 8;
  // A report older than this is no evidence.
  static constexpr absl::Duration kOldest = absl::Seconds(10);

  // `name_bytes`: the length of the sender's name.
  std::vector<BeatReport> Next(const MemberTable& table, size_t name_bytes,
                               Instant now);

 private:
  crdt::LifeId after_;
};

// The links that asked for later beats of a life, for kWait each.
//
// Limits: kMaxAsks; a further one is not remembered.
class AskBook {
 public:
  static constexpr absl::Duration kWait = absl::Milliseconds(350);
  static constexpr size_t kMaxAsks = 4096;

  void Add(LinkId link, const AskFrame& ask, Instant now);
  void Drop(LinkId link);
  // The links whose question `number` answers: it is above theirs.
  std::vector<LinkId> Waiting(crdt::LifeId life, uint64_t number, Instant now);
  // Forgets the questions whose time is over.
  void Tick(Instant now);
  size_t size() const { return size_; }

 private:
  struct Asker {
    LinkId link;
    uint64_t number;
    Instant until;
  };
  template <typename Over>
  void Erase(Over over);

  std::map<crdt::LifeId, std::vector<Asker>> askers_;
  size_t size_ = 0;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_MEMBERSHIP_BEATS_H_
