// Membership: the members of the cluster, and a failure detector that tells
// which of them are alive.
//
// Every node numbers its beats 1, 2, 3, … *Evidence of life is an advance of a
// node's beat number*, first-hand or by relay; a repeated number is none. So
// two nodes can never keep a third alive by vouching for it in a circle.
//
//   alive --silence--> suspect --no later beat--> down --20 min--> forgotten
//     ^                  |                         |
//     +---- a beat ------+-------- a beat ---------+
//
// Membership does not know what a stream holds. It tells the replica of changes
// as events, and of actions as Output. It composes parts, each in a header of
// its own; a part knows those above it alone:
//
//   table_      the other lives, known by life id       member_table.h
//   links_      open links, and which one is in use     peer_links.h
//   dialing_    join addresses and members to dial      dialing.h
//   stall_      whether this node itself stood still    failure_detector.h
//   beats_      own beats, to all                       beat_sender.h
//   pings_      questions about the silent              indirect_pings.h
//   news_       members, told to peers                  member_news.h
//   link_use_   takes links into use, closes them       link_use.h
//   lifecycle_  learnt, ended, left, forgotten          member_lifecycle.h
//   verdicts_   suspect, down                           verdicts.h
//   evidence_   signs of life                           evidence.h
//   stalls_     links that bring nothing                link_stalls.h
//   admission_  the own name, and the search for peers  admission.h
//
// Every input is a step: was this node stalled, the input, what follows.
//
// Sources: Hayashibara et al., The phi accrual failure detector (2004); Das,
// Gupta, Motivala, SWIM (2002); Dadgar et al., Lifeguard (2018). We deviate
// in that evidence is a beat number, never a message as such, and in the
// clamp of the silence to [min_silence, max_silence].
//
// Limits: Options::max_members (a further one is refused, counted, logged).
// Cost: O(log members) an event; a Tick looks at a slice of the members and
// links, so that each has its turn within 100 ms or so. Single-threaded.
#ifndef MUSTER_NODE_CORE_MEMBERSHIP_MEMBERSHIP_H_
#define MUSTER_NODE_CORE_MEMBERSHIP_MEMBERSHIP_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "crdt/types.h"
#include "node/core/frames.h"
#include "node/core/measures.h"
#include "node/core/membership/admission.h"
#include "node/core/membership/beat_sender.h"
#include "node/core/membership/dialing.h"
#include "node/core/membership/evidence.h"
#include "node/core/membership/failure_detector.h"
#include "node/core/membership/indirect_pings.h"
#include "node/core/membership/link_stalls.h"
#include "node/core/membership/link_use.h"
#include "node/core/membership/member_lifecycle.h"
#include "node/core/membership/member_news.h"
#include "node/core/membership/member_table.h"
#include "node/core/membership/membership_event.h"
#include "node/core/membership/membership_journal.h"
#include "node/core/membership/own_life.h"
#include "node/core/membership/peer_links.h"
#include "node/core/membership/step_context.h"
#include "node/core/membership/verdicts.h"
#include "node/core/options.h"
#include "node/core/output.h"
#include "node/core/time.h"

namespace muster::core {

// A member that is alive or suspect, and what it has answered last.
struct LivePeer {
  crdt::LifeId life;
  bool suspect = false;
  LinkId link = 0;           // In use; 0: none.
  std::optional<Pong> pong;  // On that link.
  crdt::Seq presence_seq;    // The highest that a datagram named,
  Instant datagram;          // and when the last one came.
};

class Membership {
 public:
  Membership(const Options& options, crdt::LifeId life, uint64_t seed, Now now);
  Membership(const Membership&) = delete;
  Membership& operator=(const Membership&) = delete;

  // ---- inputs; each appends to `out` and to the events ----
  void OnLinkUp(LinkId link, const PeerHello& hello, Now now, Output& out);
  void OnLinkDown(LinkId link, Now now, Output& out);
  // Every frame's beat number, before the frame itself is looked at.
  void OnFrameBeat(LinkId link, uint64_t beat, Now now, Output& out);
  void OnMembers(LinkId link, const MembersFrame& frame, Now now, Output& out);
  void OnAsk(LinkId link, const AskFrame& frame, Now now, Output& out);
  void OnBeatReport(LinkId link, const BeatReport& report, Now now,
                    Output& out);
  void OnLeaving(LinkId link, Now now, Output& out);
  void OnDatagram(const BeatDatagram& beat, Now now, Output& out);
  void OnProbe(uint64_t token, bool refused, Now now, Output& out);
  void OnHelloProbe(uint64_t token, crdt::LifeId life, Now now, Output& out);
  // A dial to `address` was refused for good, by the node there or by this one:
  // another secret, another cluster, no common version.
  void OnRefused(const std::string& address, const std::string& why, Now now,
                 Output& out);
  void OnUdpUnavailable(const std::string& why);
  // The peer acknowledged bulk, or there is none outstanding (true); else the
  // replica's flow control waits for an acknowledgement (false).
  void OnBulk(LinkId link, bool idle_or_acked, Now now);
  void Tick(Now now, Output& out);
  // Own last seq, carried by beats.
  void SetPresenceSeq(crdt::Seq seq);
  // Asks each member that is alive for a sign of life over the link in use, one
  // ping a link at a time, each at most once in `period`.
  void Ping(absl::Duration period, Now now, Output& out);
  // Sends LeavingFrame to all; no dialling from then on.
  void Leave(Now now, Output& out);
  // Forgets a name that is down or has left: all lives of it. What others say
  // of these does not bring them back, only a sign of their own life does.
  // FAILED_PRECONDITION while it is alive or suspect; NOT_FOUND.
  absl::Status ForgetName(const std::string& name, Now now, Output& out);

  std::vector<MembershipEvent> TakeEvents();

  // ---- state ----
  // Incarnation 0 until admitted.
  const crdt::Origin& self() const { return own_.origin; }
  // Own beat number, for a frame on that link.
  uint64_t BeatOn(LinkId link) const;
  // The open link to a life, or 0.
  LinkId LinkTo(crdt::LifeId life) const;
  // The origin at the other end, or null if the link is unknown, refused, or
  // its peer is not admitted yet.
  const crdt::Origin* OriginOf(LinkId link) const;
  // There is live evidence: alive, suspect or self.
  bool IsAlive(crdt::LifeId life) const;
  // A later life of its node has taken its place.
  bool HasEnded(crdt::LifeId life) const;
  // ForgetName has forgotten it, and it has given no sign of life since.
  bool WasForgotten(crdt::LifeId life) const;
  // Elapsed time since the origin's beat number last advanced anywhere, as
  // far as this node knows; absl::InfiniteDuration() if it is not a member.
  absl::Duration AgeOf(crdt::LifeId life, Now now) const;
  // How long the last frame of this link may have waited: on its way, and here
  // while this node stood still.
  absl::Duration DelayOf(LinkId id) const;
  // The members that are alive or suspect, without this node.
  std::vector<LivePeer> LivePeers() const;
  // Of a life; number 0 if it is not a member.
  LastBeat LastBeatOf(crdt::LifeId life) const;
  // presence_seq and entries are left for the replica to fill in.
  std::vector<MemberView> View(Now now) const;
  std::vector<std::string> Notes() const;
  // Name and value, for Status.
  std::vector<std::pair<std::string, uint64_t>> Counters() const;
  // The links in use; their unacknowledged bytes are for the replica to fill
  // in.
  std::vector<LinkMeasure> LinkMeasures() const;
  const DeathTimes& death_times() const;

 private:
  class InputStep;

  // Was this node stalled?
  void Begin(StepContext& step);
  // What follows from the input: admission, name, addresses to dial.
  void End(StepContext& step);
  // A row of a MembersFrame that came on `link`.
  void TakeInfo(PeerLink& link, const MemberInfo& info, StepContext& step);
  // A beat that a peer passed on.
  void TakePassedOn(const BeatReport& report, StepContext& step);

  const Options options_;
  const FailureDetector detector_;

  // What is known.
  StallWatch stall_;
  OwnLife own_;
  MemberTable table_;
  PeerLinks links_;
  Dialing dialing_;
  ProbeTokens tokens_;
  MembershipJournal journal_;
  std::string udp_unavailable_;

  // What is done about it; each part knows those above it alone.
  BeatSender beats_;
  IndirectPings pings_;
  MemberNews news_;
  LinkUse link_use_;
  MemberLifecycle lifecycle_;
  Verdicts verdicts_;
  Evidence evidence_;
  LinkStalls stalls_;
  Admission admission_;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_MEMBERSHIP_MEMBERSHIP_H_
