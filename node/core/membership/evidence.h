// Takes in signs of life: an advance of a member's beat number, by datagram, on
// its own link, or passed on by a peer. A repeated number is none.
//
//   beat 8, known: 7   -> its silence ends; suspect or down -> alive
//   beat 8, known: 8   -> nothing
//
// A life that has ended and beats on comes back once the later life is silent.
//
// Internal to membership. Cost: O(log members) a beat.
#ifndef MUSTER_NODE_CORE_MEMBERSHIP_EVIDENCE_H_
#define MUSTER_NODE_CORE_MEMBERSHIP_EVIDENCE_H_

#include <cstdint>
#include <set>

#include "absl/time/time.h"
#include "crdt/types.h"
#include "node/core/membership/dialing.h"
#include "node/core/membership/failure_detector.h"
#include "node/core/membership/indirect_pings.h"
#include "node/core/membership/link_use.h"
#include "node/core/membership/member_lifecycle.h"
#include "node/core/membership/member_table.h"
#include "node/core/membership/membership_journal.h"
#include "node/core/membership/peer_links.h"
#include "node/core/membership/step_context.h"
#include "node/core/membership/verdicts.h"
#include "node/core/options.h"

namespace muster::core {

// How a beat number came here.
enum class BeatWay { kDatagram, kLink, kPassedOn };
struct HeardBeat {
  uint64_t number = 0;
  absl::Duration age;
  BeatWay way = BeatWay::kPassedOn;
  crdt::Seq presence_seq;
};

class Evidence {
 public:
  Evidence(const DetectorOptions& times, const FailureDetector& detector,
           const StallWatch& stall, MemberTable& table, const PeerLinks& links,
           Dialing& dialing, IndirectPings& pings, LinkUse& link_use,
           MemberLifecycle& lifecycle, Verdicts& verdicts,
           MembershipJournal& journal);

  void Take(Member& member, const HeardBeat& heard, StepContext& step);
  // Brings back the lives that had ended and are heard again.
  void ReturnEnded(StepContext& step);

 private:
  // An advance of a beat number: when it was, and when it counts as having
  // been, since a stall of this node does not count against the sender.
  struct Advance {
    Instant now;
    absl::Duration age;
    Instant at;
    Instant judged;
    bool first = false;
  };
  void Record(Member& member, const HeardBeat& heard, const Advance& advance);
  // Whether the member is at work, as far as this beat tells.
  bool IsLive(const Member& member, const Advance& advance) const;
  void Revive(Member& member, crdt::Seq presence_seq, StepContext& step);
  // An ended life was heard itself.
  void HeardOfEnded(Member& member, StepContext& step);

  const DetectorOptions& times_;
  const FailureDetector& detector_;
  const StallWatch& stall_;
  MemberTable& table_;
  const PeerLinks& links_;
  Dialing& dialing_;
  IndirectPings& pings_;
  LinkUse& link_use_;
  MemberLifecycle& lifecycle_;
  Verdicts& verdicts_;
  MembershipJournal& journal_;

  // Lives that had ended and are heard again.
  std::set<crdt::LifeId> returning_;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_MEMBERSHIP_EVIDENCE_H_
